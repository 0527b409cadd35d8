#include "control/nat/udp_socket.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "control/base/socket_address.h"

namespace lwt::nat {
namespace {

// What the kernel fills of a datagram, or reads: the far end, the bytes, and
// the near end.
struct Message {
  Message(SocketAddress& far, void* bytes, size_t size) : part{bytes, size} {
    header.msg_name = far.get();
    header.msg_namelen = far.size;
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = near;
    header.msg_controllen = sizeof(near);
  }

  iovec part;
  alignas(cmsghdr) char near[CMSG_SPACE(sizeof(in6_pktinfo))] = {};
  msghdr header{};
};

bool AskForPacketInfo(int fd, Family family) {
  const int on = 1;
  if (family == Family::kIpv4) {
    return setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on)) == 0;
  }
  return setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) == 0 &&
         setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on)) == 0;
}

std::optional<IpAddress> DestinationOf(msghdr& message) {
  for (cmsghdr* head = CMSG_FIRSTHDR(&message); head != nullptr;
       head = CMSG_NXTHDR(&message, head)) {
    if (head->cmsg_level == IPPROTO_IP && head->cmsg_type == IP_PKTINFO) {
      in_pktinfo info;
      std::memcpy(&info, CMSG_DATA(head), sizeof(info));
      return IpAddress::FromBytes(
          Family::kIpv4, reinterpret_cast<const uint8_t*>(&info.ipi_addr));
    }
    if (head->cmsg_level == IPPROTO_IPV6 && head->cmsg_type == IPV6_PKTINFO) {
      in6_pktinfo info;
      std::memcpy(&info, CMSG_DATA(head), sizeof(info));
      return IpAddress::FromBytes(Family::kIpv6, info.ipi6_addr.s6_addr);
    }
  }
  return std::nullopt;
}

template <typename Info>
void SetInfo(msghdr& message, int level, int type, const Info& info) {
  message.msg_controllen = CMSG_SPACE(sizeof(info));
  cmsghdr* head = CMSG_FIRSTHDR(&message);
  head->cmsg_level = level;
  head->cmsg_type = type;
  head->cmsg_len = CMSG_LEN(sizeof(info));
  std::memcpy(CMSG_DATA(head), &info, sizeof(info));
}

void SetSource(msghdr& message, const IpAddress& from) {
  if (from.family == Family::kIpv4) {
    in_pktinfo info{};
    std::memcpy(&info.ipi_spec_dst, from.bytes.data(), 4);
    return SetInfo(message, IPPROTO_IP, IP_PKTINFO, info);
  }
  in6_pktinfo info{};
  std::memcpy(&info.ipi6_addr, from.bytes.data(), 16);
  SetInfo(message, IPPROTO_IPV6, IPV6_PKTINFO, info);
}

}  // namespace

absl::StatusOr<UdpSocket> UdpSocket::Bind(const Endpoint& local,
                                          const std::string& device) {
  SocketAddress address(local);
  ScopedFd fd(
      socket(address.family(), SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (fd.get() < 0) return absl::ErrnoToStatus(errno, "cannot make a socket");
  const int on = 1;
  // ip(7): for IPv6 sockets as well.
  setsockopt(fd.get(), IPPROTO_IP, IP_FREEBIND, &on, sizeof(on));
  if (!AskForPacketInfo(fd.get(), local.address.family) ||
      (!device.empty() &&
       setsockopt(fd.get(), SOL_SOCKET, SO_BINDTODEVICE, device.c_str(),
                  static_cast<socklen_t>(device.size())) != 0)) {
    return absl::ErrnoToStatus(errno, "cannot set up a socket");
  }
  if (bind(fd.get(), address.get(), address.size) != 0) {
    return absl::ErrnoToStatus(
        errno, absl::StrCat("cannot take UDP port ", ToString(local)));
  }
  SocketAddress bound;
  if (getsockname(fd.get(), bound.get(), &bound.size) != 0) {
    return absl::ErrnoToStatus(errno, "cannot read the port that was bound");
  }
  return UdpSocket(std::move(fd), bound.endpoint().value_or(local));
}

std::optional<UdpSocket::Datagram> UdpSocket::Receive(
    std::span<uint8_t> buffer) const {
  SocketAddress source;
  Message message(source, buffer.data(), buffer.size());
  const ssize_t size = recvmsg(fd(), &message.header, 0);
  if (size < 0) return std::nullopt;
  const std::optional<Endpoint> from = source.endpoint();
  const std::optional<IpAddress> to = DestinationOf(message.header);
  // Both are always there; the kernel was asked for them.
  if (!from || !to) return Datagram{};
  return Datagram{*from, *to, buffer.first(static_cast<size_t>(size))};
}

void UdpSocket::Send(const IpAddress& from, const Endpoint& to,
                     handshake::ByteSpan bytes) const {
  SocketAddress target(to);
  Message message(target, const_cast<uint8_t*>(bytes.data()), bytes.size());
  SetSource(message.header, from);
  sendmsg(fd(), &message.header, MSG_NOSIGNAL);
}

}  // namespace lwt::nat
