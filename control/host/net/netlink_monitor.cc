#include "control/host/net/netlink_monitor.h"

#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>

#include <array>
#include <cerrno>

#include "control/host/net/netlink_attributes.h"
#include "control/host/net/netlink_parse.h"

namespace lwt::host {
namespace {

constexpr unsigned kGroups = RTMGRP_LINK | RTMGRP_NEIGH | RTMGRP_IPV4_IFADDR |
                             RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE |
                             RTMGRP_IPV6_ROUTE;

}  // namespace

absl::StatusOr<std::unique_ptr<NetlinkMonitor>> NetlinkMonitor::Open() {
  mnl_socket* socket =
      mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (socket == nullptr) {
    return absl::ErrnoToStatus(errno, "cannot open a netlink socket");
  }
  std::unique_ptr<NetlinkMonitor> monitor(new NetlinkMonitor(socket));
  if (mnl_socket_bind(socket, kGroups, MNL_SOCKET_AUTOPID) != 0) {
    return absl::ErrnoToStatus(errno, "cannot follow changes of the network");
  }
  return monitor;
}

NetlinkMonitor::~NetlinkMonitor() { mnl_socket_close(socket_); }

int NetlinkMonitor::fd() const { return mnl_socket_get_fd(socket_); }

HostChanges NetlinkMonitor::Drain() {
  HostChanges changes;
  alignas(NLMSG_ALIGNTO) std::array<uint8_t, 32768> buffer;
  while (true) {
    const ssize_t size =
        mnl_socket_recvfrom(socket_, buffer.data(), buffer.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
    if (size < 0) {
      // ENOBUFS: some were lost. Anything else is no better known. An error
      // that stays would keep us here, so only the overrun is read beyond.
      changes.everything = true;
      if (errno == ENOBUFS) continue;
      break;
    }
    Bytes rest(buffer.data(), static_cast<size_t>(size));
    while (const auto message = TakeMessage(rest)) {
      AddChange(*message, changes);
    }
  }
  return changes;
}

}  // namespace lwt::host
