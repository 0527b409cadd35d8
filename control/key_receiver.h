// A client's part in the rotation of the shared key: keeps the key that the hub
// gives, goes by it from then on, and answers where it is kept.
//
// Owned by ClientSide. Control thread.
#pragma once

#include <functional>
#include <string>

#include "control/base/log.h"
#include "control/config/config.h"
#include "control/gateway_parts.h"
#include "control/handshake/messages.h"
#include "control/rotation/key_store.h"
#include "control/session/message_table.h"

namespace lwt {

class KeyReceiver {
 public:
  // `answer` sends to the hub, if one is connected. All outlive it.
  KeyReceiver(const GatewayParts& parts,
              std::function<void(const handshake::KeyKept&)> answer)
      : parts_(parts), answer_(std::move(answer)) {}

  void Register(peer::MessageTable& table);
  void OnTimer(uint64_t now_us);
  uint64_t NextDeadline() const { return warn_at_us_; }

 private:
  static constexpr uint64_t kWarnUs = 3'600'000'000;

  void Take(const handshake::NewKey& message);
  void OnKept(const std::string& key, const rotation::KeptAt& kept);
  void Warn(uint64_t now_us);

  const GatewayParts parts_;
  const std::function<void(const handshake::KeyKept&)> answer_;
  // Of the last one that came: it may be offered again.
  rotation::Kept kept_ = rotation::Kept::kFile;
  std::string why_;  // it is in memory only
  uint64_t warn_at_us_ = UINT64_MAX;
};

}  // namespace lwt
