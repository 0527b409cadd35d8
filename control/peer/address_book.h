// Which client has which tunnel address: first come, first served, bound to
// the client's static key, held while it is connected and a day after.
//
// Owned by HubSessions. Control thread. A search walks a list of at most
// kMaxBindings entries; they change a few times a day. What it holds outlives
// the process by Held() and Restore().
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "control/handshake/session_secrets.h"
#include "control/peer/held_addresses.h"

namespace lwt::peer {

class AddressBook {
 public:
  static constexpr uint64_t kHoldUs = uint64_t{24} * 3600 * 1'000'000;
  static constexpr size_t kMaxBindings = kMaxHeldAddresses;

  // `own` are the hub's addresses with the prefix lengths of its network.
  explicit AddressBook(std::vector<IpPrefix> own) : own_(std::move(own)) {}

  // Whether the client of `key` may have `addresses`.
  handshake::Verdict Check(const handshake::PublicKey& key,
                           const std::vector<IpPrefix>& addresses,
                           uint64_t now_us) const;
  // After Check accepted: binds them, and frees others that the key held.
  void Bind(const handshake::PublicKey& key,
            const std::vector<IpPrefix>& addresses);
  // The client of `key` is gone: its addresses are held for kHoldUs.
  void Release(const handshake::PublicKey& key, uint64_t now_us);
  // Frees an address at once. The key that had it, nullopt when none had.
  std::optional<handshake::PublicKey> Forget(const IpAddress& address);

  // What is still bound, by wall clock.
  std::vector<HeldAddress> Held(uint64_t now_us, uint64_t unix_ms) const;
  // At start: what the run before held. Who was connected then has a day from
  // now, and nobody has more, whatever the clocks did.
  void Restore(const std::vector<HeldAddress>& held, uint64_t now_us,
               uint64_t unix_ms);
  // Grows with every change of what Held() gives.
  uint64_t version() const { return version_; }

 private:
  struct Binding {
    IpAddress address;
    handshake::PublicKey key{};
    uint64_t until_us = UINT64_MAX;  // UINT64_MAX while connected
  };

  bool InNetwork(const IpAddress& address) const;
  bool IsOwn(const IpAddress& address) const;

  std::vector<IpPrefix> own_;
  std::vector<Binding> bindings_;
  uint64_t version_ = 0;
};

}  // namespace lwt::peer
