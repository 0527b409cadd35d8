// The race of a hub's addresses (RFC 8305 §5): one that has not answered for a
// moment is called on while the next one is called beside it. Whose connection
// stands first has the call, and the others are given up; nothing was said
// there, so that one session comes of it.
#include <algorithm>
#include <utility>

#include "control/client/client_session.h"

namespace lwt::peer {

using loop::Cause;

void ClientSession::DropAttempts() {
  attempt_.reset();
  runners_.clear();
  race_at_us_ = UINT64_MAX;
}

void ClientSession::Race(uint64_t now_us) {
  if (now_us < race_at_us_) return;
  race_at_us_ = UINT64_MAX;
  if (phase_ != Phase::kAttempt || attempt_ == nullptr ||
      !attempt_->is_calling() || tried_ >= endpoints_.size()) {
    return;
  }
  runners_.push_back(std::move(attempt_));
  ++next_endpoint_;
  StartAttempt(now_us);
}

// The losers count as not tried: they come next if this one will not do.
void ClientSession::OnFlowUp(const Event& event, uint64_t now_us) {
  if (attempt_ == nullptr) return;
  for (std::unique_ptr<ClientAttempt>& runner : runners_) {
    if (runner->token() == event.token) std::swap(runner, attempt_);
  }
  if (!runners_.empty()) {
    tried_ -= std::min(tried_, runners_.size());
    const auto won =
        std::find(endpoints_.begin(), endpoints_.end(), attempt_->remote());
    if (won != endpoints_.end()) {
      next_endpoint_ = static_cast<size_t>(won - endpoints_.begin());
    }
    if (session_ == nullptr) remote_ = attempt_->remote();
    runners_.clear();
  }
  if (phase_ == Phase::kAttempt) race_at_us_ = UINT64_MAX;
  attempt_->OnFlowUp(event.flow, event.value, now_us);
}

bool ClientSession::OnRunnerDown(const Event& event) {
  for (const std::unique_ptr<ClientAttempt>& runner : runners_) {
    if (runner->token() != event.token) continue;
    runner->OnFlowDown(static_cast<FlowDownReason>(event.detail));
    return true;
  }
  return false;
}

void ClientSession::TickRunners(uint64_t now_us) {
  for (const auto& runner : runners_) runner->OnTimer(now_us);
  std::erase_if(runners_, [&](const std::unique_ptr<ClientAttempt>& runner) {
    if (runner->state() != ClientAttempt::State::kFailed) return false;
    log_.Info(Cause::Peer(kHub), runner->status().message());
    return true;
  });
  Race(now_us);
}

// While others run: the last of them is the one that counts again, and the next
// address joins at once. One that could not even begin may be in the others'
// way, or they in its, since a client has one uplink: it is called alone if
// they come to nothing.
bool ClientSession::OnRunnerFailed(const absl::Status& status, bool begun,
                                   uint64_t now_us) {
  if (runners_.empty()) return false;
  log_.Info(Cause::Peer(kHub), status.message());
  attempt_ = std::move(runners_.back());
  runners_.pop_back();
  if (session_ == nullptr) remote_ = attempt_->remote();
  race_at_us_ = begun ? now_us : UINT64_MAX;
  if (!begun) {
    --tried_;
    next_endpoint_ += endpoints_.size() - 1;  // back by one
  }
  return true;
}

}  // namespace lwt::peer
