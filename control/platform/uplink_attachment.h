// A gateway's hold on one interface towards the outside: the port, what keeps
// the kernel off the frames that the port takes, and what is changed at the
// interface for it, undone when this goes.
//
// Two may stand at a time, while a gateway moves from one interface to the
// other. Owned by Platform. Control thread; workers use the port.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "control/base/log.h"
#include "control/host/guard/ingress_guard.h"
#include "control/host/net/netlink.h"
#include "control/host/net/uplink_choice.h"
#include "control/platform/host_place.h"
#include "drivers/ports/uplink.h"

namespace lwt::platform {

class UplinkAttachment {
 public:
  // The interface is that of `choice`, whatever `spec` says. What AF_XDP needs
  // is done before where `may_use_xdp`, and undone where it is not taken.
  static absl::StatusOr<std::unique_ptr<UplinkAttachment>> Open(
      host::UplinkChoice choice, UplinkSpec spec, bool may_use_xdp,
      HostPlace& place, const loop::Log& log);
  // To no interface at all, as long as there is none to choose.
  static absl::StatusOr<std::unique_ptr<UplinkAttachment>> Absent(
      uint16_t ports, HostPlace& place, const loop::Log& log);
  UplinkAttachment(const UplinkAttachment&) = delete;
  UplinkAttachment& operator=(const UplinkAttachment&) = delete;
  ~UplinkAttachment();

  // The local ends of our flows, those of loopback for a loopback link alone:
  // nobody else's frames go there. An endpoint is guarded before the port takes
  // its frames, and until after.
  absl::Status SetEndpoints(std::span<const Endpoint> all);
  // Reads the link again after a change, and says when it went up or down.
  // `gone`: it went since, whether one of its number is there now or not.
  void RefreshLink(host::Netlink& netlink, bool gone = false);
  // The interface is there, the one that was attached to and by the same name.
  // The kernel takes the guard off one that is renamed, and everything off one
  // that is deleted.
  bool holds() const {
    return !gone_ && choice_.link.index != 0 &&
           choice_.link.name == port_->info().device;
  }
  // Workers have left it: lets the port go. The guard stays, for what still
  // comes to our endpoints here.
  void ClosePort() { port_.reset(); }
  bool has_port() const { return port_ != nullptr; }

  Uplink& port() { return *port_; }
  const Uplink& port() const { return *port_; }
  const host::Link& link() const { return choice_.link; }
  const host::UplinkChoice& choice() const { return choice_; }
  // Its number among the interfaces of an uplink.
  uint8_t leg() const { return leg_; }

 private:
  UplinkAttachment(host::UplinkChoice choice, HostPlace& place,
                   const loop::Log& log);

  absl::Status PrepareXdp();
  absl::Status JournalXdp(uint32_t program_id);
  absl::Status Guard();

  host::UplinkChoice choice_;
  uint8_t leg_ = 0;
  bool gone_ = false;
  HostPlace& place_;
  const loop::Log& log_;
  std::unique_ptr<host::IngressGuard> guard_;  // where the kernel sees frames
  std::unique_ptr<Uplink> port_;
};

}  // namespace lwt::platform
