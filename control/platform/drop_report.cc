#include "control/platform/drop_report.h"

namespace lwt {
namespace {

// Each means that this host, or the line that it has, is too slow or too small
// for the traffic.
constexpr DropReason kReported[] = {
    DropReason::kPuntFull,      DropReason::kSessionPuntFull,
    DropReason::kPoolEmpty,     DropReason::kHandoffFull,
    DropReason::kUplinkFull,    DropReason::kTunnelFull,
    DropReason::kSendQueueFull, DropReason::kEpochSpent,
};

}  // namespace

void DropReport::OnTimer(uint64_t now_us) {
  if (now_us < next_us_) return;
  next_us_ = now_us + kPeriodUs;
  for (DropReason reason : kReported) {
    size_t index = static_cast<size_t>(reason);
    uint64_t count = 0;
    for (const auto& worker : workers_) {
      count += worker->counters().drops[index].Get();
    }
    if (count > seen_[index]) {
      log_.Tell(loop::LogLevel::kWarn, loop::EventKind::kDrops,
                count - seen_[index], " frames dropped, ", NameOf(reason), ": ",
                SentenceOf(reason));
    }
    seen_[index] = count;
  }
}

}  // namespace lwt
