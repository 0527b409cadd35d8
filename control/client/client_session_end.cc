// How a client's session ends, and what the client does then.
#include <utility>

#include "control/client/client_session.h"

namespace lwt::peer {

using loop::Cause;

void ClientSession::CheckSession(uint64_t now_us) {
  if (session_ == nullptr || session_->end_reason().empty()) return;
  const std::string why = session_->end_reason();
  if (session_->replaced() && session_->created_us() > called_us_) {
    OnReplaced(why, now_us);
  } else if (session_->replaced() && attempt_ != nullptr &&
             !attempt_->is_join()) {
    EndSession();  // by the handshake that we are at
  } else {
    DropSession(why, now_us);
  }
}

void ClientSession::EndSession() {
  session_.reset();
  lanes_.End();
  join_possible_ = false;
  ReleaseLocals();
}

// We called nobody since the session was made, so it was not us who took its
// place. Whoever did is not pushed out again at once: two that do it by turns
// would keep each other from any work.
void ClientSession::OnReplaced(const std::string& why, uint64_t now_us) {
  if (now_us - up_since_us_ >= kUndisturbedUs) twin_backoff_.Reset();
  EndSession();
  DropAttempts();
  OnAllDown();
  had_twin_ = true;
  const uint64_t delay = twin_backoff_.NextUs();
  reason_ = config::Concat(
      "another host has this one's static key and took its place (", why,
      "); on one of them delete static.key in the state directory");
  log_.Tell(loop::LogLevel::kWarn, Cause::Peer(kHub),
            loop::EventKind::kPeerDown, reason_, "; next attempt in ",
            delay / 1'000'000, " s");
  phase_ = Phase::kWaiting;
  phase_deadline_us_ = now_us + delay;
}

// The hub cannot tell it from a client that moved.
void ClientSession::SayTwin() {
  if (!std::exchange(had_twin_, false)) return;
  session_->Send(handshake::Notice{
      handshake::NoticeCode::kSameKey,
      "another host has the same static key and took this one's place; on one "
      "of them delete static.key in the state directory"});
}

void ClientSession::DropSession(std::string_view why, uint64_t now_us) {
  reason_ = why;
  bool good = now_us - up_since_us_ >= kGoodServiceUs;
  EndSession();
  DropAttempts();
  if (!good) {
    OnHubFailed(std::string(why), now_us);
    return;
  }
  log_.Tell(loop::LogLevel::kWarn, Cause::Peer(kHub),
            loop::EventKind::kPeerDown, why, "; calling again");
  backoff_.Reset();
  Begin(now_us);
}

}  // namespace lwt::peer
