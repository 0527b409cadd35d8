// Which client has which tunnel address: first come, first served, bound to
// the client's static key, held while it is connected and, if it stayed for a
// while, a day after.
//
// One holder of the shared key can make static keys without end. So a new key
// has to earn its hold by being connected for kEarnUs, and of one source
// network (/24 or /48) at most kMaxAwayOfNetwork addresses are held for keys
// that are away. Nobody else's hold is shortened by that. Owned by HubSessions.
// Control thread. What a client causes costs the same however many addresses
// are bound. What it holds outlives the process by Held() and Restore().
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "control/handshake/session_secrets.h"
#include "control/host/net/address_order.h"
#include "control/hub/held_addresses.h"

namespace lwt::peer {

// Those in a range, which may be a single one, or all of a client's key.
using AddressesNamed = std::variant<IpPrefix, handshake::PublicKey>;

class AddressBook {
 public:
  static constexpr uint64_t kHoldUs = uint64_t{24} * 3600 * 1'000'000;
  static constexpr size_t kMaxBindings = kMaxHeldAddresses;
  static constexpr uint64_t kEarnUs = 60'000'000;
  static constexpr size_t kMaxAwayOfNetwork = 64;

  // `own` are the hub's addresses with the prefix lengths of its network.
  explicit AddressBook(std::vector<IpPrefix> own) : own_(std::move(own)) {}

  // Addresses that only one key may have, connected or not.
  using Reserved =
      std::map<IpAddress, handshake::PublicKey, host::AddressOrder>;
  // Those that are bound to another key than the one that they are reserved
  // for stay bound.
  void SetReserved(Reserved reserved) { reserved_ = std::move(reserved); }
  // Of these, those that another key has.
  std::vector<IpAddress> Contested() const;

  // Positions of a network, or of a range of the pool, that leases are made
  // from, and how many of them are looked at for one.
  static constexpr uint32_t kMostPositions = 1u << 16;
  static constexpr uint32_t kMostLooks = 4096;
  // Where leases come from; of a network that has no part in it, from all of
  // it.
  void SetPool(std::vector<IpPrefix> pool) { pool_ = std::move(pool); }
  // An address of each of our networks for the client of `key`, with the
  // network's length: what is reserved for it, else what it has or had, else a
  // free one, which is the same for the same key while nobody takes it. To be
  // bound; a refusal where one network has none.
  handshake::Verdict Lease(const handshake::PublicKey& key,
                           uint64_t now_us) const;

  // Whether the client of `key` may have `addresses`.
  handshake::Verdict Check(const handshake::PublicKey& key,
                           const std::vector<IpPrefix>& addresses,
                           uint64_t now_us) const;
  // After Check accepted: binds them, and frees others that the key held.
  // `source` is where the client is.
  void Bind(const handshake::PublicKey& key,
            const std::vector<IpPrefix>& addresses, const IpAddress& source,
            uint64_t now_us);
  // The client of `key` is gone: its addresses are held for kHoldUs, or free.
  void Release(const handshake::PublicKey& key, uint64_t now_us);
  // The hub stops: whoever is connected is held for kHoldUs.
  void ReleaseAll(uint64_t now_us);
  // Frees what `names` names at once: the addresses in a range, or of a key.
  std::vector<HeldAddress> Forget(const AddressesNamed& names);

  // What is still bound, by wall clock.
  std::vector<HeldAddress> Held(uint64_t now_us, uint64_t unix_ms) const;
  // The same in parts: adds, of the next `count` addresses behind `after`,
  // those that are bound, and moves `after` on. False: those were the last.
  bool AddHeld(size_t count, uint64_t now_us, uint64_t unix_ms,
               std::optional<IpAddress>& after,
               std::vector<HeldAddress>& held) const;
  // Whose addresses are bound.
  std::vector<handshake::PublicKey> Keys() const;
  bool Knows(const handshake::PublicKey& key) const {
    return of_key_.contains(key);
  }
  // At start: what the run before held. Who was connected then has a day from
  // now, and nobody has more, whatever the clocks did.
  void Restore(const std::vector<HeldAddress>& held, uint64_t now_us,
               uint64_t unix_ms);
  // Grows with every change of what Held() gives.
  uint64_t version() const { return version_; }

 private:
  struct Binding {
    handshake::PublicKey key{};
    uint64_t until_us = UINT64_MAX;  // UINT64_MAX while connected
    IpPrefix network;  // where it was connected from; 0 bits: not known
    uint64_t since_us = 0;
    bool earned = false;  // its hold

    bool connected() const { return until_us == UINT64_MAX; }
  };

  bool InNetwork(const IpAddress& address) const;
  bool IsFreeFor(const handshake::PublicKey& key, const IpPrefix& network,
                 const IpAddress& address, uint64_t now_us) const;
  std::optional<IpAddress> LeaseIn(const handshake::PublicKey& key,
                                   const IpPrefix& network,
                                   uint64_t now_us) const;
  std::optional<IpAddress> FreeIn(const handshake::PublicKey& key,
                                  const IpPrefix& network,
                                  const IpPrefix& range, uint64_t now_us) const;
  bool IsOwn(const IpAddress& address) const;
  void MakeRoomFor(size_t count);
  size_t AwayOf(const IpPrefix& network, uint64_t now_us);
  using Bindings = std::map<IpAddress, Binding, host::AddressOrder>;

  void HoldUntil(Bindings::iterator held, uint64_t until_us);

  std::set<IpAddress, host::AddressOrder> AddressesOf(
      const handshake::PublicKey& key) const;
  void Erase(Bindings::iterator binding);

  std::vector<IpPrefix> own_;
  Reserved reserved_;
  // Until when, and then the address.
  struct EndOrder {
    using End = std::pair<uint64_t, IpAddress>;
    bool operator()(const End& a, const End& b) const {
      if (a.first != b.first) return a.first < b.first;
      return host::AddressOrder()(a.second, b.second);
    }
  };
  std::vector<IpPrefix> pool_;
  Bindings bindings_;
  std::set<EndOrder::End, EndOrder> ends_;  // of those that are away
  // Until when those that are away are held, by network.
  std::map<IpPrefix, std::multiset<uint64_t>, host::PrefixOrder> away_;
  // The bindings by key: clients make their keys as they like, so in a tree.
  std::map<handshake::PublicKey, std::set<IpAddress, host::AddressOrder>>
      of_key_;
  uint64_t version_ = 0;
};

}  // namespace lwt::peer
