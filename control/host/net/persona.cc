#include "control/host/net/persona.h"

#include <sys/utsname.h>

#include <charconv>
#include <utility>

namespace lwt::host {
namespace {

// The first with the larger default of tcp_rmem, and so of the window scale.
constexpr std::pair<int, int> kFirstOfScale10 = {6, 16};

// Version and patch level; zeros for what is no number.
std::pair<int, int> VersionOf(std::string_view release) {
  std::pair<int, int> version{0, 0};
  const char* end = release.data() + release.size();
  const auto major = std::from_chars(release.data(), end, version.first);
  if (major.ptr != end && *major.ptr == '.') {
    std::from_chars(major.ptr + 1, end, version.second);
  }
  return version;
}

}  // namespace

std::string KernelRelease() {
  utsname name{};
  return uname(&name) == 0 ? name.release : "";
}

Persona PersonaOf(config::PersonaChoice choice, std::string_view release) {
  switch (choice) {
    case config::PersonaChoice::kLinux61:
      return Persona::kLinux61;
    case config::PersonaChoice::kLinux618:
      return Persona::kLinux618;
    case config::PersonaChoice::kAuto:
      break;
  }
  return VersionOf(release) < kFirstOfScale10 ? Persona::kLinux61
                                              : Persona::kLinux618;
}

std::string_view NameOf(Persona persona) {
  return persona == Persona::kLinux61 ? "linux-6.1" : "linux-6.18";
}

}  // namespace lwt::host
