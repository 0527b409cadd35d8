// A tunnel port with segmentation in memory: a test gives it super-frames and
// packets as a kernel would, and sees the mbufs that the worker transmits.
#pragma once

#include <rte_mbuf.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <deque>
#include <limits>
#include <utility>
#include <vector>

#include "drivers/port.h"

namespace lwt::testing {

class FakeTunnel final : public Port {
 public:
  using Bytes = std::vector<uint8_t>;

  // What was transmitted.
  struct Sent {
    Bytes bytes;
    uint64_t flags = 0;
    size_t l3_size = 0;
    size_t l4_size = 0;
    size_t segment_size = 0;
    size_t parts = 0;

    bool is_super() const {
      return (flags & (RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_UDP_SEG)) != 0;
    }
  };

  FakeTunnel() : Port(Info()) {}
  ~FakeTunnel() override {
    for (rte_mbuf* mbuf : waiting_) rte_pktmbuf_free(mbuf);
  }

  uint16_t Receive(std::span<rte_mbuf*> frames) override {
    const size_t count = std::min(frames.size(), waiting_.size());
    for (size_t i = 0; i < count; ++i) {
      frames[i] = waiting_.front();
      waiting_.pop_front();
    }
    return static_cast<uint16_t>(count);
  }

  uint16_t Transmit(std::span<rte_mbuf*> frames) override {
    const size_t count = std::min(frames.size(), room);
    for (rte_mbuf* mbuf : frames.first(count)) {
      Sent one;
      one.bytes.resize(mbuf->pkt_len);
      const void* data =
          rte_pktmbuf_read(mbuf, 0, mbuf->pkt_len, one.bytes.data());
      if (data != one.bytes.data()) {
        std::memcpy(one.bytes.data(), data, one.bytes.size());
      }
      one.flags = mbuf->ol_flags;
      one.l3_size = mbuf->l3_len;
      one.l4_size = mbuf->l4_len;
      one.segment_size = mbuf->tso_segsz;
      one.parts = mbuf->nb_segs;
      sent.push_back(std::move(one));
      rte_pktmbuf_free(mbuf);
    }
    room -= count;
    return static_cast<uint16_t>(count);
  }

  int wait_fd() const override { return -1; }

  // A packet of `bytes`, whose checksum field holds the pseudo header's sum
  // where `flags` say so.
  rte_mbuf* Give(rte_mempool* pool, const Bytes& bytes, uint64_t flags = 0) {
    rte_mbuf* mbuf = rte_pktmbuf_alloc(pool);
    mbuf->data_off = bytes.size() > 2048 ? 0 : RTE_PKTMBUF_HEADROOM;
    std::memcpy(rte_pktmbuf_append(mbuf, static_cast<uint16_t>(bytes.size())),
                bytes.data(), bytes.size());
    mbuf->ol_flags |= flags;
    waiting_.push_back(mbuf);
    return mbuf;
  }
  void GiveSuper(rte_mempool* pool, const Bytes& bytes, size_t l3_size,
                 bool udp, size_t segment_size) {
    rte_mbuf* mbuf =
        Give(pool, bytes, RTE_MBUF_F_RX_LRO | RTE_MBUF_F_RX_L4_CKSUM_NONE);
    mbuf->packet_type = udp ? RTE_PTYPE_L4_UDP : RTE_PTYPE_L4_TCP;
    mbuf->l3_len = static_cast<uint16_t>(l3_size);
    mbuf->tso_segsz = static_cast<uint16_t>(segment_size);
  }

  // The same as a chain: a segment in each mbuf, the headers before the first.
  void GiveChain(rte_mempool* pool, const Bytes& bytes, size_t l3_size,
                 size_t headers, bool udp, size_t segment_size) {
    rte_mbuf* head = nullptr;
    rte_mbuf* tail = nullptr;
    for (size_t at = 0; at < bytes.size();) {
      rte_mbuf* mbuf = rte_pktmbuf_alloc(pool);
      const size_t size = segment_size + (head == nullptr ? headers : 0);
      const size_t part = std::min(size, bytes.size() - at);
      if (head != nullptr) {
        mbuf->data_off = static_cast<uint16_t>(mbuf->data_off + headers);
      }
      std::memcpy(rte_pktmbuf_append(mbuf, static_cast<uint16_t>(part)),
                  &bytes[at], part);
      at += part;
      (head == nullptr ? head : tail->next) = mbuf;
      tail = mbuf;
      if (mbuf != head) ++head->nb_segs;
    }
    head->pkt_len = static_cast<uint32_t>(bytes.size());
    head->ol_flags |= RTE_MBUF_F_RX_LRO | RTE_MBUF_F_RX_L4_CKSUM_NONE;
    head->packet_type = udp ? RTE_PTYPE_L4_UDP : RTE_PTYPE_L4_TCP;
    head->l3_len = static_cast<uint16_t>(l3_size);
    head->tso_segsz = static_cast<uint16_t>(segment_size);
    waiting_.push_back(head);
  }

  bool empty() const { return waiting_.empty(); }

  std::vector<Sent> sent;
  size_t room = std::numeric_limits<size_t>::max();  // of Transmit

 private:
  static PortInfo Info() {
    PortInfo info;
    info.driver = "fake";
    info.mtu = 1400;
    info.segments = true;
    info.segments_udp = true;
    return info;
  }

  std::deque<rte_mbuf*> waiting_;
};

}  // namespace lwt::testing
