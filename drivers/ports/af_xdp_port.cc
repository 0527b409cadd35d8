#include "drivers/ports/af_xdp_port.h"

#include <absl/strings/str_cat.h>
#include <errno.h>
#include <netinet/in.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <cstring>
#include <utility>

#include "drivers/headers.h"

namespace lwt {
namespace {

static_assert(AfXdpPort::kMaxLinkHeader == wire::kVlanEthernetSize);

uint16_t LinkHeaderSizeOf(const rte_mbuf* frame) {
  uint16_t type = 0;
  if (frame->data_len >= wire::kVlanEthernetSize) {
    std::memcpy(&type,
                rte_pktmbuf_mtod_offset(frame, char*, wire::kEtherTypeAt),
                sizeof(type));
  }
  return type == htons(wire::kEtherTypeVlan) ? wire::kVlanEthernetSize
                                             : wire::kEthernetSize;
}

}  // namespace

absl::StatusOr<std::unique_ptr<AfXdpPort>> AfXdpPort::Make(
    PortInfo info, uint16_t port_id, rte_mempool* pool,
    std::vector<Queue> queues) {
  const int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  for (const Queue& queue : queues) {
    epoll_event readable{};
    readable.events = EPOLLIN;
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, queue.socket, &readable) != 0) {
      const int error = errno;
      if (epoll_fd >= 0) close(epoll_fd);
      return absl::ErrnoToStatus(
          error, absl::StrCat("cannot watch AF_XDP on ", info.device));
    }
  }
  return std::unique_ptr<AfXdpPort>(new AfXdpPort(
      std::move(info), port_id, pool, std::move(queues), epoll_fd));
}

AfXdpPort::AfXdpPort(PortInfo info, uint16_t port_id, rte_mempool* pool,
                     std::vector<Queue> queues, int epoll_fd)
    : Port(std::move(info)),
      port_id_(port_id),
      pool_(pool),
      queues_(std::move(queues)),
      epoll_(epoll_fd) {}

uint16_t AfXdpPort::Receive(std::span<rte_mbuf*> frames) {
  uint16_t count = 0;
  for (size_t i = 0; i < queues_.size() && count < frames.size(); ++i) {
    const uint16_t queue = queues_[next_queue_].index;
    next_queue_ = (next_queue_ + 1) % queues_.size();
    count = static_cast<uint16_t>(
        count + rte_eth_rx_burst(port_id_, queue, &frames[count],
                                 static_cast<uint16_t>(frames.size() - count)));
  }
  for (rte_mbuf* frame : frames.first(count)) {
    frame->l2_len = LinkHeaderSizeOf(frame);
    frame->port = 0;
  }
  return count;
}

// The driver reads pkt_len bytes from the first segment, and takes an mbuf of
// its own pool for one whose bytes are in its own buffer.
AfXdpPort::Readiness AfXdpPort::MakeReady(rte_mbuf*& frame) {
  if (frame->pkt_len == 0 ||
      frame->pkt_len > uint32_t{info().mtu} + wire::kVlanEthernetSize) {
    return Readiness::kRefused;
  }
  if (frame->nb_segs == 1 && (frame->pool != pool_ || RTE_MBUF_DIRECT(frame))) {
    return Readiness::kReady;
  }
  rte_mbuf* copy = rte_pktmbuf_copy(frame, pool_, 0, UINT32_MAX);
  if (copy == nullptr) return Readiness::kNoBuffer;
  rte_pktmbuf_free(std::exchange(frame, copy));
  return Readiness::kReady;
}

uint16_t AfXdpPort::Transmit(std::span<rte_mbuf*> frames) {
  size_t done = 0;
  while (done < frames.size()) {
    size_t end = done;
    Readiness last = Readiness::kReady;
    while (end < frames.size()) {
      last = MakeReady(frames[end]);
      if (last != Readiness::kReady) break;
      ++end;
    }
    if (end > done) {
      done += rte_eth_tx_burst(port_id_, queues_.front().index, &frames[done],
                               static_cast<uint16_t>(end - done));
    }
    if (done < end || last == Readiness::kNoBuffer) break;
    if (last == Readiness::kRefused) {
      refused_.store(refused_.load(std::memory_order_relaxed) + 1,
                     std::memory_order_relaxed);
      rte_pktmbuf_free(frames[done]);
      ++done;
    }
  }
  return static_cast<uint16_t>(done);
}

PortReading AfXdpPort::ReadCounters() const {
  PortReading counters;
  rte_eth_stats statistics{};
  if (queues_.front().index == 0 &&
      rte_eth_stats_get(port_id_, &statistics) == 0) {
    counters.rx_missed = statistics.imissed;
    counters.rx_no_buffer = statistics.rx_nombuf;
  }
  counters.tx_refused = refused_.load(std::memory_order_relaxed);
  return counters;
}

}  // namespace lwt
