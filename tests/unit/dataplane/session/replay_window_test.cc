#include "dataplane/session/replay_window.h"

#include <gtest/gtest.h>

namespace lwt::session {
namespace {

using Verdict = ReplayWindow::Verdict;
constexpr uint64_t kSize = ReplayWindow::kSize;

TEST(ReplayWindow, TakesEachNumberOnce) {
  ReplayWindow window;
  for (uint64_t number = 0; number < 200; ++number) {
    EXPECT_EQ(window.Commit(number), Verdict::kNew);
    EXPECT_EQ(window.Commit(number), Verdict::kReplayed);
    EXPECT_EQ(window.next(), number + 1);
  }
}

TEST(ReplayWindow, PeekChangesNothing) {
  ReplayWindow window;
  EXPECT_EQ(window.Peek(5), Verdict::kNew);
  EXPECT_EQ(window.Peek(5), Verdict::kNew);
  EXPECT_EQ(window.next(), 0u);
  window.Commit(5);
  EXPECT_EQ(window.Peek(5), Verdict::kReplayed);
  EXPECT_EQ(window.Peek(4), Verdict::kNew);
  EXPECT_EQ(window.next(), 6u);
}

TEST(ReplayWindow, TakesLateNumbersDownToItsLeftEdge) {
  ReplayWindow window;
  const uint64_t top = 3 * kSize + 17;
  ASSERT_EQ(window.Commit(top), Verdict::kNew);
  const uint64_t left = top + 1 - kSize;
  EXPECT_EQ(window.Commit(left), Verdict::kNew);
  EXPECT_EQ(window.Commit(left), Verdict::kReplayed);
  EXPECT_EQ(window.Commit(left - 1), Verdict::kTooOld);
  EXPECT_EQ(window.Commit(0), Verdict::kTooOld);
  EXPECT_EQ(window.next(), top + 1);
}

TEST(ReplayWindow, LeftEdgeMovesByOne) {
  ReplayWindow window;
  for (uint64_t number = 0; number < kSize; ++number) window.Commit(number);
  EXPECT_EQ(window.Peek(0), Verdict::kReplayed);
  window.Commit(kSize);
  EXPECT_EQ(window.Peek(0), Verdict::kTooOld);
  EXPECT_EQ(window.Peek(1), Verdict::kReplayed);
}

TEST(ReplayWindow, JumpBeyondTheWindowForgetsAll) {
  for (const uint64_t jump : {kSize - 1, kSize, kSize + 63, kSize + 64,
                              kSize + 65, 2 * kSize + 128, 1000 * kSize}) {
    ReplayWindow window;
    for (uint64_t number = 0; number < kSize; ++number) window.Commit(number);
    const uint64_t top = kSize - 1 + jump;
    ASSERT_EQ(window.Commit(top), Verdict::kNew);
    const uint64_t left = top + 1 - kSize;
    for (uint64_t number = left; number < top; ++number) {
      const Verdict expected =
          number < kSize ? Verdict::kReplayed : Verdict::kNew;
      ASSERT_EQ(window.Peek(number), expected) << jump << ": " << number;
    }
    EXPECT_EQ(window.Peek(top), Verdict::kReplayed);
  }
}

TEST(ReplayWindow, ReusedWordIsCleared) {
  // RFC 6479: a word that leaves the window comes back empty.
  ReplayWindow window;
  for (uint64_t number = 0; number < 64; ++number) window.Commit(number);
  const uint64_t words = kSize / 64 + 1;
  const uint64_t same_word = words * 64;
  ASSERT_EQ(window.Commit(same_word + 63), Verdict::kNew);
  for (uint64_t number = same_word; number < same_word + 63; ++number) {
    EXPECT_EQ(window.Commit(number), Verdict::kNew) << number;
  }
}

TEST(ReplayWindow, FirstNumberMayLieAnywhere) {
  ReplayWindow window;
  const uint64_t largest = (uint64_t{1} << 48) - 1;
  EXPECT_EQ(window.Commit(largest), Verdict::kNew);
  EXPECT_EQ(window.Commit(largest), Verdict::kReplayed);
  EXPECT_EQ(window.Commit(largest - kSize + 1), Verdict::kNew);
  EXPECT_EQ(window.Commit(largest - kSize), Verdict::kTooOld);
}

}  // namespace
}  // namespace lwt::session
