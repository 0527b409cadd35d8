#include "dataplane/flow/sent_arena.h"

#include <gtest/gtest.h>
#include <rte_mempool.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <random>
#include <set>
#include <vector>

#include "tests/unit/dataplane/flow/tcp_rig.h"

namespace lwt {
namespace {

using Position = SentArena::Position;
using test::PacketPool;

constexpr size_t kBytes = SentArena::kSegmentBytes;

rte_mbuf* Record(uint16_t size, uint8_t byte = 0) {
  rte_mbuf* mbuf = rte_pktmbuf_alloc(PacketPool());
  std::memset(rte_pktmbuf_append(mbuf, size), byte, size);
  return mbuf;
}

// Keeps a record that its sender has no more use for.
Position Keep(SentArena& arena, uint16_t size, uint8_t byte = 0,
              uint32_t slot = 0) {
  rte_mbuf* record = Record(size, byte);
  const Position at = arena.Push(record, slot);
  rte_pktmbuf_free(record);
  return at;
}

class SentArenaTest : public ::testing::Test {
 protected:
  SentArenaTest() : before_(rte_mempool_avail_count(PacketPool())) {}
  ~SentArenaTest() override {
    EXPECT_EQ(rte_mempool_avail_count(PacketPool()), before_);
  }

 private:
  const unsigned before_;
};

TEST_F(SentArenaTest, HasTwoSegmentsAtLeast) {
  EXPECT_EQ(SentArena(1, 1).capacity(), 2u);
  EXPECT_EQ(SentArena(5 * kBytes + 1, 1).capacity(), 5u);
}

TEST_F(SentArenaTest, StartsEmpty) {
  const SentArena arena(1, 1);
  EXPECT_FALSE(arena.full());
  EXPECT_EQ(arena.shares().Largest(), FairShares::kNone);
}

TEST_F(SentArenaTest, KeepsAReferenceUntilItIsLetGo) {
  SentArena arena(2 * kBytes, 1);
  rte_mbuf* record = Record(1000, 7);
  const uint8_t* const bytes = rte_pktmbuf_mtod(record, uint8_t*);
  const Position at = arena.Push(record, 0);
  EXPECT_EQ(rte_mbuf_refcnt_read(record), 2);
  EXPECT_EQ(arena.At(at).size, 1000u);
  EXPECT_EQ(arena.At(at).next, SentArena::kNone);
  // Headers in front move the mbuf's data, not the payload.
  rte_pktmbuf_prepend(record, 60);
  EXPECT_EQ(arena.Payload(at), bytes);
  rte_pktmbuf_free(record);
  EXPECT_EQ(rte_mbuf_refcnt_read(record), 1);
  arena.LetGo(at);
}

// A chain that was sent comes apart: each record is freed by itself.
TEST_F(SentArenaTest, KeepsRecordsOfAChain) {
  SentArena arena(4 * kBytes, 1);
  rte_mbuf* parts[] = {Record(100, 1), Record(100, 2), Record(50, 3)};
  std::vector<Position> kept;
  for (rte_mbuf* part : parts) kept.push_back(arena.Push(part, 0));
  parts[0]->next = parts[1];
  parts[1]->next = parts[2];
  parts[0]->nb_segs = 3;
  parts[0]->pkt_len = 250;
  rte_pktmbuf_free(parts[0]);
  for (const size_t i : {1, 0, 2}) {
    EXPECT_EQ(*arena.Payload(kept[i]), i + 1);
    arena.LetGo(kept[i]);
  }
}

// What is acknowledged in time never leaves the first segments, whatever the
// arena's size.
TEST_F(SentArenaTest, ReusesWhatWasLetGoLast) {
  SentArena arena(64u << 20, 1);
  std::vector<Position> in_flight;
  std::set<Position> used;
  for (int burst = 0; burst < 2000; ++burst) {
    for (int i = 0; i < 45; ++i) {
      in_flight.push_back(Keep(arena, 1448));
      used.insert(in_flight.back());
    }
    // The burst before this one is acknowledged.
    if (in_flight.size() > 45) {
      for (size_t i = 0; i < 45; ++i) arena.LetGo(in_flight[i]);
      in_flight.erase(in_flight.begin(), in_flight.begin() + 45);
    }
  }
  EXPECT_LE(used.size(), 3u * 45u);
}

// Random order, of some flows: what is kept keeps its bytes, and each flow is
// said to keep what it does.
TEST_F(SentArenaTest, KeepsBytesUntilTheyAreLetGo) {
  constexpr uint32_t kFlows = 3;
  for (uint32_t seed = 1; seed <= 4; ++seed) {
    SCOPED_TRACE(seed);
    SentArena arena(100 * kBytes, kFlows);
    std::mt19937 random(seed);
    struct Kept {
      Position at;
      uint8_t byte;
      uint16_t size;
    };
    std::vector<Kept> kept;
    std::array<uint32_t, kFlows> held{};
    size_t fills = 0;
    const auto let_go = [&](size_t one) {
      --held[arena.At(kept[one].at).slot];
      arena.LetGo(kept[one].at);
      kept.erase(kept.begin() + static_cast<ptrdiff_t>(one));
    };
    for (int step = 0; step < 20'000; ++step) {
      if (arena.full()) {
        ++fills;
        ASSERT_EQ(kept.size(), arena.capacity());
        let_go(0);
      }
      const auto size = static_cast<uint16_t>(1 + random() % 1500);
      const auto byte = static_cast<uint8_t>(step);
      const auto slot = static_cast<uint32_t>(random() % kFlows);
      kept.push_back({Keep(arena, size, byte, slot), byte, size});
      ++held[slot];
      if (random() % 3 != 0) {
        const size_t one = random() % kept.size();
        const uint8_t* bytes = arena.Payload(kept[one].at);
        ASSERT_EQ(bytes[0], kept[one].byte);
        ASSERT_EQ(bytes[kept[one].size - 1], kept[one].byte);
        if (random() % 3 != 0) {
          let_go(one);
        }
      }
      for (uint32_t each = 0; each < kFlows; ++each) {
        ASSERT_EQ(arena.shares().held(each), held[each]);
      }
    }
    EXPECT_GT(fills, 100u);
  }
}

}  // namespace
}  // namespace lwt
