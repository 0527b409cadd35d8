#include "control/host/net/too_big_socket.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdint>
#include <span>

#include "drivers/headers.h"

namespace lwt::host {
namespace {

constexpr uint32_t kPacketType =
    static_cast<uint32_t>(SKF_AD_OFF) + static_cast<uint32_t>(SKF_AD_PKTTYPE);
// An error of IPv6 fills up to 1280 bytes (RFC 4443 §2.4).
constexpr uint32_t kLongestError = 1280;
constexpr uint32_t kQuoteAt = wire::kIcmpHeaderSize;

// Both let through what quotes TCP, to this host. An error is never a fragment
// of several: it is short.
constexpr sock_filter kFilterIpv4[] = {
    {BPF_LD | BPF_W | BPF_ABS, 0, 0, kPacketType},
    {BPF_JMP | BPF_JEQ | BPF_K, 0, 8, PACKET_HOST},
    {BPF_LD | BPF_B | BPF_ABS, 0, 0, 9},
    {BPF_JMP | BPF_JEQ | BPF_K, 0, 6, wire::kProtocolIcmp},
    {BPF_LDX | BPF_B | BPF_MSH, 0, 0, 0},
    {BPF_LD | BPF_H | BPF_IND, 0, 0, 0},
    {BPF_JMP | BPF_JEQ | BPF_K, 0, 3, 0x0304},  // RFC 792: type and code
    {BPF_LD | BPF_B | BPF_IND, 0, 0, kQuoteAt + 9},
    {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, wire::kProtocolTcp},
    {BPF_RET | BPF_K, 0, 0, kLongestError},
    {BPF_RET | BPF_K, 0, 0, 0},
};
constexpr sock_filter kFilterIpv6[] = {
    {BPF_LD | BPF_W | BPF_ABS, 0, 0, kPacketType},
    {BPF_JMP | BPF_JEQ | BPF_K, 0, 7, PACKET_HOST},
    {BPF_LD | BPF_B | BPF_ABS, 0, 0, 6},
    {BPF_JMP | BPF_JEQ | BPF_K, 0, 5, wire::kProtocolIcmpv6},
    {BPF_LD | BPF_B | BPF_ABS, 0, 0, wire::kIpv6HeaderSize},
    {BPF_JMP | BPF_JEQ | BPF_K, 0, 3, 2},  // RFC 4443 §3.2
    {BPF_LD | BPF_B | BPF_ABS, 0, 0, wire::kIpv6HeaderSize + kQuoteAt + 6},
    {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, wire::kProtocolTcp},
    {BPF_RET | BPF_K, 0, 0, kLongestError},
    {BPF_RET | BPF_K, 0, 0, 0},
};

// The socket hears nothing before the bind, and the filter is there by then.
absl::StatusOr<ScopedFd> OpenFor(int ifindex, uint16_t protocol,
                                 std::span<const sock_filter> filter) {
  ScopedFd fd(socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const sock_fprog program = {static_cast<unsigned short>(filter.size()),
                              const_cast<sock_filter*>(filter.data())};
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(protocol);
  address.sll_ifindex = ifindex;
  if (fd.get() < 0 ||
      setsockopt(fd.get(), SOL_SOCKET, SO_ATTACH_FILTER, &program,
                 sizeof(program)) != 0 ||
      bind(fd.get(), reinterpret_cast<const sockaddr*>(&address),
           sizeof(address)) != 0) {
    return absl::ErrnoToStatus(errno,
                               "cannot hear what routers say of our segments");
  }
  return fd;
}

}  // namespace

absl::StatusOr<TooBigSocket> TooBigSocket::Open(int ifindex) {
  absl::StatusOr<ScopedFd> ipv4 = OpenFor(ifindex, ETH_P_IP, kFilterIpv4);
  if (!ipv4.ok()) return ipv4.status();
  absl::StatusOr<ScopedFd> ipv6 = OpenFor(ifindex, ETH_P_IPV6, kFilterIpv6);
  if (!ipv6.ok()) return ipv6.status();
  return TooBigSocket(*std::move(ipv4), *std::move(ipv6));
}

std::vector<wire::TooBig> TooBigSocket::Drain() {
  std::vector<wire::TooBig> told;
  std::array<uint8_t, kLongestError> packet;
  for (const int fd : fds()) {
    for (int i = 0; i < kMost / 2; ++i) {
      const ssize_t size =
          recv(fd, packet.data(), packet.size(), MSG_DONTWAIT | MSG_TRUNC);
      if (size < 0) break;
      const auto heard = wire::ParseTooBig(std::span(packet).first(
          std::min(packet.size(), static_cast<size_t>(size))));
      if (heard) told.push_back(*heard);
    }
  }
  return told;
}

}  // namespace lwt::host
