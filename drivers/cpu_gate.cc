// Ends the program with a sentence where the CPU lacks an instruction set that
// it is compiled for. Everything else, constructors and libraries too, would
// die of SIGILL before it could say so. This file alone is compiled for any
// x86-64, and it calls no inline function: the linker keeps one copy of each,
// which may come from a file compiled for more.
#include <cpuid.h>
#include <unistd.h>

#include "drivers/cpu_needs.h"

namespace {

// XCR0: the kernel saves the registers of SSE and AVX (Intel SDM volume 1,
// 13.3); without, AVX faults although CPUID has it.
bool KernelSavesAvx() {
  constexpr unsigned kOsxsave = 1u << 27;
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (__get_cpuid(1, &eax, &ebx, &ecx, &edx) == 0) return false;
  if ((ecx & kOsxsave) == 0) return false;
  unsigned low = 0, high = 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (low & 6) == 6;
}

bool Has(const lwt::CpuNeed& need) {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (__get_cpuid_count(need.leaf, 0, &eax, &ebx, &ecx, &edx) == 0) {
    return false;
  }
  const unsigned value = need.in == lwt::CpuNeed::kEbx ? ebx : ecx;
  return ((value >> need.bit) & 1) != 0;
}

void Say(const char* text) {
  size_t length = 0;
  while (text[length] != '\0') ++length;
  while (length > 0) {
    const ssize_t written = write(STDERR_FILENO, text, length);
    if (written <= 0) return;
    text += written;
    length -= static_cast<size_t>(written);
  }
}

void CheckCpu(int /*argc*/, char** /*argv*/, char** /*envp*/) {
  bool good = true;
  for (const lwt::CpuNeed& need : lwt::kCpuNeeds) {
    if (Has(need)) continue;
    Say(good ? "lightweight-tunnel: the CPU lacks " : ", ");
    Say(need.name);
    good = false;
  }
  if (!good) {
    Say("\nlightweight-tunnel: it needs a CPU of x86-64-v3 with AES (Intel "
        "since 2013, AMD since 2015); in a virtual machine, show it the host's "
        "CPU: qemu-system-x86_64 -cpu host\n");
  } else if (!KernelSavesAvx()) {
    Say("lightweight-tunnel: the kernel does not save the registers of AVX: "
        "boot it without noxsave\n");
    good = false;
  }
  if (!good) _exit(1);
}

// Functions of this section run before those of any library (System V ABI,
// Initialization and Termination Functions).
__attribute__((section(".preinit_array"),
               used)) void (*const kCheckCpu)(int, char**, char**) = CheckCpu;

}  // namespace
