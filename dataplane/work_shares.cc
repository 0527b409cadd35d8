#include "dataplane/work_shares.h"

namespace lwt {

void WorkShares::Divide(uint64_t now_us) {
  const bool was_limited = limited();
  usual_ = (usual_ * (kWindow - 1) + done_) / kWindow;
  part_ = NextPart(now_us);
  if (limited() && !was_limited) limited_since_ = period_ + 1;
  since_us_ = now_us;
  done_ = 0;
  largest_ = 0;
  ++period_;
  if (period_ % kWindow == 0) {
    active_before_ = active_;
    active_ = 0;
  }
}

uint64_t WorkShares::NextPart(uint64_t now_us) {
  const uint32_t active = std::max(active_, active_before_);
  if (active > 1) shared_until_us_ = now_us + kAloneUs;
  if (now_us >= shared_until_us_) return kUnlimited;
  if (now_us - caught_up_us_ >= kBehindUs) {
    const uint64_t equal = usual_ / std::max(active, 2u);
    const uint64_t part = std::min(part_, largest_);
    return std::max({part - part / 6, equal + equal / 8, kLeastPart});
  }
  if (!limited()) return kUnlimited;
  const uint64_t more = part_ + part_ / 16;
  return more > 2 * largest_ ? kUnlimited : more;
}

}  // namespace lwt
