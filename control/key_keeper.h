// What becomes of the shared key when it is changed while the gateway runs, and
// when keys before it are good no more.
//
// Owned by the gateway. Control thread.
#pragma once

#include "control/base/log.h"
#include "control/handshake/key_ring.h"
#include "control/loop/component.h"

namespace lwt {

class KeyKeeper final : public loop::Component {
 public:
  // All of these outlive it.
  KeyKeeper(handshake::KeyRing& keys, const config::Config& config,
            const loop::Log& log)
      : keys_(keys), config_(config), log_(log) {}

  // Handshakes are made by `psk` from now on, and taken by the one until now
  // for key_grace.
  void Change(const SecretKey& psk, uint64_t now_us);
  bool IsNewest(const SecretKey& psk) const { return keys_.IsNewest(psk); }

  absl::Status Apply(const config::Config& config, uint64_t now_us) override;
  void OnTimer(uint64_t now_us) override;
  uint64_t NextDeadline() const override { return keys_.NextExpiry(); }

 private:
  handshake::KeyRing& keys_;
  const config::Config& config_;
  const loop::Log& log_;
};

}  // namespace lwt
