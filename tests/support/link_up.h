// When a link of a namespace may be used.
#pragma once

#include <chrono>
#include <cstdio>
#include <string>

namespace lwt::test {

inline std::string OutputOfIp(const std::string& arguments) {
  std::string output;
  FILE* const pipe = popen(("ip " + arguments).c_str(), "r");
  if (pipe == nullptr) return output;
  char buffer[256];
  while (fgets(buffer, sizeof(buffer), pipe) != nullptr) output += buffer;
  pclose(pipe);
  return output;
}

// Waits until the link `name` of the caller's namespace carries packets, for
// ten seconds at most; false where it does not. The queue of one that was up
// before its other end drops all until the kernel has noticed its carrier, for
// which it takes up to a second, and longer on a busy host; and its IPv6
// addresses are in use only then. An answer to `ip link show` is made under the
// lock that this is done under.
inline bool LinkComesUp(const std::string& name) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  do {
    if (OutputOfIp("link show " + name).find("state UP") != std::string::npos &&
        OutputOfIp("-6 address show tentative dev " + name).empty()) {
      return true;
    }
  } while (std::chrono::steady_clock::now() < end);
  return false;
}

}  // namespace lwt::test
