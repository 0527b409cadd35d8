#include "drivers/ports/packet_filter.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>

#include <algorithm>

#include "drivers/headers.h"
#include "drivers/ports/filter_program.h"

namespace lwt {
namespace {

class FilterBuilder : private FilterProgram {
 public:
  explicit FilterBuilder(std::span<const Endpoint> endpoints)
      : endpoints_(endpoints.begin(), endpoints.end()) {}

  std::vector<sock_filter> Build(uint8_t link_header_size);

 private:
  void CheckAddressee();
  void CheckVlanTag();
  void EtherTypes(uint32_t type_offset);
  void Ipv4(uint32_t base);
  void Ipv6(uint32_t base);
  void Ports(const IpAddress& address);
  std::vector<IpAddress> Addresses(Family family) const;

  const std::vector<Endpoint> endpoints_;
};

std::vector<IpAddress> FilterBuilder::Addresses(Family family) const {
  std::vector<IpAddress> addresses;
  for (const Endpoint& endpoint : endpoints_) {
    if (endpoint.address.family == family &&
        std::find(addresses.begin(), addresses.end(), endpoint.address) ==
            addresses.end()) {
      addresses.push_back(endpoint.address);
    }
  }
  return addresses;
}

// A holds the destination port; the address has matched.
void FilterBuilder::Ports(const IpAddress& address) {
  for (const Endpoint& endpoint : endpoints_) {
    if (endpoint.address != address) continue;
    program_.push_back({BPF_JMP | BPF_JEQ | BPF_K, 0, 1, endpoint.port});
    Return(kAccept);
  }
  Return(0);
}

void FilterBuilder::Ipv4(uint32_t base) {
  Load(BPF_B, base + 9);
  DropUnlessEqual(IPPROTO_TCP);
  Load(BPF_H, base + 6);
  program_.push_back({BPF_JMP | BPF_JSET | BPF_K, 0, 1, wire::kFragmentBits});
  Return(0);
  Add(BPF_LDX | BPF_B | BPF_MSH, base);
  for (const IpAddress& address : Addresses(Family::kIpv4)) {
    Load(BPF_W, base + 16);
    const auto& b = address.bytes;
    const size_t next =
        JumpUnlessEqual(uint32_t{b[0]} << 24 | b[1] << 16 | b[2] << 8 | b[3]);
    Add(BPF_LD | BPF_H | BPF_IND, base + 2);
    Ports(address);
    SetTarget(next);
  }
  Return(0);
}

void FilterBuilder::Ipv6(uint32_t base) {
  Load(BPF_B, base + 6);
  DropUnlessEqual(IPPROTO_TCP);
  for (const IpAddress& address : Addresses(Family::kIpv6)) {
    size_t next[4];
    for (uint32_t word = 0; word < 4; ++word) {
      Load(BPF_W, base + 24 + 4 * word);
      const uint8_t* b = address.bytes.data() + 4 * word;
      next[word] =
          JumpUnlessEqual(uint32_t{b[0]} << 24 | b[1] << 16 | b[2] << 8 | b[3]);
    }
    Load(BPF_H, base + wire::kIpv6HeaderSize + 2);
    Ports(address);
    for (const size_t jump : next) SetTarget(jump);
  }
  Return(0);
}

// In promiscuous mode a socket sees frames for other hosts too.
void FilterBuilder::CheckAddressee() {
  Load(BPF_W, Ancillary(SKF_AD_PKTTYPE));
  DropUnlessEqual(PACKET_HOST);
}

void FilterBuilder::CheckVlanTag() {
  Load(BPF_W, Ancillary(SKF_AD_VLAN_TAG_PRESENT));
  const size_t tagged = JumpUnlessEqual(0);
  Add(BPF_JMP | BPF_JA, 3);
  SetTarget(tagged);
  Load(BPF_W, Ancillary(SKF_AD_VLAN_TAG));
  program_.push_back({BPF_JMP | BPF_JSET | BPF_K, 0, 1, kVlanIdMask});
  Return(0);
}

void FilterBuilder::EtherTypes(uint32_t type_offset) {
  Load(BPF_H, type_offset);
  const size_t not_ipv4 = JumpUnlessEqual(ETH_P_IP);
  Ipv4(type_offset + 2);
  SetTarget(not_ipv4);
  DropUnlessEqual(ETH_P_IPV6);
  Ipv6(type_offset + 2);
}

std::vector<sock_filter> FilterBuilder::Build(uint8_t link_header_size) {
  if (endpoints_.empty()) {
    Return(0);
    return program_;
  }
  CheckAddressee();
  if (link_header_size == 0) {
    Load(BPF_B, 0);
    Add(BPF_ALU | BPF_RSH | BPF_K, 4);
    const size_t not_ipv4 = JumpUnlessEqual(4);
    Ipv4(0);
    SetTarget(not_ipv4);
    DropUnlessEqual(6);
    Ipv6(0);
    return program_;
  }
  CheckVlanTag();
  Load(BPF_H, wire::kEtherTypeAt);
  const size_t not_tagged = JumpUnlessEqual(ETH_P_8021Q);
  EtherTypes(wire::kEtherTypeAt + wire::kVlanTagSize);
  SetTarget(not_tagged);
  EtherTypes(wire::kEtherTypeAt);
  return program_;
}

}  // namespace

absl::StatusOr<std::vector<sock_filter>> BuildPacketFilter(
    uint8_t link_header_size, std::span<const Endpoint> endpoints) {
  std::vector<sock_filter> program =
      FilterBuilder(endpoints).Build(link_header_size);
  if (program.size() > BPF_MAXINSNS) {
    return absl::ResourceExhaustedError(absl::StrCat(
        endpoints.size(), " endpoints make a packet filter of ", program.size(),
        " instructions; the kernel takes ", BPF_MAXINSNS));
  }
  return program;
}

}  // namespace lwt
