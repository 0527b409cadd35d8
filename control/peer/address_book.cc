#include "control/peer/address_book.h"

#include <algorithm>

#include "control/config/text.h"

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
  // Neither the network itself nor its broadcast address is a host's.
  return std::any_of(own_.begin(), own_.end(), [&](const IpPrefix& prefix) {
    if (!prefix.Contains(address)) return false;
    if (prefix.Network() == address) return false;
    if (address.family == Family::kIpv6) return true;
    IpAddress broadcast = prefix.Network();
    for (uint32_t bit = prefix.length; bit < 32; ++bit) {
      broadcast.bytes[bit / 8] |= static_cast<uint8_t>(0x80 >> (bit % 8));
    }
    return prefix.length >= 31 || address != broadcast;
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
              text + " is the hub's own tunnel address; choose another one"};
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
    for (const Binding& binding : bindings_) {
      if (binding.address != address || binding.key == key) continue;
      if (binding.until_us <= now_us) continue;
      return {VerdictCode::kAddressTaken,
              config::Concat(
                  text,
                  " belongs to another client; choose another one, or free it "
                  "on the hub: lwtctl peer forget ",
                  text)};
    }
  }
  return {};
}

// Those that are over go, and then those that are free soonest. Whoever is
// connected stays: max_clients is far below kMaxBindings.
void AddressBook::MakeRoomFor(size_t count, uint64_t now_us) {
  std::erase_if(bindings_, [&](const Binding& binding) {
    return binding.until_us <= now_us;
  });
  while (!bindings_.empty() && bindings_.size() + count > kMaxBindings) {
    bindings_.erase(std::min_element(bindings_.begin(), bindings_.end(),
                                     [](const Binding& a, const Binding& b) {
                                       return a.until_us < b.until_us;
                                     }));
  }
}

void AddressBook::Bind(const PublicKey& key,
                       const std::vector<IpPrefix>& addresses,
                       const IpAddress& source, uint64_t now_us) {
  ++version_;
  const bool earned =
      std::any_of(bindings_.begin(), bindings_.end(), [&](const Binding& held) {
        return held.key == key && held.earned && held.until_us > now_us;
      });
  std::erase_if(bindings_, [&](const Binding& binding) {
    if (binding.key == key) return true;
    return std::any_of(addresses.begin(), addresses.end(),
                       [&](const IpPrefix& prefix) {
                         return prefix.address == binding.address;
                       });
  });
  MakeRoomFor(addresses.size(), now_us);
  for (const IpPrefix& prefix : addresses) {
    bindings_.push_back({prefix.address, key, UINT64_MAX, SourceNetwork(source),
                         now_us, earned});
  }
}

size_t AddressBook::AwayOf(const IpPrefix& network, uint64_t now_us) const {
  return static_cast<size_t>(std::count_if(
      bindings_.begin(), bindings_.end(), [&](const Binding& binding) {
        return !binding.connected() && binding.until_us > now_us &&
               binding.network == network;
      }));
}

void AddressBook::Release(const PublicKey& key, uint64_t now_us) {
  ++version_;
  std::erase_if(bindings_, [&](Binding& binding) {
    if (binding.key != key || !binding.connected()) return false;
    if (!binding.earned &&
        (now_us - binding.since_us < kEarnUs ||
         AwayOf(binding.network, now_us) >= kMaxAwayOfNetwork)) {
      return true;
    }
    binding.earned = true;
    binding.until_us = now_us + kHoldUs;
    return false;
  });
}

void AddressBook::ReleaseAll(uint64_t now_us) {
  ++version_;
  for (Binding& binding : bindings_) {
    if (binding.connected()) binding.until_us = now_us + kHoldUs;
  }
}

std::vector<HeldAddress> AddressBook::Forget(const AddressesNamed& names) {
  const auto is_named = [&](const Binding& binding) {
    const auto* const range = std::get_if<IpPrefix>(&names);
    return range != nullptr ? range->Contains(binding.address)
                            : std::get<PublicKey>(names) == binding.key;
  };
  std::vector<HeldAddress> forgotten;
  std::erase_if(bindings_, [&](const Binding& binding) {
    if (!is_named(binding)) return false;
    forgotten.push_back({binding.address, binding.key});
    return true;
  });
  if (!forgotten.empty()) ++version_;
  return forgotten;
}

std::vector<HeldAddress> AddressBook::Held(uint64_t now_us,
                                           uint64_t unix_ms) const {
  std::vector<HeldAddress> held;
  for (const Binding& binding : bindings_) {
    if (binding.until_us <= now_us) continue;
    held.push_back({binding.address, binding.key,
                    binding.connected()
                        ? HeldAddress::kConnected
                        : unix_ms + (binding.until_us - now_us) / 1000});
  }
  return held;
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
    bindings_.push_back({entry.address, entry.key, now_us + left_us, IpPrefix(),
                         now_us, /*earned=*/true});
  }
}

}  // namespace lwt::peer
