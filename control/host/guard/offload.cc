#include "control/host/guard/offload.h"

#include <absl/strings/str_cat.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

namespace lwt::host {
namespace {

// An ethtool command: a kernel struct with an array behind it.
template <typename Header, typename Element>
class Command {
 public:
  Command(uint32_t command, size_t elements)
      : bytes_(sizeof(Header) + elements * sizeof(Element)) {
    std::memcpy(bytes_.data(), &command, sizeof(command));
  }
  Header* header() { return reinterpret_cast<Header*>(bytes_.data()); }
  Element* elements() {
    return reinterpret_cast<Element*>(bytes_.data() + sizeof(Header));
  }
  char* data() { return bytes_.data(); }

 private:
  std::vector<char> bytes_;  // from operator new: aligned for any struct
};

// The ioctl's result, 0 or more, or -errno.
int Ethtool(const std::string& interface, char* command) {
  if (interface.empty() || interface.size() >= IFNAMSIZ) return -ENODEV;
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  ifreq request{};
  std::memcpy(request.ifr_name, interface.data(), interface.size());
  request.ifr_data = command;
  const int result = ioctl(fd, SIOCETHTOOL, &request);
  const int error = errno;
  close(fd);
  return result < 0 ? -error : result;
}

absl::Status Failed(const std::string& interface, int result) {
  return absl::ErrnoToStatus(
      -result, absl::StrCat("offload features of interface ", interface));
}

// The names of all features, in the order of their bits.
absl::StatusOr<std::vector<std::string>> FeatureNames(
    const std::string& interface) {
  Command<ethtool_sset_info, uint32_t> info(ETHTOOL_GSSET_INFO, 1);
  info.header()->sset_mask = 1u << ETH_SS_FEATURES;
  if (int result = Ethtool(interface, info.data()); result < 0) {
    return Failed(interface, result);
  }
  const uint32_t count = info.header()->sset_mask ? info.elements()[0] : 0;
  using Text = std::array<char, ETH_GSTRING_LEN>;
  Command<ethtool_gstrings, Text> strings(ETHTOOL_GSTRINGS, count);
  strings.header()->string_set = ETH_SS_FEATURES;
  strings.header()->len = count;
  if (int result = Ethtool(interface, strings.data()); result < 0) {
    return Failed(interface, result);
  }
  std::vector<std::string> names;
  for (uint32_t i = 0; i < count && i < strings.header()->len; ++i) {
    const Text& text = strings.elements()[i];
    names.emplace_back(text.data(), strnlen(text.data(), text.size()));
  }
  return names;
}

struct FeatureBit {
  size_t block = 0;
  uint32_t mask = 0;
  size_t blocks = 0;  // of 32 features each
};

absl::StatusOr<std::optional<FeatureBit>> FindFeature(
    const std::string& interface, std::string_view name) {
  const auto names = FeatureNames(interface);
  if (!names.ok()) return names.status();
  for (size_t i = 0; i < names->size(); ++i) {
    if ((*names)[i] != name) continue;
    return std::optional(
        FeatureBit{i / 32, 1u << (i % 32), (names->size() + 31) / 32});
  }
  return std::optional<FeatureBit>();
}

}  // namespace

absl::StatusOr<std::optional<Feature>> ReadFeature(const std::string& interface,
                                                   std::string_view name) {
  const auto bit = FindFeature(interface, name);
  if (!bit.ok()) return bit.status();
  if (!bit->has_value()) return std::optional<Feature>();
  const auto [block, mask, blocks] = **bit;
  Command<ethtool_gfeatures, ethtool_get_features_block> command(
      ETHTOOL_GFEATURES, blocks);
  command.header()->size = static_cast<uint32_t>(blocks);
  if (int result = Ethtool(interface, command.data()); result < 0) {
    return Failed(interface, result);
  }
  const ethtool_get_features_block& state = command.elements()[block];
  return std::optional(Feature{
      .active = (state.active & mask) != 0,
      .requested = (state.requested & mask) != 0,
      .changeable =
          (state.available & mask) != 0 && (state.never_changed & mask) == 0});
}

absl::Status SetFeature(const std::string& interface, std::string_view name,
                        bool on) {
  const std::string what =
      absl::StrCat("switching ", std::string(name), on ? " on" : " off",
                   " on interface ", interface);
  const auto bit = FindFeature(interface, name);
  if (!bit.ok()) return bit.status();
  if (!bit->has_value()) {
    return absl::NotFoundError(absl::StrCat(what, ": no such feature"));
  }
  const auto [block, mask, blocks] = **bit;
  Command<ethtool_sfeatures, ethtool_set_features_block> command(
      ETHTOOL_SFEATURES, blocks);
  command.header()->size = static_cast<uint32_t>(blocks);
  command.elements()[block].valid = mask;
  command.elements()[block].requested = on ? mask : 0;
  const int result = Ethtool(interface, command.data());
  if (result < 0) return absl::ErrnoToStatus(-result, what);
  // Flags say what was not done. A wish is stored, and not in force while
  // another feature or setting excludes it: when switching off that is a
  // failure, when restoring it is the state there was.
  if ((result & ETHTOOL_F_UNSUPPORTED) != 0 ||
      ((result & ETHTOOL_F_WISH) != 0 && !on)) {
    return absl::FailedPreconditionError(
        absl::StrCat(what, ": the driver refuses"));
  }
  return absl::OkStatus();
}

}  // namespace lwt::host
