#include "drivers/ports/joined_uplink.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>
#include <errno.h>
#include <sys/epoll.h>

#include <algorithm>
#include <utility>

#include "drivers/check.h"

namespace lwt {

JoinedUplink::JoinedUplink(std::span<const Leg> legs, ScopedFd wait)
    : Uplink(legs.front().uplink->info(), legs.front().uplink->ifindex()),
      wait_(std::move(wait)) {}

absl::StatusOr<std::unique_ptr<JoinedUplink>> JoinedUplink::JoinPorts(
    std::span<const Leg> legs, uint16_t index) {
  ScopedFd wait(epoll_create1(EPOLL_CLOEXEC));
  if (wait.get() < 0) {
    return absl::ErrnoToStatus(errno, "cannot watch several interfaces");
  }
  std::unique_ptr<JoinedUplink> joined(new JoinedUplink(legs, std::move(wait)));
  for (const Leg& leg : legs) {
    Port& port = leg.uplink->port(index);
    epoll_event readable{};
    readable.events = EPOLLIN;
    if (epoll_ctl(joined->wait_.get(), EPOLL_CTL_ADD, port.wait_fd(),
                  &readable) != 0) {
      return absl::ErrnoToStatus(
          errno, absl::StrCat("cannot watch ", port.info().device));
    }
    joined->places_.push_back({&port});
    joined->by_number_[leg.number] = &port;
    joined->uplinks_.push_back(leg.uplink);
  }
  return joined;
}

absl::StatusOr<std::unique_ptr<JoinedUplink>> JoinedUplink::Join(
    std::span<const Leg> legs) {
  const uint16_t ports = legs.front().uplink->port_count();
  const bool alike = std::all_of(legs.begin(), legs.end(), [&](const Leg& leg) {
    return leg.number < kNumbers && leg.uplink->port_count() == ports &&
           leg.uplink->wait_fd() >= 0;
  });
  if (!alike || legs.size() > kMost) {
    return absl::InvalidArgumentError("these uplinks cannot be joined");
  }
  auto first = JoinPorts(legs, 0);
  for (uint16_t i = 1; first.ok() && i < ports; ++i) {
    auto other = JoinPorts(legs, i);
    if (!other.ok()) return other;
    (*first)->others_.push_back(*std::move(other));
  }
  return first;
}

absl::Status JoinedUplink::SetEndpoints(std::span<const Endpoint> endpoints) {
  for (Uplink* uplink : uplinks_) {
    const absl::Status status = uplink->SetEndpoints(endpoints);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

Port& JoinedUplink::port(uint16_t index) {
  if (index == 0) return *this;
  return *others_[index - 1u];
}

// Each in its turn is the first, so that none is left out where one fills the
// burst.
uint16_t JoinedUplink::ReadThose(bool quiet, std::span<rte_mbuf*> frames) {
  uint16_t count = 0;
  for (size_t i = 0; i < places_.size() && count < frames.size(); ++i) {
    Place& place = places_[(turn_ + i) % places_.size()];
    if (place.quiet != quiet) continue;
    const uint16_t got = place.port->Receive(frames.subspan(count));
    place.quiet = got == 0;
    count = static_cast<uint16_t>(count + got);
  }
  return count;
}

uint16_t JoinedUplink::Receive(std::span<rte_mbuf*> frames) {
  ++turn_;
  const bool all = turn_ % kQuietTurns == 0;
  // The quiet ones first, when it is their turn, lest a full burst leave none
  // of it to them.
  uint16_t count = all ? ReadThose(/*quiet=*/true, frames) : uint16_t{0};
  count = static_cast<uint16_t>(
      count + ReadThose(/*quiet=*/false, frames.subspan(count)));
  if (count == 0 && !all) count = ReadThose(/*quiet=*/true, frames);
  return count;
}

Port* JoinedUplink::PortOf(const rte_mbuf* frame) const {
  return frame->port < kNumbers ? by_number_[frame->port] : nullptr;
}

// Without a port they go nowhere.
uint16_t JoinedUplink::TransmitAll(Port* port, std::span<rte_mbuf*> frames) {
  if (port != nullptr) return port->Transmit(frames);
  const auto count = static_cast<uint16_t>(frames.size());
  rte_pktmbuf_free_bulk(frames.data(), count);
  astray_.store(astray_.load(std::memory_order_relaxed) + count,
                std::memory_order_relaxed);
  return count;
}

// Frames of each leg go out together, in their order. Nearly always there are
// those of one alone.
uint16_t JoinedUplink::Transmit(std::span<rte_mbuf*> frames) {
  if (frames.empty()) return 0;
  Port* const first = PortOf(frames.front());
  if (std::all_of(frames.begin(), frames.end(), [&](const rte_mbuf* frame) {
        return PortOf(frame) == first;
      })) {
    return TransmitAll(first, frames);
  }
  LWT_ASSERT(frames.size() <= kBatch);
  std::span<rte_mbuf*> left = frames;
  size_t refused = 0;
  while (!left.empty()) {
    Port* const port = PortOf(left.front());
    size_t count = 0;
    size_t kept = 0;
    for (rte_mbuf* frame : left) {
      if (PortOf(frame) == port) {
        batch_[count++] = frame;
      } else {
        left[kept++] = frame;
      }
    }
    left = left.first(kept);
    const uint16_t taken = TransmitAll(port, {batch_.data(), count});
    for (size_t i = taken; i < count; ++i) refused_[refused++] = batch_[i];
  }
  std::copy_n(refused_.begin(), refused,
              frames.end() - static_cast<ptrdiff_t>(refused));
  return static_cast<uint16_t>(frames.size() - refused);
}

PortReading JoinedUplink::ReadCounters() const {
  PortReading sum;
  for (const Place& place : places_) sum.Add(place.port->ReadCounters());
  sum.tx_astray += astray_.load(std::memory_order_relaxed);
  return sum;
}

PortReading JoinedUplink::ReadOwn() const {
  PortReading own;
  own.tx_astray = astray_.load(std::memory_order_relaxed);
  for (const auto& other : others_) own.Add(other->ReadOwn());
  return own;
}

}  // namespace lwt
