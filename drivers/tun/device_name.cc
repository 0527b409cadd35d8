#include "drivers/tun/device_name.h"

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <net/if.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <system_error>

namespace lwt {
namespace {

namespace fs = std::filesystem;

std::string ContentOf(const fs::path& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

bool HoldsTunnel(const fs::path& process, const std::string& name) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(process / "fdinfo", error)) {
    // What the tun driver writes of a descriptor that has a device.
    const std::string line = absl::StrCat("iff:\t", name, "\n");
    if (absl::StrContains(ContentOf(entry.path()), line)) return true;
  }
  return false;
}

// "NAME (pid N)" of the process here that has the tun device; nullopt where
// none has, or where /proc does not show it.
std::optional<std::string> OwnerOfTunnel(const std::string& name) {
  std::error_code error;
  const fs::path here = fs::read_symlink("/proc/self/ns/net", error);
  for (const auto& entry : fs::directory_iterator("/proc", error)) {
    const int pid = std::atoi(entry.path().filename().c_str());
    if (pid <= 0) continue;
    if (fs::read_symlink(entry.path() / "ns/net", error) != here) continue;
    if (!HoldsTunnel(entry.path(), name)) continue;
    std::string command = ContentOf(entry.path() / "comm");
    while (!command.empty() && command.back() == '\n') command.pop_back();
    return absl::StrCat(command, " (pid ", pid, ")");
  }
  return std::nullopt;
}

// A tun device has a carrier while a program has it open.
bool IsHeldTunnel(const std::string& name) {
  const fs::path folder = fs::path("/sys/class/net") / name;
  std::error_code error;
  return fs::exists(folder / "tun_flags", error) &&
         ContentOf(folder / "carrier") == "1\n";
}

}  // namespace

std::string NextFreeName(const std::string& name) {
  const size_t digits = name.find_last_not_of("0123456789") + 1;
  const std::string stem =
      name.substr(0, std::min(digits, size_t{IFNAMSIZ - 4}));
  // Of many digits the last two count.
  const size_t last = std::max(digits, name.size() < 2 ? 0 : name.size() - 2);
  const int first = std::atoi(name.c_str() + last);
  for (int number = first; number < first + 100; ++number) {
    const std::string free = absl::StrCat(stem, number);
    if (if_nametoindex(free.c_str()) == 0) return free;
  }
  return name;
}

absl::Status CheckTunnelName(const std::string& name) {
  const bool plain = std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.';
  });
  if (name.empty() || name.size() >= IFNAMSIZ || !plain || name == "." ||
      name == "..") {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", name, "\" cannot name a tunnel device: 1 to ",
                     IFNAMSIZ - 1, " letters, digits, '-', '_' and '.'"));
  }
  if (if_nametoindex(name.c_str()) == 0) return absl::OkStatus();
  const std::string exists =
      absl::StrCat("a network interface named ", name, " exists already");
  // One that is in use is nobody's to remove.
  const std::optional<std::string> owner = OwnerOfTunnel(name);
  if (owner || IsHeldTunnel(name)) {
    return absl::AlreadyExistsError(
        absl::StrCat(exists, ": it is the tunnel device of ",
                     owner.value_or("a program that runs"),
                     "; choose another tun_name, or stop that"));
  }
  return absl::AlreadyExistsError(absl::StrCat(
      exists, "; choose another tun_name, or remove it: ip link del ", name));
}

}  // namespace lwt
