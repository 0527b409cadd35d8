// Noise handshakes (noiseprotocol.org revision 34) over 25519, AESGCM, SHA256.
//
// A pattern is a row of a table. The object holds one side of one handshake,
// about 400 bytes, copyable, wiped on destruction; it allocates nothing but the
// output of WriteMessage(). Not thread-safe.
#pragma once

#include <optional>
#include <string_view>

#include "control/handshake/crypto.h"

namespace lwt::handshake {

// Noise tokens; a psk token stands at the front of message 1 in the psk0
// patterns, the only ones here.
enum class NoiseToken : uint8_t { kE, kS, kEe, kEs, kSe, kSs, kPsk };

struct NoisePattern {
  std::string_view name;   // as in the protocol name
  bool static_keys_known;  // both static keys are pre-messages (KK)
  std::array<std::array<NoiseToken, 5>, 3> messages;
  std::array<uint8_t, 3> token_counts;
  uint8_t message_count;
};

extern const NoisePattern kNoiseXXpsk0;
extern const NoisePattern kNoiseKKpsk0;

enum class NoiseRole : uint8_t { kInitiator, kResponder };

// One side's inputs. What the pointers name must outlive the handshake.
struct NoiseConfig {
  const NoisePattern* pattern = &kNoiseXXpsk0;
  NoiseRole role = NoiseRole::kInitiator;
  ByteSpan prologue;
  KeySpan psk;
  KeySpan static_secret;
  PublicKey static_public{};
  // Given for patterns that know it beforehand; ignored by the others.
  PublicKey remote_static{};
  RandomSource random = RandomBytes;
};

class NoiseHandshake {
 public:
  explicit NoiseHandshake(const NoiseConfig& config);

  // Appends the next message to `out`. False when it is not this side's turn,
  // or when a DH result is all-zero; the state is then as before.
  bool WriteMessage(ByteSpan payload, ByteVector* out);

  // Opens the peer's next message. `payload` has room for message size minus
  // PayloadOverhead(). False when it does not verify, is too short, is out of
  // turn, or names a small-order point; the state is then as before.
  [[nodiscard]] bool ReadMessage(ByteSpan message, std::span<uint8_t> payload);

  // Bytes that the next message has beside its payload.
  size_t PayloadOverhead() const;

  bool finished() const;
  // Once finished: the outputs of Split(), the key of what the initiator sends
  // first.
  void Split(SecretKey* first, SecretKey* second) const;
  // Of the peer; valid once its token has been read.
  const PublicKey& remote_static() const { return remote_static_; }

 private:
  bool MyTurn() const;
  std::span<const NoiseToken> Tokens() const;
  bool Write(ByteSpan payload, ByteVector* out);
  bool Read(ByteSpan message, std::span<uint8_t> payload);
  [[nodiscard]] bool ReadToken(NoiseToken token, ByteReader* reader);
  bool MixDh(NoiseToken token);

  void MixHash(ByteSpan data);
  void MixKey(ByteSpan data);
  void MixKeyAndHash(ByteSpan data);
  void EncryptAndHash(ByteSpan plain, ByteVector* out);
  bool DecryptAndHash(ByteSpan sealed, std::span<uint8_t> plain);
  Nonce NextNonce();

  const NoisePattern* pattern_;
  NoiseRole role_;
  RandomSource random_;
  KeySpan psk_;
  KeySpan static_secret_;
  PublicKey static_public_;
  PublicKey remote_static_{};
  PublicKey remote_ephemeral_{};
  PublicKey ephemeral_public_{};
  WipedBytes<32> ephemeral_secret_;
  WipedBytes<32> chaining_key_;
  WipedBytes<32> key_;
  Digest hash_{};
  uint64_t counter_ = 0;
  uint8_t message_index_ = 0;
};

}  // namespace lwt::handshake
