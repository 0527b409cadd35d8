#include "dataplane/fec/decoder.h"

#include <gtest/gtest.h>

#include "tests/unit/dataplane/fec/fec_rig.h"

namespace lwt::fec {
namespace {

using lwt::testing::TestPool;
using testing::Bytes;
using testing::FecRig;
using testing::kLane;
using testing::Padded;
using testing::Sent;
using testing::ShardOf;
using wire::RecordKind;

class DecoderTest : public ::testing::Test {
 protected:
  DecoderTest() : free_before_(rte_mempool_avail_count(TestPool())) {
    rig_->encoder().SetParameters(kLane, {4, 2, 1});
  }
  ~DecoderTest() override {
    rig_.reset();
    EXPECT_EQ(rte_mempool_avail_count(TestPool()), free_before_);
  }

  void Use(const Decoder::Config& config, const Parameters& parameters) {
    rig_ = std::make_unique<FecRig>(Encoder::Config{}, config);
    rig_->encoder().SetParameters(kLane, parameters);
  }

  std::vector<Sent> SendMany(size_t count, size_t size = 100) {
    std::vector<Sent> all;
    for (size_t i = 0; i < count; ++i) {
      const auto sent = rig_->Send(ShardOf(next_shard_++, size));
      all.insert(all.end(), sent.begin(), sent.end());
    }
    return all;
  }
  // Closes the open group; its parities go to the end of `sent`.
  void FlushInto(std::vector<Sent>& sent) {
    rig_->now_us += 5000;
    const auto parities = rig_->Flush();
    sent.insert(sent.end(), parities.begin(), parities.end());
  }
  void ReceiveBut(const std::vector<Sent>& sent, const std::set<size_t>& lost) {
    for (size_t i = 0; i < sent.size(); ++i) {
      if (!lost.contains(i)) rig_->Receive(sent[i]);
    }
  }
  size_t held() { return rig_->decoder().store().shards_held(); }

  const unsigned free_before_;
  std::unique_ptr<FecRig> rig_ = std::make_unique<FecRig>();
  size_t next_shard_ = 0;
};

TEST_F(DecoderTest, WithoutLossNoParityIsOpenedAndNothingIsKept) {
  ReceiveBut(SendMany(8), {});
  EXPECT_EQ(rig_->delivered.size(), 8u);
  EXPECT_EQ(rig_->opened, 8u);
  EXPECT_EQ(held(), 0u);
  EXPECT_TRUE(rig_->drops.empty());
}

TEST_F(DecoderTest, GivesBackWhatWasLostAsSoonAsItCan) {
  const auto sent = SendMany(4);
  ReceiveBut({sent.begin(), sent.begin() + 5}, {1});
  ASSERT_EQ(rig_->repaired.size(), 1u);
  EXPECT_EQ(rig_->repaired[0], ShardOf(1, 100));
  EXPECT_EQ(rig_->opened, 4u);  // three shards and one parity
  EXPECT_EQ(held(), 0u);
  rig_->Receive(sent[5]);
  EXPECT_EQ(rig_->opened, 4u);
  EXPECT_EQ(rig_->repaired_count, 1u);
}

TEST_F(DecoderTest, AnOriginalThatComesLateIsADuplicate) {
  const auto sent = SendMany(4);
  ReceiveBut(sent, {2});
  rig_->Receive(sent[2]);
  EXPECT_EQ(rig_->delivered.size(), 3u);
  EXPECT_EQ(rig_->drops, std::vector{DropReason::kReplayed});
}

TEST_F(DecoderTest, ShorterShardsComeBackPaddedWithZeros) {
  std::vector<Sent> sent = rig_->Send(ShardOf(0, 10));
  for (const size_t size : {300, 20, 100}) {
    const auto more = rig_->Send(ShardOf(size, size));
    sent.insert(sent.end(), more.begin(), more.end());
  }
  ReceiveBut(sent, {0, 3});
  ASSERT_EQ(rig_->repaired.size(), 2u);
  EXPECT_EQ(rig_->repaired[0], Padded(ShardOf(0, 10), 302));
  EXPECT_EQ(rig_->repaired[1], Padded(ShardOf(100, 100), 302));
}

TEST_F(DecoderTest, AWholeGroupOfOneComesFromItsCopy) {
  auto sent = SendMany(1, 64);
  FlushInto(sent);
  ASSERT_EQ(sent.size(), 2u);
  rig_->Receive(sent[1]);
  ASSERT_EQ(rig_->repaired.size(), 1u);
  EXPECT_EQ(rig_->repaired[0], ShardOf(0, 64));
}

TEST_F(DecoderTest, AGroupThatClosedEarlyIsReleasedByItsFirstParity) {
  auto sent = SendMany(2);
  FlushInto(sent);
  ASSERT_EQ(sent.size(), 4u);
  ReceiveBut({sent.begin(), sent.begin() + 3}, {});
  EXPECT_EQ(held(), 0u);
  EXPECT_EQ(rig_->opened, 3u);
  rig_->Receive(sent[3]);
  EXPECT_EQ(rig_->opened, 3u);
}

TEST_F(DecoderTest, AGroupThatClosedEarlyIsRepaired) {
  Use({}, {10, 3, 1});
  auto sent = SendMany(5);
  FlushInto(sent);
  ASSERT_EQ(sent.size(), 8u);
  ReceiveBut(sent, {0, 3, 4});
  ASSERT_EQ(rig_->repaired.size(), 3u);
  EXPECT_EQ(rig_->repaired[2], ShardOf(4, 100));
}

TEST_F(DecoderTest, TheLargestGroupIsRepaired) {
  Use({}, {kMaxData, kMaxParity, 1});
  const auto sent = SendMany(kMaxData);
  ASSERT_EQ(sent.size(), size_t{kMaxData} + kMaxParity);
  std::set<size_t> lost;
  for (size_t i = 0; i < kMaxData; i += 2) lost.insert(i);
  ReceiveBut(sent, lost);
  ASSERT_EQ(rig_->repaired.size(), lost.size());
  EXPECT_EQ(rig_->repaired.back(), ShardOf(*lost.rbegin(), 100));
  EXPECT_EQ(held(), 0u);
}

TEST_F(DecoderTest, AParityThatIsNeededAtOnceIsNotParked) {
  const auto sent = SendMany(4);
  ReceiveBut({sent.begin(), sent.begin() + 4}, {0, 1});
  rig_->Receive(sent[4]);
  EXPECT_EQ(rig_->opened, 2u) << "two are missing: one parity is of no use yet";
  EXPECT_EQ(held(), 3u);
  rig_->Receive(sent[5]);
  EXPECT_EQ(rig_->opened, 4u);
  EXPECT_EQ(rig_->repaired.size(), 2u);
}

TEST_F(DecoderTest, ParitiesMayComeFirst) {
  const auto sent = SendMany(4);
  for (const size_t i : {4, 5, 3, 0}) rig_->Receive(sent[i]);
  EXPECT_EQ(rig_->repaired.size(), 2u);
  EXPECT_EQ(rig_->delivered.size(), 2u);
}

TEST_F(DecoderTest, InterleavedGroupsSurviveABurst) {
  Use({}, {4, 1, 5});
  const auto sent = SendMany(20);
  ReceiveBut(sent, {7, 8, 9, 10, 11});
  EXPECT_EQ(rig_->repaired.size(), 5u);
  rig_->Receive(sent[8]);
  EXPECT_EQ(rig_->drops, std::vector{DropReason::kReplayed});
}

TEST_F(DecoderTest, ALostRecordOfAnotherKindComesBackEmpty) {
  std::vector<Sent> sent = SendMany(1);
  sent.push_back(rig_->SendOther());
  const auto rest = SendMany(2);
  sent.insert(sent.end(), rest.begin(), rest.end());
  ReceiveBut(sent, {1});
  ASSERT_EQ(rig_->repaired.size(), 1u);
  EXPECT_EQ(rig_->repaired[0], Bytes(102, 0));
}

TEST_F(DecoderTest, ARecordOfAnotherKindCountsAsPresent) {
  std::vector<Sent> sent = SendMany(1);
  sent.push_back(rig_->SendOther());
  const auto rest = SendMany(2);
  sent.insert(sent.end(), rest.begin(), rest.end());
  ReceiveBut(sent, {0, 4});
  ASSERT_EQ(rig_->repaired.size(), 1u);
  EXPECT_EQ(rig_->repaired[0], ShardOf(0, 100));
}

TEST_F(DecoderTest, TooMuchLossIsGivenUpAndCountedWhenItsTimeIsOver) {
  const auto sent = SendMany(4);
  ReceiveBut(sent, {0, 1, 2});
  EXPECT_TRUE(rig_->repaired.empty());
  EXPECT_GT(held(), 0u);
  rig_->now_us += 299'999;
  rig_->decoder().Expire(rig_->now_us, *rig_);
  EXPECT_EQ(rig_->unrepaired_count, 0u);
  rig_->now_us += 1;
  rig_->decoder().Expire(rig_->now_us, *rig_);
  // The parities stayed sealed: what lies before the last shard is known.
  EXPECT_EQ(rig_->unrepaired_count, 3u);
  EXPECT_EQ(held(), 0u);
}

TEST_F(DecoderTest, ARetransmittedShardMayCompleteTheRepair) {
  const auto sent = SendMany(4);
  ReceiveBut(sent, {0, 1, 2});
  rig_->now_us += 50'000;
  rig_->Receive(sent[1]);
  EXPECT_EQ(rig_->repaired.size(), 2u);
  EXPECT_EQ(rig_->unrepaired_count, 0u);
}

TEST_F(DecoderTest, MoreGroupsThanPlacesGiveUpTheOldest) {
  Use({.store = {.max_groups = 4}}, {4, 2, 1});
  for (int group = 0; group < 6; ++group) ReceiveBut(SendMany(4), {0, 1, 4, 5});
  EXPECT_EQ(held(), 8u);
  EXPECT_EQ(rig_->unrepaired_count, 4u);
}

TEST_F(DecoderTest, MoreShardsThanPlacesGiveUpTheOldest) {
  Use({.store = {.max_shards = 7}}, {4, 2, 1});
  for (int group = 0; group < 5; ++group) ReceiveBut(SendMany(4), {0, 4, 5});
  EXPECT_LE(held(), 7u);
  EXPECT_GT(rig_->unrepaired_count, 0u);
  // The newest group is as good as ever.
  ReceiveBut(SendMany(4), {0});
  EXPECT_EQ(rig_->repaired.size(), 1u);
}

// One shard of each group is held; the place of a parity that was parked and
// did not open is free again.
TEST_F(DecoderTest, PlacesForParitiesThatDidNotOpenComeBack) {
  Use({.store = {.max_shards = 6}}, {3, 2, 1});
  std::vector<std::vector<Sent>> groups;
  for (int group = 0; group < 5; ++group) {
    std::vector<Sent> sent = SendMany(1);
    sent.push_back(rig_->SendOther());
    const auto rest = SendMany(1);
    sent.insert(sent.end(), rest.begin(), rest.end());
    ASSERT_EQ(sent.size(), 5u);
    rig_->Receive(sent[0]);
    rig_->Receive(FecRig::Damaged(sent[3]));
    rig_->Receive(sent[1]);
    EXPECT_EQ(rig_->drops.size(), group + 1u);
    EXPECT_EQ(held(), group + 1u);
    groups.push_back(sent);
  }
  for (const auto& sent : groups) rig_->Receive(sent[4]);
  EXPECT_EQ(rig_->repaired.size(), 5u) << "each group is still there";
}

TEST_F(DecoderTest, BuffersOfMergedFramesArePinnedWithinBounds) {
  Use({.store = {.max_big = 2}}, {4, 2, 1});
  for (int group = 0; group < 5; ++group) {
    ReceiveBut(SendMany(4, 1890), {0, 4, 5});
    EXPECT_LE(rig_->decoder().store().big_pinned(), 2u);
  }
  EXPECT_GT(rig_->unrepaired_count, 0u);
}

TEST_F(DecoderTest, RecordsOfAMergedFrameShareAReference) {
  auto sent = SendMany(8);  // two groups: data 0 … 3, 6 … 9
  const auto frames = FecRig::Merge(
      {sent[0], sent[2], sent[3], sent[6], sent[7], sent[8], sent[9]});
  rte_mbuf* mbuf = frames[0].mbuf;
  rte_mbuf_refcnt_update(mbuf, 1);
  for (size_t i = 0; i < 6; ++i) rig_->Receive(frames[i]);
  EXPECT_EQ(held(), 6u);
  EXPECT_EQ(rte_mbuf_refcnt_read(mbuf), 4u) << "ours, the last's, two groups'";
  rig_->Receive(sent[4]);
  EXPECT_EQ(rig_->repaired, std::vector<Bytes>{ShardOf(1, 100)});
  EXPECT_EQ(rte_mbuf_refcnt_read(mbuf), 3u);
  rig_->Receive(frames[6]);
  EXPECT_EQ(held(), 0u);
  EXPECT_EQ(rte_mbuf_refcnt_read(mbuf), 1u);
  rte_pktmbuf_free(mbuf);
}

TEST_F(DecoderTest, FramesThatTakeTurnsAreHeldUntilTheGroupEnds) {
  const auto sent = SendMany(4);
  const auto merged = FecRig::Merge({sent[1], sent[3]});
  rig_->Receive(merged[0]);
  rig_->Receive(sent[2]);
  rig_->Receive(merged[1]);
  EXPECT_EQ(rte_mbuf_refcnt_read(merged[0].mbuf), 2u);
  rig_->Receive(sent[4]);
  EXPECT_EQ(rig_->repaired, std::vector<Bytes>{ShardOf(0, 100)});
  EXPECT_EQ(held(), 0u);
}

TEST_F(DecoderTest, WithoutRoomForWhatComesBackTheGroupIsGivenUp) {
  rig_->room_left = 1;
  ReceiveBut(SendMany(4), {0, 1});
  EXPECT_TRUE(rig_->repaired.empty());
  EXPECT_EQ(rig_->unrepaired_count, 2u);
  EXPECT_EQ(held(), 0u);
}

TEST_F(DecoderTest, ADamagedParityIsReplacedByTheNext) {
  const auto sent = SendMany(4);
  ReceiveBut({sent.begin(), sent.begin() + 4}, {0});
  rig_->Receive(FecRig::Damaged(sent[4]));
  EXPECT_EQ(rig_->drops, std::vector{DropReason::kBadTag});
  EXPECT_TRUE(rig_->repaired.empty());
  rig_->Receive(sent[5]);
  EXPECT_EQ(rig_->repaired.size(), 1u);
}

TEST_F(DecoderTest, ASecondParityForARowIsOpenedAtOnceAndReplacesTheFirst) {
  const auto sent = SendMany(4);
  ReceiveBut({sent.begin(), sent.begin() + 4}, {0, 1});
  rig_->Receive(FecRig::Damaged(sent[4]));  // parked, two are missing
  EXPECT_TRUE(rig_->drops.empty());
  rig_->Receive(sent[4]);
  EXPECT_TRUE(rig_->drops.empty());
  rig_->Receive(sent[5]);
  EXPECT_EQ(rig_->repaired.size(), 2u);
}

TEST_F(DecoderTest, AParityOfAGroupGoneByChangesNothing) {
  Use({.store = {.max_groups = 1}}, {4, 2, 1});
  const auto old = SendMany(4);
  ReceiveBut({old.begin(), old.begin() + 4}, {});
  ReceiveBut(SendMany(4), {});
  rig_->Receive(old[4]);
  EXPECT_TRUE(rig_->repaired.empty());
  EXPECT_EQ(held(), 0u);
}

struct Absurd {
  const char* name;
  RecordKind kind;
  wire::GroupPlace place;
};

class AbsurdPlaceTest : public DecoderTest,
                        public ::testing::WithParamInterface<Absurd> {};

// Sealed by the peer itself, behind a good group 100, 4 + 2 with shards 0, 1.
TEST_P(AbsurdPlaceTest, IsACountedDrop) {
  rig_->SkipNumbers(100);
  ReceiveBut(SendMany(2, 50), {});
  rig_->Receive(rig_->Seal(GetParam().kind, ShardOf(5, 50), GetParam().place));
  EXPECT_EQ(rig_->drops, std::vector{DropReason::kBadGroup});
  EXPECT_TRUE(rig_->repaired.empty());
  EXPECT_EQ(rig_->delivered.size(), 2u);
  // The group lives on.
  EXPECT_EQ(held(), 2u);
}

INSTANTIATE_TEST_SUITE_P(
    All, AbsurdPlaceTest,
    ::testing::Values(
        Absurd{"DataTooMany", RecordKind::kData, {102, 0, 65, 2, 1}},
        Absurd{"DataNoParity", RecordKind::kData, {102, 0, 4, 0, 1}},
        Absurd{"DataStrideZero", RecordKind::kData, {102, 0, 4, 2, 0}},
        Absurd{"DataStrideLarge", RecordKind::kData, {102, 0, 4, 2, 17}},
        Absurd{"DataIndexBeyond", RecordKind::kData, {98, 4, 4, 2, 1}},
        Absurd{"DataNumberNotInGroup", RecordKind::kData, {100, 3, 4, 2, 1}},
        Absurd{"DataBeforeTheFirst", RecordKind::kData, {0, 50, 64, 2, 16}},
        Absurd{"DataOtherSize", RecordKind::kData, {100, 2, 5, 2, 1}},
        Absurd{"ParityTooMany", RecordKind::kParity, {100, 0, 4, 33, 1}},
        Absurd{"ParityNoData", RecordKind::kParity, {100, 0, 0, 2, 1}},
        Absurd{"ParityRowBeyond", RecordKind::kParity, {100, 2, 4, 2, 1}},
        Absurd{"ParityOfLater", RecordKind::kParity, {103, 0, 4, 2, 1}},
        Absurd{
            "ParityOfLongAgo", RecordKind::kParity, {0xffff0000, 0, 4, 2, 1}},
        Absurd{"ParityOtherStride", RecordKind::kParity, {100, 0, 4, 2, 2}},
        Absurd{"ParityLargerGroup", RecordKind::kParity, {100, 0, 5, 2, 1}},
        Absurd{"ParitySmallerGroup", RecordKind::kParity, {100, 0, 1, 2, 1}}),
    [](const auto& each) { return each.param.name; });

TEST_F(DecoderTest, AParityShorterThanAShardIsDropped) {
  ReceiveBut(SendMany(3, 50), {});
  rig_->Receive(rig_->Seal(RecordKind::kParity, Bytes(51), {0, 0, 4, 2, 1}));
  EXPECT_EQ(rig_->drops, std::vector{DropReason::kBadGroup});
}

TEST_F(DecoderTest, ReleaseFreesWhatALaneHolds) {
  ReceiveBut(SendMany(4), {0, 4, 5});
  EXPECT_EQ(held(), 3u);
  rig_->decoder().Release(kLane);
  EXPECT_EQ(held(), 0u);
  EXPECT_EQ(rig_->unrepaired_count, 0u);
}

}  // namespace
}  // namespace lwt::fec
