#include <algorithm>
#include <charconv>

#include "control/host/guard/port_owner.h"

namespace lwt::host {
namespace {

// TCP_LISTEN of the kernel's tcp_states.h, as the text shows it.
constexpr std::string_view kListen = "0A";

std::string_view TakeWord(std::string_view& line) {
  const size_t begin = std::min(line.find_first_not_of(' '), line.size());
  line.remove_prefix(begin);
  const size_t size = std::min(line.find(' '), line.size());
  const std::string_view word = line.substr(0, size);
  line.remove_prefix(size);
  return word;
}

template <typename T>
std::optional<T> NumberIn(std::string_view text, int base) {
  T value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value, base);
  if (error != std::errc() || stop != end) return std::nullopt;
  return value;
}

}  // namespace

std::vector<uint64_t> SocketInodesOfPort(std::string_view proc_net_tcp,
                                         uint16_t port) {
  std::vector<uint64_t> listening;
  std::vector<uint64_t> others;
  while (!proc_net_tcp.empty()) {
    const size_t end = std::min(proc_net_tcp.find('\n'), proc_net_tcp.size());
    std::string_view line = proc_net_tcp.substr(0, end);
    proc_net_tcp.remove_prefix(std::min(end + 1, proc_net_tcp.size()));
    // "sl: address:port address:port st queues timer retransmits uid timeout
    // inode ...", see proc(5).
    TakeWord(line);
    const std::string_view local = TakeWord(line);
    const size_t colon = local.find(':');
    if (colon == std::string_view::npos) continue;
    if (NumberIn<uint16_t>(local.substr(colon + 1), 16) != port) continue;
    TakeWord(line);
    const bool listens = TakeWord(line) == kListen;
    for (int skipped = 0; skipped < 5; ++skipped) TakeWord(line);
    const auto inode = NumberIn<uint64_t>(TakeWord(line), 10);
    // Sockets in TIME_WAIT have none.
    if (!inode || *inode == 0) continue;
    (listens ? listening : others).push_back(*inode);
  }
  listening.insert(listening.end(), others.begin(), others.end());
  return listening;
}

}  // namespace lwt::host
