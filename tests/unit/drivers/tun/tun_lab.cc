#include "tests/unit/drivers/tun/tun_lab.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <rte_mbuf.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

#include "drivers/rx_wait.h"

namespace lwt {
namespace {

constexpr uint16_t kPort = 7000;

// Not repeated within any super-frame.
uint8_t PatternAt(size_t at) {
  return static_cast<uint8_t>((at * 2654435761u) >> 13);
}

class SocketAddress {
 public:
  sockaddr_storage storage{};
  const sockaddr* get() const {
    return reinterpret_cast<const sockaddr*>(&storage);
  }
  socklen_t size() const {
    return storage.ss_family == AF_INET ? sizeof(sockaddr_in)
                                        : sizeof(sockaddr_in6);
  }
};

SocketAddress AddressOf(const std::string& text, uint16_t port) {
  SocketAddress address;
  if (text.find(':') == std::string::npos) {
    auto* ipv4 = reinterpret_cast<sockaddr_in*>(&address.storage);
    ipv4->sin_family = AF_INET;
    ipv4->sin_port = htons(port);
    inet_pton(AF_INET, text.c_str(), &ipv4->sin_addr);
  } else {
    auto* ipv6 = reinterpret_cast<sockaddr_in6*>(&address.storage);
    ipv6->sin6_family = AF_INET6;
    ipv6->sin6_port = htons(port);
    inet_pton(AF_INET6, text.c_str(), &ipv6->sin6_addr);
  }
  return address;
}

int BoundSocket(const char* address) {
  const SocketAddress local = AddressOf(address, kPort);
  const int fd = socket(local.storage.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const int one = 1;
  if (local.storage.ss_family == AF_INET6) {
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
  }
  EXPECT_EQ(bind(fd, local.get(), local.size()), 0);
  return fd;
}

bool IsOurs(const Bytes& packet) {
  if (packet.size() > 28 && packet[0] == 0x45) return packet[9] == 17;
  return packet.size() > 48 && packet[0] >> 4 == 6 && packet[6] == 17;
}

}  // namespace

Bytes TunnelUdp(Family family, const Bytes& payload) {
  const bool v4 = family == Family::kIpv4;
  const auto udp_size = static_cast<uint16_t>(8 + payload.size());
  Bytes source = v4 ? Bytes{10, 9, 0, 2} : Bytes(16, 0);
  Bytes target = v4 ? Bytes{10, 9, 0, 1} : Bytes(16, 0);
  if (!v4) {
    source[0] = target[0] = 0xfd;
    source[1] = target[1] = 9;
    source[15] = 2;
    target[15] = 1;
  }
  Bytes udp = {0x1b,
               0x59,
               kPort >> 8,
               kPort & 0xff,
               static_cast<uint8_t>(udp_size >> 8),
               static_cast<uint8_t>(udp_size),
               0,
               0};
  udp.insert(udp.end(), payload.begin(), payload.end());
  Bytes pseudo = source;
  pseudo.insert(pseudo.end(), target.begin(), target.end());
  pseudo.insert(pseudo.end(), udp.begin(), udp.end());
  const uint16_t checksum = InternetChecksum(pseudo, 17u + udp_size);
  udp[6] = static_cast<uint8_t>(checksum >> 8);
  udp[7] = static_cast<uint8_t>(checksum);
  const auto total = static_cast<uint16_t>(udp_size + 20);
  Bytes ip = v4 ? Bytes{0x45,
                        0,
                        static_cast<uint8_t>(total >> 8),
                        static_cast<uint8_t>(total),
                        0,
                        1,
                        0x40,
                        0,
                        64,
                        17,
                        0,
                        0}
                : Bytes{0x60,
                        0,
                        0,
                        0,
                        static_cast<uint8_t>(udp_size >> 8),
                        static_cast<uint8_t>(udp_size),
                        17,
                        64};
  ip.insert(ip.end(), source.begin(), source.end());
  ip.insert(ip.end(), target.begin(), target.end());
  if (v4) {
    const uint16_t header = InternetChecksum(ip, 0);
    ip[10] = static_cast<uint8_t>(header >> 8);
    ip[11] = static_cast<uint8_t>(header);
  }
  ip.insert(ip.end(), udp.begin(), udp.end());
  return ip;
}

void TunTest::Configure(std::unique_ptr<Port> port) {
  port_ = std::move(port);
  ASSERT_TRUE(lab_.Here(
      "ip addr add 10.9.0.1/24 dev lwt7 && ip link set lwt7 mtu 1400 up && "
      "ip addr add fd09::1/64 dev lwt7 nodad"));
  // IPv6 takes a packet only once the kernel has noticed the link.
  ASSERT_TRUE(lab_.Here(
      "timeout 5 sh -c 'until ip -6 route show table local dev lwt7 | "
      "grep -q fd09::1; do :; done'"));
  ipv4_ = BoundSocket("0.0.0.0");
  ipv6_ = BoundSocket("::");
}

void TunTest::Close(rte_mempool* pool) {
  close(ipv4_);
  close(ipv6_);
  port_.reset();
  EXPECT_EQ(if_nametoindex("lwt7"), 0u);
  EXPECT_EQ(rte_mempool_in_use_count(pool), 0u);
}

void TunTest::SendOut(Family family, const Bytes& payload) {
  const bool v4 = family == Family::kIpv4;
  const SocketAddress to = AddressOf(v4 ? "10.9.0.2" : "fd09::2", kPort);
  ASSERT_EQ(sendto(v4 ? ipv4_ : ipv6_, payload.data(), payload.size(), 0,
                   to.get(), to.size()),
            static_cast<ssize_t>(payload.size()));
}

std::vector<Bytes> TunTest::Ours(size_t count) {
  std::vector<Bytes> ours;
  while (ours.size() < count) {
    const std::vector<Bytes> some = ReceiveBytes(*port_, 1);
    if (some.empty()) break;
    for (const Bytes& packet : some) {
      if (IsOurs(packet)) ours.push_back(packet);
    }
  }
  return ours;
}

Bytes TunTest::Delivered(Family family) {
  const int fd = family == Family::kIpv4 ? ipv4_ : ipv6_;
  if (!BecomesReadable(fd)) return {};
  Bytes buffer(65536);
  const ssize_t size = recv(fd, buffer.data(), buffer.size(), 0);
  buffer.resize(size < 0 ? 0 : static_cast<size_t>(size));
  return buffer;
}

void TunTest::ExpectWakesEveryTime() {
  Port* ports[] = {port_.get()};
  auto wait = RxWait::Create(ports);
  ASSERT_TRUE(wait.ok());
  for (int i = 0; i < 50; ++i) {
    std::array<rte_mbuf*, 64> idle{};
    while (const uint16_t n = port_->Receive(idle)) {
      rte_pktmbuf_free_bulk(idle.data(), n);
    }
    SendOut(Family::kIpv4, Bytes(10, 1));
    ASSERT_TRUE(BecomesReadable(port_->wait_fd()));
    (*wait)->Wait(5'000'000);
    ASSERT_EQ(Ours(1).size(), 1u);
  }
}

void TunTest::ExpectGoesOnAfterDownAndUp(rte_mempool* pool) {
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(lab_.Here("ip link set lwt7 down"));
    rte_mbuf* frame = MakeFrame(pool, TunnelUdp(Family::kIpv4, Bytes(10, 1)));
    EXPECT_EQ(port_->Transmit(std::span(&frame, 1)), 1);
    EXPECT_EQ(port_->ReadCounters().tx_refused, static_cast<uint64_t>(i) + 1);
    ASSERT_TRUE(lab_.Here("ip link set lwt7 up"));
    SendOut(Family::kIpv4, Bytes(10, 1));
    EXPECT_EQ(Ours(1).size(), 1u);
  }
}

TcpTransfer::TcpTransfer(const NetLab& lab, const std::string& address,
                         uint16_t port, size_t size)
    : size_(size) {
  const int family =
      address.find(':') == std::string::npos ? AF_INET : AF_INET6;
  listener_ = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sender_ = lab.SocketThere(family, SOCK_STREAM, 0);
  const timeval patience = {20, 0};
  const int one = 1;
  for (const int fd : {listener_, sender_}) {
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
  }
  setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
  const SocketAddress local = AddressOf(address, port);
  EXPECT_EQ(bind(listener_, local.get(), local.size()), 0);
  EXPECT_EQ(listen(listener_, 1), 0);
  sending_ = std::thread([this, address, port] { Send(address, port); });
  receiving_ = std::thread([this] { Receive(); });
}

TcpTransfer::~TcpTransfer() {
  Complaint();
  close(listener_);
  close(sender_);
}

std::string TcpTransfer::Complaint() {
  if (sending_.joinable()) sending_.join();
  if (receiving_.joinable()) receiving_.join();
  return complaint_.load();
}

void TcpTransfer::Fail(const char* what) { complaint_ = what; }

void TcpTransfer::Send(const std::string& address, uint16_t port) {
  const SocketAddress remote = AddressOf(address, port);
  if (connect(sender_, remote.get(), remote.size()) != 0) Fail("connect");
  Bytes chunk(100'003);
  for (size_t sent = 0; sent < size_ && *complaint_.load() == 0;) {
    const size_t count = std::min(chunk.size(), size_ - sent);
    for (size_t i = 0; i < count; ++i) chunk[i] = PatternAt(sent + i);
    const ssize_t n = send(sender_, chunk.data(), count, MSG_NOSIGNAL);
    if (n <= 0) Fail("send");
    sent += static_cast<size_t>(std::max<ssize_t>(n, 0));
  }
  shutdown(sender_, SHUT_WR);
  --running_;
}

void TcpTransfer::Receive() {
  const int fd = accept(listener_, nullptr, nullptr);
  Bytes chunk(65536);
  size_t received = 0;
  while (received < size_ && *complaint_.load() == 0) {
    const ssize_t n = recv(fd, chunk.data(), chunk.size(), 0);
    if (n <= 0) {
      Fail("the flow ended early");
      break;
    }
    for (size_t i = 0; i < static_cast<size_t>(n); ++i, ++received) {
      if (chunk[i] != PatternAt(received)) Fail("a byte differs");
    }
  }
  if (fd >= 0) close(fd);
  --running_;
}

}  // namespace lwt
