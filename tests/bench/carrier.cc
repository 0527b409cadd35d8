#include "tests/bench/carrier.h"

#include <rte_memcpy.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "dataplane/wire/be.h"
#include "dataplane/wire/checksum.h"
#include "dataplane/wire/ip.h"
#include "drivers/packet_pool.h"
#include "tests/packet/dataplane/gateway_pair.h"
#include "tests/support/wire_frames.h"

namespace lwt::bench {
namespace {

constexpr uint8_t kEthernet = 14;
constexpr size_t kTcpDataOffset = 12;

[[noreturn]] void Fail(const char* what) {
  std::fprintf(stderr, "bench: %s\n", what);
  std::abort();
}

rte_mbuf* Merged(size_t size, uint16_t segment_size) {
  rte_mbuf* frame = rte_pktmbuf_alloc(MergedFramePool());
  if (frame == nullptr ||
      rte_pktmbuf_append(frame, static_cast<uint16_t>(size)) == nullptr) {
    Fail("no room for a merged frame");
  }
  frame->ol_flags = RTE_MBUF_F_RX_LRO;
  frame->tso_segsz = segment_size;
  return frame;
}

// What a kernel makes of a frame on its way: a chain becomes one contiguous
// merged frame, and the checksum needs no look.
rte_mbuf* Carried(rte_mbuf* frame) {
  rte_mbuf* arrived = frame;
  if (frame->nb_segs > 1) {
    arrived = Merged(frame->pkt_len, frame->tso_segsz);
    char* room = rte_pktmbuf_mtod(arrived, char*);
    for (const rte_mbuf* part = frame; part != nullptr; part = part->next) {
      rte_memcpy(room, rte_pktmbuf_mtod(part, const char*), part->data_len);
      room += part->data_len;
    }
    rte_pktmbuf_free(frame);
  } else {
    arrived->ol_flags = 0;
  }
  return arrived;
}

size_t HeadersOf(const std::vector<uint8_t>& frame) {
  const size_t tcp = kEthernet + wire::kIpv4HeaderSize;
  return tcp + (frame[tcp + kTcpDataOffset] >> 4) * 4u;
}

// The length of the IP packet behind the link header, in its header.
void SetIpLength(uint8_t* ip, size_t length) {
  wire::StoreBe16(ip + 2, static_cast<uint16_t>(length));
  ip[10] = ip[11] = 0;
  const uint16_t sum =
      wire::ChecksumFinish(wire::ChecksumAdd(ip, wire::kIpv4HeaderSize));
  std::memcpy(ip + 10, &sum, sizeof(sum));
}

}  // namespace

rte_mempool* MergedFramePool() {
  static auto pool =
      PacketPool::Create("benchj", PacketPool::Kind::kJumbo, 1023);
  if (!pool.ok()) Fail(pool.status().ToString().c_str());
  return pool->get();
}

Carrier::~Carrier() {
  for (const Waiting& one : waiting_) rte_pktmbuf_free(one.frame);
}

void Carrier::Carry(Port& from, Port& to) {
  ++now_;
  std::array<rte_mbuf*, 256> frames;
  const uint16_t count = from.Receive(frames);
  for (uint16_t i = 0; i < count; ++i) {
    if (loss_ > 0) {
      PushLossy(frames[i]);
    } else {
      Push(Carried(frames[i]));
    }
  }
  while (!waiting_.empty() && waiting_.front().due <= now_) {
    if (to.Transmit({&waiting_.front().frame, 1}) != 1) Fail("a frame is lost");
    ++carried_;
    waiting_.pop_front();
  }
}

void Carrier::Push(rte_mbuf* frame) {
  frame->ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_GOOD;
  frame->l2_len = kEthernet;
  waiting_.push_back({now_ + delay_, frame});
}

void Carrier::PushLossy(rte_mbuf* frame) {
  std::bernoulli_distribution lost(loss_);
  std::vector<Bytes> run;
  for (Bytes& segment : test::WireFrames(*frame)) {
    if (!lost(random_)) {
      run.push_back(std::move(segment));
      continue;
    }
    ++lost_;
    PushRun(run, frame->tso_segsz);
    run.clear();
  }
  PushRun(run, frame->tso_segsz);
  rte_pktmbuf_free(frame);
}

void Carrier::PushRun(const std::vector<Bytes>& run, uint16_t segment_size) {
  if (run.empty()) return;
  const size_t headers = HeadersOf(run.front());
  size_t size = headers;
  for (const Bytes& segment : run) size += segment.size() - headers;
  rte_mbuf* arrived = nullptr;
  if (run.size() > 1) {
    arrived = Merged(size, segment_size);
  } else {
    arrived = rte_pktmbuf_alloc(testing::TestPool());
    if (arrived == nullptr ||
        rte_pktmbuf_append(arrived, static_cast<uint16_t>(size)) == nullptr) {
      Fail("no room for a frame");
    }
  }
  auto* room = rte_pktmbuf_mtod(arrived, uint8_t*);
  rte_memcpy(room, run.front().data(), headers);
  SetIpLength(room + kEthernet, size - kEthernet);
  room += headers;
  for (const Bytes& segment : run) {
    rte_memcpy(room, segment.data() + headers, segment.size() - headers);
    room += segment.size() - headers;
  }
  Push(arrived);
}

}  // namespace lwt::bench
