#include "drivers/host_facts.h"

#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cstring>

#include "drivers/scoped_fd.h"
#include "drivers/text_file.h"

namespace lwt {

uint64_t ParseEffectiveCapabilities(std::string_view status) {
  const auto field = FindField(status, "CapEff");
  if (!field) return 0;
  return ParseNumber(*field, 16).value_or(0);
}

uint64_t ParseMeminfoBytes(std::string_view meminfo, std::string_view name) {
  auto field = FindField(meminfo, name);
  if (!field || !field->ends_with("kB")) return 0;
  field->remove_suffix(2);
  const uint64_t kilobytes = ParseNumber(*field).value_or(0);
  return kilobytes > UINT64_MAX / 1024 ? 0 : kilobytes * 1024;
}

std::vector<std::string> MissingCpuFlags(
    std::string_view cpuinfo, std::span<const std::string_view> wanted) {
  std::string flags = " ";
  flags += FindField(cpuinfo, "flags").value_or("");
  flags += ' ';
  std::vector<std::string> missing;
  for (const std::string_view flag : wanted) {
    std::string word = " ";
    word += flag;
    word += ' ';
    if (flags.find(word) == std::string::npos) missing.emplace_back(flag);
  }
  return missing;
}

std::vector<LinkState> ReadLinks() {
  std::vector<LinkState> links;
  const ScopedFd fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  struct if_nameindex* const names = if_nameindex();
  if (fd.get() < 0 || names == nullptr) {
    if (names != nullptr) if_freenameindex(names);
    return links;
  }
  for (const struct if_nameindex* name = names; name->if_index != 0; ++name) {
    ifreq request{};
    std::strncpy(request.ifr_name, name->if_name, IFNAMSIZ - 1);
    if (ioctl(fd.get(), SIOCGIFFLAGS, &request) != 0) continue;
    links.push_back({.name = name->if_name,
                     .is_loopback = (request.ifr_flags & IFF_LOOPBACK) != 0,
                     .is_up = (request.ifr_flags & IFF_UP) != 0,
                     .has_carrier = (request.ifr_flags & IFF_RUNNING) != 0});
  }
  if_freenameindex(names);
  return links;
}

}  // namespace lwt
