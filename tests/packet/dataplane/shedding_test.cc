// A flow whose hole stays lets go of a few shards, evenly, and the more the
// nearer its window is to its end.
#include <gtest/gtest.h>

#include "dataplane/stages/stages.h"
#include "tests/packet/dataplane/gateway_pair.h"

namespace lwt::testing {
namespace {

constexpr LaneIndex kLane{0};

class SheddingTest : public ::testing::TestWithParam<uint32_t> {
 protected:
  void SetUp() override { pair_.Establish(); }

  // A burst of the lane with room for all; returns which were let through.
  std::vector<bool> PassBurst(uint32_t crowding, size_t count) {
    Worker& worker = pair_.client.worker();
    session::Lane& lane = worker.lanes[kLane.value];
    lane.round = ++worker.outbound.round;
    lane.budget = UINT32_MAX;
    lane.crowding = crowding;
    PacketBurst shards;
    for (size_t i = 0; i < count; ++i) {
      Frame shard;
      shard.mbuf = rte_pktmbuf_alloc(TestPool());
      shard.data = rte_pktmbuf_mtod(shard.mbuf, uint8_t*);
      shard.length = 1000;
      shard.lane = kLane;
      // Tells them apart.
      shard.stream_offset = i;
      shards.Push(shard);
    }
    PacketBurst ready;
    AwaitWindow(worker, shards, ready);
    std::vector<bool> passed(count);
    for (const Frame& shard : ready.frames()) {
      passed[shard.stream_offset] = true;
      rte_pktmbuf_free(shard.mbuf);
    }
    return passed;
  }

  uint64_t shed() { return pair_.client.drops(DropReason::kWindowFull); }

  GatewayPair pair_;
};

TEST_P(SheddingTest, LetsGoOfItsShareEvenly) {
  const uint32_t crowding = GetParam();
  constexpr size_t kShards = 32 * 1024;
  constexpr size_t kBurst = 64;
  std::vector<bool> passed;
  for (size_t i = 0; i < kShards / kBurst; ++i) {
    const auto burst = PassBurst(crowding, kBurst);
    passed.insert(passed.end(), burst.begin(), burst.end());
  }
  // One of 512 where the crowding is whole.
  EXPECT_EQ(shed(), kShards * crowding / 256 / 512);
  EXPECT_EQ(std::count(passed.begin(), passed.end(), false),
            static_cast<ptrdiff_t>(shed()));
  if (crowding == 0) return;
  const size_t between = (512 * 256 + crowding - 1) / crowding;
  size_t last = 0;
  for (size_t i = 0; i < passed.size(); ++i) {
    if (passed[i]) continue;
    EXPECT_LE(i - last, between);
    EXPECT_GE(i - last + 2, between);
    last = i;
  }
}

INSTANTIATE_TEST_SUITE_P(Crowding, SheddingTest,
                         ::testing::Values(0, 1, 64, 128, 255, 256));

}  // namespace
}  // namespace lwt::testing
