// Which client of a hub has a session's id, found in the same time however many
// clients there are: strangers cause such look-ups, and what is hashed is
// numbers of our own choice. And whose a key is, in a tree, since clients make
// their keys as they like. Control thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <unordered_map>

#include "control/handshake/crypto.h"

namespace lwt::peer {

class ClientIndex {
 public:
  void NoteSession(uint64_t session_id, const handshake::PublicKey& key,
                   uint32_t client) {
    by_session_[session_id] = client;
    by_key_[key] = client;
  }
  void ForgetSession(uint64_t session_id, const handshake::PublicKey& key) {
    by_session_.erase(session_id);
    by_key_.erase(key);
  }

  std::optional<uint32_t> OfSession(uint64_t session_id) const {
    const auto found = by_session_.find(session_id);
    if (found == by_session_.end()) return std::nullopt;
    return found->second;
  }
  std::optional<uint32_t> OfKey(const handshake::PublicKey& key) const {
    const auto found = by_key_.find(key);
    if (found == by_key_.end()) return std::nullopt;
    return found->second;
  }

 private:
  std::unordered_map<uint64_t, uint32_t> by_session_;
  std::map<handshake::PublicKey, uint32_t> by_key_;
};

}  // namespace lwt::peer
