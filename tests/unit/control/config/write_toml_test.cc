// The files that -g writes, and what -print-config tells.
#include "control/config/write_toml.h"

#include <gtest/gtest.h>

#include <vector>

#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "control/base/text.h"
#include "control/config/diff.h"

namespace lwt::config {
namespace {

constexpr char kKey[] = "some key of ours";

// What the daemon would run on, or why it would not.
absl::StatusOr<LoadedConfig> LoadText(const std::string& text) {
  LoadedConfig loaded;
  absl::Status status =
      ApplyToml(text, "sample", loaded.config, &loaded.origins);
  if (status.ok()) status = Finish(loaded.config, loaded.warnings);
  if (!status.ok()) return status;
  return loaded;
}

// What -g makes its files of.
std::string WrittenFor(Mode mode) {
  Config config;
  config.mode = mode;
  config.key.text = kKey;
  if (mode == Mode::kServer) {
    config.hub.local = {*ParseEndpoint("0.0.0.0:9000")};
    config.tunnel.addresses = {ParseIpPrefix("10.0.0.1/24").value()};
  } else {
    config.client.remote = HostPort{"server.example.com", 9000};
    config.tunnel.addresses = {ParseIpPrefix("10.0.0.2/24").value()};
  }
  return SampleFile(config, Concat(NameOf(mode), "-10.0.0.7"));
}

std::string WithoutHash(std::vector<std::string> lines, size_t line) {
  lines[line] = lines[line].substr(1);
  return absl::StrJoin(lines, "\n");
}

TEST(SampleFileTest, SetsWhatTheSideNeeds) {
  for (Mode mode : {Mode::kServer, Mode::kClient}) {
    const auto loaded = LoadText(WrittenFor(mode));
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    EXPECT_EQ(loaded->config.mode, mode);
    EXPECT_EQ(loaded->config.key.text, kKey);
  }
}

// The promise to whoever edits the file: take any one hash away, and what is
// left is good. A default changes nothing, an example changes its setting.
TEST(SampleFileTest, StaysGoodWhenAnyLineIsUncommented) {
  for (Mode mode : {Mode::kServer, Mode::kClient}) {
    const std::string file = WrittenFor(mode);
    const std::vector<std::string> lines = absl::StrSplit(file, '\n');
    const auto before = LoadText(file);
    ASSERT_TRUE(before.ok()) << before.status();
    size_t settings = 0;
    for (size_t i = 0; i < lines.size(); ++i) {
      if (lines[i].empty() || lines[i][0] != '#' || lines[i][1] == ' ') {
        continue;
      }
      SCOPED_TRACE(lines[i]);
      ++settings;
      const auto after = LoadText(WithoutHash(lines, i));
      ASSERT_TRUE(after.ok()) << after.status();
      EXPECT_TRUE(after->warnings.empty());
      const std::string key = lines[i].substr(1, lines[i].find(' ') - 1);
      for (const Change& change : Diff(before->config, after->config)) {
        EXPECT_TRUE(change.option->toml == key ||
                    KeyOf(*change.option) == key ||
                    TableOf(*change.option) == key)
            << NameOf(change);
      }
    }
    EXPECT_GT(settings, 25u);
  }
}

// A default that is uncommented is the one that was in force; an example is
// not, and a row has one or the other.
TEST(SampleFileTest, OffersEverySettingThatStandsByItself) {
  for (Mode mode : {Mode::kServer, Mode::kClient}) {
    const std::string file = WrittenFor(mode);
    for (const Option& option : Options()) {
      if (!IsFor(option.applies_to, mode)) continue;
      // These only make sense beside another line, or in its place.
      const bool beside =
          option.toml == "lan_addr" || option.toml == "key_file" ||
          option.toml == "peer.addresses" || option.toml == "address_pool";
      const std::string line = Concat(KeyOf(option), " = ");
      EXPECT_EQ(file.find(line) == std::string::npos, beside) << option.toml;
    }
  }
}

TEST(SampleFileTest, NamesTheFoldersThatAreTaken) {
  const std::string hub = WrittenFor(Mode::kServer);
  const std::string client = WrittenFor(Mode::kClient);
  EXPECT_EQ(hub.find("MODE-ADDRESS"), std::string::npos);
  EXPECT_NE(hub.find("\"/var/lib/lightweight-tunnel/server-10.0.0.7\""),
            std::string::npos);
  EXPECT_NE(client.find("\"/var/lib/lightweight-tunnel/client-10.0.0.7\""),
            std::string::npos);
}

constexpr char kHub[] =
    "mode = \"server\"\n"
    "local_addr = \"0.0.0.0:9000\"\n"
    "tunnel_addr = [\"10.0.0.1/24\", \"fd00::1/64\"]\n"
    "key = \"some key of ours\"\n"
    "[dataplane]\n"
    "workers = 2\n"
    "[[peer]]\n"
    "public_key = \"vD1t5yk9uMJvVJdTgNVbLRRfAMO3WlMKqkjXQUUuNWc=\"\n"
    "allowed_ips = \"192.168.7.0/24,fd07::/64\"\n";

TEST(SettingsInForceTest, SayWhatIsInForceAndWhereItWasGiven) {
  const auto loaded = LoadText(kHub);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  const std::string text = SettingsInForce(loaded->config, loaded->origins);
  for (const char* line :
       {"mode = \"server\"  # sample:1\n",
        "tunnel_addr = [\"10.0.0.1/24\", \"fd00::1/64\"]  # sample:3\n",
        "#key = \"(hidden)\"  # sample:4\n", "mtu = 0  # default\n",
        "#fallback = \"\"  # not given\n", "\n[dataplane]\n",
        "workers = 2  # sample:6\n", "\n[[peer]]\n",
        "allowed_ips = [\"192.168.7.0/24\", \"fd07::/64\"]  # sample:9\n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << text;
  }
  EXPECT_EQ(text.find(kKey), std::string::npos);
  EXPECT_EQ(text.find("remote_addr"), std::string::npos);
}

TEST(SettingsInForceTest, AreAFileThatMakesThemAgain) {
  const auto loaded = LoadText(kHub);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  const std::string text = SettingsInForce(loaded->config, loaded->origins);
  const auto again = LoadText(Concat("key = \"", kKey, "\"\n", text));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(Diff(loaded->config, again->config).empty());
}

}  // namespace
}  // namespace lwt::config
