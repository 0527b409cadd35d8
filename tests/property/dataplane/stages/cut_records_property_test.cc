// A stream of records cut at random, reordered, repeated, with holes: each
// record whose bytes all came is opened, and once. The seed is printed when a
// run fails.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <vector>

#include "dataplane/lane/sealing.h"
#include "dataplane/stages/cut_records.h"
#include "dataplane/worker_state.h"
#include "tests/packet/dataplane/gateway_pair.h"

namespace lwt::testing {
namespace {

constexpr LaneIndex kLane{0};
constexpr uint64_t kBase = 700;  // where the records begin in the stream

struct Range {
  size_t begin = 0;
  size_t end = 0;
};

class CutRecordsTest : public ::testing::TestWithParam<uint32_t> {
 protected:
  CutRecordsTest() : random_(GetParam()) {
    node_ = std::make_unique<Node>("j", SmallWorker(), RingPorts());
    worker().now_us = 1'000'000;
    buffers_ = rte_mempool_avail_count(TestPool());
    Renew();
  }
  ~CutRecordsTest() override {
    node_.reset();
    EXPECT_EQ(rte_mempool_avail_count(TestPool()), buffers_);
  }

  Worker& worker() { return node_->worker(); }
  size_t Below(size_t end) { return random_() % end; }
  bool OneIn(size_t n) { return Below(n) == 0; }

  // Keys on both sides, an empty stream.
  void Renew() {
    worker().inbound.pieces.Release(kLane, [](const CutPieces::Piece& piece) {
      rte_pktmbuf_free(piece.frame.mbuf);
    });
    session::Lane& lane = worker().lanes.Make(kLane);
    lane.installed = true;
    send_ = session::SendHalf{};
    const EpochKeys keys = TestKeys(0, 0);
    std::copy_n(keys.iv.data(), send_.iv.size(), send_.iv.begin());
    lane.receive.epochs[0].iv = send_.iv;
    lane.receive.epochs[0].held = true;
    worker().aead.ExpandKey(keys.key, send_.key);
    worker().aead.ExpandKey(keys.key, lane.receive.epochs[0].key);
    worker().aead.ExpandMaskKey(TestMask(0), send_.mask);
    worker().aead.ExpandMaskKey(TestMask(0), lane.receive.mask);
    stream_.clear();
    records_.clear();
    opened_.clear();
  }

  void Append(Bytes plaintext) {
    const size_t begin = stream_.size();
    const size_t size = plaintext.size();
    stream_.resize(begin + wire::kRecordOverhead + size);
    std::copy(plaintext.begin(), plaintext.end(),
              stream_.begin() + static_cast<long>(begin + wire::kRecordPrefix));
    ASSERT_TRUE(session::SealRecord(
        worker().aead, send_, wire::RecordKind::kData, &stream_[begin], size));
    records_.push_back({begin, stream_.size()});
  }

  // The plaintext that the next record of `size` bytes turns into `wanted`.
  Bytes PlaintextFor(const Bytes& wanted) {
    session::SendHalf copy = send_;
    Bytes record(wire::kRecordOverhead + wanted.size());
    EXPECT_TRUE(session::SealRecord(worker().aead, copy,
                                    wire::RecordKind::kData, record.data(),
                                    wanted.size()));
    Bytes plaintext(wanted.size());
    for (size_t i = 0; i < wanted.size(); ++i) {
      plaintext[i] = record[wire::kRecordPrefix + i] ^ wanted[i];
    }
    return plaintext;
  }

  // One segment arrives.
  void Arrive(Range range) {
    const size_t size = range.end - range.begin;
    Frame frame;
    frame.mbuf = rte_pktmbuf_alloc(size > 1900 ? TestJumboPool() : TestPool());
    ASSERT_NE(frame.mbuf, nullptr);
    frame.data = reinterpret_cast<uint8_t*>(
        rte_pktmbuf_append(frame.mbuf, static_cast<uint16_t>(size)));
    std::copy_n(stream_.begin() + static_cast<long>(range.begin), size,
                frame.data);
    frame.length = static_cast<uint32_t>(size);
    frame.lane = kLane;
    frame.stream_offset = kBase + range.begin;
    CutRecords(worker(), frame, burst_);
    Open();
    while (worker().inbound.received.rest.length > 0) {
      const Frame rest = worker().inbound.received.rest;
      worker().inbound.received.rest = Frame{};
      CutRecords(worker(), rest, burst_);
      Open();
    }
  }

  void Open() {
    for (Frame& frame : burst_.frames()) {
      wire::RecordHeader header;
      DropReason why{};
      if (session::OpenRecord(worker().aead,
                              worker().lanes[kLane.value].receive,
                              {frame.data, frame.length}, header, why)) {
        opened_.push_back(header.packet_number);
        EXPECT_EQ(frame.stream_offset,
                  kBase + records_[header.packet_number].begin);
      } else {
        EXPECT_EQ(why, DropReason::kReplayed);
      }
      rte_pktmbuf_free(frame.mbuf);
    }
    burst_.Clear();
  }

  // Segments as a middlebox makes them, mostly of about `mean` bytes.
  std::vector<Range> Cut(size_t mean) {
    std::vector<Range> segments;
    for (size_t at = 0; at < stream_.size();) {
      size_t size = OneIn(4) ? 1 + Below(2 * mean) : mean;
      if (OneIn(20)) size = 1 + Below(8);
      const size_t end = std::min(stream_.size(), at + size);
      segments.push_back({at, end});
      at = end;
    }
    return segments;
  }

  // Numbers of the records that the segments hold whole among them.
  std::vector<uint64_t> Covered(const std::vector<Range>& segments) const {
    std::vector<bool> came(stream_.size());
    for (const Range& range : segments) {
      std::fill(came.begin() + static_cast<long>(range.begin),
                came.begin() + static_cast<long>(range.end), true);
    }
    std::vector<uint64_t> covered;
    for (size_t i = 0; i < records_.size(); ++i) {
      const auto from = came.begin() + static_cast<long>(records_[i].begin);
      const auto to = came.begin() + static_cast<long>(records_[i].end);
      if (std::all_of(from, to, [](bool is) { return is; })) {
        covered.push_back(i);
      }
    }
    return covered;
  }

  std::vector<uint64_t> Opened() const {
    std::vector<uint64_t> sorted = opened_;
    std::sort(sorted.begin(), sorted.end());
    return sorted;
  }

  uint64_t Drops(DropReason reason) const { return node_->drops(reason); }

  std::mt19937 random_;
  std::unique_ptr<Node> node_;
  unsigned buffers_ = 0;
  session::SendHalf send_;
  Bytes stream_;
  std::vector<Range> records_;
  std::vector<uint64_t> opened_;
  RecordBurst burst_;
};

TEST_P(CutRecordsTest, WhatCameWholeIsOpenedOnce) {
  size_t holes = 0;
  for (size_t round = 0; round < 300; ++round) {
    Renew();
    for (size_t i = 0; i < 60; ++i) {
      Append(Bytes(OneIn(3) ? Below(1410) : 1411));
    }
    constexpr size_t kMeans[] = {150, 536, 1200, 1448, 4000};
    const size_t mean = kMeans[Below(5)];
    std::vector<Range> segments = Cut(mean);
    // Repeated, and again with other ends, as a sender does that merges what it
    // sends again.
    for (size_t i = segments.size() / 10; i > 0; --i) {
      const size_t at = Below(segments.size());
      Range again = segments[at];
      if (OneIn(2)) {
        again.begin -= std::min(again.begin, Below(300));
        again.end = std::min(stream_.size(), again.end + Below(300));
      }
      segments.insert(
          segments.begin() + static_cast<long>(Below(segments.size())), again);
    }
    // Some overtake others, some are lost.
    for (size_t i = 0; i + 1 < segments.size(); ++i) {
      if (OneIn(8)) {
        std::swap(segments[i],
                  segments[std::min(segments.size() - 1, i + 1 + Below(6))]);
      }
    }
    const size_t before = segments.size();
    if (OneIn(2)) {
      std::erase_if(segments,
                    [&](const Range&) { return OneIn(mean < 500 ? 100 : 30); });
    }
    holes += before - segments.size();
    for (const Range& range : segments) Arrive(range);
    ASSERT_EQ(Opened(), Covered(segments)) << "round " << round;
    ASSERT_EQ(Drops(DropReason::kNoRecord) + Drops(DropReason::kRecordCut), 0u)
        << "more holes than it is to stand";
  }
  EXPECT_GT(holes, 100u);
  EXPECT_GT(node_->counters().records_joined.Get(), 1000u);
  EXPECT_GT(node_->counters().records_found.Get(), 100u);
}

TEST_P(CutRecordsTest, OctetsInAnyOrder) {
  for (size_t round = 0; round < 20; ++round) {
    Renew();
    for (size_t i = 0; i < 3; ++i) Append(Bytes(Below(4)));
    std::vector<Range> octets;
    for (size_t i = 0; i < stream_.size(); ++i) octets.push_back({i, i + 1});
    std::shuffle(octets.begin(), octets.end(), random_);
    ASSERT_LE(octets.size(), CutPieces::kCapacity);
    for (const Range& range : octets) Arrive(range);
    ASSERT_EQ(Opened(), (std::vector<uint64_t>{0, 1, 2})) << "round " << round;
  }
}

// Looks like a record of 40 bytes of content, wherever it stands.
Bytes WithFalseRecords(size_t count, size_t size) {
  Bytes bytes(size, 0x55);
  for (size_t i = 0; i < count; ++i) {
    constexpr uint8_t kFalse[] = {0x17, 0x03, 0x03, 0x00, 0x28};
    std::copy(std::begin(kFalse), std::end(kFalse),
              bytes.begin() + static_cast<long>(600 + 50 * i));
  }
  return bytes;
}

TEST_P(CutRecordsTest, FalseRecordsAreToldByTheirTag) {
  for (const int count : {0, 1, kMaxCandidates - 1, kMaxCandidates}) {
    Renew();
    Append(PlaintextFor(WithFalseRecords(static_cast<size_t>(count), 1400)));
    Append(Bytes(100));
    Append(Bytes(100));
    const uint64_t found = node_->counters().records_found.Get();
    // The first part of record 0 is lost.
    Arrive({300, records_[1].end});
    const bool seen = count < kMaxCandidates;
    EXPECT_EQ(Opened(),
              seen ? std::vector<uint64_t>{1} : std::vector<uint64_t>{});
    EXPECT_EQ(node_->counters().records_found.Get() - found, seen ? 1u : 0u);
    // The next segment begins with a record.
    Arrive(records_[2]);
    EXPECT_EQ(opened_.back(), 2u);
    // What was lost comes after all.
    Arrive({0, 300});
    EXPECT_EQ(Opened(), (std::vector<uint64_t>{0, 1, 2})) << count;
  }
}

TEST_P(CutRecordsTest, AFalseRecordAtTheEndHidesNothing) {
  Renew();
  Bytes wanted(1400, 0x55);
  // Ends beyond the segment, in the middle of the second record.
  const Bytes false_begin = {0x17, 0x03, 0x03, 0x02, 0x00};
  std::copy(false_begin.begin(), false_begin.end(), wanted.begin() + 1200);
  Append(PlaintextFor(wanted));
  for (int i = 0; i < 4; ++i) Append(Bytes(700));
  Arrive({500, records_[1].begin + 20});
  EXPECT_TRUE(opened_.empty());
  Arrive({records_[1].begin + 20, records_[3].begin + 3});
  EXPECT_EQ(Opened(), (std::vector<uint64_t>{1, 2}));
  Arrive({records_[3].begin + 3, stream_.size()});
  EXPECT_EQ(Opened(), (std::vector<uint64_t>{1, 2, 3, 4}));
  Arrive({0, 500});
  EXPECT_EQ(Opened(), (std::vector<uint64_t>{0, 1, 2, 3, 4}));
}

TEST_P(CutRecordsTest, HoldsNoMoreThanItsShare) {
  for (size_t i = 0; i < 2000; ++i) Append(Bytes(1400));
  const uint64_t dropped = Drops(DropReason::kNoRecord);
  for (size_t i = 0; i < 2000; ++i) {
    Arrive({records_[i].begin + 100, records_[i].begin + 900});
    EXPECT_LE(worker().inbound.pieces.all().size(), CutPieces::kCapacity);
  }
  EXPECT_EQ(Drops(DropReason::kNoRecord) - dropped,
            2000 - CutPieces::kCapacity);
  // What is kept does not stay for ever.
  worker().now_us += 2 * CutPieces::kMaxAgeUs;
  Arrive(records_.back());
  EXPECT_TRUE(worker().inbound.pieces.empty(kLane));
  EXPECT_EQ(opened_, std::vector<uint64_t>{1999});
}

TEST_P(CutRecordsTest, GarbageIsBoundedAndPassesBy) {
  for (size_t i = 0; i < 40; ++i) Append(Bytes(Below(1400)));
  const Bytes good = stream_;
  for (size_t round = 0; round < 3000; ++round) {
    // Bytes of nobody, full of what looks like records, anywhere.
    const size_t at = Below(good.size() - 1500);
    for (size_t i = at; i < at + 1400; i += 1 + Below(60)) {
      constexpr uint8_t kFalse[] = {0x17, 0x03, 0x03, 0x00, 0x28, 0x17};
      const size_t count = std::min<size_t>(1 + Below(6), good.size() - i);
      std::copy_n(kFalse, count, stream_.begin() + static_cast<long>(i));
    }
    Frame frame;
    frame.mbuf = rte_pktmbuf_alloc(TestPool());
    ASSERT_NE(frame.mbuf, nullptr);
    const size_t size = 1 + Below(1400);
    frame.data = reinterpret_cast<uint8_t*>(
        rte_pktmbuf_append(frame.mbuf, static_cast<uint16_t>(size)));
    std::copy_n(stream_.begin() + static_cast<long>(at), size, frame.data);
    frame.length = static_cast<uint32_t>(size);
    frame.lane = kLane;
    frame.stream_offset = kBase + Below(good.size());
    CutRecords(worker(), frame, burst_);
    for (Frame& record : burst_.frames()) rte_pktmbuf_free(record.mbuf);
    burst_.Clear();
    rte_pktmbuf_free(worker().inbound.received.rest.mbuf);
    worker().inbound.received.rest = Frame{};
    std::copy(good.begin(), good.end(), stream_.begin());
    ASSERT_LE(worker().inbound.pieces.all().size(), CutPieces::kCapacity);
  }
  // The lane goes on.
  worker().now_us += 2 * CutPieces::kMaxAgeUs;
  for (const Range& range : Cut(700)) Arrive(range);
  EXPECT_GE(opened_.size(), 38u);
}

// Somebody in the path sends starts of records that never go on, each behind a
// hole. They cost nothing while nothing grows where they end: copying each
// again after every segment was 0.1 ms a segment, for ten seconds.
TEST_P(CutRecordsTest, GuessesCostOnlyWhereBytesGrow) {
  for (size_t i = 0; i < 400; ++i) Append(Bytes(1000));
  const size_t record = records_[0].end;
  const Bytes good = stream_;
  constexpr uint8_t kFalse[] = {0x17, 0x03, 0x03, 0x03, 0xe8};
  for (size_t i = 0; i < 100; ++i) {
    const size_t at = records_[i].begin + 300;
    std::copy_n(kFalse, std::size(kFalse),
                stream_.begin() + static_cast<long>(at));
    Arrive({at - 50, at + 600});
  }
  ASSERT_GE(worker().inbound.pieces.all().size(), 100u);
  stream_ = good;
  const uint64_t before = worker().inbound.pieces.gathered();
  for (size_t i = 200; i < 300; ++i) {
    Arrive({records_[i].begin, records_[i].begin + record / 2});
    Arrive({records_[i].begin + record / 2, records_[i].end});
  }
  EXPECT_EQ(opened_.size(), 100u);
  EXPECT_LT(worker().inbound.pieces.gathered() - before, 100 * record);
}

// Many guesses that one segment completes are not all tried by it.
TEST_P(CutRecordsTest, OneSegmentHasFewGuessesTried) {
  Append(Bytes(1900));
  constexpr uint8_t kFalse[] = {0x17, 0x03, 0x03, 0x02, 0x00};
  for (size_t i = 0; i < 40; ++i) {
    std::copy_n(kFalse, std::size(kFalse),
                stream_.begin() + static_cast<long>(100 + 8 * i));
  }
  // None begins with its segment, where a record is taken to begin.
  for (size_t i = 0; i < 40; ++i) Arrive({99 + 8 * i, 107 + 8 * i});
  const uint64_t before = worker().inbound.pieces.gathered();
  Arrive({419, 1800});
  // Each that is tried is copied whole, and looked at again from its second
  // byte.
  EXPECT_LE(worker().inbound.pieces.gathered() - before,
            kMaxTries * (5u + 512u) + 40 * 5u);
}

// What one lane keeps does not push out another's.
TEST_P(CutRecordsTest, ALaneThatHoldsMostMakesRoom) {
  CutPieces& pieces = worker().inbound.pieces;
  const auto keep = [&](uint32_t lane, uint64_t at) {
    if (pieces.full()) {
      CutPieces::Piece& gone = pieces.ToGiveUp();
      rte_pktmbuf_free(pieces.Take(gone).mbuf);
    }
    CutPieces::Piece piece;
    piece.frame.mbuf = rte_pktmbuf_alloc(TestPool());
    piece.frame.lane = {lane};
    piece.frame.length = 10;
    piece.frame.stream_offset = at;
    piece.since_us = at;
    pieces.Add(piece);
  };
  for (uint64_t i = 0; i < 32; ++i) keep(1, i);
  for (uint64_t i = 0; i < 1000; ++i) keep(2, 100 * i);
  EXPECT_EQ(pieces.held({1}), 32u);
  EXPECT_EQ(pieces.held({2}), CutPieces::kCapacity - 32);
  for (const uint32_t lane : {1u, 2u}) {
    pieces.Release({lane}, [](const CutPieces::Piece& piece) {
      rte_pktmbuf_free(piece.frame.mbuf);
    });
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, CutRecordsTest,
                         ::testing::Values(1, 2, std::random_device()()));

}  // namespace
}  // namespace lwt::testing
