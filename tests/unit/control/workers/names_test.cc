#include "control/workers/names.h"

#include <gtest/gtest.h>

#include <type_traits>
#include <unordered_set>

namespace lwt::peer {
namespace {

template <typename A, typename B>
inline constexpr bool kMayBeTakenFor =
    std::is_convertible_v<A, B> || std::is_assignable_v<B&, A>;

// What the types are there for.
static_assert(!kMayBeTakenFor<LaneIndex, PeerIndex>);
static_assert(!kMayBeTakenFor<PeerIndex, LaneIndex>);
static_assert(!kMayBeTakenFor<WorkerIndex, LaneIndex>);
static_assert(!kMayBeTakenFor<LaneName, LaneIndex>);
static_assert(!std::is_convertible_v<uint32_t, PeerIndex>);

TEST(NamesTest, NoneIsNoneOfItsOwnKind) {
  EXPECT_EQ(WorkerIndex(), WorkerIndex::kNone);
  EXPECT_EQ(LaneIndex(), LaneIndex::kNone);
  EXPECT_EQ(PeerIndex(), PeerIndex::kNone);
  EXPECT_EQ(LaneName(), LaneName::kNone);
  EXPECT_NE(PeerIndex{0}, PeerIndex::kNone);
  EXPECT_NE((LaneName{{0}, {0}}), LaneName::kNone);
}

TEST(NamesTest, ALaneIsNamedByItsWorkerToo) {
  const std::unordered_set<LaneName> lanes = {{{0}, {1}}, {{1}, {1}}};
  EXPECT_EQ(lanes.size(), 2u);
  EXPECT_TRUE(lanes.contains({{1}, {1}}));
  EXPECT_FALSE(lanes.contains({{1}, {0}}));
  EXPECT_LT((LaneName{{0}, {9}}), (LaneName{{1}, {0}}));
}

}  // namespace
}  // namespace lwt::peer
