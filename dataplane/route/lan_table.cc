#include "dataplane/route/lan_table.h"

#include <bit>
#include <cstring>
#include <utility>

#include "dataplane/golden_ratio.h"

namespace lwt {
namespace {

// The last address of an IPv4 network, where it is no host's.
bool IsBroadcast(const IpPrefix& prefix, const IpAddress& address) {
  if (address.family != Family::kIpv4 || prefix.length > 30) return false;
  IpAddress last = prefix.Network();
  for (uint32_t bit = prefix.length; bit < 32; ++bit) {
    last.bytes[bit / 8] |= static_cast<uint8_t>(0x80 >> (bit % 8));
  }
  return last == address;
}

}  // namespace

LanTable::LanTable(Spec spec) : spec_(std::move(spec)) {
  for (const IpPrefix& own : spec_.addresses) {
    auto& first = own.address.family == Family::kIpv4 ? own_ipv4_ : own_ipv6_;
    if (!first) first = own.address;
  }
  for (const IpAddress& own : spec_.tunnel_addresses) {
    (own.family == Family::kIpv4 ? tunnel_ipv4_ : tunnel_ipv6_) = own;
  }
  // Half empty at most, so that a miss ends after two probes on average.
  const size_t size = std::bit_ceil(spec_.neighbours.size() * 2 + 1);
  slot_mask_ = size - 1;
  slots_ = std::make_unique<Slot[]>(size);
  for (const Neighbour& neighbour : spec_.neighbours) {
    size_t at = HashOf(neighbour.address);
    while (slots_[at].neighbour != nullptr) at = (at + 1) & slot_mask_;
    slots_[at].neighbour = &neighbour;
  }
}

size_t LanTable::HashOf(const IpAddress& address) const {
  uint64_t high;
  uint64_t low;
  std::memcpy(&high, address.bytes.data(), sizeof(high));
  std::memcpy(&low, address.bytes.data() + 8, sizeof(low));
  const uint64_t mixed = (high * kGoldenRatio) ^ (low + kGoldenRatio);
  return static_cast<size_t>((mixed * kGoldenRatio) >> 32) & slot_mask_;
}

const LanTable::Slot* LanTable::FindSlot(const IpAddress& address) const {
  for (size_t at = HashOf(address); slots_[at].neighbour != nullptr;
       at = (at + 1) & slot_mask_) {
    if (slots_[at].neighbour->address == address) return &slots_[at];
  }
  return nullptr;
}

LanTable::Place LanTable::InNetwork(const IpAddress& address) const {
  Place place = Place::kElsewhere;
  for (const IpPrefix& own : spec_.addresses) {
    if (!own.Contains(address)) continue;
    if (own.address == address || IsBroadcast(own, address)) {
      return Place::kKernel;
    }
    place = Place::kUnresolved;
  }
  return place;
}

LanTable::Found LanTable::Find(Family family, const uint8_t* bytes) const {
  const IpAddress address = IpAddress::FromBytes(family, bytes);
  const Place place = InNetwork(address);
  if (place != Place::kUnresolved) return {place};
  const Slot* slot = FindSlot(address);
  if (slot == nullptr) return {Place::kUnresolved};
  if (!slot->used.load(std::memory_order_relaxed)) {
    slot->used.store(true, std::memory_order_relaxed);
  }
  return {Place::kNeighbour, &slot->neighbour->mac};
}

std::vector<IpAddress> LanTable::TakeUsed() const {
  std::vector<IpAddress> used;
  for (size_t at = 0; at <= slot_mask_; ++at) {
    const Slot& slot = slots_[at];
    if (slot.neighbour != nullptr &&
        slot.used.exchange(false, std::memory_order_relaxed)) {
      used.push_back(slot.neighbour->address);
    }
  }
  return used;
}

}  // namespace lwt
