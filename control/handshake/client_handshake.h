// The client's half of a handshake: bytes and time in, bytes and a session out.
//
// One object per attempt, about 3 kB while it runs. Control thread. The caller
// bounds its life (10 s) and owns the flow. Costs four X25519 (0.3 ms).
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "control/handshake/noise.h"
#include "control/handshake/session_secrets.h"
#include "control/handshake/static_key.h"
#include "control/handshake/tls_shape.h"

namespace lwt::handshake {

// `psk` and `identity` must outlive the handshake.
struct ClientConfig {
  const SecretKey* psk = nullptr;
  const StaticKey* identity = nullptr;
  // From ExpectedHubKey(); another key is refused before ours is shown.
  std::optional<PublicKey> expected_hub_key;
  std::string server_name = "www.example.com";  // in the SNI
  PeerOffer offer;
  RandomSource random = RandomBytes;
};

enum class ClientProgress : uint8_t { kReading, kDone, kFailed };

class ClientHandshake {
 public:
  explicit ClientHandshake(const ClientConfig& config);

  // The first flight: a ClientHello. Call once, before Feed().
  ByteVector Start(uint64_t unix_ms);

  // Takes bytes of the flow, in order. What is to be sent because of them is
  // appended to `output`. After kDone or kFailed further bytes are kept as
  // leftover, or ignored.
  ClientProgress Feed(ByteSpan bytes, uint64_t unix_ms, ByteVector* output);

  // After kFailed: the sentence for the operator. Its code means nothing.
  const absl::Status& status() const { return status_; }
  // After kFailed: it was before the hub proved to have the shared key.
  bool key_unproven() const {
    return state_ == State::kFailed && !hub_proved_key_;
  }
  // After kFailed because the hub proved another key than the expected one:
  // which. This, and no status, is what tells of a key that changed.
  const std::optional<PublicKey>& changed_key() const { return changed_key_; }

  // After kDone, once.
  SessionSecrets TakeSession() { return std::move(*session_); }
  // After kDone: bytes fed that belong to sealed records already.
  ByteSpan leftover() const { return reader_.pending(); }

 private:
  enum class State : uint8_t {
    kServerHello,
    kChangeCipherSpec,
    kMessage2,
    kVerdict,
    kDone,
    kFailed
  };

  void OnRecord(const TlsRecord& record, uint64_t unix_ms, ByteVector* output);
  void OnServerHello(ByteSpan body);
  void OnMessage2(ByteSpan body, ByteVector* output);
  void OnVerdict(ByteSpan body);
  void Fail(absl::Status status);
  ClientProgress progress() const;

  ClientConfig config_;
  NoiseHandshake noise_;
  TlsReader reader_;
  State state_ = State::kServerHello;
  HelloFields hello_;
  PublicKey hub_ephemeral_{};
  bool hub_proved_key_ = false;
  std::optional<PublicKey> changed_key_;
  std::optional<SessionSecrets> session_;
  absl::Status status_;
};

}  // namespace lwt::handshake
