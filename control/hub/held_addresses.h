// What a hub remembers of tunnel addresses from one run to the next, and its
// file `addresses` in the state directory, mode 0600:
//
//   lightweight-tunnel addresses 1
//   10.0.0.2 <public key, base64> connected
//   10.0.0.3 <public key, base64> <milliseconds since 1970 it is held until>
//
// Control thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "control/handshake/crypto.h"
#include "drivers/ip_endpoint.h"

namespace lwt::peer {

struct HeldAddress {
  // Its client was connected when this was written.
  static constexpr uint64_t kConnected = 0;

  IpAddress address;
  handshake::PublicKey key{};
  uint64_t until_unix_ms = kConnected;

  friend bool operator==(const HeldAddress&, const HeldAddress&) = default;
};

// More than a hub ever binds; bounds what a hostile file makes us hold.
inline constexpr size_t kMaxHeldAddresses = 65536;

// The first line of the file.
inline constexpr std::string_view kHeldAddressesForm =
    "lightweight-tunnel addresses 1";

// nullopt unless every line is one of the form above.
std::optional<std::vector<HeldAddress>> ParseHeldAddresses(
    std::string_view text);
std::string FormatHeldAddresses(const std::vector<HeldAddress>& addresses);

// Empty when there is no file. One that cannot be understood is moved aside to
// `addresses.bad`, and the error (DataLoss) names it; the next load finds none.
// One of a later form stays, and is a FailedPrecondition.
absl::StatusOr<std::vector<HeldAddress>> LoadHeldAddresses(
    const std::string& state_dir);
std::string HeldAddressesPath(const std::string& state_dir);

}  // namespace lwt::peer
