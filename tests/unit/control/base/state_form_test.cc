#include "control/base/state_form.h"

#include <gtest/gtest.h>

namespace lwt::host {
namespace {

constexpr std::string_view kOwn = "lightweight-tunnel thing 2";

TEST(StateFormTest, OwnAndEarlierAndForeignOnesAreTheReaders) {
  for (const char* text :
       {"lightweight-tunnel thing 2\n", "lightweight-tunnel thing 2",
        "lightweight-tunnel thing 1\nrest", "lightweight-tunnel thing 0\n",
        "lightweight-tunnel other 3\n", "lightweight-tunnel thing \n",
        "lightweight-tunnel thing 3x\n", "lightweight-tunnel thing -3\n",
        "lightweight-tunnel thing 99999999999\n", "rubbish", "", "\n"}) {
    EXPECT_TRUE(RefuseLaterForm("/f", text, kOwn).ok()) << text;
  }
}

TEST(StateFormTest, ALaterOneIsRefusedWithBothNumbers) {
  const absl::Status refused =
      RefuseLaterForm("/f", "lightweight-tunnel thing 3\nrest", kOwn);
  EXPECT_TRUE(absl::IsFailedPrecondition(refused));
  EXPECT_EQ(refused.message(),
            "/f was written by a later version of lightweight-tunnel: its form "
            "is 3, and this version reads up to 2; run the later version, or "
            "move the file away to start without what it holds");
}

}  // namespace
}  // namespace lwt::host
