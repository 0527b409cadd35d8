// What two gateways of one version said to each other, as a file: written by
// that version, and given to later ones in place of either side.
//
//   lightweight-tunnel tape 1
//   version 0.2.0
//   features 16384
//   client "hello" 16030100...
//   hub "hello and message 2" 1603...
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lwt::versions {

enum class Speaker : uint8_t { kClient, kHub };
std::string_view NameOf(Speaker speaker);

struct Spoken {
  Speaker speaker = Speaker::kClient;
  std::string what;  // without '"'
  std::vector<uint8_t> bytes;
  friend bool operator==(const Spoken&, const Spoken&) = default;
};

struct Tape {
  // What both sides named of themselves. A later version that can do more is
  // to go on as with one that cannot: so it is told, and names the same.
  std::string version;
  uint32_t features = 0;
  std::vector<Spoken> spoken;
  friend bool operator==(const Tape&, const Tape&) = default;
};

std::string FormatTape(const Tape& tape);
// nullopt unless every line is one of the form above.
std::optional<Tape> ParseTape(std::string_view text);

}  // namespace lwt::versions
