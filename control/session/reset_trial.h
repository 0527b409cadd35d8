// What a RST on a lane's flow is worth, which a kernel would obey: the peer may
// be gone, and somebody else have its address and port, as where a NAT gives
// them to its next connection. That one's SYN gets a challenge ACK for answer
// (RFC 5961 §4.2), and this a RST, time and again, until the flow is given up.
//
// So the peer is asked for a sign of life by three sealed probes, and who seals
// nothing has lost the flow. Whoever can send a RST thus buys three records in
// ten seconds, no more.
//
// Sans-IO, one a lane. Control thread.
#pragma once

#include <algorithm>
#include <cstdint>

namespace lwt::peer {

class ResetTrial {
 public:
  static constexpr uint64_t kEveryUs = 10'000'000;
  static constexpr uint32_t kProbes = 3;
  static constexpr uint64_t kLeastUs = 2'000'000;

  enum class Step : uint8_t { kNone, kProbe, kOver };

  // A RST came. Each of the probes may take `rto_us` to be answered. Nothing,
  // where a trial began in the last kEveryUs.
  void Begin(uint64_t rto_us, uint64_t now_us) {
    if (began_us_ != 0 && now_us - began_us_ < kEveryUs) return;
    began_us_ = now_us;
    spacing_us_ = std::max(rto_us, kLeastUs / kProbes + 1);
    sent_ = 0;
    due_us_ = now_us;
  }

  // What is to be done now. `heard_us` is when a record of the peer last
  // verified.
  Step Tick(uint64_t heard_us, uint64_t now_us) {
    if (now_us < due_us_) return Step::kNone;
    if (heard_us > began_us_) {
      due_us_ = UINT64_MAX;
      return Step::kNone;
    }
    if (sent_ == kProbes) return Step::kOver;
    ++sent_;
    due_us_ = now_us + spacing_us_;
    return Step::kProbe;
  }

  // When to tick next; UINT64_MAX for never.
  uint64_t due_us() const { return due_us_; }

 private:
  uint64_t began_us_ = 0;  // 0: never
  uint64_t spacing_us_ = 0;
  uint64_t due_us_ = UINT64_MAX;
  uint32_t sent_ = 0;
};

}  // namespace lwt::peer
