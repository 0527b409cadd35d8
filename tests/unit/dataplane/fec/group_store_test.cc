// What lanes take from each other in the store of groups, in steps and in
// groups given up.
#include "dataplane/fec/group_store.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "dataplane/golden_ratio.h"
#include "tests/packet/dataplane/gateway_pair.h"

namespace lwt::fec {
namespace {

constexpr LaneIndex kQuiet{1};
constexpr LaneIndex kGreedy{2};
constexpr SipKey kKey = {0x0706050403020100, 0x0f0e0d0c0b0a0908};

// As the decoder does: what is in the way of a new group or of a new shard is
// given up.
class GroupStoreTest : public ::testing::Test {
 protected:
  GroupStoreTest()
      : store_({.max_groups = 256, .max_shards = 64, .key = kKey}) {
    lwt::testing::StartTestEal();
  }

  Group& Begin(LaneIndex lane, uint64_t base) {
    if (Group* known = store_.Find(lane, base)) return *known;
    while (Group* other = store_.InTheWay()) {
      store_.Finish(*other);
      store_.Forget(*other);
    }
    return store_.Create(lane, base, 0);
  }
  // False when the group itself made room.
  bool Hold(Group& group, size_t index) {
    while (!store_.HasRoom() && !group.finished) {
      store_.Finish(*store_.Crowding());
    }
    if (group.finished) return false;
    rte_mbuf* mbuf = rte_pktmbuf_alloc(lwt::testing::TestPool());
    Frame frame;
    frame.mbuf = mbuf;
    frame.data = rte_pktmbuf_mtod(mbuf, uint8_t*);
    frame.length = 10;
    frame.lane = group.lane;
    store_.HoldData(group, frame, index);
    rte_pktmbuf_free(mbuf);
    return true;
  }

  GroupStore store_;
};

// Bases that a hash without a key sends to one bucket: the product with the
// golden ratio has the same bits there.
std::vector<uint64_t> OneBucketWithoutKey(size_t count, uint32_t buckets) {
  std::vector<uint64_t> bases;
  for (uint64_t base = 0; bases.size() < count; ++base) {
    const uint64_t hash = (base + kGreedy.value * kGoldenRatio) * kGoldenRatio;
    if (((hash >> 32) & (buckets - 1)) == 0) bases.push_back(base);
  }
  return bases;
}

TEST_F(GroupStoreTest, ChosenNumbersMakeNoLongChain) {
  const auto bases = OneBucketWithoutKey(200, 256);
  for (const uint64_t base : bases) Begin(kGreedy, base);
  const uint64_t before = store_.steps();
  for (int round = 0; round < 10; ++round) {
    for (const uint64_t base : bases) {
      ASSERT_NE(store_.Find(kGreedy, base), nullptr);
    }
  }
  // Half as many groups as buckets: a look-up takes a quarter more than one.
  EXPECT_LT(store_.steps() - before, 10 * bases.size() * 2);
}

// Even who knows the key makes no chain longer than its bound, and pays with
// its own groups.
TEST_F(GroupStoreTest, AChainIsBoundedWhoeverKnowsTheKey) {
  constexpr uint64_t kBuckets = 512;
  const auto bucket = [](LaneIndex lane, uint64_t base) {
    const std::array<uint64_t, 1> words = {base ^ uint64_t{lane.value} << 48};
    return SipHash::Of(kKey, words) % kBuckets;
  };
  Begin(kQuiet, 77);
  const uint64_t target = bucket(kQuiet, 77);
  std::vector<uint64_t> bases;
  for (uint64_t base = 0; bases.size() < 40; ++base) {
    if (bucket(kGreedy, base) == target) bases.push_back(base);
  }
  for (const uint64_t base : bases) Begin(kGreedy, base);
  EXPECT_EQ(store_.groups_known().held(kGreedy), GroupStore::kMaxChain - 1);
  const uint64_t before = store_.steps();
  EXPECT_NE(store_.Find(kQuiet, 77), nullptr);
  EXPECT_LE(store_.steps() - before, GroupStore::kMaxChain);
  EXPECT_NE(store_.Find(kGreedy, bases.back()), nullptr);
  EXPECT_EQ(store_.Find(kGreedy, bases.front()), nullptr);
}

TEST_F(GroupStoreTest, GroupsOfOneLaneDoNotPushOutThoseOfAnother) {
  for (uint64_t base = 0; base < 40; ++base) Begin(kQuiet, base);
  for (uint64_t base = 0; base < 5000; ++base) Begin(kGreedy, base);
  EXPECT_EQ(store_.groups_known().total(), 256u);
  for (uint64_t base = 0; base < 40; ++base) {
    EXPECT_NE(store_.Find(kQuiet, base), nullptr) << base;
  }
  EXPECT_NE(store_.Find(kGreedy, 4999), nullptr);
}

TEST_F(GroupStoreTest, OneLaneAloneHasAllPlaces) {
  for (uint64_t base = 0; base < 5000; ++base) Begin(kGreedy, base);
  EXPECT_EQ(store_.groups_known().held(kGreedy), 256u);
}

TEST_F(GroupStoreTest, FinishedGroupsMakeRoomFirst) {
  for (uint64_t base = 0; base < 256; ++base) {
    Group& group = Begin(kGreedy, base);
    if (base % 2 == 1) store_.Finish(group);
  }
  for (uint64_t base = 1000; base < 1100; ++base) Begin(kGreedy, base);
  for (uint64_t base = 0; base < 256; base += 2) {
    EXPECT_NE(store_.Find(kGreedy, base), nullptr) << base;
  }
  EXPECT_EQ(store_.Find(kGreedy, 1), nullptr);
  EXPECT_EQ(store_.Find(kGreedy, 199), nullptr);
  EXPECT_NE(store_.Find(kGreedy, 201), nullptr);
}

TEST_F(GroupStoreTest, ShardsOfOneLaneDoNotPushOutThoseOfAnother) {
  Group& quiet = Begin(kQuiet, 0);
  for (size_t i = 0; i < 16; ++i) ASSERT_TRUE(Hold(quiet, i));
  for (uint64_t base = 0; base < 100; ++base) {
    Group& group = Begin(kGreedy, base * 64);
    for (size_t i = 0; i < 20; ++i) Hold(group, i);
    ASSERT_LE(store_.shards_held(), 64u);
  }
  EXPECT_FALSE(quiet.finished);
  EXPECT_EQ(std::popcount(quiet.held), 16);
  // And who wants its share back takes it from the one that has more.
  Group& next = Begin(kQuiet, 500);
  for (size_t i = 0; i < 16; ++i) EXPECT_TRUE(Hold(next, i));
  EXPECT_FALSE(quiet.finished);
}

TEST_F(GroupStoreTest, ALaneAloneHoldsAllShards) {
  for (uint64_t base = 0; base < 100; ++base) {
    Group& group = Begin(kGreedy, base * 64);
    for (size_t i = 0; i < 16; ++i) EXPECT_TRUE(Hold(group, i));
  }
  EXPECT_EQ(store_.shards_held(), 64u);
}

TEST_F(GroupStoreTest, ReleaseForgetsOneLaneOnly) {
  Begin(kQuiet, 5);
  for (uint64_t base = 0; base < 10; ++base) {
    Group& group = Begin(kGreedy, base);
    if (base % 3 == 0) store_.Finish(group);
  }
  store_.Release(kGreedy);
  EXPECT_EQ(store_.groups_known().total(), 1u);
  EXPECT_EQ(store_.Find(kGreedy, 3), nullptr);
  ASSERT_NE(store_.Find(kQuiet, 5), nullptr);
  EXPECT_EQ(store_.Oldest(), store_.Find(kQuiet, 5));
}

}  // namespace
}  // namespace lwt::fec
