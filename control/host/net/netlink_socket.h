// The way to the kernel's answers: one request out, datagrams of messages in.
// A seam, for tests of what a kernel does seldom.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <linux/netlink.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace lwt::host {

class NetlinkSocket {
 public:
  // rtnetlink of the network namespace that the caller is in, with strict
  // checking, by which the kernel filters lists as the request says. An answer
  // that is not there within two seconds is an error.
  static absl::StatusOr<std::unique_ptr<NetlinkSocket>> Open();
  virtual ~NetlinkSocket() = default;

  virtual absl::Status Send(const nlmsghdr& request) = 0;
  // Waits for a datagram; its size in bytes, at most that of `buffer`.
  virtual absl::StatusOr<size_t> Receive(std::span<uint8_t> buffer) = 0;
};

}  // namespace lwt::host
