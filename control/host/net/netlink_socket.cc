#include "control/host/net/netlink_socket.h"

#include <libmnl/libmnl.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>

namespace lwt::host {
namespace {

class KernelSocket final : public NetlinkSocket {
 public:
  explicit KernelSocket(mnl_socket* socket) : socket_(socket) {}
  ~KernelSocket() override { mnl_socket_close(socket_); }

  absl::Status Send(const nlmsghdr& request) override {
    if (mnl_socket_sendto(socket_, &request, request.nlmsg_len) < 0) {
      return absl::ErrnoToStatus(errno, "netlink request");
    }
    return absl::OkStatus();
  }
  absl::StatusOr<size_t> Receive(std::span<uint8_t> buffer) override {
    ssize_t size = -1;
    do {
      size = mnl_socket_recvfrom(socket_, buffer.data(), buffer.size());
    } while (size < 0 && errno == EINTR);
    if (size < 0) return absl::ErrnoToStatus(errno, "netlink answer");
    return static_cast<size_t>(size);
  }

 private:
  mnl_socket* const socket_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<NetlinkSocket>> NetlinkSocket::Open() {
  mnl_socket* socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
  if (socket == nullptr) {
    return absl::ErrnoToStatus(errno, "cannot open a netlink socket");
  }
  auto opened = std::make_unique<KernelSocket>(socket);
  if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) != 0) {
    return absl::ErrnoToStatus(errno, "cannot bind a netlink socket");
  }
  // The kernel answers within the call; this is for a kernel that does not.
  timeval timeout{.tv_sec = 2, .tv_usec = 0};
  setsockopt(mnl_socket_get_fd(socket), SOL_SOCKET, SO_RCVTIMEO, &timeout,
             sizeof(timeout));
  int on = 1;
  mnl_socket_setsockopt(socket, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
  return opened;
}

}  // namespace lwt::host
