#include "dataplane/lane/replay_window.h"

#include <gtest/gtest.h>

namespace lwt::session {
namespace {

using ReplayVerdict = ReplayWindow::Verdict;
constexpr uint64_t kSize = ReplayWindow::kSize;

TEST(ReplayWindow, TakesEachNumberOnce) {
  ReplayWindow window;
  for (uint64_t number = 0; number < 200; ++number) {
    EXPECT_EQ(window.Commit(number), ReplayVerdict::kNew);
    EXPECT_EQ(window.Commit(number), ReplayVerdict::kReplayed);
    EXPECT_EQ(window.next(), number + 1);
  }
}

TEST(ReplayWindow, PeekChangesNothing) {
  ReplayWindow window;
  EXPECT_EQ(window.Peek(5), ReplayVerdict::kNew);
  EXPECT_EQ(window.Peek(5), ReplayVerdict::kNew);
  EXPECT_EQ(window.next(), 0u);
  window.Commit(5);
  EXPECT_EQ(window.Peek(5), ReplayVerdict::kReplayed);
  EXPECT_EQ(window.Peek(4), ReplayVerdict::kNew);
  EXPECT_EQ(window.next(), 6u);
}

TEST(ReplayWindow, TakesLateNumbersDownToItsLeftEdge) {
  ReplayWindow window;
  const uint64_t top = 3 * kSize + 17;
  ASSERT_EQ(window.Commit(top), ReplayVerdict::kNew);
  const uint64_t left = top + 1 - kSize;
  EXPECT_EQ(window.Commit(left), ReplayVerdict::kNew);
  EXPECT_EQ(window.Commit(left), ReplayVerdict::kReplayed);
  EXPECT_EQ(window.Commit(left - 1), ReplayVerdict::kTooOld);
  EXPECT_EQ(window.Commit(0), ReplayVerdict::kTooOld);
  EXPECT_EQ(window.next(), top + 1);
}

TEST(ReplayWindow, LeftEdgeMovesByOne) {
  ReplayWindow window;
  for (uint64_t number = 0; number < kSize; ++number) window.Commit(number);
  EXPECT_EQ(window.Peek(0), ReplayVerdict::kReplayed);
  window.Commit(kSize);
  EXPECT_EQ(window.Peek(0), ReplayVerdict::kTooOld);
  EXPECT_EQ(window.Peek(1), ReplayVerdict::kReplayed);
}

TEST(ReplayWindow, JumpBeyondTheWindowForgetsAll) {
  for (const uint64_t jump : {kSize - 1, kSize, kSize + 63, kSize + 64,
                              kSize + 65, 2 * kSize + 128, 1000 * kSize}) {
    ReplayWindow window;
    for (uint64_t number = 0; number < kSize; ++number) window.Commit(number);
    const uint64_t top = kSize - 1 + jump;
    ASSERT_EQ(window.Commit(top), ReplayVerdict::kNew);
    const uint64_t left = top + 1 - kSize;
    for (uint64_t number = left; number < top; ++number) {
      const ReplayVerdict expected =
          number < kSize ? ReplayVerdict::kReplayed : ReplayVerdict::kNew;
      ASSERT_EQ(window.Peek(number), expected) << jump << ": " << number;
    }
    EXPECT_EQ(window.Peek(top), ReplayVerdict::kReplayed);
  }
}

TEST(ReplayWindow, ReusedWordIsCleared) {
  // RFC 6479: a word that leaves the window comes back empty.
  ReplayWindow window;
  for (uint64_t number = 0; number < 64; ++number) window.Commit(number);
  const uint64_t words = kSize / 64 + 1;
  const uint64_t same_word = words * 64;
  ASSERT_EQ(window.Commit(same_word + 63), ReplayVerdict::kNew);
  for (uint64_t number = same_word; number < same_word + 63; ++number) {
    EXPECT_EQ(window.Commit(number), ReplayVerdict::kNew) << number;
  }
}

TEST(ReplayWindow, FirstNumberMayLieAnywhere) {
  ReplayWindow window;
  const uint64_t largest = (uint64_t{1} << 48) - 1;
  EXPECT_EQ(window.Commit(largest), ReplayVerdict::kNew);
  EXPECT_EQ(window.Commit(largest), ReplayVerdict::kReplayed);
  EXPECT_EQ(window.Commit(largest - kSize + 1), ReplayVerdict::kNew);
  EXPECT_EQ(window.Commit(largest - kSize), ReplayVerdict::kTooOld);
}

}  // namespace
}  // namespace lwt::session
