#include "control/cli/completion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdio.h>

#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "control/cli/control_words.h"
#include "control/config/command_line.h"
#include "control/config/options.h"
#include "tests/unit/control/host/scratch_dir.h"

namespace lwt::cli {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

std::string OutputOf(const std::string& command) {
  FILE* pipe = popen(command.c_str(), "r");
  std::string text;
  char buffer[4096];
  while (const size_t size = fread(buffer, 1, sizeof buffer, pipe)) {
    text.append(buffer, size);
  }
  EXPECT_EQ(pclose(pipe), 0) << command << "\n" << text;
  return text;
}

// Has bash complete the last of `words`, divided as bash divides them: "=" is a
// word of its own.
class CompletionTest : public testing::Test {
 protected:
  CompletionTest() {
    std::ofstream(folder_.path() + "/both")
        << DaemonBashCompletion() << ControlBashCompletion();
    std::ofstream(folder_.path() + "/office.toml") << "\n";
  }

  std::vector<std::string> Complete(std::vector<std::string> words) {
    std::string list;
    for (const std::string& word : words) list += " '" + word + "'";
    const std::string function =
        words[0] == "lwtctl" ? "_lwtctl" : "_lightweight_tunnel";
    const std::string text =
        OutputOf("cd " + folder_.path() + " && bash --norc --noprofile -c \"" +
                 "set -u; source ./both; complete -p " + words[0] +
                 " >/dev/null; COMP_WORDS=(" + list + "); COMP_CWORD=" +
                 std::to_string(words.size() - 1) + "; " + function +
                 "; printf '%s\\n' \\\"\\${COMPREPLY[@]}\\\"\" 2>&1");
    std::vector<std::string> found = absl::StrSplit(text, '\n');
    std::erase(found, "");
    return found;
  }

  const host::ScratchDir folder_;
};

TEST_F(CompletionTest, EachFlagOfTheTableIsCompleted) {
  const auto flags = Complete({"lightweight-tunnel", "-"});
  size_t count = 0;
  for (const config::Option& option : config::Options()) {
    if (option.flag.empty()) continue;
    EXPECT_THAT(flags, Contains("-" + std::string(option.flag)));
    ++count;
  }
  for (const config::CommandFlag& command : config::CommandFlags()) {
    EXPECT_THAT(flags, Contains("-" + std::string(command.flag)));
    ++count;
  }
  EXPECT_EQ(flags.size(), count);
  EXPECT_THAT(Complete({"lightweight-tunnel", "-tun-n"}),
              ElementsAre("-tun-name"));
  EXPECT_THAT(Complete({"lightweight-tunnel", "gen"}), ElementsAre("genkey"));
  EXPECT_THAT(Complete({"lightweight-tunnel", "pub"}), ElementsAre("pubkey"));
}

TEST_F(CompletionTest, AFlagsValuesAre) {
  EXPECT_THAT(Complete({"lightweight-tunnel", "-m", "s"}),
              ElementsAre("server"));
  EXPECT_THAT(Complete({"lightweight-tunnel", "--m", "="}),
              ElementsAre("server", "client"));
  EXPECT_THAT(Complete({"lightweight-tunnel", "-m", "=", "c"}),
              ElementsAre("client"));
  EXPECT_THAT(Complete({"lightweight-tunnel", "-c", "off"}),
              ElementsAre("office.toml"));
  EXPECT_THAT(Complete({"lightweight-tunnel", "-lan-port", "l"}),
              Contains("lo"));
  EXPECT_THAT(Complete({"lightweight-tunnel", "-r", ""}), IsEmpty());
  // A switch stands alone, or has its value behind "=".
  EXPECT_THAT(Complete({"lightweight-tunnel", "-multi-client", "=", "f"}),
              ElementsAre("false"));
  EXPECT_THAT(Complete({"lightweight-tunnel", "-multi-client", "-m"}),
              Contains("-mtu"));
}

TEST_F(CompletionTest, LwtctlsCommandsAre) {
  const auto words = Complete({"lwtctl", ""});
  for (const ControlWords& command : kControlCommands) {
    const std::vector<std::string> own = absl::StrSplit(
        absl::string_view(command.words.data(), command.words.size()), ' ');
    EXPECT_THAT(words, Contains(own[0]));
    if (own.size() > 1) {
      EXPECT_THAT(Complete({"lwtctl", own[0], ""}), Contains(own[1]));
      EXPECT_THAT(words, Not(Contains(own[1])));
    }
  }
  EXPECT_THAT(Complete({"lwtctl", "-socket", "office"}),
              ElementsAre("office.toml"));
  EXPECT_THAT(Complete({"lwtctl", "-socket", "/x", "peer", "unb"}),
              ElementsAre("unban"));
  EXPECT_THAT(Complete({"lwtctl", "-socket", "=", "/x", "rel"}),
              ElementsAre("reload"));
  EXPECT_THAT(Complete({"lwtctl", "status", "-j"}), ElementsAre("-json"));
  EXPECT_THAT(Complete({"lwtctl", "peer", "ban", ""}), IsEmpty());
}

TEST(ZshCompletionTest, HasEachFlagInASpecificationThatEnds) {
  const std::string text = DaemonZshCompletion();
  EXPECT_EQ(text.find("#compdef lightweight-tunnel\n"), 0u);
  for (const config::Option& option : config::Options()) {
    if (option.flag.empty()) continue;
    EXPECT_THAT(text, HasSubstr("'-" + std::string(option.flag) + "="));
  }
  EXPECT_THAT(text, HasSubstr("::value:(true false)'"));
  EXPECT_THAT(ControlZshCompletion(),
              HasSubstr("'1:command:(status peers events wait routes "));
}

}  // namespace
}  // namespace lwt::cli
