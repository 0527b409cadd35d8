// Bytes of an attacker and of the peer, in any segments at any place of the
// stream: nothing is read or written out of bounds, every buffer comes back,
// and what is held stays within its limits.
#include <rte_mbuf.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <memory>

#include "dataplane/lane/sealing.h"
#include "dataplane/stages/cut_records.h"
#include "dataplane/worker_state.h"
#include "tests/packet/dataplane/gateway_pair.h"

namespace {

using lwt::CutPieces;
using lwt::Frame;
namespace session = lwt::session;
namespace wire = lwt::wire;

constexpr size_t kEntry = 6;
constexpr size_t kStream = 8192;

void Check(bool holds) {
  if (!holds) __builtin_trap();
}

// A worker with a lane, and a stream of true records for it.
struct Rig {
  Rig() : node("f", lwt::testing::SmallWorker(), lwt::testing::RingPorts()) {
    lwt::Worker& worker = node.worker();
    session::Lane& lane = worker.lanes.Make({0});
    lane.installed = true;
    const lwt::EpochKeys keys = lwt::testing::TestKeys(0, 0);
    session::SendHalf send;
    std::copy_n(keys.iv.data(), send.iv.size(), send.iv.begin());
    lane.receive.epochs[0].iv = send.iv;
    lane.receive.epochs[0].held = true;
    worker.aead.ExpandKey(keys.key, send.key);
    worker.aead.ExpandKey(keys.key, lane.receive.epochs[0].key);
    worker.aead.ExpandMaskKey(lwt::testing::TestMask(0), send.mask);
    worker.aead.ExpandMaskKey(lwt::testing::TestMask(0), lane.receive.mask);
    for (size_t at = 0; at + wire::kRecordOverhead + 300 <= kStream;) {
      const size_t size = 40 + at % 250;
      Check(session::SealRecord(worker.aead, send, wire::RecordKind::kData,
                                &stream[at], size));
      at += wire::kRecordOverhead + size;
    }
  }

  lwt::testing::Node node;
  std::array<uint8_t, kStream> stream{};
};

// One entry of input: place (2), length (2), what is put into it, its place.
void Feed(Rig& rig, const uint8_t* entry) {
  lwt::Worker& worker = rig.node.worker();
  const size_t begin = static_cast<size_t>(entry[0] << 8 | entry[1]) % kStream;
  const size_t size = 1 + static_cast<size_t>(entry[2] << 8 | entry[3]) %
                              std::min<size_t>(1900, kStream - begin);
  Frame frame;
  frame.mbuf = rte_pktmbuf_alloc(lwt::testing::TestPool());
  Check(frame.mbuf != nullptr);
  frame.data = reinterpret_cast<uint8_t*>(
      rte_pktmbuf_append(frame.mbuf, static_cast<uint16_t>(size)));
  frame.length = static_cast<uint32_t>(size);
  frame.lane = {0};
  frame.stream_offset = begin;
  std::memcpy(frame.data, &rig.stream[begin], size);
  // Now and then bytes that look like a record, or are nothing.
  if (entry[4] != 0) {
    const std::array<uint8_t, 5> fake = {0x17, 0x03, 0x03,
                                         static_cast<uint8_t>(entry[4] >> 5),
                                         static_cast<uint8_t>(entry[4] * 37)};
    const size_t at = entry[5] * size / 256;
    std::memcpy(frame.data + at, fake.data(), std::min(fake.size(), size - at));
  }
  worker.now_us += uint64_t{entry[5]} * 10'000;
  lwt::RecordBurst records;
  lwt::CutRecords(worker, frame, records);
  while (true) {
    for (Frame& record : records.frames()) {
      const auto whole = wire::RecordSize({record.data, record.length});
      Check(whole && *whole == record.length);
      rte_pktmbuf_free(record.mbuf);
    }
    records.Clear();
    const Frame rest = worker.inbound.received.rest;
    if (rest.length == 0) break;
    worker.inbound.received.rest = Frame{};
    lwt::CutRecords(worker, rest, records);
  }
  Check(worker.inbound.pieces.all().size() <= CutPieces::kCapacity);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static Rig* const rig = new Rig;
  rte_mempool* pool = lwt::testing::TestPool();
  const unsigned before = rte_mempool_avail_count(pool);
  for (size_t at = 0; at + kEntry <= size; at += kEntry) {
    Feed(*rig, data + at);
  }
  lwt::Worker& worker = rig->node.worker();
  worker.inbound.pieces.Release({0}, [](const CutPieces::Piece& piece) {
    rte_pktmbuf_free(piece.frame.mbuf);
  });
  worker.now_us = 0;
  Check(rte_mempool_avail_count(pool) == before);
  return 0;
}
