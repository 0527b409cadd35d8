// Offload features of an interface, by the kernel's names as `ethtool -k`
// shows them behind its own aliases: "rx-lro", "rx-gro-hw", "rx-gro".
//
// Control thread. ethtool ioctls of some microseconds.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace lwt::host {

struct Feature {
  bool active = false;      // in force now
  bool requested = false;   // asked for, so back in force when possible
  bool changeable = false;  // the driver lets it be switched
};

// nullopt when the kernel has no feature of that name.
absl::StatusOr<std::optional<Feature>> ReadFeature(const std::string& interface,
                                                   std::string_view name);

// FailedPrecondition when the driver refuses.
absl::Status SetFeature(const std::string& interface, std::string_view name,
                        bool on);

// What merges received segments in the NIC. AF_XDP needs both off; af_packet
// splits merged frames and needs neither.
inline constexpr std::array<std::string_view, 2> kHardwareMerging = {
    "rx-lro", "rx-gro-hw"};

}  // namespace lwt::host
