#include "tests/unit/control/handshake/ja4.h"

#include <algorithm>
#include <cstdio>
#include <vector>

#include "control/handshake/crypto.h"

namespace lwt::handshake {
namespace {

bool IsGrease(uint16_t number) {
  return (number & 0x0f0f) == 0x0a0a && number >> 8 == (number & 0xff);
}

std::vector<uint16_t> ReadNumbers(ByteSpan list) {
  std::vector<uint16_t> numbers;
  ByteReader reader(list);
  uint16_t number = 0;
  while (reader.U16(&number)) {
    if (!IsGrease(number)) numbers.push_back(number);
  }
  return numbers;
}

std::string Listed(const std::vector<uint16_t>& numbers) {
  std::string text;
  for (const uint16_t number : numbers) {
    char hex[8];
    std::snprintf(hex, sizeof(hex), "%04x", number);
    text += (text.empty() ? "" : ",") + std::string(hex);
  }
  return text;
}

std::string Hash(const std::string& text) {
  const Digest digest = Sha256({AsBytes(text)});
  std::string hex;
  for (size_t i = 0; i < 6; ++i) {
    char two[4];
    std::snprintf(two, sizeof(two), "%02x", digest[i]);
    hex += two;
  }
  return hex;
}

std::string TwoDigits(size_t count) {
  char text[8];
  std::snprintf(text, sizeof(text), "%02zu", std::min<size_t>(count, 99));
  return text;
}

std::string VersionName(uint16_t version) {
  switch (version) {
    case 0x0304:
      return "13";
    case 0x0303:
      return "12";
    case 0x0302:
      return "11";
    case 0x0301:
      return "10";
    default:
      return "00";
  }
}

// What the fingerprint is made of.
struct Hello {
  uint16_t version = 0;
  std::vector<uint16_t> suites;
  std::vector<uint16_t> extensions;
  std::vector<uint16_t> signatures;
  bool server_name = false;
  std::string alpn = "00";
};

void ReadExtension(uint16_t type, ByteSpan body, Hello* hello) {
  ByteReader reader(body);
  ByteSpan list;
  switch (type) {
    case 0:
      hello->server_name = true;
      break;
    case 13:
      if (reader.Vector16(&list)) hello->signatures = ReadNumbers(list);
      break;
    case 16: {
      ByteSpan first;
      if (!reader.Vector16(&list)) break;
      if (!ByteReader(list).Vector8(&first) || first.empty()) break;
      hello->alpn = {static_cast<char>(first.front()),
                     static_cast<char>(first.back())};
      break;
    }
    case 43: {
      if (!reader.Vector8(&list)) break;
      const std::vector<uint16_t> versions = ReadNumbers(list);
      if (!versions.empty()) {
        hello->version = *std::max_element(versions.begin(), versions.end());
      }
      break;
    }
    default:
      break;
  }
}

}  // namespace

std::optional<std::string> Ja4Of(ByteSpan record) {
  constexpr size_t kBeforeVersion = 9;  // record and handshake headers
  if (record.size() < kBeforeVersion || record[0] != 22 || record[5] != 1) {
    return std::nullopt;
  }
  ByteReader reader(record.subspan(kBeforeVersion));
  Hello hello;
  std::array<uint8_t, 32> random;
  ByteSpan session_id;
  ByteSpan suites;
  ByteSpan compression;
  ByteSpan extensions;
  if (!reader.U16(&hello.version) || !reader.Copy(std::span(random)) ||
      !reader.Vector8(&session_id) || !reader.Vector16(&suites) ||
      !reader.Vector8(&compression) || !reader.Vector16(&extensions)) {
    return std::nullopt;
  }
  hello.suites = ReadNumbers(suites);
  ByteReader rest(extensions);
  uint16_t type = 0;
  ByteSpan body;
  while (rest.U16(&type) && rest.Vector16(&body)) {
    if (IsGrease(type)) continue;
    hello.extensions.push_back(type);
    ReadExtension(type, body, &hello);
  }
  const std::string head = "t" + VersionName(hello.version) +
                           (hello.server_name ? "d" : "i") +
                           TwoDigits(hello.suites.size()) +
                           TwoDigits(hello.extensions.size()) + hello.alpn;
  std::sort(hello.suites.begin(), hello.suites.end());
  std::erase_if(hello.extensions,
                [](uint16_t one) { return one == 0 || one == 16; });
  std::sort(hello.extensions.begin(), hello.extensions.end());
  return head + "_" + Hash(Listed(hello.suites)) + "_" +
         Hash(Listed(hello.extensions) + "_" + Listed(hello.signatures));
}

}  // namespace lwt::handshake
