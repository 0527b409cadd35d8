// The one owner of the tunnel device's MTU: nothing else sets it. Sessions
// propose, each for its peer, what the way there takes (PeerTable has the least
// of that); this decides, within bounds, and gives the device what it had alone
// once all peers are gone. A peer's own packets are measured by the MTU of its
// session, not by this.
//
// Sans-IO except for the one call that sets the device. Owned by the tunnel
// device, control thread.
#pragma once

#include <cstdint>
#include <functional>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace lwt::host {

class TunnelMtu {
 public:
  struct Bounds {
    // What the tunnel addresses need: below 1280 the kernel takes every IPv6
    // address off the device.
    uint16_t least = 0;
    uint16_t most = 0;   // what one record carries over the uplink's link
    uint16_t alone = 0;  // while no peer proposes
  };

  // `bounds` is asked at each decision, since the uplink's link may change.
  TunnelMtu(std::function<Bounds()> bounds,
            std::function<absl::Status(uint16_t)> set)
      : bounds_(std::move(bounds)), set_(std::move(set)), mtu_(Decide(0)) {}

  // What the ways to all peers take, in place of what was proposed before; 0:
  // there is no peer. True when the device has another MTU now; an error when
  // it could not be given that, which the next call tries again.
  absl::StatusOr<bool> Propose(uint16_t mtu);

  // Gives the device what it should have, whatever it has.
  absl::Status Restore() { return set_(mtu_); }
  // Whether the addresses of a device of this MTU suffer.
  bool TooSmall(uint32_t mtu) const { return mtu < bounds_().least; }

  uint16_t mtu() const { return mtu_; }

 private:
  uint16_t Decide(uint16_t proposed) const;

  const std::function<Bounds()> bounds_;
  const std::function<absl::Status(uint16_t)> set_;
  uint16_t mtu_;
};

}  // namespace lwt::host
