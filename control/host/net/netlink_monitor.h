// Follows changes of links, addresses, routes and neighbours of this host.
//
// Owned by the control thread: poll fd() for reading, then Drain().
#pragma once

#include <absl/status/statusor.h>

#include <memory>

#include "control/host/net/netlink_types.h"

struct mnl_socket;

namespace lwt::host {

class NetlinkMonitor {
 public:
  static absl::StatusOr<std::unique_ptr<NetlinkMonitor>> Open();
  ~NetlinkMonitor();
  NetlinkMonitor(const NetlinkMonitor&) = delete;
  NetlinkMonitor& operator=(const NetlinkMonitor&) = delete;

  int fd() const;
  // Never blocks. Reads all that is there, each object once; a flood of
  // changes beyond the socket's buffer is reported as `everything`.
  HostChanges Drain();

 private:
  explicit NetlinkMonitor(mnl_socket* socket) : socket_(socket) {}

  mnl_socket* const socket_;
};

}  // namespace lwt::host
