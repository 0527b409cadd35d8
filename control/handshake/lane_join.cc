#include "control/handshake/lane_join.h"

#include <algorithm>

namespace lwt::handshake {
namespace {

constexpr size_t kPlainSize = 28;  // of the blob
constexpr size_t kClearSize = 20;  // nonce and masked session id
constexpr uint64_t kMaxClockOffMs = 10 * 60 * 1000;

uint64_t MaskSessionId(const SecretKey& join_mask_key, ByteSpan nonce,
                       uint64_t session_id) {
  WipedBytes<32> mask;
  HmacSha256(join_mask_key.bytes(), {nonce}, mask.bytes());
  uint64_t bits = 0;
  ByteReader(mask.bytes()).U64(&bits);
  return session_id ^ bits;
}

// A public key that nobody holds the secret of: hellos must look alike.
std::array<uint8_t, 32> DecoyKeyShare(RandomSource random) {
  WipedBytes<32> scalar;
  random(scalar.bytes());
  return X25519Public(scalar.bytes());
}

// Both hellos' bytes that the seal of the answer does not cover itself.
ByteVector AnswerAad(const HelloFields& client, const HelloFields& server) {
  ByteWriter aad;
  aad.Append(client.random_and_session_id).Append(server.key_share);
  return aad.Take();
}

ByteVector RequestAad(const HelloFields& hello) {
  ByteWriter aad;
  aad.Append(ByteSpan(hello.random_and_session_id).first(kClearSize));
  aad.Append(hello.key_share);
  return aad.Take();
}

Nonce NonceAt(ByteSpan bytes) {
  Nonce nonce;
  std::copy_n(bytes.begin(), nonce.size(), nonce.begin());
  return nonce;
}

}  // namespace

LaneJoinRequest MakeLaneJoin(const SecretKey& join_mask_key,
                             const KeyPair& join_keys, uint64_t session_id,
                             LaneId lane_id, LaneSlot slot, uint64_t unix_ms,
                             RandomSource random) {
  LaneJoinRequest request{.lane_id = lane_id, .slot = slot};
  random(request.initiator_nonce);
  request.hello.key_share = DecoyKeyShare(random);
  Nonce nonce;
  random(nonce);
  ByteWriter clear;
  clear.Append(nonce).U64(MaskSessionId(join_mask_key, nonce, session_id));
  ByteWriter plain;
  plain.U16(lane_id.value)
      .U8(slot.value)
      .U8(0)
      .U64(unix_ms)
      .Append(request.initiator_nonce);
  const auto blob = std::span(request.hello.random_and_session_id);
  std::ranges::copy(clear.view(), blob.begin());
  AesGcmSeal(join_keys.from_initiator.bytes(), nonce, RequestAad(request.hello),
             plain.view(), blob.subspan(kClearSize));
  return request;
}

uint64_t LaneJoinSessionId(const SecretKey& join_mask_key,
                           const HelloFields& hello) {
  ByteReader reader(hello.random_and_session_id);
  ByteSpan nonce;
  uint64_t masked = 0;
  reader.Take(kNonceSize, &nonce);
  reader.U64(&masked);
  return MaskSessionId(join_mask_key, nonce, masked);
}

std::optional<LaneJoinBlob> OpenLaneJoin(const KeyPair& join_keys,
                                         const HelloFields& hello,
                                         std::span<const LaneId> newest,
                                         uint64_t unix_ms) {
  const ByteSpan blob(hello.random_and_session_id);
  std::array<uint8_t, kPlainSize> plain;
  if (!AesGcmOpen(join_keys.from_initiator.bytes(), NonceAt(blob),
                  RequestAad(hello), blob.subspan(kClearSize), plain)) {
    return std::nullopt;
  }
  ByteReader reader(plain);
  LaneJoinBlob opened;
  uint8_t zero = 0;
  uint64_t sent_ms = 0;
  reader.U16(&opened.lane_id.value);
  reader.U8(&opened.slot.value);
  reader.U8(&zero);
  reader.U64(&sent_ms);
  reader.Copy(opened.initiator_nonce);
  const uint64_t off =
      sent_ms > unix_ms ? sent_ms - unix_ms : unix_ms - sent_ms;
  if (zero != 0 || off > kMaxClockOffMs || opened.slot.value >= newest.size() ||
      opened.lane_id <= newest[opened.slot.value]) {
    return std::nullopt;
  }
  return opened;
}

LaneJoinAnswer AnswerLaneJoin(const KeyPair& join_keys,
                              const HelloFields& hello,
                              const LaneJoinBlob& blob, uint32_t epoch,
                              RandomSource random) {
  LaneJoinAnswer answer;
  answer.lane.lane_id = blob.lane_id;
  answer.lane.slot = blob.slot;
  answer.lane.nonces.initiator = blob.initiator_nonce;
  answer.lane.epoch = epoch;
  random(answer.lane.nonces.responder);
  HelloFields server = hello;
  server.key_share = DecoyKeyShare(random);
  std::ranges::copy(answer.lane.nonces.responder, server.random().begin());
  ByteWriter plain;
  plain.U32(epoch);
  AesGcmSeal(join_keys.from_responder.bytes(), answer.lane.nonces.responder,
             AnswerAad(hello, server), plain.view(),
             server.random().subspan(kNonceSize));
  answer.bytes = BuildServerHello(server);
  answer.bytes.insert(answer.bytes.end(), kChangeCipherSpecRecord.begin(),
                      kChangeCipherSpecRecord.end());
  return answer;
}

LaneJoinProgress ReadLaneJoinAnswer(const KeyPair& join_keys,
                                    const LaneJoinRequest& request,
                                    ByteSpan bytes, JoinedLane* lane,
                                    size_t* consumed) {
  TlsRecord record;
  size_t size = 0;
  TlsReader::Result result = TlsReader::Peek(bytes, &record, &size);
  if (result == TlsReader::Result::kNeedMore) return LaneJoinProgress::kReading;
  if (result == TlsReader::Result::kError ||
      record.type != TlsType::kHandshake) {
    return LaneJoinProgress::kFailed;
  }
  const std::optional<HelloFields> server = ParseServerHello(record.body);
  if (!server) return LaneJoinProgress::kFailed;
  const ByteSpan random(server->random());
  std::array<uint8_t, 4> plain;
  if (!std::ranges::equal(server->session_id(), request.hello.session_id()) ||
      !AesGcmOpen(join_keys.from_responder.bytes(), NonceAt(random),
                  AnswerAad(request.hello, *server), random.subspan(kNonceSize),
                  plain)) {
    return LaneJoinProgress::kFailed;
  }
  const ByteSpan rest = bytes.subspan(size);
  const size_t ccs = std::min(rest.size(), kChangeCipherSpecRecord.size());
  if (!std::equal(rest.begin(), rest.begin() + static_cast<ptrdiff_t>(ccs),
                  kChangeCipherSpecRecord.begin())) {
    return LaneJoinProgress::kFailed;
  }
  if (ccs < kChangeCipherSpecRecord.size()) return LaneJoinProgress::kReading;
  lane->lane_id = request.lane_id;
  lane->slot = request.slot;
  lane->nonces.initiator = request.initiator_nonce;
  std::copy_n(random.begin(), lane->nonces.responder.size(),
              lane->nonces.responder.begin());
  ByteReader(plain).U32(&lane->epoch);
  *consumed = size + ccs;
  return LaneJoinProgress::kDone;
}

}  // namespace lwt::handshake
