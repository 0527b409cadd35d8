// The least that a tunnel in user space can be: packets of a tun device go out
// by a packet socket behind an IPv4 header, and come back the same way. One
// sleeping epoll loop, no cryptography, no state. What it adds to a round trip
// is what any such program adds.
//
// usage: bare-relay TUN INTERFACE NEXT-HOP-MAC SOURCE DESTINATION
// Prints "ready", then runs until it is killed.
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

constexpr uint8_t kProtocol = 253;  // for experiments, RFC 3692
constexpr size_t kLargest = 2048;

[[noreturn]] void Fail(const char* what) {
  std::perror(what);
  std::exit(1);
}

int OpenTun(const char* name) {
  const int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) Fail("/dev/net/tun");
  ifreq request{};
  request.ifr_flags = IFF_TUN | IFF_NO_PI;
  std::strncpy(request.ifr_name, name, IFNAMSIZ - 1);
  if (ioctl(fd, TUNSETIFF, &request) != 0) Fail(name);
  return fd;
}

// Takes IPv4 of our protocol only.
int OpenPacketSocket(unsigned ifindex) {
  const int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
                        htons(ETH_P_IP));
  if (fd < 0) Fail("packet socket");
  std::array<sock_filter, 4> code = {{
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 9),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kProtocol, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, kLargest),
      BPF_STMT(BPF_RET | BPF_K, 0),
  }};
  const sock_fprog filter = {code.size(), code.data()};
  if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) !=
      0) {
    Fail("filter");
  }
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_IP);
  address.sll_ifindex = static_cast<int>(ifindex);
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    Fail("bind");
  }
  return fd;
}

uint16_t HeaderChecksum(const iphdr& header) {
  std::array<uint16_t, sizeof(iphdr) / 2> words;
  std::memcpy(words.data(), &header, sizeof(header));
  uint32_t sum = 0;
  for (const uint16_t word : words) sum += word;
  sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(~(sum + (sum >> 16)));
}

class Relay {
 public:
  explicit Relay(char** words) : tun_(OpenTun(words[1])) {
    const unsigned ifindex = if_nametoindex(words[2]);
    if (ifindex == 0) Fail(words[2]);
    socket_ = OpenPacketSocket(ifindex);
    hop_.sll_family = AF_PACKET;
    hop_.sll_protocol = htons(ETH_P_IP);
    hop_.sll_ifindex = static_cast<int>(ifindex);
    hop_.sll_halen = 6;
    if (std::sscanf(words[3], "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", hop_.sll_addr,
                    hop_.sll_addr + 1, hop_.sll_addr + 2, hop_.sll_addr + 3,
                    hop_.sll_addr + 4, hop_.sll_addr + 5) != 6) {
      Fail(words[3]);
    }
    header_.version = 4;
    header_.ihl = 5;
    header_.ttl = 64;
    header_.protocol = kProtocol;
    if (inet_pton(AF_INET, words[4], &header_.saddr) != 1) Fail(words[4]);
    if (inet_pton(AF_INET, words[5], &header_.daddr) != 1) Fail(words[5]);
  }

  [[noreturn]] void Run() {
    const int poller = epoll_create1(EPOLL_CLOEXEC);
    for (const int fd : {tun_, socket_}) {
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.fd = fd;
      if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) != 0) Fail("epoll");
    }
    while (true) {
      std::array<epoll_event, 2> events;
      epoll_wait(poller, events.data(), events.size(), -1);
      while (Out()) {
      }
      while (In()) {
      }
    }
  }

 private:
  // What the device or the socket does not take is lost, as on a wire.
  bool Out() {
    uint8_t* const inner = buffer_.data() + sizeof(header_);
    const ssize_t size = read(tun_, inner, kLargest - sizeof(header_));
    if (size <= 0) return false;
    header_.tot_len = htons(
        static_cast<uint16_t>(static_cast<size_t>(size) + sizeof(header_)));
    header_.check = 0;
    header_.check = HeaderChecksum(header_);
    std::memcpy(buffer_.data(), &header_, sizeof(header_));
    sendto(socket_, buffer_.data(), static_cast<size_t>(size) + sizeof(header_),
           0, reinterpret_cast<const sockaddr*>(&hop_), sizeof(hop_));
    return true;
  }
  bool In() {
    const ssize_t size = recv(socket_, buffer_.data(), kLargest, 0);
    if (size <= static_cast<ssize_t>(sizeof(header_))) return false;
    const ssize_t written = write(tun_, buffer_.data() + sizeof(header_),
                                  static_cast<size_t>(size) - sizeof(header_));
    return written > 0;
  }

  const int tun_;
  int socket_ = -1;
  sockaddr_ll hop_{};
  iphdr header_{};
  std::array<uint8_t, kLargest> buffer_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) {
    std::fprintf(stderr,
                 "usage: bare-relay TUN INTERFACE NEXT-HOP-MAC SOURCE "
                 "DESTINATION\n");
    return 2;
  }
  Relay relay(argv);
  std::puts("ready");
  std::fflush(stdout);
  relay.Run();
}
