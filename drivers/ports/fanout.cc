#include "drivers/ports/fanout.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <sys/socket.h>

#include <cstdint>

#include "drivers/headers.h"

namespace lwt {
namespace {

// What lies that far behind the network header, wherever the kernel's data
// begins when it asks.
constexpr uint32_t FromNetwork(uint32_t offset) {
  return static_cast<uint32_t>(SKF_NET_OFF) + offset;
}

constexpr uint32_t kDestinationPort = 2;
// PACKET_FANOUT_FLAG_IGNORE_OUTGOING, younger than the headers of Debian 12; a
// kernel that does not know it takes no notice, and the sockets' filter drops
// what goes out.
constexpr uint16_t kIgnoreOutgoing = 0x4000;

}  // namespace

// X is the size of the IP header, M[0] the source port.
std::vector<sock_filter> BuildPortSum() {
  return {
      {BPF_LD | BPF_B | BPF_ABS, 0, 0, FromNetwork(0)},
      {BPF_MISC | BPF_TAX, 0, 0, 0},
      {BPF_ALU | BPF_RSH | BPF_K, 0, 0, 4},
      {BPF_JMP | BPF_JEQ | BPF_K, 0, 5, 4},
      // IPv4: the low four bits count words of four bytes.
      {BPF_MISC | BPF_TXA, 0, 0, 0},
      {BPF_ALU | BPF_AND | BPF_K, 0, 0, 0x0f},
      {BPF_ALU | BPF_LSH | BPF_K, 0, 0, 2},
      {BPF_MISC | BPF_TAX, 0, 0, 0},
      {BPF_JMP | BPF_JA, 0, 0, 1},
      {BPF_LDX | BPF_W | BPF_IMM, 0, 0, wire::kIpv6HeaderSize},
      {BPF_LD | BPF_H | BPF_IND, 0, 0, FromNetwork(0)},
      {BPF_ST, 0, 0, 0},
      {BPF_LD | BPF_H | BPF_IND, 0, 0, FromNetwork(kDestinationPort)},
      {BPF_LDX | BPF_W | BPF_MEM, 0, 0, 0},
      {BPF_ALU | BPF_ADD | BPF_X, 0, 0, 0},
      {BPF_RET | BPF_A, 0, 0, 0},
  };
}

// The kernel counts the members of a group in the order they joined, and takes
// the program's answer modulo their number.
absl::Status JoinFanout(std::span<const int> sockets, Spread spread) {
  fanout_args group{};
  group.type_flags = (spread == Spread::kPortSum
                          ? PACKET_FANOUT_CBPF | PACKET_FANOUT_FLAG_DEFRAG
                          : PACKET_FANOUT_HASH) |
                     PACKET_FANOUT_FLAG_UNIQUEID | kIgnoreOutgoing;
  group.max_num_members = static_cast<uint32_t>(sockets.size());
  for (const int fd : sockets) {
    if (setsockopt(fd, SOL_PACKET, PACKET_FANOUT, &group, sizeof(group)) != 0) {
      return absl::ErrnoToStatus(errno,
                                 "cannot make a group of packet sockets");
    }
    uint32_t joined = 0;
    socklen_t size = sizeof(joined);
    if (getsockopt(fd, SOL_PACKET, PACKET_FANOUT, &joined, &size) != 0) {
      return absl::ErrnoToStatus(errno, "cannot read a packet socket's group");
    }
    group.id = static_cast<uint16_t>(joined);
    group.type_flags &= static_cast<uint16_t>(~PACKET_FANOUT_FLAG_UNIQUEID);
  }
  if (spread == Spread::kFlowHash) return absl::OkStatus();
  std::vector<sock_filter> program = BuildPortSum();
  const sock_fprog filter = {static_cast<unsigned short>(program.size()),
                             program.data()};
  if (setsockopt(sockets.front(), SOL_PACKET, PACKET_FANOUT_DATA, &filter,
                 sizeof(filter)) != 0) {
    return absl::ErrnoToStatus(errno,
                               "cannot spread flows over packet sockets");
  }
  return absl::OkStatus();
}

}  // namespace lwt
