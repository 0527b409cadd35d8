#include "control/name_keeper.h"

#include <sys/epoll.h>

namespace lwt {

using host::HostNames;

NameKeeper::NameKeeper(host::NameHelper* helper, const std::string& device,
                       const std::string& run_dir, loop::EventLoop& loop,
                       const loop::Log& log)
    : helper_(helper), loop_(loop), log_(log) {
  if (helper_ == nullptr) return;
  const bool begun = helper_->Begin(device, run_dir + "/names");
  const absl::Status watched =
      loop_.Watch(helper_->fd(), EPOLLIN, [this](uint32_t) { OnAnswer(); });
  awaited_ = true;
  if (!begun || !watched.ok()) OnGone();
}

NameKeeper::~NameKeeper() {
  if (helper_ == nullptr) return;
  loop_.Forget(helper_->fd());
  helper_->End();
}

void NameKeeper::Set(const handshake::DnsMessage& names, uint64_t now_us) {
  if (names == wanted_) return;
  wanted_ = names;
  due_ = true;
  OnTimer(now_us);
}

void NameKeeper::OnTimer(uint64_t now_us) {
  if (now_us < NextDeadline() || !due_) return;
  due_ = false;
  send_at_us_ = now_us + kGapUs;
  if (helper_ != nullptr && helper_->Set(wanted_)) {
    awaited_ = true;
  } else {
    OnGone();
  }
}

void NameKeeper::OnAnswer() {
  const std::optional<HostNames::Outcome> outcome = helper_->Read();
  if (!outcome) {
    if (helper_->gone()) OnGone();
    return;
  }
  awaited_ = false;
  const bool bad = outcome->how == HostNames::How::kNobody ||
                   outcome->how == HostNames::How::kFailed;
  if (bad) {
    log_.Warn(outcome->text);
  } else if (!outcome->text.empty()) {
    log_.Info(outcome->text);
  }
  state_ = outcome->text;
}

void NameKeeper::OnGone() {
  if (helper_ != nullptr) loop_.Forget(helper_->fd());
  helper_ = nullptr;
  awaited_ = false;
  state_ =
      "the process that sets name servers is not there: a restart starts it";
  log_.Warn(state_);
}

}  // namespace lwt
