// The TLS 1.3 dress of the handshake (RFC 8446): what is built and read here
// looks like a browser's session with a web server. Nothing here is secret or
// trusted; see docs/protocol.md, "Handshake", for what the fields carry.
#pragma once

#include <optional>
#include <string>

#include "control/handshake/bytes.h"

namespace lwt::handshake {

inline constexpr size_t kTlsHeaderSize = 5;
// RFC 8446 §5.2: 2^14 + 256 bytes of ciphertext at most.
inline constexpr size_t kMaxTlsBody = 16384 + 256;
inline constexpr size_t kMaxClientHello = 1300;

enum class TlsType : uint8_t {
  kChangeCipherSpec = 20,
  kAlert = 21,
  kHandshake = 22,
  kApplicationData = 23,
};

// The fields of a hello that carry our bytes. `random` ‖ `session_id` is one
// run of 64 bytes, as a lane join uses it.
struct HelloFields {
  std::array<uint8_t, 64> random_and_session_id{};
  std::array<uint8_t, 32> key_share{};

  std::span<uint8_t, 32> random() {
    return std::span(random_and_session_id).first<32>();
  }
  std::span<const uint8_t, 32> random() const {
    return std::span(random_and_session_id).first<32>();
  }
  std::span<uint8_t, 32> session_id() {
    return std::span(random_and_session_id).last<32>();
  }
  std::span<const uint8_t, 32> session_id() const {
    return std::span(random_and_session_id).last<32>();
  }
};

// A whole record. A ClientHello is refused (empty) only for a server name of
// more than 255 bytes.
ByteVector BuildClientHello(const HelloFields& fields,
                            std::string_view server_name);
ByteVector BuildServerHello(const HelloFields& fields);
ByteVector BuildRecord(TlsType type, ByteSpan body);

inline constexpr std::array<uint8_t, 6> kChangeCipherSpecRecord = {
    0x14, 0x03, 0x03, 0x00, 0x01, 0x01};
// handshake_failure, fatal (RFC 8446 §6.2).
inline constexpr std::array<uint8_t, 7> kHandshakeFailureRecord = {
    0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x28};

// Bodies of handshake records, headers of the record taken off. A ClientHello
// needs an x25519 key share, TLS 1.3 among its versions, and a session_id of 32
// bytes; nullopt otherwise.
std::optional<HelloFields> ParseClientHello(ByteSpan body);
std::optional<HelloFields> ParseServerHello(ByteSpan body);

struct TlsRecord {
  TlsType type = TlsType::kHandshake;
  ByteSpan body;  // valid until the next call on the reader
};

// Cuts a byte stream into records. Holds at most one record and what one Feed
// brought behind it.
class TlsReader {
 public:
  enum class Result : uint8_t { kRecord, kNeedMore, kError };

  // Looks at the front of `bytes` without a reader, so without a copy. On
  // kRecord, `*record` lies in `bytes` and `*size` is its length with header.
  // kError as soon as the bytes cannot become a record of TLS 1.x.
  static Result Peek(ByteSpan bytes, TlsRecord* record, size_t* size);

  void Feed(ByteSpan bytes);
  // The next whole record. After kError the reader stays in error.
  Result Next(TlsRecord* record);
  // Bytes fed and not yet returned in a record.
  ByteSpan pending() const { return ByteSpan(buffer_).subspan(consumed_); }

 private:
  ByteVector buffer_;
  size_t consumed_ = 0;
  bool error_ = false;
};

}  // namespace lwt::handshake
