#include "control/cli/pubkey_command.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "control/handshake/static_key.h"
#include "tests/unit/drivers/temp_tree.h"

namespace lwt::cli {
namespace {

class PubkeyCommandTest : public testing::Test {
 protected:
  // Makes the key pair of a gateway, and says its public key.
  std::string KeyOf(const std::string& name) {
    const auto key = handshake::LoadOrCreateStaticKey(root() + "/" + name);
    EXPECT_TRUE(key.ok()) << key.status();
    return handshake::PublicKeyToText(key->public_key);
  }
  absl::StatusOr<std::string> Run(std::vector<const char*> arguments) {
    arguments.insert(arguments.begin(), "pubkey");
    const auto command_line = config::ParseCommandLine(arguments);
    EXPECT_TRUE(command_line.ok()) << command_line.status();
    return PublicKeysOf(*command_line, root());
  }
  std::string root() const { return tree_.root(); }

  TempTree tree_;
};

TEST_F(PubkeyCommandTest, TheOnlyGatewaysKeyStandsAlone) {
  const std::string key = KeyOf("client-10.0.0.2");
  const auto said = Run({});
  ASSERT_TRUE(said.ok()) << said.status();
  EXPECT_EQ(*said, key + "\n");
}

TEST_F(PubkeyCommandTest, OfSeveralEachStandsBehindItsName) {
  const std::string second = KeyOf("server-10.0.0.1");
  const std::string first = KeyOf("client-10.0.0.2");
  std::filesystem::create_directory(root() + "/empty");
  const auto said = Run({});
  ASSERT_TRUE(said.ok()) << said.status();
  EXPECT_EQ(*said,
            "client-10.0.0.2 " + first + "\nserver-10.0.0.1 " + second + "\n");
}

TEST_F(PubkeyCommandTest, SettingsTellWhichOne) {
  KeyOf("client-10.0.0.2");
  const std::string key = KeyOf("mine");
  const std::string folder = root() + "/mine";
  const auto by_flag = Run({"-state-dir", folder.c_str()});
  ASSERT_TRUE(by_flag.ok()) << by_flag.status();
  EXPECT_EQ(*by_flag, key + "\n");
  tree_.Write("tunnel.toml", "state_dir = \"" + folder + "\"\n");
  const std::string file = root() + "/tunnel.toml";
  const auto by_file = Run({"-c", file.c_str()});
  ASSERT_TRUE(by_file.ok()) << by_file.status();
  EXPECT_EQ(*by_file, key + "\n");
  const auto wrong = Run({"-c", file.c_str(), "-mtu", "x"});
  EXPECT_FALSE(wrong.ok());
}

TEST_F(PubkeyCommandTest, ItSaysWhyThereIsNone) {
  EXPECT_NE(Run({}).status().message().find("has no key pair yet"),
            absl::string_view::npos);
  tree_.Write("bad/static.key", "no key");
  EXPECT_NE(Run({}).status().message().find("static.key"),
            absl::string_view::npos);
  const std::string folder = root() + "/new";
  EXPECT_FALSE(Run({"-state-dir", folder.c_str()}).ok());
  EXPECT_FALSE(std::filesystem::exists(folder)) << "nothing is made";
}

}  // namespace
}  // namespace lwt::cli
