// Which kernel's TCP the outer flows look like. The SYN of each is the same
// except for the window scale, which comes from the default of tcp_rmem: 6 MiB,
// and 32 MiB since 6.16. Since 6.5 a SYN is repeated four times at even steps
// before the time between doubles (tcp_syn_linear_timeouts).
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace lwt {

enum class Persona : uint8_t { kLinux61, kLinux618 };

constexpr uint8_t WindowScaleOf(Persona persona) {
  return persona == Persona::kLinux61 ? 7 : 10;
}

// When a SYN is sent again, seconds after the first. The last entry is the end:
// a kernel would go on for another minute or two, a tunnel tries another port.
inline constexpr std::array<uint8_t, 5> kSynsDoubling = {1, 3, 7, 15, 31};
inline constexpr std::array<uint8_t, 9> kSynsLinear = {1, 2,  3,  4, 5,
                                                       7, 11, 19, 35};

constexpr std::span<const uint8_t> SynScheduleOf(Persona persona) {
  if (persona == Persona::kLinux61) return kSynsDoubling;
  return kSynsLinear;
}

}  // namespace lwt
