// The one clock of workers and of control: microseconds of the kernel's
// CLOCK_MONOTONIC, read without a system call where the kernel maps its clock
// into the process (vDSO), as it does with the TSC and the clocks of
// hypervisors.
//
// The TSC itself would cost less, but it starts again after some suspends, and
// jumps where a virtual machine moves; the kernel notices either and goes on
// (docs/decisions/0032-the-kernels-clock.md). It stands still while the host is
// suspended, as the timestamps of the kernel's own TCP do.
#pragma once

#include <cstdint>
#include <ctime>

namespace lwt {

// Any thread; never less than any thread was told before. About 60 cycles, so
// once for a burst.
inline uint64_t MonotonicUs() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000 +
         static_cast<uint64_t>(now.tv_nsec) / 1000;
}

// Cycles between two readings of the TSC, for figures of load: nothing where
// it started again in between.
inline uint64_t CyclesBetween(uint64_t from, uint64_t to) {
  return to > from ? to - from : 0;
}

}  // namespace lwt
