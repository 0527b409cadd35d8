#include "control/routing/route_book.h"

#include <algorithm>
#include <utility>

#include "control/config/networks.h"

namespace lwt::routing {

using handshake::PublicKey;

namespace {

// Calls f with each network that contains `network`, itself too, whose length
// is one of `lengths`, until it says true.
template <typename Lengths, typename F>
bool AnyAround(const IpPrefix& network, const Lengths& lengths, F f) {
  const Family family = network.address.family;
  auto each = lengths.lower_bound({family, 0});
  for (; each != lengths.end(); ++each) {
    if (each->first.first != family || each->first.second > network.length) {
      return false;
    }
    IpPrefix around{network.address, each->first.second};
    around.address = around.Network();
    if (f(around)) return true;
  }
  return false;
}

}  // namespace

void RouteBook::SetGranted(Granted granted) {
  granted_ = std::move(granted);
  grants_.clear();
  grant_lengths_.clear();
  for (const auto& [key, networks] : granted_) {
    for (const IpPrefix& network : networks) {
      // To have what nobody else has is no claim to what others have.
      if (config::IsHalf(network)) continue;
      grants_[network] = key;
      ++grant_lengths_[{network.address.family, network.length}];
    }
  }
  // What is now another's is nobody else's by its own word.
  for (const Entry& held : All()) {
    const auto owner = GrantedTo(held.network);
    if (owner && *owner != held.key) TakeFrom(held.key, held.network);
  }
}

// The longest of those around the network decides, as it does for packets.
std::optional<PublicKey> RouteBook::GrantedTo(const IpPrefix& network) const {
  std::optional<PublicKey> key;
  AnyAround(network, grant_lengths_, [&](const IpPrefix& each) {
    const auto found = grants_.find(each);
    if (found != grants_.end()) key = found->second;
    return false;
  });
  return key;
}

bool RouteBook::IsAnothers(const PublicKey& key,
                           const IpPrefix& network) const {
  return AnyAround(network, lengths_, [&](const IpPrefix& each) {
    const auto found = bound_.find(each);
    return found != bound_.end() && found->second != key;
  });
}

bool RouteBook::IsNewLength(const IpPrefix& network) const {
  const Family family = network.address.family;
  if (lengths_.contains({family, network.length})) return false;
  const auto of_family = std::count_if(
      lengths_.begin(), lengths_.end(),
      [&](const auto& each) { return each.first.first == family; });
  return static_cast<size_t>(of_family) >= kMostLengthsInAll;
}

std::optional<RouteCode> RouteBook::Judge(
    const PublicKey& key, const IpPrefix& network,
    const std::vector<config::Acceptance>& accept,
    const Surroundings& around) const {
  if (const auto code = Forbidden(network, around)) return code;
  const std::optional<PublicKey> granted = GrantedTo(network);
  if (granted == key) return std::nullopt;
  if (granted || IsAnothers(key, network)) return RouteCode::kAnothers;
  if (!Accepts(accept, network)) return RouteCode::kNotAccepted;
  return std::nullopt;
}

RouteBook::Codes RouteBook::Replace(
    const PublicKey& key, const std::vector<IpPrefix>& networks,
    const std::vector<config::Acceptance>& accept, const Surroundings& around,
    uint64_t now_us) {
  Connected(key, now_us);
  Holder& holder = holders_[key];
  const std::set<IpPrefix, host::PrefixOrder> before = holder.networks;
  std::set<IpPrefix, host::PrefixOrder> accepted;
  std::set<std::pair<Family, uint8_t>> lengths;
  Codes codes;
  for (const IpPrefix& network : networks) {
    std::optional<RouteCode> code = RouteCode::kTooMany;
    if (codes.size() < kMostRoutes) {
      code = Judge(key, network, accept, around);
    }
    if (!code && !accepted.contains(network)) {
      std::set<std::pair<Family, uint8_t>> with = lengths;
      with.insert({network.address.family, network.length});
      const bool held = before.contains(network);
      const bool granted = GrantedTo(network) == key;
      if (with.size() > kMostLengths ||
          (!held && !granted && IsNewLength(network))) {
        code = RouteCode::kTooMany;
      } else {
        accepted.insert(network);
        lengths = std::move(with);
        if (!held) Bind(key, network);
      }
    }
    codes.push_back(code);
  }
  for (const IpPrefix& network : before) {
    if (!accepted.contains(network)) Free(holder, network);
  }
  return codes;
}

void RouteBook::Bind(const PublicKey& key, const IpPrefix& network) {
  // One that was granted to this key since may be another's by its own word.
  if (const auto other = bound_.find(network); other != bound_.end()) {
    TakeFrom(PublicKey(other->second), network);
  }
  bound_[network] = key;
  holders_[key].networks.insert(network);
  ++lengths_[{network.address.family, network.length}];
  ++version_;
}

void RouteBook::Free(Holder& holder, const IpPrefix& network) {
  holder.networks.erase(network);
  bound_.erase(network);
  const auto length = lengths_.find({network.address.family, network.length});
  if (--length->second == 0) lengths_.erase(length);
  ++version_;
  ++freed_;
}

// One who is away and has none left takes no place of those who hold some.
void RouteBook::TakeFrom(const PublicKey& key, const IpPrefix& network) {
  const auto found = holders_.find(key);
  if (found == holders_.end()) return;
  Holder& holder = found->second;
  if (!holder.networks.contains(network)) return;
  Free(holder, network);
  if (holder.until_us != UINT64_MAX && holder.networks.empty()) Drop(found);
}

void RouteBook::Drop(Holders::iterator holder) {
  while (!holder->second.networks.empty()) {
    Free(holder->second, IpPrefix(*holder->second.networks.begin()));
  }
  if (holder->second.until_us != UINT64_MAX) --away_;
  holders_.erase(holder);
}

void RouteBook::Connected(const PublicKey& key, uint64_t now_us) {
  const auto [found, is_new] = holders_.try_emplace(key);
  Holder& holder = found->second;
  if (!is_new && holder.until_us == UINT64_MAX) return;
  if (!is_new) {
    --away_;
    ++version_;
  }
  holder.since_us = now_us;
  holder.until_us = UINT64_MAX;
}

void RouteBook::Release(const PublicKey& key, uint64_t now_us) {
  const auto found = holders_.find(key);
  if (found == holders_.end()) return;
  Holder& holder = found->second;
  if (holder.until_us != UINT64_MAX) return;
  const bool earned = now_us - holder.since_us >= kEarnUs;
  if (!earned || holder.networks.empty() || away_ >= kMostAway) {
    Drop(found);
    return;
  }
  holder.until_us = now_us + kHoldUs;
  expire_at_us_ = std::min(expire_at_us_, holder.until_us);
  ++away_;
  ++version_;
}

void RouteBook::Withdraw(const PublicKey& key, const IpPrefix& network) {
  TakeFrom(key, network);
}

void RouteBook::Restore(const std::vector<HeldRoute>& held,
                        const std::vector<config::Acceptance>& accept,
                        const Surroundings& around, uint64_t now_us,
                        uint64_t unix_ms) {
  // What lies within another's came before that: it has the longer prefix.
  std::vector<HeldRoute> ordered = held;
  std::stable_sort(ordered.begin(), ordered.end(),
                   [](const HeldRoute& a, const HeldRoute& b) {
                     return a.network.length > b.network.length;
                   });
  for (const HeldRoute& entry : ordered) {
    uint64_t left_us = kHoldUs;
    if (entry.until_unix_ms != HeldRoute::kConnected) {
      if (entry.until_unix_ms <= unix_ms) continue;
      left_us = std::min(entry.until_unix_ms - unix_ms, kHoldUs / 1000) * 1000;
    }
    if (Judge(entry.key, entry.network, accept, around)) continue;
    const bool known = holders_.contains(entry.key);
    if (!known && away_ >= kMostAway) continue;
    if (GrantedTo(entry.network) != entry.key && IsNewLength(entry.network)) {
      continue;
    }
    Holder& holder = holders_[entry.key];
    if (holder.networks.contains(entry.network) ||
        holder.networks.size() >= kMostRoutes) {
      continue;
    }
    if (!known) ++away_;
    holder.until_us =
        known ? std::max(holder.until_us, now_us + left_us) : now_us + left_us;
    expire_at_us_ = std::min(expire_at_us_, holder.until_us);
    Bind(entry.key, entry.network);
  }
}

std::vector<HeldRoute> RouteBook::Held(uint64_t now_us,
                                       uint64_t unix_ms) const {
  std::vector<HeldRoute> held;
  for (const auto& [network, key] : bound_) {
    const uint64_t until_us = holders_.at(key).until_us;
    if (until_us <= now_us) continue;
    held.push_back({network, key,
                    until_us == UINT64_MAX
                        ? HeldRoute::kConnected
                        : unix_ms + (until_us - now_us) / 1000});
  }
  return held;
}

void RouteBook::Expire(uint64_t now_us) {
  if (now_us < expire_at_us_) return;
  expire_at_us_ = UINT64_MAX;
  for (auto each = holders_.begin(); each != holders_.end();) {
    const auto holder = each++;
    if (holder->second.until_us <= now_us) {
      Drop(holder);
    } else if (holder->second.until_us != UINT64_MAX) {
      expire_at_us_ = std::min(expire_at_us_, holder->second.until_us);
    }
  }
}

std::vector<RouteBook::Entry> RouteBook::Forget(
    const std::variant<IpPrefix, PublicKey>& names) {
  std::vector<Entry> named;
  for (const Entry& held : All()) {
    const auto* range = std::get_if<IpPrefix>(&names);
    if (range != nullptr ? !Within(held.network, *range)
                         : held.key != std::get<PublicKey>(names)) {
      continue;
    }
    named.push_back(held);
    if (held.away) TakeFrom(held.key, held.network);
  }
  return named;
}

std::set<PublicKey> RouteBook::OwnersOf(const IpAddress& address) const {
  std::set<PublicKey> owners;
  AnyAround({address, static_cast<uint8_t>(address.size() * 8)}, lengths_,
            [&](const IpPrefix& each) {
              const auto found = bound_.find(each);
              if (found != bound_.end()) owners.insert(found->second);
              return false;
            });
  return owners;
}

std::vector<IpPrefix> RouteBook::Of(const PublicKey& key) const {
  const auto found = holders_.find(key);
  if (found == holders_.end()) return {};
  return {found->second.networks.begin(), found->second.networks.end()};
}

std::vector<RouteBook::Entry> RouteBook::All() const {
  std::vector<Entry> all;
  for (const auto& [network, key] : bound_) {
    all.push_back({network, key, holders_.at(key).until_us != UINT64_MAX});
  }
  return all;
}

}  // namespace lwt::routing
