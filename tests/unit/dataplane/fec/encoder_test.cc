#include "dataplane/fec/encoder.h"

#include <gtest/gtest.h>

#include "tests/support/slow_reed_solomon.h"
#include "tests/unit/dataplane/fec/fec_rig.h"

namespace lwt::fec {
namespace {

using lwt::testing::SlowReedSolomon;
using lwt::testing::TestPool;
using testing::Bytes;
using testing::FecRig;
using testing::kLane;
using testing::Sent;
using testing::ShardOf;

class EncoderTest : public ::testing::Test {
 protected:
  EncoderTest() : free_before_(rte_mempool_avail_count(TestPool())) {}
  ~EncoderTest() override {
    rig_.reset();
    EXPECT_EQ(rte_mempool_avail_count(TestPool()), free_before_);
  }

  void Use(const Encoder::Config& config) {
    rig_ = std::make_unique<FecRig>(config);
  }
  Encoder& encoder() { return rig_->encoder(); }

  std::vector<Sent> SendMany(size_t count, size_t size = 100) {
    std::vector<Sent> all;
    for (size_t i = 0; i < count; ++i) {
      const auto sent = rig_->Send(ShardOf(i, size));
      all.insert(all.end(), sent.begin(), sent.end());
    }
    return all;
  }

  const unsigned free_before_;
  std::unique_ptr<FecRig> rig_ = std::make_unique<FecRig>();
};

TEST_F(EncoderTest, WithoutParametersNothingIsAdded) {
  EXPECT_FALSE(encoder().Active(kLane));
  const auto sent = SendMany(30);
  EXPECT_EQ(sent.size(), 30u);
  for (const Sent& record : sent) EXPECT_EQ(record.place, wire::GroupPlace{});
  EXPECT_EQ(encoder().open_blocks(), 0u);
}

TEST_F(EncoderTest, DataPassesAtOnceAndParityFollowsAFullGroup) {
  encoder().SetParameters(kLane, {4, 2, 1});
  const uint64_t base = rig_->next_number();
  for (uint8_t i = 0; i < 4; ++i) {
    const auto sent = rig_->Send(ShardOf(i, 100));
    ASSERT_EQ(sent.size(), i < 3 ? 1u : 3u);
    EXPECT_EQ(sent[0].place.base, base);
    EXPECT_EQ(sent[0].place.index, i);
    EXPECT_EQ(sent[0].place.data, 4);
    EXPECT_EQ(sent[0].place.parity, 2);
    EXPECT_EQ(sent[0].number, base + i);
    for (uint8_t row = 0; i == 3 && row < 2; ++row) {
      EXPECT_TRUE(sent[1 + row].parity);
      EXPECT_EQ(sent[1 + row].place,
                (wire::GroupPlace{static_cast<uint32_t>(base), row, 4, 2, 1}));
    }
  }
  EXPECT_EQ(encoder().open_blocks(), 0u);
}

TEST_F(EncoderTest, ParityIsAsLongAsTheLongestShardAndRight) {
  encoder().SetParameters(kLane, {3, 2, 1});
  const std::vector<Bytes> shards = {ShardOf(1, 40), ShardOf(2, 900),
                                     ShardOf(3, 7)};
  PacketBurst parities;
  for (size_t i = 0; i < 3; ++i) {
    encoder().Add(kLane, i, shards[i], 0);
  }
  encoder().CloseFull(kLane, parities);
  ASSERT_EQ(parities.size(), 2u);
  for (size_t row = 0; row < 2; ++row) {
    const Frame& frame = parities.frames()[row];
    EXPECT_EQ(Bytes(frame.data, frame.data + frame.length),
              SlowReedSolomon::Encode(shards, row));
    EXPECT_GE(frame.data - static_cast<uint8_t*>(frame.mbuf->buf_addr),
              static_cast<int>(wire::kRecordPrefix + RTE_PKTMBUF_HEADROOM));
    rte_pktmbuf_free(frame.mbuf);
  }
}

TEST_F(EncoderTest, TimeClosesAGroup) {
  Use({.flush_us = 2000});
  encoder().SetParameters(kLane, {10, 3, 1});
  SendMany(5);
  EXPECT_EQ(encoder().NextDeadline(), rig_->now_us + 2000);
  rig_->now_us += 1999;
  EXPECT_TRUE(rig_->Flush().empty());
  rig_->now_us += 1;
  const auto parities = rig_->Flush();
  ASSERT_EQ(parities.size(), 3u);
  EXPECT_EQ(parities[0].place.data, 5);
  EXPECT_EQ(parities[0].place.parity, 3);
  EXPECT_EQ(encoder().NextDeadline(), Encoder::kNever);
}

TEST_F(EncoderTest, ShortGroupsGetMoreInProportionAndALoneShardOneCopy) {
  const Parameters parameters{10, 3, 1};
  EXPECT_EQ(ParitiesFor(parameters, 1), 1);
  EXPECT_EQ(ParitiesFor(parameters, 2), 2);
  EXPECT_EQ(ParitiesFor(parameters, 4), 2);
  EXPECT_EQ(ParitiesFor(parameters, 5), 3);
  EXPECT_EQ(ParitiesFor(parameters, 10), 3);
  EXPECT_EQ(ParitiesFor({20, 2, 1}, 1), 1);
  EXPECT_EQ(ParitiesFor({20, 2, 1}, 5), 1);
  EXPECT_EQ(ParitiesFor({20, 2, 1}, 6), 2);
  EXPECT_EQ(ParitiesFor({8, 6, 1}, 2), 2);
  encoder().SetParameters(kLane, parameters);
  SendMany(1);
  rig_->now_us += 2000;
  EXPECT_EQ(rig_->Flush().size(), 1u);
}

TEST_F(EncoderTest, InterleavedGroupsTakeTurns) {
  encoder().SetParameters(kLane, {3, 1, 4});
  const uint64_t base = rig_->next_number();
  const auto sent = SendMany(12);
  ASSERT_EQ(sent.size(), 16u);
  for (uint32_t i = 0; i < 12; ++i) {
    EXPECT_EQ(sent[i].place.base, base + i % 4);
    EXPECT_EQ(sent[i].place.index, i / 4);
    EXPECT_EQ(sent[i].place.stride, 4);
    EXPECT_EQ(sent[i].number, sent[i].place.base + 4 * sent[i].place.index);
  }
  for (uint32_t i = 12; i < 16; ++i) {
    EXPECT_TRUE(sent[i].parity);
    EXPECT_EQ(sent[i].place.base, base + i - 12);
  }
}

TEST_F(EncoderTest, AnInterleavedBlockHasATimeOfItsOwn) {
  Use({.flush_us = 1000, .interleave_us = 7000});
  encoder().SetParameters(kLane, {10, 2, 2});
  SendMany(3);
  rig_->now_us += 6999;
  EXPECT_TRUE(rig_->Flush().empty());
  rig_->now_us += 1;
  const auto parities = rig_->Flush();
  // Two shards in the first group, one in the second.
  ASSERT_EQ(parities.size(), 2u);
  EXPECT_EQ(parities[0].place.data, 2);
  EXPECT_EQ(parities[1].place.data, 1);
}

TEST_F(EncoderTest, BlocksOfManyLanesEndInTheirOrder) {
  PacketBurst parities;
  for (const LaneIndex lane : {LaneIndex{2}, LaneIndex{0}, LaneIndex{3}}) {
    encoder().SetParameters(lane, {10, 1, 1});
    encoder().Add(lane, 5, ShardOf(lane.value, 50), 100 * (lane.value + 1));
  }
  // Lane 2 began at 300, lane 0 at 100, lane 3 at 400; the order is that of
  // the calls, as a worker's clock never goes back.
  EXPECT_EQ(encoder().open_blocks(), 3u);
  encoder().Flush(3000, parities);
  ASSERT_EQ(parities.size(), 3u);
  EXPECT_EQ(parities.frames()[0].lane, LaneIndex{2});
  EXPECT_EQ(parities.frames()[2].lane, LaneIndex{3});
  for (const Frame& frame : parities.frames()) rte_pktmbuf_free(frame.mbuf);
}

TEST_F(EncoderTest, AnotherKindTakesAPlaceAsAnEmptyShard) {
  encoder().SetParameters(kLane, {3, 1, 1});
  rig_->Send(ShardOf(0, 100));
  const Sent report = rig_->SendOther();
  EXPECT_EQ(report.place.index, 1);
  EXPECT_EQ(report.place.data, 3);
  const auto last = rig_->Send(ShardOf(2, 100));
  EXPECT_EQ(last[0].place.index, 2);
  EXPECT_EQ(last.size(), 2u);
}

TEST_F(EncoderTest, AnotherKindMayFillTheGroup) {
  encoder().SetParameters(kLane, {2, 1, 1});
  rig_->Send(ShardOf(0, 100));
  rig_->SendOther();
  // The group is full, and its parity leaves before the next shard.
  EXPECT_EQ(rig_->SendOther().place, wire::GroupPlace{});
  const auto sent = rig_->Send(ShardOf(1, 100));
  ASSERT_EQ(sent.size(), 2u);
  EXPECT_TRUE(sent[0].parity);
  EXPECT_EQ(sent[0].place.data, 2);
  EXPECT_EQ(sent[1].place.index, 0);
  EXPECT_EQ(sent[1].place.base, sent[1].number);
}

TEST_F(EncoderTest, ABrokenPromiseEndsTheGroupWithoutParity) {
  encoder().SetParameters(kLane, {4, 2, 1});
  SendMany(2);
  rig_->SkipNumbers(1);
  const auto sent = rig_->Send(ShardOf(9, 100));
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].place.index, 0);
  EXPECT_EQ(sent[0].place.base, sent[0].number);
}

TEST_F(EncoderTest, ParametersChangeWithTheNextGroup) {
  encoder().SetParameters(kLane, {4, 1, 1});
  rig_->Send(ShardOf(0, 10));
  encoder().SetParameters(kLane, {2, 2, 1});
  EXPECT_EQ(SendMany(3).back().place.data, 4);
  EXPECT_EQ(SendMany(2).size(), 4u);
  encoder().SetParameters(kLane, {});
  EXPECT_FALSE(encoder().Active(kLane));
  EXPECT_EQ(SendMany(1)[0].place, wire::GroupPlace{});
}

TEST_F(EncoderTest, ParametersAreCutToTheLimits) {
  encoder().SetParameters(kLane, {200, 100, 50});
  EXPECT_EQ(encoder().parameters(kLane), (Parameters{64, 32, 2}));
  encoder().SetParameters(kLane, {10, 0, 3});
  EXPECT_FALSE(encoder().parameters(kLane).on());
  encoder().SetParameters(kLane, {10, 1, 0});
  EXPECT_EQ(encoder().parameters(kLane).stride, 1);
}

TEST_F(EncoderTest, WithoutABlockLeftShardsGoUnprotected) {
  Use({.max_blocks = 1});
  encoder().SetParameters({0}, {4, 1, 1});
  encoder().SetParameters({2}, {4, 1, 1});
  encoder().Add({0}, 0, ShardOf(0, 50), 0);
  EXPECT_EQ(encoder().Add({2}, 0, ShardOf(0, 50), 0), wire::GroupPlace{});
  EXPECT_EQ(encoder().unprotected(), 1u);
  encoder().Release({0});
  EXPECT_EQ(encoder().Add({2}, 1, ShardOf(0, 50), 0).data, 4);
}

TEST_F(EncoderTest, AShardBeyondABufferGoesUnprotected) {
  encoder().SetParameters(kLane, {4, 1, 1});
  SendMany(2);
  const auto sent = rig_->Send(ShardOf(7, 3000));
  // What was in the group is protected all the same.
  ASSERT_EQ(sent.size(), 2u);
  EXPECT_EQ(sent[0].place, wire::GroupPlace{});
  EXPECT_TRUE(sent[1].parity);
  EXPECT_EQ(sent[1].place.data, 2);
  EXPECT_EQ(encoder().unprotected(), 1u);
}

}  // namespace
}  // namespace lwt::fec
