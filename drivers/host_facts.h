// Single facts about the host, read out of text from /proc, none of it trusted,
// and out of the kernel. For start-up.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lwt {

struct LinkState {
  std::string name;
  bool is_loopback = false;
  bool is_up = false;        // set up by the administrator
  bool has_carrier = false;  // and the link is there
};

// The effective capability set of /proc/<pid>/status; 0 when there is no such
// line or it is not a hexadecimal number.
uint64_t ParseEffectiveCapabilities(std::string_view status);

// The bytes that a line "name:  123 kB" of /proc/meminfo states, 0 if it is
// absent or malformed.
uint64_t ParseMeminfoBytes(std::string_view meminfo, std::string_view name);

// Those of `wanted` that the first "flags" line of /proc/cpuinfo lacks.
std::vector<std::string> MissingCpuFlags(
    std::string_view cpuinfo, std::span<const std::string_view> wanted);

// The interfaces of the calling thread's network namespace, in its order.
std::vector<LinkState> ReadLinks();

}  // namespace lwt
