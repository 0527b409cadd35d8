#include "drivers/ports/lan_filter.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>

#include <algorithm>

#include "drivers/headers.h"
#include "drivers/ports/filter_program.h"

namespace lwt {
namespace {

// Of the destination address, in a frame.
constexpr uint32_t kIpv4Offset = wire::kEthernetSize + 16;
constexpr uint32_t kIpv6Offset = wire::kEthernetSize + 24;

uint32_t WordOf(const IpAddress& address, uint32_t word) {
  const uint8_t* b = address.bytes.data() + size_t{4} * word;
  return uint32_t{b[0]} << 24 | b[1] << 16 | b[2] << 8 | b[3];
}

// The bits of the word that a prefix of that length fixes.
uint32_t MaskOf(uint32_t length, uint32_t word) {
  const uint32_t bits = length > 32 * word ? length - 32 * word : 0;
  if (bits == 0) return 0;
  return bits >= 32 ? ~0u : ~0u << (32 - bits);
}

class LanFilterBuilder : private FilterProgram {
 public:
  explicit LanFilterBuilder(const RoutedSet& set) : set_(set) {}

  std::vector<sock_filter> Build() {
    Load(BPF_W, Ancillary(SKF_AD_PKTTYPE));
    DropUnlessEqual(PACKET_HOST);
    // 0 where there is no tag.
    Load(BPF_W, Ancillary(SKF_AD_VLAN_TAG));
    program_.push_back({BPF_JMP | BPF_JSET | BPF_K, 0, 1, kVlanIdMask});
    Return(0);
    Load(BPF_H, wire::kEtherTypeAt);
    const size_t not_ipv4 = JumpUnlessEqual(ETH_P_IP);
    Addresses(Family::kIpv4, kIpv4Offset);
    SetTarget(not_ipv4);
    DropUnlessEqual(ETH_P_IPV6);
    Addresses(Family::kIpv6, kIpv6Offset);
    return program_;
  }

 private:
  // Returns `bytes` when the destination at `offset` is in the prefix.
  void ReturnIfIn(const IpPrefix& prefix, uint32_t offset, uint32_t bytes) {
    std::vector<size_t> misses;
    const IpAddress network = prefix.Network();
    for (uint32_t word = 0; word < network.size() / 4; ++word) {
      const uint32_t mask = MaskOf(prefix.length, word);
      if (mask == 0) break;
      Load(BPF_W, offset + 4 * word);
      if (mask != ~0u) Add(BPF_ALU | BPF_AND | BPF_K, mask);
      misses.push_back(JumpUnlessEqual(WordOf(network, word)));
    }
    Return(bytes);
    for (const size_t miss : misses) SetTarget(miss);
  }

  void Addresses(Family family, uint32_t offset) {
    for (const IpAddress& own : set_.kept) {
      if (own.family != family) continue;
      ReturnIfIn({own, static_cast<uint8_t>(own.size() * 8)}, offset, 0);
    }
    for (const IpPrefix& prefix : set_.networks) {
      if (prefix.address.family == family) ReturnIfIn(prefix, offset, kAccept);
    }
    Return(0);
  }

  const RoutedSet& set_;
};

}  // namespace

absl::StatusOr<std::vector<sock_filter>> BuildLanFilter(const RoutedSet& set) {
  std::vector<sock_filter> program = LanFilterBuilder(set).Build();
  if (program.size() > BPF_MAXINSNS) {
    return absl::ResourceExhaustedError(absl::StrCat(
        set.networks.size(), " networks make a packet filter of ",
        program.size(), " instructions; the kernel takes ", BPF_MAXINSNS));
  }
  return program;
}

}  // namespace lwt
