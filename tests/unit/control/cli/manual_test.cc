#include "control/cli/manual.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "control/config/command_line.h"
#include "control/config/options.h"

namespace lwt::cli {
namespace {

using testing::HasSubstr;

TEST(ManualTest, TextStaysText) {
  EXPECT_EQ(Roff("a-b"), "a\\-b");
  EXPECT_EQ(Roff("C:\\x"), "C:\\ex");
  EXPECT_EQ(Roff(".so /etc/passwd\n'x\ny."), "\\&.so /etc/passwd\n\\&'x\ny.");
}

TEST(ManualTest, HasEachFlagAndEachKey) {
  const std::string daemon = DaemonManual();
  const std::string settings = SettingsManual();
  for (const config::CommandFlag& command : config::CommandFlags()) {
    EXPECT_THAT(daemon,
                HasSubstr("\\fB" + Roff("-" + std::string(command.flag))));
  }
  for (const config::Option& option : config::Options()) {
    if (!option.flag.empty()) {
      EXPECT_THAT(daemon,
                  HasSubstr("\\fB" + Roff("-" + std::string(option.flag))));
    }
    EXPECT_THAT(settings, HasSubstr("\\fB" + Roff(option.toml) + "\\fR"));
  }
}

}  // namespace
}  // namespace lwt::cli
