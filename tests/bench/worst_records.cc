// Records: cut out of the stream, put together, looked for, opened.
#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "dataplane/lane/sealing.h"
#include "dataplane/stages/cut_records.h"
#include "tests/bench/worst_meter.h"
#include "tests/packet/dataplane/gateway_pair.h"

namespace lwt::bench {
namespace {

using testing::Bytes;

constexpr size_t kCalls = 64;
constexpr LaneIndex kLane{0};
constexpr size_t kPayload = 1371;
constexpr uint8_t kFill = 0x55;

void Must(bool holds) {
  if (!holds) std::abort();
}

// A worker with a lane, and who seals for it.
struct Records {
  Records() : node("w", testing::SmallWorker(), testing::RingPorts()) {
    Worker& worker = node.worker();
    worker.now_us = 1'000'000;
    session::Lane& lane = worker.lanes.Make(kLane);
    lane.installed = true;
    const EpochKeys keys = testing::TestKeys(0, 0);
    std::copy_n(keys.iv.data(), send.iv.size(), send.iv.begin());
    lane.receive.epochs[0].iv = send.iv;
    lane.receive.epochs[0].held = true;
    worker.aead.ExpandKey(keys.key, send.key);
    worker.aead.ExpandKey(keys.key, lane.receive.epochs[0].key);
    worker.aead.ExpandMaskKey(testing::TestMask(0), send.mask);
    worker.aead.ExpandMaskKey(testing::TestMask(0), lane.receive.mask);
  }
  ~Records() {
    node.worker().inbound.pieces.Release(kLane,
                                         [](const CutPieces::Piece& piece) {
                                           rte_pktmbuf_free(piece.frame.mbuf);
                                         });
  }

  Bytes Seal(size_t size) {
    Bytes record(size + wire::kRecordOverhead);
    Must(session::SealRecord(node.worker().aead, send, wire::RecordKind::kData,
                             record.data(), size));
    return record;
  }

  // The stage gets a segment's payload, and what it makes of it is opened;
  // returns how many records were.
  size_t Cut(WorstMeter* meter, const Bytes& payload, uint64_t offset) {
    Frame frame;
    frame.mbuf = rte_pktmbuf_alloc(testing::TestPool());
    Must(frame.mbuf != nullptr);
    frame.data = reinterpret_cast<uint8_t*>(
        rte_pktmbuf_append(frame.mbuf, static_cast<uint16_t>(payload.size())));
    std::memcpy(frame.data, payload.data(), payload.size());
    frame.length = static_cast<uint32_t>(payload.size());
    frame.lane = kLane;
    frame.stream_offset = offset;
    ++node.worker().now_us;
    RecordBurst records;
    size_t opened = 0;
    const auto body = [&] {
      CutRecords(node.worker(), frame, records);
      for (const Frame& record : records.frames()) opened += Open(record);
    };
    if (meter != nullptr) {
      meter->Count(body);
    } else {
      body();
    }
    for (Frame& record : records.frames()) rte_pktmbuf_free(record.mbuf);
    return opened;
  }

  bool Open(const Frame& record) {
    wire::RecordHeader header;
    DropReason why{};
    return session::OpenRecord(node.worker().aead,
                               node.worker().lanes[kLane.value].receive,
                               {record.data, record.length}, header, why);
  }

  testing::Node node;
  session::SendHalf send;
};

// Segments of a middlebox that cuts at other places than we: each ends a record
// and begins another.
size_t CutInHalves(WorstMeter& meter) {
  Records records;
  Bytes stream = records.Seal(kPayload);
  const size_t size = stream.size();
  uint64_t offset = 0;
  Must(records.Cut(nullptr, {stream.begin(), stream.begin() + size / 2},
                   offset) == 0);
  offset += size / 2;
  for (size_t i = 0; i < kCalls; ++i, offset += size) {
    stream.erase(stream.begin(), stream.begin() + size / 2);
    const Bytes next = records.Seal(kPayload);
    stream.insert(stream.end(), next.begin(), next.begin() + size / 2);
    Must(records.Cut(&meter, stream, offset) == 1);
    stream = next;
  }
  return kCalls;
}

// Writes what a peer can write, who has the mask's key: a record's begin whose
// tag stands in the filling, with an epoch that is held, so that only
// decryption tells that it is none.
void WriteFalseBegin(const Records& records, size_t size, uint8_t* at) {
  wire::WriteRecordFraming(size - wire::kRecordOverhead, at);
  wire::WriteRecordHeader({}, at + wire::kRecordFraming);
  const Bytes tag(wire::kRecordTag, kFill);
  uint8_t mask[kMaskSize];
  ComputeMask(records.send.mask, tag.data(), mask);
  wire::ApplyMask(mask, at + wire::kRecordFraming);
}

// All pieces are held, and lie behind one another in the stream, the last ones
// sent first, so that none is put behind another. The segment that is counted
// completes as many records that are none as are tried, from all these pieces,
// and is full of what may be others.
size_t CutFalseBegins(WorstMeter& meter) {
  constexpr size_t kShort = 10;
  constexpr size_t kBegin = 1 + wire::kRecordPrefix;
  constexpr size_t kBegins = kMaxTries * kBegin;
  constexpr size_t kShorts = CutPieces::kCapacity - kMaxTries - 1;
  Records records;
  Bytes whole(kPayload, kFill);
  for (size_t i = 0; i < kMaxCandidates; ++i) {
    const size_t at = 1 + i * wire::kRecordPrefix;
    WriteFalseBegin(records, whole.size() - at, &whole[at]);
  }
  uint64_t offset = 1000;
  for (size_t i = 0; i < kCalls; ++i, offset += 4000) {
    for (size_t j = 0; j < kShorts; ++j) {
      records.Cut(nullptr, Bytes(kShort, kFill),
                  offset + kBegins + (kShorts - 1 - j) * kShort);
    }
    for (size_t j = 0; j < kMaxTries; ++j) {
      Bytes begin(kBegin, kFill);
      const size_t size = kBegins + kShorts * kShort + 200;
      WriteFalseBegin(records, size, &begin[1]);
      records.Cut(nullptr, begin, offset + j * kBegin);
    }
    Must(records.node.worker().inbound.pieces.full());
    Must(records.Cut(&meter, whole, offset + kBegins + kShorts * kShort) == 0);
  }
  return kCalls;
}

// The window looks at packet numbers `step` apart.
size_t OpenApart(WorstMeter& meter, uint64_t step) {
  Records records;
  session::ReceiveHalf& receive =
      records.node.worker().lanes[kLane.value].receive;
  for (size_t i = 0; i < kCalls; ++i) {
    records.send.next_packet += step;
    Bytes record = records.Seal(kPayload);
    meter.Count([&] {
      wire::RecordHeader header;
      DropReason why{};
      Must(session::OpenRecord(records.node.worker().aead, receive, record,
                               header, why));
    });
  }
  return kCalls;
}

}  // namespace

std::vector<WorstCase> RecordCases() {
  using Meter = WorstMeter;
  return {
      {"records in a segment",
       "the end of one and the start of the next, put together and opened",
       "false starts behind a hole, more of them in all pieces", CutInHalves,
       CutFalseBegins},
      {"opening, replay window", "the next number", "70 000 numbers on",
       [](Meter& m) { return OpenApart(m, 0); },
       [](Meter& m) { return OpenApart(m, 70'000); }},
  };
}

}  // namespace lwt::bench
