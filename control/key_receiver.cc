#include "control/key_receiver.h"

#include <memory>
#include <utility>

#include "control/handshake/psk.h"
#include "dataplane/clock.h"

namespace lwt {

void KeyReceiver::Register(peer::MessageTable& table) {
  table.Add<handshake::NewKey>(
      "the hub gave a shared key that is none",
      [this](peer::Session&, const handshake::NewKey& message, uint64_t) {
        Take(message);
        return true;
      });
}

void KeyReceiver::Take(const handshake::NewKey& message) {
  const auto psk = handshake::DerivePsk(message.key, "");
  if (!psk.ok()) return;
  if (parts_.secrets.keys.IsNow(*psk)) {
    answer_({.id = handshake::IdOfKey(message.key), .where = kept_});
    return;
  }
  auto kept = std::make_shared<rotation::KeptAt>();
  parts_.background.Run(
      [source = parts_.secrets.key_source, key = message.key, kept] {
        *kept = rotation::KeepKey(*source, key);
      },
      [this, key = message.key, kept] { OnKept(key, *kept); });
}

// It counts once it is kept: a restart in between finds the one before, which
// the hub still takes.
void KeyReceiver::OnKept(const std::string& key, const rotation::KeptAt& kept) {
  const auto psk = handshake::DerivePsk(key, "");
  if (!psk.ok()) return;
  const uint64_t now_us = MonotonicUs();
  parts_.secrets.keys.SetNow(*psk, now_us, parts_.config.key.grace_us());
  kept_ = kept.kept;
  warn_at_us_ = UINT64_MAX;
  if (kept_ == rotation::Kept::kMemory) {
    why_ = kept.why;
    Warn(now_us);
  } else {
    parts_.log.Tell(loop::LogLevel::kInfo, loop::EventKind::kRotation,
                    "the hub gave a new shared key; it is in ", kept.path,
                    kept.why.empty() ? "" : ", for ", kept.why);
  }
  answer_({.id = handshake::IdOfKey(key), .where = kept_});
}

void KeyReceiver::Warn(uint64_t now_us) {
  warn_at_us_ = now_us + kWarnUs;
  parts_.log.Warn(
      "the hub gave a new shared key, and it is in memory only: ", why_,
      "; after a restart this client goes by the one before, which the hub "
      "takes for its key_grace");
}

void KeyReceiver::OnTimer(uint64_t now_us) {
  if (now_us >= warn_at_us_) Warn(now_us);
}

}  // namespace lwt
