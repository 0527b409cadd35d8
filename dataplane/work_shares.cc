#include "dataplane/work_shares.h"

namespace lwt {

void WorkShares::Divide(uint64_t now_us) {
  if (active_ > 1) shared_until_us_ = now_us + kAloneUs;
  if (now_us >= shared_until_us_) {
    part_ = kUnlimited;
  } else if (now_us - caught_up_us_ >= kBehindUs) {
    const uint64_t equal = done_ / std::max(active_, 2u);
    part_ = std::min(part_, largest_);
    part_ = std::max({part_ - part_ / 4, equal + equal / 8, kLeastPart});
  } else if (limited()) {
    part_ += part_ / 16;
    if (part_ > 2 * largest_) part_ = kUnlimited;
  }
  since_us_ = now_us;
  done_ = 0;
  largest_ = 0;
  active_ = 0;
  ++period_;
}

}  // namespace lwt
