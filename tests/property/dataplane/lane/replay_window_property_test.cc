// The replay window against a set of all numbers it has taken.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

#include "dataplane/lane/replay_window.h"

namespace lwt::session {
namespace {

using Verdict = ReplayWindow::Verdict;
using Random = std::mt19937_64;

class Model {
 public:
  Verdict Commit(uint64_t number) {
    if (number + ReplayWindow::kSize < next_) return Verdict::kTooOld;
    if (!taken_.insert(number).second) return Verdict::kReplayed;
    next_ = std::max(next_, number + 1);
    return Verdict::kNew;
  }
  uint64_t next() const { return next_; }

 private:
  std::set<uint64_t> taken_;
  uint64_t next_ = 0;
};

// Numbers as a lane meets them: mostly the next one, some early or late, some
// at the window's edge, and jumps around multiples of the window.
uint64_t RandomNumber(uint64_t next, Random& random) {
  constexpr uint64_t kSize = ReplayWindow::kSize;
  const uint64_t near = random() % 130;
  switch (random() % 100) {
    case 0:
      return next + kSize * (random() % 3) + near;
    case 1:
    case 2:
    case 3:
      return next + random() % 4096;
    default:
      break;
  }
  uint64_t back = near;
  if (random() % 4 == 0) back = random() % (kSize + 200);
  if (random() % 8 == 0) back = kSize - 65 + near;
  if (random() % 3 == 0) return next;
  return next > back ? next - back : near;
}

TEST(ReplayWindowProperty, AgreesWithASet) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Random random(seed);
    ReplayWindow window;
    Model model;
    std::array<int, 3> seen{};
    for (int i = 0; i < 200'000; ++i) {
      const uint64_t number = RandomNumber(window.next(), random);
      const Verdict peeked = window.Peek(number);
      const Verdict expected = model.Commit(number);
      ASSERT_EQ(window.Commit(number), expected) << i << ": " << number;
      ASSERT_EQ(peeked, expected) << i << ": " << number;
      ASSERT_EQ(window.next(), model.next()) << i << ": " << number;
      ++seen[static_cast<size_t>(expected)];
    }
    // All verdicts were met, each many times.
    EXPECT_GT(*std::min_element(seen.begin(), seen.end()), 1000);
  }
}

}  // namespace
}  // namespace lwt::session
