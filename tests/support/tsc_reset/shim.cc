// LD_PRELOADed into a gateway: its TSC starts again, or leaps, when a signal
// says so, as after a suspend that resets it. The kernel's clocks stay right,
// as they do then.
//
// SIGUSR1: the counter is 0. SIGUSR2: it is an hour ahead. SIGWINCH:
// CLOCK_BOOTTIME alone is a minute ahead, as after a suspend of that length.
// SIGURG: gettimeofday is a day ahead, as a clock that is set wrong.
//
// Reading the TSC traps (prctl, PR_SET_TSC), and the handler gives a counter
// made of the kernel's clock. What the vDSO computes from the TSC would trap as
// well, so the calls that it serves go to the kernel instead.
#include <linux/prctl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>

namespace {

constexpr uint64_t kTicksPerUs = 2500;
constexpr uint64_t kHourTicks = kTicksPerUs * 3'600'000'000;
constexpr time_t kSuspended = 60;
constexpr time_t kWrong = 86'400;

// What the counter was at boot. Wraps as the counter does.
std::atomic<uint64_t> offset{0};
std::atomic<time_t> suspended{0};
std::atomic<time_t> wrong{0};

uint64_t TrueTicks() {
  timespec now{};
  syscall(SYS_clock_gettime, CLOCK_MONOTONIC_RAW, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000 * kTicksPerUs +
         static_cast<uint64_t>(now.tv_nsec) * kTicksPerUs / 1000;
}

// Emulates rdtsc (0f 31) and rdtscp (0f 01 f9); any other fault ends us.
void OnTrap(int number, siginfo_t*, void* context) {
  auto& registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
  const auto* code = reinterpret_cast<const uint8_t*>(registers[REG_RIP]);
  const bool rdtsc = code[0] == 0x0f && code[1] == 0x31;
  const bool rdtscp = code[0] == 0x0f && code[1] == 0x01 && code[2] == 0xf9;
  if (!rdtsc && !rdtscp) {
    signal(number, SIG_DFL);
    return;
  }
  const uint64_t ticks = TrueTicks() + offset.load();
  registers[REG_RAX] = static_cast<greg_t>(ticks & 0xffffffff);
  registers[REG_RDX] = static_cast<greg_t>(ticks >> 32);
  if (rdtscp) registers[REG_RCX] = 0;
  registers[REG_RIP] += rdtscp ? 3 : 2;
}

void OnReset(int) { offset.store(-TrueTicks()); }
void OnLeap(int) { offset.fetch_add(kHourTicks); }
void OnResume(int) { suspended.fetch_add(kSuspended); }
void OnWrong(int) { wrong.store(kWrong); }

void Handle(int number, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  sigaction(number, &action, nullptr);
}

// Threads inherit the trap.
[[gnu::constructor]] void Begin() {
  struct sigaction action {};
  action.sa_sigaction = OnTrap;
  action.sa_flags = SA_SIGINFO | SA_NODEFER | SA_RESTART;
  sigaction(SIGSEGV, &action, nullptr);
  Handle(SIGUSR1, OnReset);
  Handle(SIGUSR2, OnLeap);
  Handle(SIGWINCH, OnResume);
  Handle(SIGURG, OnWrong);
  prctl(PR_SET_TSC, PR_TSC_SIGSEGV);
}

}  // namespace

extern "C" {

int clock_gettime(clockid_t clock, timespec* now) noexcept {
  const int failed = static_cast<int>(syscall(SYS_clock_gettime, clock, now));
  if (failed == 0 && clock == CLOCK_BOOTTIME) now->tv_sec += suspended.load();
  return failed;
}

int gettimeofday(timeval* now, void* zone) noexcept {
  const int failed = static_cast<int>(syscall(SYS_gettimeofday, now, zone));
  if (failed == 0) now->tv_sec += wrong.load();
  return failed;
}

time_t time(time_t* now) noexcept {
  timespec real{};
  syscall(SYS_clock_gettime, CLOCK_REALTIME, &real);
  if (now != nullptr) *now = real.tv_sec;
  return real.tv_sec;
}

}  // extern "C"
