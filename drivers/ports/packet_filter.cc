#include "drivers/ports/packet_filter.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>

#include <algorithm>
#include <map>
#include <utility>

#include "drivers/headers.h"
#include "drivers/ports/filter_program.h"

namespace lwt {
namespace {

// So many IPv6 addresses are compared word by word. Of more the filter looks
// at a sum of 32 bits, which takes one instruction each.
constexpr size_t kCompared = 16;
// Compared one after the other at the end of a search.
constexpr size_t kInARow = 8;
// For the sum: odd, without a pattern. The last word counts as it is, so that
// neighbours stay neighbours.
constexpr uint32_t kFactors[3] = {0x9e3779b1, 0x85ebca77, 0xc2b2ae3d};

uint32_t AddressWord(const IpAddress& address, size_t word) {
  const uint8_t* b = address.bytes.data() + 4 * word;
  return uint32_t{b[0]} << 24 | b[1] << 16 | b[2] << 8 | b[3];
}

uint32_t AddressSum(const IpAddress& address) {
  if (address.family == Family::kIpv4) return AddressWord(address, 0);
  uint32_t sum = 0;
  for (size_t word = 0; word < 3; ++word) {
    sum = (sum + AddressWord(address, word)) * kFactors[word];
  }
  return sum + AddressWord(address, 3);
}

struct SumRange {
  uint32_t first;
  uint32_t last;
};

// No more than `most` of them, which takes in what is in the smallest gaps.
std::vector<SumRange> SumRangesOf(std::span<const IpAddress> addresses,
                                  size_t most) {
  std::vector<uint32_t> sums;
  for (const IpAddress& address : addresses)
    sums.push_back(AddressSum(address));
  std::sort(sums.begin(), sums.end());
  std::vector<uint32_t> gaps;
  for (size_t i = 1; i < sums.size(); ++i) {
    gaps.push_back(sums[i] - sums[i - 1]);
  }
  uint32_t largest = 1;  // that is no end of a range
  if (gaps.size() >= most) {
    std::vector<uint32_t> sorted = gaps;
    const auto nth = sorted.end() - static_cast<ptrdiff_t>(most);
    std::nth_element(sorted.begin(), nth, sorted.end());
    largest = std::max(largest, *nth);
  }
  std::vector<SumRange> ranges = {{sums.front(), sums.front()}};
  for (size_t i = 0; i < gaps.size(); ++i) {
    if (gaps[i] > largest) ranges.push_back({sums[i + 1], 0});
    ranges.back().last = sums[i + 1];
  }
  return ranges;
}

// Ports that are ours at the same addresses.
struct PortGroup {
  std::vector<IpAddress> addresses;  // of one family, in order
  std::vector<uint16_t> ports;
  std::vector<size_t> jumps;  // with a sum in A to where it is looked for
};

bool AddressPrecedes(const IpAddress& a, const IpAddress& b) {
  return a.bytes < b.bytes;
}

std::vector<PortGroup> PortGroupsOf(std::span<const Endpoint> endpoints,
                                    Family family) {
  std::map<uint16_t, std::vector<IpAddress>> by_port;
  for (const Endpoint& endpoint : endpoints) {
    if (endpoint.address.family != family) continue;
    by_port[endpoint.port].push_back(endpoint.address);
  }
  std::vector<PortGroup> groups;
  for (auto& [port, of_port] : by_port) {
    std::vector<IpAddress>& addresses = of_port;
    std::sort(addresses.begin(), addresses.end(), AddressPrecedes);
    addresses.erase(std::unique(addresses.begin(), addresses.end()),
                    addresses.end());
    const auto same = std::find_if(
        groups.begin(), groups.end(),
        [&](const PortGroup& group) { return group.addresses == addresses; });
    if (same != groups.end()) {
      same->ports.push_back(port);
    } else {
      groups.push_back({std::move(addresses), {port}, {}});
    }
  }
  return groups;
}

// Ports are looked at first: of all TCP segments of a host few are for ours,
// however many addresses it has.
class FilterBuilder : private FilterProgram {
 public:
  FilterBuilder(std::span<const Endpoint> endpoints, size_t most_ranges)
      : most_ranges_(most_ranges),
        ipv4_(PortGroupsOf(endpoints, Family::kIpv4)),
        ipv6_(PortGroupsOf(endpoints, Family::kIpv6)) {}

  std::vector<sock_filter> Build(uint8_t link_header_size);

 private:
  void CheckAddressee();
  void CheckVlanTag();
  void EtherTypes(uint32_t type_offset);
  void Ip(uint32_t base);
  void Ipv4(uint32_t base);
  void Ipv6(uint32_t base);
  size_t JumpUnlessPort(const PortGroup& group);
  void LookForSum(PortGroup& group) { group.jumps.push_back(Jump()); }
  void CompareIpv6(const PortGroup& group, uint32_t at);
  void SumIpv6(uint32_t at);
  void Searches(std::vector<PortGroup>& groups);
  void Search(std::span<const SumRange> ranges);

  const size_t most_ranges_;
  std::vector<PortGroup> ipv4_;
  std::vector<PortGroup> ipv6_;
};

// A holds the destination port, and does behind the jump that is returned.
size_t FilterBuilder::JumpUnlessPort(const PortGroup& group) {
  std::vector<size_t> matches;
  for (const uint16_t port : group.ports) {
    program_.push_back({BPF_JMP | BPF_JEQ | BPF_K, 0, 1, port});
    matches.push_back(Jump());
  }
  const size_t other = Jump();
  for (const size_t match : matches) SetTarget(match);
  return other;
}

void FilterBuilder::Ipv4(uint32_t base) {
  Load(BPF_B, base + 9);
  DropUnlessEqual(IPPROTO_TCP);
  Load(BPF_H, base + 6);
  program_.push_back({BPF_JMP | BPF_JSET | BPF_K, 0, 1, wire::kFragmentBits});
  Return(0);
  Add(BPF_LDX | BPF_B | BPF_MSH, base);
  Add(BPF_LD | BPF_H | BPF_IND, base + 2);
  for (PortGroup& group : ipv4_) {
    const size_t other = JumpUnlessPort(group);
    Load(BPF_W, base + 16);
    LookForSum(group);
    SetTarget(other);
  }
  Return(0);
}

void FilterBuilder::Ipv6(uint32_t base) {
  const uint32_t at = base + 24;  // the destination address
  Load(BPF_B, base + 6);
  DropUnlessEqual(IPPROTO_TCP);
  Load(BPF_H, base + wire::kIpv6HeaderSize + 2);
  for (PortGroup& group : ipv6_) {
    const size_t other = JumpUnlessPort(group);
    if (group.addresses.size() <= kCompared) {
      CompareIpv6(group, at);
    } else {
      SumIpv6(at);
      LookForSum(group);
    }
    SetTarget(other);
  }
  Return(0);
}

void FilterBuilder::CompareIpv6(const PortGroup& group, uint32_t at) {
  for (const IpAddress& address : group.addresses) {
    size_t next[4];
    for (uint32_t word = 0; word < 4; ++word) {
      Load(BPF_W, at + 4 * word);
      next[word] = JumpUnlessEqual(AddressWord(address, word));
    }
    Return(kAccept);
    for (const size_t jump : next) SetTarget(jump);
  }
  Return(0);
}

// As AddressSum.
void FilterBuilder::SumIpv6(uint32_t at) {
  Load(BPF_W, at);
  for (uint32_t word = 0; word < 3; ++word) {
    Add(BPF_ALU | BPF_MUL | BPF_K, kFactors[word]);
    Add(BPF_MISC | BPF_TAX, 0);
    Load(BPF_W, at + 4 * (word + 1));
    Add(BPF_ALU | BPF_ADD | BPF_X, 0);
  }
}

// Once for frames with and without a tag.
void FilterBuilder::Searches(std::vector<PortGroup>& groups) {
  for (const PortGroup& group : groups) {
    if (group.jumps.empty()) continue;
    for (const size_t jump : group.jumps) SetTarget(jump);
    Search(SumRangesOf(group.addresses, most_ranges_));
  }
}

void FilterBuilder::Search(std::span<const SumRange> ranges) {
  if (ranges.size() > kInARow) {
    const auto half = ranges.size() / 2;
    program_.push_back({BPF_JMP | BPF_JGE | BPF_K, 0, 1, ranges[half].first});
    const size_t upper = Jump();
    Search(ranges.first(half));
    SetTarget(upper);
    Search(ranges.subspan(half));
    return;
  }
  // Of a range both ends, of a single value one look; then 0, then kAccept.
  size_t left = 0;
  for (const SumRange& range : ranges)
    left += range.first == range.last ? 1 : 2;
  for (const SumRange& range : ranges) {
    if (range.first == range.last) {
      program_.push_back({BPF_JMP | BPF_JEQ | BPF_K, static_cast<uint8_t>(left),
                          0, range.first});
      left -= 1;
      continue;
    }
    program_.push_back({BPF_JMP | BPF_JGE | BPF_K, 0, 1, range.first});
    left -= 2;
    program_.push_back({BPF_JMP | BPF_JGT | BPF_K, 0,
                        static_cast<uint8_t>(left + 1), range.last});
  }
  Return(0);
  Return(kAccept);
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

void FilterBuilder::Ip(uint32_t base) {
  Load(BPF_B, base);
  Add(BPF_ALU | BPF_RSH | BPF_K, 4);
  const size_t not_ipv4 = JumpUnlessEqual(4);
  Ipv4(base);
  SetTarget(not_ipv4);
  DropUnlessEqual(6);
  Ipv6(base);
}

std::vector<sock_filter> FilterBuilder::Build(uint8_t link_header_size) {
  if (ipv4_.empty() && ipv6_.empty()) {
    Return(0);
    return program_;
  }
  CheckAddressee();
  if (link_header_size == 0) {
    Ip(0);
  } else {
    CheckVlanTag();
    Load(BPF_H, wire::kEtherTypeAt);
    const size_t not_tagged = JumpUnlessEqual(ETH_P_8021Q);
    EtherTypes(wire::kEtherTypeAt + wire::kVlanTagSize);
    SetTarget(not_tagged);
    EtherTypes(wire::kEtherTypeAt);
  }
  Searches(ipv4_);
  Searches(ipv6_);
  return program_;
}

}  // namespace

absl::StatusOr<std::vector<sock_filter>> BuildPacketFilter(
    uint8_t link_header_size, std::span<const Endpoint> endpoints,
    size_t most) {
  std::vector<sock_filter> program;
  for (size_t exact = endpoints.size() + 1; exact > 0; exact /= 2) {
    program = FilterBuilder(endpoints, exact).Build(link_header_size);
    if (program.size() <= most) return program;
  }
  return absl::ResourceExhaustedError(
      absl::StrCat(endpoints.size(), " endpoints make a packet filter of ",
                   program.size(), " instructions; the kernel takes ", most));
}

}  // namespace lwt
