#include "tests/unit/drivers/net_lab.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <rte_eal.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "tests/support/link_up.h"

namespace lwt {
namespace {

constexpr auto kPatience = std::chrono::seconds(2);
constexpr int kPatienceMs = 2000;

void Check(bool condition, const char* what) {
  if (condition) return;
  std::perror(what);
  std::abort();
}

int OpenCurrentNamespace() {
  const int fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
  Check(fd >= 0, "open the network namespace");
  return fd;
}

std::string PathOf(int fd) {
  return "/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(fd);
}

bool RunIn(int namespace_fd, int back_fd, const std::string& command) {
  Check(setns(namespace_fd, CLONE_NEWNET) == 0, "setns");
  const int status = std::system(command.c_str());
  Check(setns(back_fd, CLONE_NEWNET) == 0, "setns");
  return status == 0;
}

Bytes MacOf(int fd, const char* interface) {
  ifreq request{};
  std::strncpy(request.ifr_name, interface, IFNAMSIZ - 1);
  Check(ioctl(fd, SIOCGIFHWADDR, &request) == 0, "read a MAC");
  const auto* mac = reinterpret_cast<uint8_t*>(request.ifr_hwaddr.sa_data);
  close(fd);
  return Bytes(mac, mac + ETH_ALEN);
}

void Append16(Bytes& bytes, uint16_t value) {
  bytes.push_back(static_cast<uint8_t>(value >> 8));
  bytes.push_back(static_cast<uint8_t>(value));
}

// A segment whose checksum covers the pseudo-header sum given.
Bytes TcpSegment(uint16_t port, size_t payload_size, uint32_t pseudo_sum) {
  Bytes tcp;
  Append16(tcp, 40000);
  Append16(tcp, port);
  for (const uint16_t half : {0x1122, 0x3344, 0x5566, 0x7788}) {
    Append16(tcp, half);
  }
  Append16(tcp, 0x5018);  // 20 bytes of header, ACK and PSH
  Append16(tcp, 0xffff);
  Append16(tcp, 0);
  Append16(tcp, 0);
  for (size_t i = 0; i < payload_size; ++i) {
    tcp.push_back(static_cast<uint8_t>(i * 7 + 1));
  }
  const uint16_t checksum =
      InternetChecksum(tcp, pseudo_sum + 6 + static_cast<uint32_t>(tcp.size()));
  tcp[16] = static_cast<uint8_t>(checksum >> 8);
  tcp[17] = static_cast<uint8_t>(checksum);
  return tcp;
}

uint32_t SumOf(const Bytes& bytes) {
  uint32_t sum = 0;
  for (size_t i = 0; i + 1 < bytes.size(); i += 2) {
    sum += static_cast<uint32_t>(bytes[i] << 8 | bytes[i + 1]);
  }
  return sum;
}

}  // namespace

void InitEal() {
  static const int result = [] {
    std::array<const char*, 8> arguments = {
        "test", "--no-huge", "--no-shconf",    "-m",
        "192",  "--no-pci",  "--no-telemetry", "--log-level=error"};
    return rte_eal_init(static_cast<int>(arguments.size()),
                        const_cast<char**>(arguments.data()));
  }();
  Check(result >= 0, "rte_eal_init");
}

rte_mempool* MakePool(const char* name, unsigned count, uint16_t room) {
  rte_mempool* pool =
      rte_pktmbuf_pool_create(name, count, 32, 0, room, SOCKET_ID_ANY);
  Check(pool != nullptr, "rte_pktmbuf_pool_create");
  return pool;
}

rte_mbuf* MakeFrame(rte_mempool* pool, std::span<const uint8_t> bytes,
                    size_t segment_size) {
  rte_mbuf* head = nullptr;
  do {
    const size_t size = std::min(bytes.size(), segment_size);
    rte_mbuf* segment = rte_pktmbuf_alloc(pool);
    Check(segment != nullptr, "rte_pktmbuf_alloc");
    char* room = rte_pktmbuf_append(segment, static_cast<uint16_t>(size));
    Check(room != nullptr, "rte_pktmbuf_append");
    std::memcpy(room, bytes.data(), size);
    bytes = bytes.subspan(size);
    if (head == nullptr) {
      head = segment;
    } else {
      rte_pktmbuf_chain(head, segment);
    }
  } while (!bytes.empty());
  return head;
}

Bytes BytesOf(const rte_mbuf* frame) {
  Bytes bytes(frame->pkt_len);
  const void* data = rte_pktmbuf_read(frame, 0, frame->pkt_len, bytes.data());
  if (data != bytes.data()) std::memcpy(bytes.data(), data, bytes.size());
  return bytes;
}

std::vector<rte_mbuf*> ReceiveFrames(Port& port, size_t count) {
  std::vector<rte_mbuf*> all;
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (all.size() < count && std::chrono::steady_clock::now() < deadline) {
    std::array<rte_mbuf*, 64> frames{};
    const uint16_t n = port.Receive(frames);
    all.insert(all.end(), frames.begin(), frames.begin() + n);
    if (n == 0) std::this_thread::yield();
  }
  return all;
}

std::vector<Bytes> ReceiveBytes(Port& port, size_t count) {
  std::vector<Bytes> all;
  for (rte_mbuf* frame : ReceiveFrames(port, count)) {
    all.push_back(BytesOf(frame));
    rte_pktmbuf_free(frame);
  }
  return all;
}

bool BecomesReadable(int fd) {
  pollfd waiting = {fd, POLLIN, 0};
  return poll(&waiting, 1, kPatienceMs) == 1;
}

Bytes ReadPacket(int fd) {
  if (!BecomesReadable(fd)) return {};
  Bytes packet(70'000);
  const ssize_t size = read(fd, packet.data(), packet.size());
  packet.resize(size < 0 ? 0 : static_cast<size_t>(size));
  return packet;
}

NetLab::NetLab() : home_(OpenCurrentNamespace()) {
  Check(unshare(CLONE_NEWNET) == 0, "unshare");
  there_ = OpenCurrentNamespace();
  Check(unshare(CLONE_NEWNET) == 0, "unshare");
  here_ = OpenCurrentNamespace();
  // Addresses that the links give themselves are in use at once.
  constexpr const char* kAtOnce =
      "sysctl -qw net.ipv6.conf.default.accept_dad=0";
  Check(Here(kAtOnce) && There(kAtOnce), "set IPv6 up");
  Check(Here("ip link set lo up && "
             "ip link add up0 type veth peer name peer0 netns " +
             PathOf(there_) +
             " && "
             "ip addr add 10.1.0.1/24 dev up0 && "
             "ip addr add fd01::1/64 dev up0 nodad && "
             "ethtool -K up0 tx off >/dev/null && ip link set up0 up"),
        "set up the namespace here");
  Check(There("ip link set lo up && ip addr add 10.1.0.2/24 dev peer0 && "
              "ip addr add fd01::2/64 dev peer0 nodad && "
              "ethtool -K peer0 tx off >/dev/null && ip link set peer0 up"),
        "set up the namespace there");
  AwaitCarrier();
  here_mac_ = MacOf(socket(AF_INET, SOCK_DGRAM, 0), "up0");
  there_mac_ = MacOf(SocketThere(AF_INET, SOCK_DGRAM, 0), "peer0");
}

NetLab::~NetLab() {
  setns(home_, CLONE_NEWNET);
  close(here_);
  close(there_);
  close(home_);
}

void NetLab::AwaitCarrier() const {
  Check(test::LinkComesUp("up0"), "bring up0 up");
  Check(setns(there_, CLONE_NEWNET) == 0, "setns");
  const bool up = test::LinkComesUp("peer0");
  Check(setns(here_, CLONE_NEWNET) == 0, "setns");
  Check(up, "bring peer0 up");
}

bool NetLab::Here(const std::string& command) const {
  return RunIn(here_, here_, command);
}

bool NetLab::There(const std::string& command) const {
  return RunIn(there_, here_, command);
}

bool NetLab::MoveThere(const std::string& interface) const {
  return Here("ip link set " + interface + " netns " + PathOf(there_));
}

int NetLab::MakePlainLink() const {
  const int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  Check(fd >= 0, "/dev/net/tun");
  ifreq request{};
  std::strcpy(request.ifr_name, "plain0");
  request.ifr_flags = IFF_TUN | IFF_NO_PI;
  Check(ioctl(fd, TUNSETIFF, &request) == 0, "TUNSETIFF");
  Check(Here("echo 1 > /proc/sys/net/ipv6/conf/plain0/disable_ipv6;"
             "ip link set plain0 up"),
        "set up a plain link");
  return fd;
}

int NetLab::SocketThere(int family, int type, int protocol) const {
  Check(setns(there_, CLONE_NEWNET) == 0, "setns");
  const int fd = socket(family, type | SOCK_CLOEXEC, protocol);
  Check(setns(here_, CLONE_NEWNET) == 0, "setns");
  Check(fd >= 0, "socket");
  return fd;
}

int NetLab::RawSocketThere(bool vnet_header) const {
  const int fd = SocketThere(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, 0);
  const int one = 1;
  if (vnet_header) {
    Check(setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)) == 0,
          "PACKET_VNET_HDR");
  }
  ifreq request{};
  std::strncpy(request.ifr_name, "peer0", IFNAMSIZ - 1);
  Check(ioctl(fd, SIOCGIFINDEX, &request) == 0, "SIOCGIFINDEX");
  setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one));
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = request.ifr_ifindex;
  Check(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0,
        "bind");
  return fd;
}

Bytes NetLab::Ethernet(uint16_t type, const Bytes& payload) const {
  Bytes frame = here_mac_;
  frame.insert(frame.end(), there_mac_.begin(), there_mac_.end());
  Append16(frame, type);
  frame.insert(frame.end(), payload.begin(), payload.end());
  return frame;
}

void NetLab::EnableSegmentationThere() const {
  Check(There("ethtool -K peer0 tx on sg on tso on gso on >/dev/null"),
        "ethtool");
}

uint16_t InternetChecksum(std::span<const uint8_t> data, uint32_t sum) {
  for (size_t i = 0; i < data.size(); ++i) {
    sum += static_cast<uint32_t>(i % 2 == 0 ? data[i] << 8 : data[i]);
  }
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(~sum);
}

Bytes TcpIpv4(uint16_t port, size_t payload_size) {
  const Bytes addresses = {10, 1, 0, 2, 10, 1, 0, 1};
  const Bytes tcp = TcpSegment(port, payload_size, SumOf(addresses));
  Bytes ip = {0x45, 0};
  Append16(ip, static_cast<uint16_t>(20 + tcp.size()));
  for (const uint8_t byte : {0, 1, 0x40, 0, 64, 6, 0, 0}) ip.push_back(byte);
  ip.insert(ip.end(), addresses.begin(), addresses.end());
  const uint16_t checksum = InternetChecksum(ip, 0);
  ip[10] = static_cast<uint8_t>(checksum >> 8);
  ip[11] = static_cast<uint8_t>(checksum);
  ip.insert(ip.end(), tcp.begin(), tcp.end());
  return ip;
}

Bytes TcpIpv6(uint16_t port, size_t payload_size) {
  Bytes addresses(32, 0);
  addresses[0] = addresses[16] = 0xfd;
  addresses[1] = addresses[17] = 0x01;
  addresses[15] = 2;
  addresses[31] = 1;
  const Bytes tcp = TcpSegment(port, payload_size, SumOf(addresses));
  Bytes ip = {0x60, 0, 0, 0};
  Append16(ip, static_cast<uint16_t>(tcp.size()));
  ip.push_back(6);
  ip.push_back(64);
  ip.insert(ip.end(), addresses.begin(), addresses.end());
  ip.insert(ip.end(), tcp.begin(), tcp.end());
  return ip;
}

}  // namespace lwt
