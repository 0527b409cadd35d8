// The text of /proc/net/tcp.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "control/host/guard/port_owner.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto lines =
      static_cast<size_t>(std::count(text.begin(), text.end(), '\n')) + 1;
  const auto inodes = lwt::host::SocketInodesOfPort(text, 9000);
  if (inodes.size() > lines) abort();
  if (std::count(inodes.begin(), inodes.end(), 0u) != 0) abort();
  return 0;
}
