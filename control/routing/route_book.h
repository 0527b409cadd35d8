// Which client has which network behind it: what the settings grant, and what
// clients announced, first come, first served, bound to the client's static
// key while it is connected and, if it stayed for a while, a day after.
//
// Owned by HubSessions. Control thread. Of a list the first kMostRoutes are
// looked at, each by one look-up in a tree for each prefix length in use.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <variant>
#include <vector>

#include "control/handshake/crypto.h"
#include "control/host/net/address_order.h"
#include "control/routing/route_rules.h"

namespace lwt::routing {

// A network of a key, as it is remembered from one run to the next.
struct HeldRoute {
  // Its client was connected when this was written.
  static constexpr uint64_t kConnected = 0;

  IpPrefix network;
  handshake::PublicKey key{};
  uint64_t until_unix_ms = kConnected;

  friend bool operator==(const HeldRoute&, const HeldRoute&) = default;
};

class RouteBook {
 public:
  static constexpr uint64_t kHoldUs = uint64_t{24} * 3600 * 1'000'000;
  // How long a key has to be connected for its networks to be held after.
  static constexpr uint64_t kEarnUs = 60'000'000;
  // Keys that are away and hold networks; of further ones none are held.
  static constexpr size_t kMostAway = 1024;
  // Prefix lengths of a family that announcements may bring into use, of all
  // clients together: each costs every packet a look-up.
  static constexpr size_t kMostLengthsInAll = 24;

  using Granted = std::map<handshake::PublicKey, std::vector<IpPrefix>>;
  using Codes = std::vector<std::optional<RouteCode>>;
  struct Entry {
    IpPrefix network;
    handshake::PublicKey key{};
    bool away = false;
  };

  // What [[peer]] entries give to keys: theirs before anybody else's.
  void SetGranted(Granted granted);
  const Granted& granted() const { return granted_; }

  // The client of `key` is there, and says that these networks are behind it:
  // all of them, so what it had and does not name is free. A code for each that
  // is refused.
  Codes Replace(const handshake::PublicKey& key,
                const std::vector<IpPrefix>& networks,
                const std::vector<config::Acceptance>& accept,
                const Surroundings& around, uint64_t now_us);
  // The client of `key` came: what it had stays its own.
  void Connected(const handshake::PublicKey& key, uint64_t now_us);
  // It went.
  void Release(const handshake::PublicKey& key, uint64_t now_us);
  // A network that a key has is no longer its own.
  void Withdraw(const handshake::PublicKey& key, const IpPrefix& network);
  // What a run before held, into an empty book: what could be announced now,
  // for the rest of its time, a day at most.
  void Restore(const std::vector<HeldRoute>& held,
               const std::vector<config::Acceptance>& accept,
               const Surroundings& around, uint64_t now_us, uint64_t unix_ms);
  // All(), for the next run.
  std::vector<HeldRoute> Held(uint64_t now_us, uint64_t unix_ms) const;
  // Frees what was held long enough.
  void Expire(uint64_t now_us);
  // Frees those within a range, or of a key, whose clients are away. All that
  // are named, freed or not.
  std::vector<Entry> Forget(
      const std::variant<IpPrefix, handshake::PublicKey>& names);

  // Who has networks that the address is in: several, where one lies within
  // another's.
  std::set<handshake::PublicKey> OwnersOf(const IpAddress& address) const;
  // Bound to the key by its own word, in order.
  std::vector<IpPrefix> Of(const handshake::PublicKey& key) const;
  // All that are bound so.
  std::vector<Entry> All() const;
  // Grows with every change of All().
  uint64_t version() const { return version_; }
  // Grows when a network becomes free.
  uint64_t freed() const { return freed_; }

 private:
  struct Holder {
    std::set<IpPrefix, host::PrefixOrder> networks;
    uint64_t since_us = 0;
    uint64_t until_us = UINT64_MAX;  // UINT64_MAX while connected
  };
  using Holders = std::map<handshake::PublicKey, Holder>;

  std::optional<RouteCode> Judge(const handshake::PublicKey& key,
                                 const IpPrefix& network,
                                 const std::vector<config::Acceptance>& accept,
                                 const Surroundings& around) const;
  std::optional<handshake::PublicKey> GrantedTo(const IpPrefix& network) const;
  bool IsAnothers(const handshake::PublicKey& key,
                  const IpPrefix& network) const;
  bool IsNewLength(const IpPrefix& network) const;
  void Bind(const handshake::PublicKey& key, const IpPrefix& network);
  void Free(Holder& holder, const IpPrefix& network);
  void TakeFrom(const handshake::PublicKey& key, const IpPrefix& network);
  void Drop(Holders::iterator holder);

  Granted granted_;
  std::map<IpPrefix, handshake::PublicKey, host::PrefixOrder> grants_;
  std::map<IpPrefix, handshake::PublicKey, host::PrefixOrder> bound_;
  Holders holders_;
  // How many there are, by family and length: of what is bound, of grants.
  using Lengths = std::map<std::pair<Family, uint8_t>, size_t>;
  Lengths lengths_;
  Lengths grant_lengths_;
  size_t away_ = 0;
  uint64_t expire_at_us_ = UINT64_MAX;  // none of those away before
  uint64_t version_ = 0;
  uint64_t freed_ = 0;
};

}  // namespace lwt::routing
