// What a hub remembers of the rotation of its shared key, and its file
// `rotation` in the state directory, mode 0600:
//
//   lightweight-tunnel rotation 1
//   key <the key> <milliseconds since 1970: given out since>
//   before <key of 32 bytes, base64> <milliseconds: another took its place>
//   client <public key> <milliseconds: of the newest key that it kept> <memory|
//     file|state-directory> <proved|unproved> <milliseconds: last connected>
//
// with at most kMaxBefore lines `before`, the newest first, and a line `client`
// for each static key that had a tunnel address since the rotation began.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "control/handshake/key_ring.h"
#include "control/handshake/messages.h"

namespace lwt::rotation {

struct RotationState {
  static constexpr size_t kMaxBefore = handshake::KeyRing::kMaxKeys - 1;
  static constexpr size_t kMaxClients = 65536;

  struct Before {
    SecretKey psk;
    uint64_t since_ms = 0;
  };
  struct Client {
    uint64_t kept_ms = 0;  // `began_ms` of the newest key that it kept; 0: none
    handshake::KeyKept::Where where = handshake::KeyKept::Where::kMemory;
    bool proved = false;  // that key, in a handshake
    uint64_t seen_ms = 0;
    uint64_t proved_us = 0;  // in this run; 0: before it
  };

  std::string key;  // empty: never rotated
  uint64_t began_ms = 0;
  std::vector<Before> before;
  std::map<handshake::PublicKey, Client> clients;
};

// The first line of the file.
inline constexpr std::string_view kRotationForm =
    "lightweight-tunnel rotation 1";

// nullopt unless every line is one of the form above.
std::optional<RotationState> ParseRotation(std::string_view text);
std::string FormatRotation(const RotationState& state);
// The same in parts: all but the clients, and the line of one.
std::string FormatKeys(const RotationState& state);
std::string FormatClient(const handshake::PublicKey& key,
                         const RotationState::Client& client);
// "2026-11-30 19:40 UTC"
std::string DateOf(uint64_t unix_ms);
std::string RotationPath(const std::string& state_dir);
// The text of the file, empty where there is none. DataLoss where it cannot be
// understood, FailedPrecondition where it is of a later form.
absl::StatusOr<std::string> LoadRotation(const std::string& state_dir);

}  // namespace lwt::rotation
