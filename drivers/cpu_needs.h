// The instruction sets that this program is compiled for: x86-64-v3 without
// what no compiler output needs, and two of cryptography.
#ifndef DRIVERS_CPU_NEEDS_H_
#define DRIVERS_CPU_NEEDS_H_

#include <cstdint>

namespace lwt {

// A feature as CPUID tells it (Intel SDM volume 2, CPUID; AMD APM volume 3,
// appendix E): the bit `bit` of a register of `leaf`, subleaf 0.
struct CpuNeed {
  const char* name;  // as /proc/cpuinfo has it
  uint32_t leaf;
  enum Register { kEbx, kEcx } in;
  unsigned bit;
};

inline constexpr CpuNeed kCpuNeeds[] = {
    {"avx2", 7, CpuNeed::kEbx, 5},         {"aes", 1, CpuNeed::kEcx, 25},
    {"pclmulqdq", 1, CpuNeed::kEcx, 1},    {"bmi1", 7, CpuNeed::kEbx, 3},
    {"bmi2", 7, CpuNeed::kEbx, 8},         {"fma", 1, CpuNeed::kEcx, 12},
    {"movbe", 1, CpuNeed::kEcx, 22},       {"f16c", 1, CpuNeed::kEcx, 29},
    {"abm", 0x80000001, CpuNeed::kEcx, 5},
};

}  // namespace lwt

#endif  // DRIVERS_CPU_NEEDS_H_
