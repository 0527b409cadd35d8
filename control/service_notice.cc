#include "control/service_notice.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace lwt {

std::string ServiceNotice::StatusLine() const {
  const size_t up = peers_.connected();
  return absl::StrCat(head_, ", ", up, up == 1 ? " peer up" : " peers up");
}

void ServiceNotice::Ready() {
  shown_ = peers_.connected();
  manager_.Ready(StatusLine());
}

uint64_t ServiceNotice::NextDeadline() const {
  const uint64_t sign = manager_.watchdog_us() == 0 ? kNever : next_sign_us_;
  const bool changed = shown_ && *shown_ != peers_.connected();
  return changed ? std::min(sign, next_status_us_) : sign;
}

void ServiceNotice::OnTimer(uint64_t now_us) {
  if (manager_.watchdog_us() != 0 && now_us >= next_sign_us_) {
    // Twice in the time, as sd_watchdog_enabled(3) recommends.
    next_sign_us_ = now_us + manager_.watchdog_us() / 2;
    manager_.StillTurns();
  }
  if (!shown_ || *shown_ == peers_.connected() || now_us < next_status_us_) {
    return;
  }
  next_status_us_ = now_us + kStatusEveryUs;
  shown_ = peers_.connected();
  manager_.ShowStatus(StatusLine());
}

}  // namespace lwt
