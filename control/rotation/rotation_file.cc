#include "control/rotation/rotation_file.h"

#include <sodium.h>
#include <time.h>

#include <array>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "control/base/state_form.h"
#include "control/base/text.h"
#include "control/handshake/static_key.h"
#include "control/rotation/key_store.h"

namespace lwt::rotation {
namespace {

using config::Concat;
using config::ToAbsl;
using config::ToStd;
using handshake::KeyKept;

constexpr KeyKept::Where kRotationPlaces[] = {KeyKept::Where::kMemory,
                                              KeyKept::Where::kFile,
                                              KeyKept::Where::kStateDirectory};

// Digits alone, as they are written.
bool ReadNumber(absl::string_view text, uint64_t* value) {
  return absl::SimpleAtoi(text, value) && absl::StrCat(*value) == text;
}

bool ReadPsk(absl::string_view text, SecretKey* psk) {
  size_t size = 0;
  return sodium_base642bin(psk->data(), psk->size(), text.data(), text.size(),
                           nullptr, &size, nullptr,
                           sodium_base64_VARIANT_ORIGINAL) == 0 &&
         size == psk->size();
}

std::string PskText(const SecretKey& psk) {
  std::array<char, sodium_base64_ENCODED_LEN(SecretKey::size(),
                                             sodium_base64_VARIANT_ORIGINAL)>
      text;
  sodium_bin2base64(text.data(), text.size(), psk.data(), psk.size(),
                    sodium_base64_VARIANT_ORIGINAL);
  std::string result = text.data();
  sodium_memzero(text.data(), text.size());
  return result;
}

std::optional<KeyKept::Where> ReadPlace(absl::string_view text) {
  for (const KeyKept::Where place : kRotationPlaces) {
    if (ToAbsl(NameOf(place)) == text) return place;
  }
  return std::nullopt;
}

using Words = std::vector<absl::string_view>;

bool ReadKey(const Words& words, RotationState& state) {
  if (words.size() != 3 || !handshake::IsGeneratedKey(ToStd(words[1])) ||
      !ReadNumber(words[2], &state.began_ms)) {
    return false;
  }
  state.key = std::string(words[1]);
  return true;
}

bool ReadBefore(const Words& words, RotationState& state) {
  RotationState::Before before;
  if (words.size() != 3 || state.before.size() == RotationState::kMaxBefore ||
      !ReadPsk(words[1], &before.psk) ||
      !ReadNumber(words[2], &before.since_ms)) {
    return false;
  }
  state.before.push_back(std::move(before));
  return true;
}

bool ReadClient(const Words& words, RotationState& state) {
  if (words.size() != 6 || state.clients.size() == RotationState::kMaxClients) {
    return false;
  }
  const auto key = handshake::PublicKeyFromText(ToStd(words[1]));
  const std::optional<KeyKept::Where> where = ReadPlace(words[3]);
  RotationState::Client client;
  client.proved = words[4] == "proved";
  if (!key.ok() || handshake::PublicKeyToText(*key) != ToStd(words[1]) ||
      !where || (!client.proved && words[4] != "unproved") ||
      !ReadNumber(words[2], &client.kept_ms) ||
      !ReadNumber(words[5], &client.seen_ms)) {
    return false;
  }
  client.where = *where;
  return state.clients.emplace(*key, client).second;
}

}  // namespace

std::optional<RotationState> ParseRotation(std::string_view text) {
  RotationState state;
  size_t number = 0;
  if (text.empty() || text.back() != '\n') return std::nullopt;
  text.remove_suffix(1);
  for (absl::string_view line : absl::StrSplit(ToAbsl(text), '\n')) {
    const Words words = absl::StrSplit(line, ' ');
    const size_t at = number++;
    const bool good = at == 0   ? line == ToAbsl(kRotationForm)
                      : at == 1 ? words[0] == "key" && ReadKey(words, state)
                      : words[0] == "before"
                          ? state.clients.empty() && ReadBefore(words, state)
                          : words[0] == "client" && ReadClient(words, state);
    if (!good) return std::nullopt;
  }
  if (state.key.empty()) return std::nullopt;
  return state;
}

std::string FormatKeys(const RotationState& state) {
  std::string text =
      Concat(kRotationForm, "\nkey ", state.key, " ", state.began_ms, "\n");
  for (const RotationState::Before& before : state.before) {
    text += Concat("before ", PskText(before.psk), " ", before.since_ms, "\n");
  }
  return text;
}

std::string FormatClient(const handshake::PublicKey& key,
                         const RotationState::Client& client) {
  return Concat("client ", handshake::PublicKeyToText(key), " ", client.kept_ms,
                " ", NameOf(client.where), " ",
                client.proved ? "proved" : "unproved", " ", client.seen_ms,
                "\n");
}

std::string FormatRotation(const RotationState& state) {
  std::string text = FormatKeys(state);
  for (const auto& [key, client] : state.clients) {
    text += FormatClient(key, client);
  }
  return text;
}

std::string DateOf(uint64_t unix_ms) {
  const auto seconds = static_cast<time_t>(unix_ms / 1000);
  struct tm utc {};
  char text[32];
  gmtime_r(&seconds, &utc);
  return {text, strftime(text, sizeof(text), "%Y-%m-%d %H:%M UTC", &utc)};
}

std::string RotationPath(const std::string& state_dir) {
  return Concat(state_dir, "/rotation");
}

absl::StatusOr<std::string> LoadRotation(const std::string& state_dir) {
  const std::string path = RotationPath(state_dir);
  absl::StatusOr<std::string> text = host::ReadState(path, kRotationForm);
  if (absl::IsNotFound(text.status())) return std::string();
  if (!text.ok()) return text;
  if (text->empty() || ParseRotation(*text)) return text;
  return absl::DataLossError(
      Concat(path,
             " cannot be understood; clients that were away during a rotation "
             "need the new shared key by hand"));
}

}  // namespace lwt::rotation
