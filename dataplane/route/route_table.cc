#include "dataplane/route/route_table.h"

#include <algorithm>
#include <bit>
#include <set>

#include "dataplane/golden_ratio.h"

namespace lwt {
namespace {

uint64_t LoadBigEndian64(const uint8_t* bytes) {
  uint64_t value;
  std::memcpy(&value, bytes, sizeof(value));
  return __builtin_bswap64(value);
}

// The first `length` bits of 64 set.
uint64_t MaskOf(int length) {
  if (length <= 0) return 0;
  if (length >= 64) return ~uint64_t{0};
  return ~uint64_t{0} << (64 - length);
}

}  // namespace

RouteTable::Key RouteTable::KeyOf(Family family, const uint8_t* address) {
  if (family == Family::kIpv4) {
    uint32_t value;
    std::memcpy(&value, address, sizeof(value));
    return {static_cast<uint64_t>(__builtin_bswap32(value)) << 32, 0};
  }
  return {LoadBigEndian64(address), LoadBigEndian64(address + 8)};
}

size_t RouteTable::HashOf(const Key& key) {
  const uint64_t mixed = (key.high * kGoldenRatio) ^ (key.low + kGoldenRatio);
  return static_cast<size_t>((mixed * kGoldenRatio) >> 32);
}

RouteTable::Level RouteTable::MakeLevel(uint8_t length,
                                        const std::vector<Route>& routes) {
  Level level;
  level.mask = {MaskOf(length), MaskOf(length - 64)};
  // Half empty at most, so that a miss ends after two probes on average.
  const size_t size = std::bit_ceil(routes.size() * 2 + 1);
  level.slot_mask = size - 1;
  level.slots.resize(size);
  for (const Route& route : routes) {
    const IpAddress network = route.prefix.Network();
    const Key key = KeyOf(network.family, network.bytes.data());
    size_t at = HashOf(key) & level.slot_mask;
    while (level.slots[at].peer != PeerIndex::kNone &&
           level.slots[at].key != key) {
      at = (at + 1) & level.slot_mask;
    }
    level.slots[at] = {key,
                       route.peer == PeerIndex::kNone ? kRefused : route.peer};
  }
  return level;
}

RouteTable::RouteTable(const std::vector<Route>& routes)
    : size_(routes.size()) {
  for (const Family family : {Family::kIpv4, Family::kIpv6}) {
    std::set<uint8_t, std::greater<>> lengths;
    for (const Route& route : routes) {
      if (route.prefix.address.family == family) {
        lengths.insert(route.prefix.length);
      }
    }
    auto& levels = family == Family::kIpv4 ? ipv4_ : ipv6_;
    for (const uint8_t length : lengths) {
      std::vector<Route> of_length;
      std::copy_if(routes.begin(), routes.end(), std::back_inserter(of_length),
                   [&](const Route& route) {
                     return route.prefix.address.family == family &&
                            route.prefix.length == length;
                   });
      levels.push_back(MakeLevel(length, of_length));
    }
  }
}

PeerIndex RouteTable::Lookup(Family family, const uint8_t* address) const {
  const Key key = KeyOf(family, address);
  for (const Level& level : family == Family::kIpv4 ? ipv4_ : ipv6_) {
    const Key masked = {key.high & level.mask.high, key.low & level.mask.low};
    size_t at = HashOf(masked) & level.slot_mask;
    for (; level.slots[at].peer != PeerIndex::kNone;
         at = (at + 1) & level.slot_mask) {
      if (level.slots[at].key != masked) continue;
      const PeerIndex peer = level.slots[at].peer;
      return peer == kRefused ? PeerIndex::kNone : peer;
    }
  }
  return PeerIndex::kNone;
}

}  // namespace lwt
