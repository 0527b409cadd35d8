// Segments of ours with payload, sent for the first time.
#include <algorithm>
#include <array>
#include <cstring>

#include "dataplane/flow/outer_tcp.h"
#include "dataplane/wire/checksum.h"
#include "dataplane/wire/ip.h"

namespace lwt {
namespace {

// Bytes of a super-frame, link header included. A kernel segments by itself
// what reaches its default gso_max_size of 65536.
constexpr uint32_t kMaxSuperFrame = 65535;
// What a peer may take to answer a word of ours, one of them lost; of round
// trips that are no longer than any line's.
constexpr uint64_t kRoundTripsToAnswer = 4;
constexpr uint64_t kLongestRoundTripUs = 10'000'000;
// Records that make room at once.
constexpr int kEvicted = 64;

uint64_t SrttOf(const OuterFlow& flow) {
  return std::min<uint64_t>(flow.srtt_us, kLongestRoundTripUs);
}

rte_mbuf* Chain(std::span<rte_mbuf* const> records, uint32_t payload) {
  rte_mbuf* const head = records.front();
  for (size_t i = 1; i < records.size(); ++i) {
    records[i - 1]->next = records[i];
  }
  head->nb_segs = static_cast<uint16_t>(records.size());
  head->pkt_len = payload;
  return head;
}

// Asks the port for the checksum and, where `segment_size` is not 0, for
// segments of that payload.
void AskOffload(rte_mbuf* frame, const FlowTemplate& header,
                uint16_t segment_size) {
  const bool ipv4 = header.ip_size() == wire::kIpv4HeaderSize;
  constexpr uint64_t kAttached = RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL;
  frame->ol_flags &= kAttached;
  frame->ol_flags |= RTE_MBUF_F_TX_TCP_CKSUM |
                     (ipv4 ? RTE_MBUF_F_TX_IPV4 : RTE_MBUF_F_TX_IPV6) |
                     (segment_size != 0 ? RTE_MBUF_F_TX_TCP_SEG : 0);
  frame->tx_offload =
      rte_mbuf_tx_offload(header.link().size, header.ip_size(),
                          header.tcp_size(), segment_size, 0, 0, 0);
}

}  // namespace

// Lets go of some of the oldest records of the flows that keep most; where they
// are still wanted, the flow's forward point moves.
void OuterTcp::MakeRoom(uint64_t now_us) {
  const FairShares& shares = arena_.shares();
  for (int i = 0; i < kEvicted && shares.total() != 0; ++i) {
    OuterFlow& flow = table_.At(shares.Largest());
    MoveForward(flow, arena_.At(flow.sent.head()).end(), now_us);
  }
}

// Keeps the next bytes of the stream. Returns their sum where the port makes no
// checksums, else 0.
uint64_t OuterTcp::Keep(OuterFlow& flow, rte_mbuf* record, bool push,
                        uint64_t now_us) {
  const uint32_t size = rte_pktmbuf_data_len(record);
  if (arena_.full()) MakeRoom(now_us);
  const SentArena::Position at = arena_.Push(record, table_.SlotOf(flow));
  SentSegment& kept = arena_.At(at);
  kept.offset = flow.snd_nxt;
  kept.first_us = now_us;
  kept.last_us = now_us;
  kept.push = push;
  flow.sent.Append(arena_, at);
  flow.snd_nxt += size;
  if (config_.port_segments) return 0;
  return wire::ChecksumAdd(rte_pktmbuf_mtod(record, const uint8_t*), size);
}

// Gives the records their numbers, keeps each, and makes one frame of
// them: more than one only where the port makes segments.
void OuterTcp::SendRun(OuterFlow& flow, std::span<rte_mbuf* const> records,
                       bool push, uint64_t now_us) {
  FlowTemplate::Segment segment = NextSegment(flow, flow.snd_nxt, now_us);
  const uint64_t begin = flow.snd_nxt;
  for (size_t i = 0; i < records.size(); ++i) {
    const bool last = i + 1 == records.size();
    segment.payload_sum = Keep(flow, records[i], push && last, now_us);
  }
  // Each segment takes an IP ID; NextSegment took the first.
  flow.ip_id += static_cast<uint16_t>(records.size() - 1);
  flow.segments_sent += records.size();

  const auto payload = static_cast<uint16_t>(flow.snd_nxt - begin);
  const uint16_t segment_size = records.front()->data_len;
  if (push) segment.flags |= wire::kPsh;
  segment.payload_size = payload;
  segment.partial_checksum = config_.port_segments;
  rte_mbuf* const frame = Chain(records, payload);
  rte_pktmbuf_prepend(frame, flow.header.size());
  flow.header.Write(frame, segment);
  if (config_.port_segments) {
    AskOffload(frame, flow.header, records.size() > 1 ? segment_size : 0);
  }
  flow.AckSent(/*told_ranges=*/false);
  if (flow.rto_at_us == OuterFlow::kNever) {
    flow.rto_at_us = now_us + flow.rto_us;
  }
  ArmProbe(flow, now_us);
  Rearm(flow);
}

// How many of the first records make one frame that the window takes.
size_t OuterTcp::RunLength(const OuterFlow& flow,
                           std::span<rte_mbuf* const> records) const {
  size_t most =
      std::min<size_t>(records.size(), config_.port_segments ? kMaxChain : 1);
  if (most == 0 || flow.unsent != nullptr) return 0;
  const uint32_t size = rte_pktmbuf_data_len(records.front());
  if (size > flow.max_payload) {
    if (!flow.Tries(size)) return 0;
    most = 1;
  }
  if (size == 0 || rte_pktmbuf_headroom(records.front()) < flow.header.size()) {
    return 0;
  }
  uint64_t room = std::min<uint64_t>(flow.snd_right - flow.snd_nxt,
                                     kMaxSuperFrame - flow.header.size());
  size_t count = 0;
  while (count < most) {
    const rte_mbuf* record = records[count];
    const uint32_t length = rte_pktmbuf_data_len(record);
    if (record->nb_segs != 1 || length == 0 || length > size || length > room) {
      break;
    }
    room -= length;
    ++count;
    if (length < size) break;
  }
  return count;
}

size_t OuterTcp::EncapsulateRun(FlowId id, std::span<rte_mbuf* const> records,
                                bool push, uint64_t now_us) {
  OuterFlow* flow = FindOpen(id);
  if (flow == nullptr) return 0;
  const size_t count = RunLength(*flow, records);
  if (count == 0) {
    if (flow->snd_right <= flow->snd_nxt) AskForWindow(*flow, now_us);
    return 0;
  }
  StopAsking(*flow);
  SendRun(*flow, records.first(count), push && count == records.size(), now_us);
  return count;
}

// Cuts the bytes into buffers of segments. 0 where there is no room for them.
size_t OuterTcp::CutStream(OuterFlow& flow, std::span<const uint8_t> bytes,
                           uint64_t now_us, std::span<rte_mbuf*> segments) {
  // A jumbo link takes longer segments than a buffer holds.
  const size_t room =
      rte_pktmbuf_data_room_size(config_.pool) - RTE_PKTMBUF_HEADROOM;
  const size_t most = std::min<size_t>(flow.max_payload, room);
  size_t size = std::min(bytes.size(), room);
  if (size > flow.max_payload) {
    size = FirstPart(IdOf(flow), static_cast<uint32_t>(size), now_us);
  }
  const size_t first = size == 0 ? 0 : 1;
  const size_t count = first + (bytes.size() - size + most - 1) / most;
  if (count > segments.size() ||
      rte_pktmbuf_alloc_bulk(config_.pool, segments.data(),
                             static_cast<unsigned>(count)) != 0) {
    return 0;
  }
  for (rte_mbuf* const segment : segments.first(count)) {
    std::memcpy(rte_pktmbuf_append(segment, static_cast<uint16_t>(size)),
                bytes.data(), size);
    bytes = bytes.subspan(size);
    size = std::min(bytes.size(), most);
  }
  return count;
}

bool OuterTcp::SendStream(FlowId id, std::span<const uint8_t> bytes,
                          uint64_t now_us, TxBatch& out) {
  OuterFlow* flow = FindOpen(id);
  if (flow == nullptr) return false;
  if (bytes.empty()) return true;
  std::array<rte_mbuf*, kStreamSegments> segments;
  // What the window takes waits for nothing.
  const bool fits = flow->unsent == nullptr &&
                    flow->snd_right >= flow->snd_nxt + bytes.size();
  const size_t most =
      fits ? out.room() : std::min<size_t>(out.room(), UnsentRoom(*flow));
  const size_t count =
      CutStream(*flow, bytes, now_us,
                std::span(segments).first(std::min(most, segments.size())));
  if (count == 0) {
    ++totals_.buffers_missing;
    return false;
  }
  for (rte_mbuf* const segment : std::span(segments).first(count)) {
    KeepUnsent(*flow, segment);
  }
  if (flow->end_at_us != OuterFlow::kNever) {
    flow->end_at_us =
        std::max(flow->end_at_us, now_us + config_.unproven_timeout_us +
                                      kRoundTripsToAnswer * SrttOf(*flow));
    Rearm(*flow);
  }
  SendUnsent(*flow, now_us, out);
  return true;
}

}  // namespace lwt
