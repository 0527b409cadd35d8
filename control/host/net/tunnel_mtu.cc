#include "control/host/net/tunnel_mtu.h"

#include <algorithm>

namespace lwt::host {

uint16_t TunnelMtu::Decide(uint16_t proposed) const {
  const Bounds bounds = bounds_();
  const uint16_t mtu = proposed == 0 ? bounds.alone : proposed;
  // What the kernel hands over beyond a session's MTU is dropped and told of,
  // so too large does less harm than too small.
  return std::min(std::max(mtu, bounds.least), bounds.most);
}

absl::StatusOr<bool> TunnelMtu::Propose(uint16_t mtu) {
  const uint16_t decided = Decide(mtu);
  if (decided == mtu_) return false;
  absl::Status status = set_(decided);
  if (!status.ok()) return status;
  mtu_ = decided;
  return true;
}

}  // namespace lwt::host
