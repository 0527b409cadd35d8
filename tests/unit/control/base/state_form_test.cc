#include "control/base/state_form.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace lwt::host {
namespace {

constexpr std::string_view kOwn = "lightweight-tunnel thing 2";

class StateFormTest : public ::testing::Test {
 protected:
  ~StateFormTest() override { std::filesystem::remove(path_); }

  absl::StatusOr<std::string> Read(std::string_view text) const {
    std::ofstream(path_) << text;
    return ReadState(path_, kOwn);
  }

  const std::string path_ = "/tmp/lwt-state-form." + std::to_string(getpid());
};

TEST_F(StateFormTest, OwnAndEarlierAndForeignOnesAreTheReaders) {
  for (const char* text :
       {"lightweight-tunnel thing 2\n", "lightweight-tunnel thing 2",
        "lightweight-tunnel thing 1\nrest", "lightweight-tunnel thing 0\n",
        "lightweight-tunnel other 3\n", "lightweight-tunnel thing \n",
        "lightweight-tunnel thing 3x\n", "lightweight-tunnel thing -3\n",
        "lightweight-tunnel thing 99999999999\n", "rubbish", "", "\n"}) {
    const auto read = Read(text);
    ASSERT_TRUE(read.ok()) << text;
    EXPECT_EQ(*read, text);
  }
}

TEST_F(StateFormTest, ALaterOneIsRefusedWithBothNumbersAndStays) {
  constexpr std::string_view kLater = "lightweight-tunnel thing 3\nrest";
  const absl::Status refused = Read(kLater).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(refused));
  EXPECT_EQ(refused.message(),
            path_ +
                " was written by a later version of lightweight-tunnel: its "
                "form is 3, and this version reads up to 2; run the later "
                "version, or move the file away to start without what it "
                "holds");
  EXPECT_EQ(std::filesystem::file_size(path_), kLater.size());
}

TEST_F(StateFormTest, NoneIsNotFound) {
  EXPECT_TRUE(absl::IsNotFound(ReadState(path_, kOwn).status()));
}

}  // namespace
}  // namespace lwt::host
