#include "control/handshake/noise.h"

namespace lwt::handshake {
namespace {

using enum NoiseToken;

// Noise §5.2: HKDF chained from the chaining key; `outputs` is 2 or 3.
void NoiseHkdf(KeySpan chaining_key, ByteSpan ikm, int outputs,
               WipedBytes<32>* out) {
  WipedBytes<32> temporary;
  HmacSha256(chaining_key, {ikm}, temporary.bytes());
  ByteSpan previous;
  for (int i = 1; i <= outputs; ++i) {
    const auto counter = static_cast<uint8_t>(i);
    HmacSha256(temporary.bytes(), {previous, ByteSpan(&counter, 1)},
               out[i - 1].bytes());
    previous = out[i - 1].bytes();
  }
}

}  // namespace

const NoisePattern kNoiseXXpsk0 = {
    .name = "XXpsk0",
    .static_keys_known = false,
    .messages = {{{kPsk, kE}, {kE, kEe, kS, kEs}, {kS, kSe}}},
    .token_counts = {2, 4, 2},
    .message_count = 3};

const NoisePattern kNoiseKKpsk0 = {
    .name = "KKpsk0",
    .static_keys_known = true,
    .messages = {{{kPsk, kE, kEs, kSs}, {kE, kEe, kSe}, {}}},
    .token_counts = {4, 3, 0},
    .message_count = 2};

NoiseHandshake::NoiseHandshake(const NoiseConfig& config)
    : pattern_(config.pattern),
      role_(config.role),
      random_(config.random),
      psk_(config.psk),
      static_secret_(config.static_secret),
      static_public_(config.static_public) {
  // "Noise_" + pattern (at most 8) + the suite: fits the small buffer below.
  std::array<uint8_t, 64> name{};
  size_t size = 0;
  for (std::string_view part : {std::string_view("Noise_"), pattern_->name,
                                std::string_view("_25519_AESGCM_SHA256")}) {
    std::memcpy(name.data() + size, part.data(), part.size());
    size += part.size();
  }
  if (size <= hash_.size()) {
    std::memcpy(hash_.data(), name.data(), hash_.size());
  } else {
    hash_ = Sha256({ByteSpan(name).first(size)});
  }
  chaining_key_ = WipedBytes<32>(hash_);
  MixHash(config.prologue);
  if (!pattern_->static_keys_known) return;
  remote_static_ = config.remote_static;
  const bool initiator = role_ == NoiseRole::kInitiator;
  MixHash(initiator ? static_public_ : remote_static_);
  MixHash(initiator ? remote_static_ : static_public_);
}

bool NoiseHandshake::MyTurn() const {
  return (message_index_ % 2 == 0) == (role_ == NoiseRole::kInitiator);
}

bool NoiseHandshake::finished() const {
  return message_index_ == pattern_->message_count;
}

std::span<const NoiseToken> NoiseHandshake::Tokens() const {
  return std::span(pattern_->messages[message_index_])
      .first(pattern_->token_counts[message_index_]);
}

size_t NoiseHandshake::PayloadOverhead() const {
  if (finished()) return 0;
  size_t size = kTagSize;  // of the payload: psk0 gives a key from the start
  for (NoiseToken token : Tokens()) {
    if (token == kE) size += kKeySize;
    if (token == kS) size += kKeySize + kTagSize;
  }
  return size;
}

bool NoiseHandshake::WriteMessage(ByteSpan payload, ByteVector* out) {
  if (finished() || !MyTurn()) return false;
  NoiseHandshake next = *this;
  const size_t start = out->size();
  if (!next.Write(payload, out)) {
    out->resize(start);
    return false;
  }
  *this = next;
  return true;
}

bool NoiseHandshake::Write(ByteSpan payload, ByteVector* out) {
  for (NoiseToken token : Tokens()) {
    if (token == kPsk) {
      MixKeyAndHash(psk_);
    } else if (token == kE) {
      random_(ephemeral_secret_.bytes());
      ephemeral_public_ = X25519Public(ephemeral_secret_.bytes());
      out->insert(out->end(), ephemeral_public_.begin(),
                  ephemeral_public_.end());
      MixHash(ephemeral_public_);
      MixKey(ephemeral_public_);
    } else if (token == kS) {
      EncryptAndHash(static_public_, out);
    } else if (!MixDh(token)) {
      return false;
    }
  }
  EncryptAndHash(payload, out);
  ++message_index_;
  return true;
}

bool NoiseHandshake::ReadMessage(ByteSpan message, std::span<uint8_t> payload) {
  if (finished() || MyTurn()) return false;
  const size_t overhead = PayloadOverhead();
  if (message.size() < overhead || payload.size() < message.size() - overhead) {
    return false;
  }
  NoiseHandshake next = *this;
  if (!next.Read(message, payload)) return false;
  *this = next;
  return true;
}

bool NoiseHandshake::Read(ByteSpan message, std::span<uint8_t> payload) {
  ByteReader reader(message);
  for (NoiseToken token : Tokens()) {
    if (!ReadToken(token, &reader)) return false;
  }
  if (!DecryptAndHash(reader.rest(), payload)) return false;
  ++message_index_;
  return true;
}

bool NoiseHandshake::ReadToken(NoiseToken token, ByteReader* reader) {
  switch (token) {
    case kPsk:
      MixKeyAndHash(psk_);
      return true;
    case kE:
      if (!reader->Copy(remote_ephemeral_)) return false;
      MixHash(remote_ephemeral_);
      MixKey(remote_ephemeral_);
      return true;
    case kS: {
      ByteSpan sealed;
      return reader->Take(kKeySize + kTagSize, &sealed) &&
             DecryptAndHash(sealed, remote_static_);
    }
    default:
      return MixDh(token);
  }
}

bool NoiseHandshake::MixDh(NoiseToken token) {
  const bool initiator = role_ == NoiseRole::kInitiator;
  // The first letter is the initiator's key, the second the responder's.
  const bool mine_static = token == kSs || token == (initiator ? kSe : kEs);
  const bool theirs_static = token == kSs || token == (initiator ? kEs : kSe);
  WipedBytes<32> shared;
  if (!X25519(mine_static ? static_secret_ : ephemeral_secret_.bytes(),
              theirs_static ? remote_static_ : remote_ephemeral_,
              shared.bytes())) {
    return false;
  }
  MixKey(shared.bytes());
  return true;
}

void NoiseHandshake::Split(SecretKey* first, SecretKey* second) const {
  WipedBytes<32> keys[2];
  NoiseHkdf(chaining_key_.bytes(), {}, 2, keys);
  *first = SecretKey(keys[0].bytes());
  *second = SecretKey(keys[1].bytes());
}

void NoiseHandshake::MixHash(ByteSpan data) { hash_ = Sha256({hash_, data}); }

void NoiseHandshake::MixKey(ByteSpan data) {
  WipedBytes<32> keys[2];
  NoiseHkdf(chaining_key_.bytes(), data, 2, keys);
  chaining_key_ = keys[0];
  key_ = keys[1];
  counter_ = 0;
}

void NoiseHandshake::MixKeyAndHash(ByteSpan data) {
  WipedBytes<32> keys[3];
  NoiseHkdf(chaining_key_.bytes(), data, 3, keys);
  chaining_key_ = keys[0];
  MixHash(keys[1].bytes());
  key_ = keys[2];
  counter_ = 0;
}

Nonce NoiseHandshake::NextNonce() {
  // Noise §12.4: four zero bytes, then the counter, big-endian.
  Nonce nonce{};
  for (size_t i = 0; i < 8; ++i) {
    nonce[4 + i] = static_cast<uint8_t>(counter_ >> (56 - 8 * i));
  }
  ++counter_;
  return nonce;
}

void NoiseHandshake::EncryptAndHash(ByteSpan plain, ByteVector* out) {
  const size_t start = out->size();
  out->resize(start + plain.size() + kTagSize);
  const auto sealed = std::span(*out).subspan(start);
  AesGcmSeal(key_.bytes(), NextNonce(), hash_, plain, sealed);
  MixHash(sealed);
}

bool NoiseHandshake::DecryptAndHash(ByteSpan sealed, std::span<uint8_t> plain) {
  const Digest aad = hash_;
  MixHash(sealed);
  return AesGcmOpen(key_.bytes(), NextNonce(), aad, sealed, plain);
}

}  // namespace lwt::handshake
