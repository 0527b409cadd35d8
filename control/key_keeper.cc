#include "control/key_keeper.h"

#include "control/config/config.h"

namespace lwt {

void KeyKeeper::Change(const SecretKey& psk, uint64_t now_us) {
  keys_.SetNow(psk, now_us, config_.key.grace_us());
  log_.Tell(loop::LogLevel::kInfo, loop::EventKind::kRotation,
            "the shared key was changed; ", keys_.keys().size() - 1,
            " before it taken for at most ", config_.key.grace_s, " s more");
}

absl::Status KeyKeeper::Apply(const config::Config& config, uint64_t) {
  keys_.SetGrace(config.key.grace_us());
  return absl::OkStatus();
}

void KeyKeeper::OnTimer(uint64_t now_us) {
  if (now_us < keys_.NextExpiry()) return;
  if (keys_.Expire(now_us) > 0) {
    log_.Info("a shared key of before is not taken any more (key_grace)");
  }
}

}  // namespace lwt
