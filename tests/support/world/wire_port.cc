#include "tests/support/world/wire_port.h"

#include <cstring>
#include <utility>

#include "tests/support/wire_frames.h"

namespace lwt::world {
namespace {

PortInfo InfoOf(const WirePort::Spec& spec) {
  PortInfo info;
  info.driver = "wire";
  info.device = "wire";
  info.link_header_size = spec.link_header_size;
  info.mtu = spec.mtu;
  info.segments = spec.segments;
  return info;
}

}  // namespace

WirePort::WirePort(Spec spec) : Port(InfoOf(spec)), spec_(std::move(spec)) {}

rte_mbuf* WirePort::BufferOf(const Frame& frame) const {
  const size_t room =
      rte_pktmbuf_data_room_size(spec_.small) - RTE_PKTMBUF_HEADROOM;
  rte_mbuf* const mbuf =
      rte_pktmbuf_alloc(frame.bytes.size() > room ? spec_.jumbo : spec_.small);
  if (mbuf == nullptr) return nullptr;
  char* const to =
      rte_pktmbuf_append(mbuf, static_cast<uint16_t>(frame.bytes.size()));
  if (to == nullptr) {
    rte_pktmbuf_free(mbuf);
    return nullptr;
  }
  std::memcpy(to, frame.bytes.data(), frame.bytes.size());
  mbuf->l2_len = spec_.link_header_size;
  if (frame.merged) {
    mbuf->ol_flags |= RTE_MBUF_F_RX_LRO | RTE_MBUF_F_RX_L4_CKSUM_GOOD;
  }
  return mbuf;
}

uint16_t WirePort::Receive(std::span<rte_mbuf*> frames) {
  uint16_t count = 0;
  while (count < frames.size() && !waiting_.empty()) {
    rte_mbuf* const mbuf = BufferOf(waiting_.front());
    if (mbuf == nullptr) break;  // again when a buffer is free
    frames[count++] = mbuf;
    waiting_.pop_front();
  }
  return count;
}

uint16_t WirePort::Transmit(std::span<rte_mbuf*> frames) {
  for (rte_mbuf* mbuf : frames) {
    for (Bytes& bytes : test::WireFrames(*mbuf)) spec_.sent(std::move(bytes));
    rte_pktmbuf_free(mbuf);
  }
  return static_cast<uint16_t>(frames.size());
}

}  // namespace lwt::world
