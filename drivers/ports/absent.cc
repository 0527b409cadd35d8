#include "drivers/ports/absent.h"

#include <errno.h>
#include <rte_mbuf.h>
#include <sys/eventfd.h>

#include <utility>

namespace lwt {
namespace {

constexpr uint16_t kEthernetMtu = 1500;

}  // namespace

absl::StatusOr<std::unique_ptr<AbsentUplink>> AbsentUplink::OpenOne() {
  ScopedFd never(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (never.get() < 0) {
    return absl::ErrnoToStatus(errno, "cannot make an eventfd");
  }
  PortInfo info;
  info.driver = "none";
  info.mtu = kEthernetMtu;
  info.pins_flows = true;
  info.frames_outlive = true;
  return std::unique_ptr<AbsentUplink>(
      new AbsentUplink(std::move(info), std::move(never)));
}

absl::StatusOr<std::unique_ptr<AbsentUplink>> AbsentUplink::Open(
    uint16_t ports) {
  auto first = OpenOne();
  while (first.ok() && (*first)->port_count() < ports) {
    auto other = OpenOne();
    if (!other.ok()) return other;
    (*first)->others_.push_back(*std::move(other));
  }
  return first;
}

Port& AbsentUplink::port(uint16_t index) {
  if (index == 0) return *this;
  return *others_[index - 1u];
}

uint16_t AbsentUplink::Transmit(std::span<rte_mbuf*> frames) {
  rte_pktmbuf_free_bulk(frames.data(), static_cast<unsigned>(frames.size()));
  refused_.store(refused_.load(std::memory_order_relaxed) + frames.size(),
                 std::memory_order_relaxed);
  return static_cast<uint16_t>(frames.size());
}

PortReading AbsentUplink::ReadCounters() const {
  PortReading counters;
  counters.tx_refused = refused_.load(std::memory_order_relaxed);
  return counters;
}

}  // namespace lwt
