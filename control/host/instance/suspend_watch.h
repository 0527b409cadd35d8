// Notices that the host was suspended. The clock that all else here goes by
// stands still then, so peers have waited longer than it tells.
//
// Sans-IO, control thread. Ask it at least every kEveryUs.
#pragma once

#include <cstdint>

namespace lwt::host {

class SuspendWatch {
 public:
  static constexpr uint64_t kEveryUs = 1'000'000;
  // Less is no suspend that anybody would notice.
  static constexpr uint64_t kLeastUs = 1'000'000;

  // Both clocks as they are at start: CLOCK_MONOTONIC, and CLOCK_BOOTTIME,
  // which runs on in a suspend.
  SuspendWatch(uint64_t monotonic_us, uint64_t boot_us)
      : apart_us_(Apart(monotonic_us, boot_us)) {}

  // How long the host was suspended since the last call, µs; 0 when it was not.
  uint64_t Slept(uint64_t monotonic_us, uint64_t boot_us) {
    const uint64_t apart_us = Apart(monotonic_us, boot_us);
    const uint64_t slept_us = apart_us > apart_us_ ? apart_us - apart_us_ : 0;
    if (slept_us < kLeastUs) return 0;
    apart_us_ = apart_us;
    return slept_us;
  }

 private:
  static uint64_t Apart(uint64_t monotonic_us, uint64_t boot_us) {
    return boot_us > monotonic_us ? boot_us - monotonic_us : 0;
  }

  uint64_t apart_us_;
};

}  // namespace lwt::host
