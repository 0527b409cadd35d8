// A burst: what a stage of the pipeline works on.
#pragma once

#include <rte_mbuf.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "dataplane/lane/lane.h"
#include "dataplane/names.h"
#include "dataplane/wire/record.h"
#include "drivers/check.h"

namespace lwt {

// What is known of the TCP or UDP checksum of an inner packet; the same as the
// bits of the shard word (docs/protocol.md#shard).
enum class InnerChecksum : uint8_t {
  kUnknown,
  kGood,        // vouched for
  kUnfinished,  // the field holds the sum over the pseudo header
};

// One unit of work. Before Open it is a record (or stream bytes of an unproven
// flow), between AdmitInner and Pack one inner packet (before Split perhaps a
// super-frame of many), after Pack a shard, after Seal a record again. It holds
// one reference of its mbuf; several frames may share one mbuf, each with bytes
// of its own.
struct Frame {
  rte_mbuf* mbuf = nullptr;
  uint8_t* data = nullptr;
  uint64_t stream_offset = 0;  // stream bytes: of the first, since the SYN
  // Of a record that came, from Open on. With `epoch`, `kind` and `group` it is
  // the header, which is read once.
  uint64_t packet_number = 0;
  wire::GroupPlace group;  // of a record that came, or is to be sealed
  uint32_t length = 0;     // bytes at `data`
  LaneIndex lane;
  PeerIndex peer;
  uint16_t packets = 1;  // inner packets in a shard or super-frame
  // Super-frames: payload of each segment, else 0; and the first segment that
  // this frame stands for, since a long one is taken in parts.
  uint16_t segment_size = 0;
  uint16_t first_segment = 0;
  uint8_t kind = 0;   // of a record, that came or is to be sealed
  uint8_t epoch = 0;  // low bits
  // A parity, unmasked and no more: nothing of its header is proven.
  bool sealed = false;
  bool repaired : 1 = false;     // given back by FEC, or sent again
  bool handed_over : 1 = false;  // by another worker: it goes to no third one
  bool to_cut : 1 = false;       // larger than the peer's MTU, and may be cut
  bool loses_last : 1 = false;   // of a super-frame's packets: its queue stands
  InnerChecksum checksum = InnerChecksum::kUnknown;  // of an inner packet

  bool Is(wire::RecordKind is) const {
    return kind == static_cast<uint8_t>(is);
  }
  wire::RecordHeader header() const {
    return {.kind = kind,
            .epoch = epoch,
            .packet_number = packet_number,
            .group = group};
  }
  void SetHeader(const wire::RecordHeader& header) {
    kind = header.kind;
    epoch = header.epoch;
    packet_number = header.packet_number;
    group = header.group;
  }
};

static_assert(sizeof(Frame) <= 64);

// A larger buffer is one for merged frames: there are few of those, and what
// keeps references of them counts them.
inline constexpr uint16_t kLargeBuffer = 4096;

// A bounded list of frames. Stages walk it once and keep some:
//
//   size_t kept = 0;
//   for (Frame& frame : burst.frames()) if (…) burst.Keep(kept++, frame);
//   burst.Truncate(kept);
template <size_t N>
class BasicBurst {
 public:
  static constexpr size_t kCapacity = N;

  std::span<Frame> frames() { return {frames_.data(), size_}; }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  bool full() const { return size_ == N; }
  // Returns the frame's place: what differs from a copy is best written there.
  Frame& Push(const Frame& frame) {
    LWT_ASSERT(size_ < N);
    Frame& place = frames_[size_++];
    place = frame;
    return place;
  }
  // Mostly all frames are kept, each where it is.
  void Keep(size_t at, const Frame& frame) {
    LWT_ASSERT(at < size_);
    Frame& place = frames_[at];
    if (&place != &frame) place = frame;
  }
  void Truncate(size_t size) {
    LWT_ASSERT(size <= size_);
    size_ = size;
  }
  void Clear() { size_ = 0; }

 private:
  std::array<Frame, N> frames_;
  size_t size_ = 0;
};

// Records in hand at once, and inner packets on their way out: a record may
// hold several packets.
using RecordBurst = BasicBurst<64>;
using PacketBurst = BasicBurst<1024>;
// Shards given back by FEC, until they find room among opened records.
using RepairedBurst = BasicBurst<512>;

}  // namespace lwt
