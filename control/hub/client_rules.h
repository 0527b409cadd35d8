// What the hub's settings say of single clients, by their keys: the entries
// [[peer]], and what is said of all. Made again by each reload; owned by
// HubSessions. Control thread.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/config/config.h"
#include "control/handshake/crypto.h"
#include "control/hub/address_book.h"
#include "dataplane/lane/peer_tuning.h"

namespace lwt::peer {

class ClientRules {
 public:
  ClientRules() = default;
  // The keys were read before. `interleave_us` is that of all clients' FEC.
  explicit ClientRules(const config::HubConfig& config,
                       uint64_t interleave_us = fec::Settings().interleave_us);

  // What the client of `key` is called; empty: nothing.
  std::string_view NameOf(const handshake::PublicKey& key) const;
  // Whether an entry is for it; all for which there is one.
  bool Has(const handshake::PublicKey& key) const {
    return rules_.contains(key);
  }
  std::vector<handshake::PublicKey> Keys() const;
  std::optional<handshake::PublicKey> KeyOf(std::string_view name) const;
  // Neither reaches another client nor is reached by one.
  bool IsIsolated(const handshake::PublicKey& key) const;
  // What is set for this client alone.
  PeerTuning TuningOf(const handshake::PublicKey& key) const;
  // Tunnel addresses that no other key may have.
  const AddressBook::Reserved& reserved() const { return reserved_; }
  // Where leases come from, see AddressBook.
  const std::vector<IpPrefix>& pool() const { return pool_; }

 private:
  struct Rule {
    std::string name;
    bool isolated = false;
    PeerTuning tuning;
  };

  bool isolates_all_ = false;
  std::map<handshake::PublicKey, Rule> rules_;
  std::map<std::string, handshake::PublicKey, std::less<>> keys_;  // by name
  AddressBook::Reserved reserved_;
  std::vector<IpPrefix> pool_;
};

}  // namespace lwt::peer
