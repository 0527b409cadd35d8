// Hears what routers say of segments that were too large for them (ICMP
// "fragmentation needed", ICMPv6 "packet too big") at one interface. A copy:
// the kernel gets the same. It has no connection of ours, and what it tells raw
// sockets of ICMP its firewall may have dropped; packet sockets come before.
//
// Costs the kernel a look at each packet it takes in, and nothing where XDP
// takes ours. Owned by the control thread: poll the descriptors, then Drain.
#pragma once

#include <absl/status/statusor.h>

#include <array>
#include <vector>

#include "dataplane/wire/too_big.h"
#include "drivers/scoped_fd.h"

namespace lwt::host {

class TooBigSocket {
 public:
  static absl::StatusOr<TooBigSocket> Open(int ifindex);

  // Of IPv4, and of IPv6.
  std::array<int, 2> fds() const { return {ipv4_.get(), ipv6_.get()}; }
  // What is there, at most kMost; more wakes again. Never blocks.
  static constexpr int kMost = 64;
  std::vector<wire::TooBig> Drain();

 private:
  TooBigSocket(ScopedFd ipv4, ScopedFd ipv6)
      : ipv4_(std::move(ipv4)), ipv6_(std::move(ipv6)) {}

  ScopedFd ipv4_;
  ScopedFd ipv6_;
};

}  // namespace lwt::host
