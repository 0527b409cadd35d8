#include "tests/support/versions/tape.h"

#include <sodium.h>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "control/base/text.h"

namespace lwt::versions {
namespace {

using config::ToAbsl;

constexpr absl::string_view kTapeHead = "lightweight-tunnel tape 1";

std::string HexOf(const std::vector<uint8_t>& bytes) {
  std::string hex(2 * bytes.size() + 1, '\0');
  sodium_bin2hex(hex.data(), hex.size(), bytes.data(), bytes.size());
  hex.pop_back();
  return hex;
}

std::optional<Spoken> ParseSpoken(absl::string_view line) {
  Spoken spoken;
  if (absl::ConsumePrefix(&line, "hub ")) {
    spoken.speaker = Speaker::kHub;
  } else if (!absl::ConsumePrefix(&line, "client ")) {
    return std::nullopt;
  }
  const std::vector<absl::string_view> parts = absl::StrSplit(line, '"');
  if (parts.size() != 3 || !parts[0].empty() || parts[1].empty() ||
      !absl::StartsWith(parts[2], " ")) {
    return std::nullopt;
  }
  spoken.what = std::string(parts[1]);
  const absl::string_view hex = parts[2].substr(1);
  if (hex.empty()) return spoken;  // said nothing, and has no place
  if (hex.size() % 2 != 0) return std::nullopt;
  spoken.bytes.resize(hex.size() / 2);
  size_t size = 0;
  if (sodium_hex2bin(spoken.bytes.data(), spoken.bytes.size(), hex.data(),
                     hex.size(), nullptr, &size, nullptr) != 0 ||
      2 * size != hex.size()) {
    return std::nullopt;
  }
  return spoken;
}

}  // namespace

std::string_view NameOf(Speaker speaker) {
  return speaker == Speaker::kClient ? "client" : "hub";
}

std::string FormatTape(const Tape& tape) {
  std::string text = absl::StrCat(kTapeHead, "\nversion ", tape.version,
                                  "\nfeatures ", tape.features, "\n");
  for (const Spoken& spoken : tape.spoken) {
    absl::StrAppend(&text, ToAbsl(NameOf(spoken.speaker)), " \"", spoken.what,
                    "\" ", HexOf(spoken.bytes), "\n");
  }
  return text;
}

std::optional<Tape> ParseTape(std::string_view text) {
  Tape tape;
  const std::vector<absl::string_view> lines =
      absl::StrSplit(ToAbsl(text), '\n');
  if (lines.size() < 4 || lines[0] != kTapeHead || !lines.back().empty()) {
    return std::nullopt;
  }
  absl::string_view version = lines[1];
  absl::string_view features = lines[2];
  if (!absl::ConsumePrefix(&version, "version ") ||
      !absl::ConsumePrefix(&features, "features ") ||
      !absl::SimpleAtoi(features, &tape.features)) {
    return std::nullopt;
  }
  tape.version = std::string(version);
  for (size_t i = 3; i + 1 < lines.size(); ++i) {
    std::optional<Spoken> spoken = ParseSpoken(lines[i]);
    if (!spoken) return std::nullopt;
    tape.spoken.push_back(*std::move(spoken));
  }
  return tape;
}

}  // namespace lwt::versions
