// Holds an outer TCP port, so that no other program gets it and the kernel
// never gives it away: a socket that is bound and never listens.
//
// Owned by the control thread. The port is free again when this is destroyed.
#pragma once

#include <absl/status/statusor.h>

#include <optional>
#include <string>

#include "drivers/ip_endpoint.h"

namespace lwt::host {

class PortReservation {
 public:
  // Port 0 takes one of the kernel's ephemeral range. An unspecified address
  // holds the port on all addresses of its family only. AlreadyExists names
  // the program that has the port where /proc shows it. `may_come`: the host
  // need not have the address yet.
  static absl::StatusOr<PortReservation> Hold(const Endpoint& endpoint,
                                              bool may_come = false);
  // The same for who takes the next port where this one is taken: AlreadyExists
  // names nobody, for that costs a walk through all of /proc.
  static absl::StatusOr<PortReservation> HoldIfFree(const Endpoint& endpoint,
                                                    bool may_come = false);

  PortReservation(PortReservation&& other) noexcept;
  PortReservation& operator=(PortReservation&& other) noexcept;
  ~PortReservation();

  // With the port chosen.
  const Endpoint& endpoint() const { return endpoint_; }

 private:
  PortReservation(int fd, const Endpoint& endpoint)
      : fd_(fd), endpoint_(endpoint) {}

  int fd_;
  Endpoint endpoint_;
};

}  // namespace lwt::host
