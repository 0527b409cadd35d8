#include "dataplane/frame_ledger.h"

#include <gtest/gtest.h>

#include <vector>

namespace lwt {
namespace {

using Burst = std::vector<int>;

TEST(FrameLedgerTest, KeptMovedMadeAndDroppedFramesAddUp) {
  FrameLedger ledger;
  Burst in(5);
  Burst out;
  {
    const StageCheck check(ledger, in, out);
    in.pop_back();  // from one to the other
    out.push_back(0);
    in.pop_back();  // dropped
    ledger.Gone();
    out.push_back(0);  // a new one
    ledger.Made();
  }
  {
    const StageCheck check(ledger, in);
    ledger.Gone(in.size());
    in.clear();
  }
}

#ifndef NDEBUG

TEST(FrameLedgerDeathTest, AFrameThatIsForgottenEndsTheProcess) {
  EXPECT_DEATH(
      {
        const FrameLedger ledger;
        Burst in(2);
        const StageCheck check(ledger, in);
        in.pop_back();
      },
      "does not hold: Difference");
}

TEST(FrameLedgerDeathTest, AFrameThatIsGivenAwayTwiceEndsTheProcess) {
  EXPECT_DEATH(
      {
        FrameLedger ledger;
        Burst in(2);
        const StageCheck check(ledger, in);
        in.pop_back();
        ledger.Gone();
        ledger.Gone();
      },
      "does not hold: Difference");
}

#else

TEST(FrameLedgerTest, TakesNoRoomInARelease) {
  struct Holder {
    [[no_unique_address]] FrameLedger ledger;
    int value = 0;
  };
  EXPECT_EQ(sizeof(Holder), sizeof(int));
}

#endif

}  // namespace
}  // namespace lwt
