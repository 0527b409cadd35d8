#include "control/hub/address_book.h"

#include <algorithm>

#include "control/base/text.h"

namespace lwt::peer {

using handshake::PublicKey;
using handshake::Verdict;
using handshake::VerdictCode;

namespace {

// What one holder of the key may well have by itself.
IpPrefix SourceNetwork(const IpAddress& source) {
  const IpPrefix prefix{
      source, static_cast<uint8_t>(source.family == Family::kIpv4 ? 24 : 48)};
  return {prefix.Network(), prefix.length};
}

}  // namespace

bool AddressBook::InNetwork(const IpAddress& address) const {
  return std::any_of(own_.begin(), own_.end(), [&](const IpPrefix& prefix) {
    return IsHostOf(prefix, address);
  });
}

bool AddressBook::IsOwn(const IpAddress& address) const {
  return std::any_of(own_.begin(), own_.end(), [&](const IpPrefix& prefix) {
    return prefix.address == address;
  });
}

Verdict AddressBook::Check(const PublicKey& key,
                           const std::vector<IpPrefix>& addresses,
                           uint64_t now_us) const {
  for (const IpPrefix& prefix : addresses) {
    const IpAddress& address = prefix.address;
    std::string text = ToString(address);
    if (IsOwn(address)) {
      return {VerdictCode::kAddressTaken,
              text + " is the hub's own tunnel address; choose another one",
              {}};
    }
    if (!InNetwork(address)) {
      std::string network;
      for (const IpPrefix& own : own_) {
        if (!network.empty()) network += ", ";
        network += ToString(IpPrefix{own.Network(), own.length});
      }
      return {
          VerdictCode::kAddressOutsideNetwork,
          config::Concat(text, " is not a host of the hub's tunnel network ",
                         network)};
    }
    const auto reserved = reserved_.find(address);
    if (reserved != reserved_.end() && reserved->second != key) {
      return {VerdictCode::kAddressTaken,
              text +
                  " is reserved for another client, by an entry [[peer]] of "
                  "the hub; choose another one"};
    }
    const auto bound = bindings_.find(address);
    if (bound == bindings_.end() || bound->second.key == key ||
        bound->second.until_us <= now_us) {
      continue;
    }
    return {VerdictCode::kAddressTaken,
            config::Concat(
                text,
                " belongs to another client; choose another one, or free it "
                "on the hub: lwtctl peer forget ",
                text)};
  }
  return {};
}

bool AddressBook::IsFreeFor(const PublicKey& key, const IpPrefix& network,
                            const IpAddress& address, uint64_t now_us) const {
  if (IsOwn(address) || !IsHostOf(network, address)) return false;
  const auto reserved = reserved_.find(address);
  if (reserved != reserved_.end() && reserved->second != key) return false;
  const auto bound = bindings_.find(address);
  return bound == bindings_.end() || bound->second.key == key ||
         bound->second.until_us <= now_us;
}

// From where the key, which is random, says on: so a client that comes again
// after its hold was over finds the same, mostly.
std::optional<IpAddress> AddressBook::FreeIn(const PublicKey& key,
                                             const IpPrefix& network,
                                             const IpPrefix& range,
                                             uint64_t now_us) const {
  const size_t bits = range.address.size() * 8 - range.length;
  const uint32_t positions = bits >= 16 ? kMostPositions : 1u << bits;
  const uint32_t first = uint32_t{key[0]} << 8 | key[1];
  const IpAddress begin = range.Network();
  for (uint32_t look = 0; look < std::min(positions, kMostLooks); ++look) {
    const uint32_t position = (first + look) % positions;
    IpAddress address = begin;
    uint8_t* const end = address.bytes.data() + address.size();
    end[-1] = static_cast<uint8_t>(end[-1] | (position & 0xff));
    end[-2] = static_cast<uint8_t>(end[-2] | position >> 8);
    if (IsFreeFor(key, network, address, now_us)) return address;
  }
  return std::nullopt;
}

std::optional<IpAddress> AddressBook::LeaseIn(const PublicKey& key,
                                              const IpPrefix& network,
                                              uint64_t now_us) const {
  for (const auto& [address, owner] : reserved_) {
    if (owner == key && network.Contains(address)) return address;
  }
  for (const IpAddress& address : AddressesOf(key)) {
    if (IsFreeFor(key, network, address, now_us)) return address;
  }
  bool bounded = false;
  for (const IpPrefix& range : pool_) {
    if (!network.Contains(range.address)) continue;
    bounded = true;
    if (auto found = FreeIn(key, network, range, now_us)) return found;
  }
  return bounded ? std::nullopt : FreeIn(key, network, network, now_us);
}

Verdict AddressBook::Lease(const PublicKey& key, uint64_t now_us) const {
  Verdict verdict;
  for (const IpPrefix& network : own_) {
    const auto address = LeaseIn(key, network, now_us);
    if (!address) {
      return {VerdictCode::kNoAddressFree,
              config::Concat(
                  "no tunnel address of ",
                  ToString(IpPrefix{network.Network(), network.length}),
                  " is free to be leased; lwtctl peer forget on the hub frees "
                  "some"),
              {}};
    }
    verdict.lease.push_back({*address, network.length});
  }
  return verdict;
}

std::vector<IpAddress> AddressBook::Contested() const {
  std::vector<IpAddress> contested;
  for (const auto& [address, key] : reserved_) {
    const auto bound = bindings_.find(address);
    if (bound != bindings_.end() && bound->second.key != key) {
      contested.push_back(address);
    }
  }
  return contested;
}

std::set<IpAddress, host::AddressOrder> AddressBook::AddressesOf(
    const PublicKey& key) const {
  const auto found = of_key_.find(key);
  if (found == of_key_.end()) return {};
  return found->second;
}

void AddressBook::Erase(Bindings::iterator binding) {
  const auto of_key = of_key_.find(binding->second.key);
  of_key->second.erase(binding->first);
  if (of_key->second.empty()) of_key_.erase(of_key);
  if (const auto away = away_.find(binding->second.network);
      !binding->second.connected() && away != away_.end()) {
    const auto end = away->second.find(binding->second.until_us);
    if (end != away->second.end()) away->second.erase(end);
    if (away->second.empty()) away_.erase(away);
  }
  if (!binding->second.connected()) {
    ends_.erase({binding->second.until_us, binding->first});
  }
  bindings_.erase(binding);
}

// Those that are over, or are free soonest, go. Whoever is connected stays:
// max_clients is far below kMaxBindings.
void AddressBook::MakeRoomFor(size_t count) {
  while (!ends_.empty() && bindings_.size() + count > kMaxBindings) {
    Erase(bindings_.find(ends_.begin()->second));
  }
}

void AddressBook::Bind(const PublicKey& key,
                       const std::vector<IpPrefix>& addresses,
                       const IpAddress& source, uint64_t now_us) {
  ++version_;
  bool earned = false;
  for (const IpAddress& address : AddressesOf(key)) {
    const auto held = bindings_.find(address);
    earned |= held->second.earned && held->second.until_us > now_us;
    Erase(held);
  }
  for (const IpPrefix& prefix : addresses) {
    const auto held = bindings_.find(prefix.address);
    if (held != bindings_.end()) Erase(held);
  }
  MakeRoomFor(addresses.size());
  for (const IpPrefix& prefix : addresses) {
    bindings_[prefix.address] = {key, UINT64_MAX, SourceNetwork(source), now_us,
                                 earned};
    of_key_[key].insert(prefix.address);
  }
}

size_t AddressBook::AwayOf(const IpPrefix& network, uint64_t now_us) {
  const auto found = away_.find(network);
  if (found == away_.end()) return 0;
  std::multiset<uint64_t>& ends = found->second;
  ends.erase(ends.begin(), ends.upper_bound(now_us));
  return ends.size();
}

void AddressBook::HoldUntil(Bindings::iterator held, uint64_t until_us) {
  held->second.until_us = until_us;
  ends_.emplace(until_us, held->first);
  away_[held->second.network].insert(until_us);
}

void AddressBook::Release(const PublicKey& key, uint64_t now_us) {
  ++version_;
  for (const IpAddress& address : AddressesOf(key)) {
    const auto held = bindings_.find(address);
    Binding& binding = held->second;
    if (!binding.connected()) continue;
    if (!binding.earned &&
        (now_us - binding.since_us < kEarnUs ||
         AwayOf(binding.network, now_us) >= kMaxAwayOfNetwork)) {
      Erase(held);
      continue;
    }
    binding.earned = true;
    HoldUntil(held, now_us + kHoldUs);
  }
}

void AddressBook::ReleaseAll(uint64_t now_us) {
  ++version_;
  for (auto held = bindings_.begin(); held != bindings_.end(); ++held) {
    if (held->second.connected()) HoldUntil(held, now_us + kHoldUs);
  }
}

std::vector<HeldAddress> AddressBook::Forget(const AddressesNamed& names) {
  std::vector<IpAddress> named;
  if (const auto* const range = std::get_if<IpPrefix>(&names)) {
    for (const auto& [address, binding] : bindings_) {
      if (range->Contains(address)) named.push_back(address);
    }
  } else {
    const auto of_key = AddressesOf(std::get<PublicKey>(names));
    named.assign(of_key.begin(), of_key.end());
  }
  std::vector<HeldAddress> forgotten;
  for (const IpAddress& address : named) {
    const auto binding = bindings_.find(address);
    forgotten.push_back({address, binding->second.key});
    Erase(binding);
  }
  if (!forgotten.empty()) ++version_;
  return forgotten;
}

std::vector<HeldAddress> AddressBook::Held(uint64_t now_us,
                                           uint64_t unix_ms) const {
  std::vector<HeldAddress> held;
  std::optional<IpAddress> after;
  AddHeld(bindings_.size(), now_us, unix_ms, after, held);
  return held;
}

bool AddressBook::AddHeld(size_t count, uint64_t now_us, uint64_t unix_ms,
                          std::optional<IpAddress>& after,
                          std::vector<HeldAddress>& held) const {
  auto at = after ? bindings_.upper_bound(*after) : bindings_.begin();
  for (; count > 0 && at != bindings_.end(); --count, ++at) {
    const auto& [address, binding] = *at;
    after = address;
    if (binding.until_us <= now_us) continue;
    held.push_back({address, binding.key,
                    binding.connected()
                        ? HeldAddress::kConnected
                        : unix_ms + (binding.until_us - now_us) / 1000});
  }
  return at != bindings_.end();
}

std::vector<PublicKey> AddressBook::Keys() const {
  std::vector<PublicKey> keys;
  keys.reserve(of_key_.size());
  for (const auto& [key, addresses] : of_key_) keys.push_back(key);
  return keys;
}

void AddressBook::Restore(const std::vector<HeldAddress>& held, uint64_t now_us,
                          uint64_t unix_ms) {
  for (const HeldAddress& entry : held) {
    uint64_t left_us = kHoldUs;
    if (entry.until_unix_ms != HeldAddress::kConnected) {
      if (entry.until_unix_ms <= unix_ms) continue;
      left_us =
          std::min((entry.until_unix_ms - unix_ms), kHoldUs / 1000) * 1000;
    }
    const auto twin = bindings_.find(entry.address);
    if (twin != bindings_.end()) Erase(twin);
    bindings_[entry.address] = {entry.key, now_us + left_us, IpPrefix(), now_us,
                                /*earned=*/true};
    ends_.emplace(now_us + left_us, entry.address);
    of_key_[entry.key].insert(entry.address);
  }
}

}  // namespace lwt::peer
