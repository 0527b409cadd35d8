#include "control/handshake/lane_keys.h"

#include "control/handshake/hkdf.h"

namespace lwt::handshake {
namespace {

// The label, the lane's id and its nonces: the common head of lane and mask.
ByteWriter LaneInfo(std::string_view label, LaneId lane_id,
                    const LaneNonces& nonces) {
  ByteWriter info;
  info.Append(label)
      .U16(lane_id.value)
      .Append(nonces.initiator)
      .Append(nonces.responder);
  return info;
}

SecretKey NextRoot(const SecretKey& root, KeySpan shared_secret,
                   ByteSpan info) {
  SecretKey next;
  HkdfSha256(shared_secret, root.bytes(), info, next.bytes());
  return next;
}

SecretKey Labelled(const SecretKey& root, std::string_view label) {
  SecretKey key;
  HkdfSha256({}, root.bytes(), AsBytes(label), key.bytes());
  return key;
}

}  // namespace

KeyPair RootsOf(const NoiseHandshake& noise) {
  KeyPair roots;
  noise.Split(&roots.from_initiator, &roots.from_responder);
  return roots;
}

LaneKey DeriveLaneKey(const SecretKey& root, LaneId lane_id,
                      const LaneNonces& nonces, uint32_t epoch) {
  ByteWriter info = LaneInfo("lane", lane_id, nonces);
  info.U32(epoch);
  WipedBytes<44> both;
  HkdfSha256({}, root.bytes(), info.view(), both.bytes());
  LaneKey lane;
  lane.key = WipedBytes<32>(both.bytes().first<32>());
  lane.iv = WipedBytes<12>(both.bytes().last<12>());
  return lane;
}

WipedBytes<32> DeriveMaskKey(const SecretKey& root, LaneId lane_id,
                             const LaneNonces& nonces) {
  WipedBytes<32> key;
  HkdfSha256({}, root.bytes(), LaneInfo("mask", lane_id, nonces).view(),
             key.bytes());
  return key;
}

KeyPair DeriveJoinKeys(const KeyPair& roots) {
  return {Labelled(roots.from_initiator, "join"),
          Labelled(roots.from_responder, "join")};
}

SecretKey DeriveJoinMaskKey(const SecretKey& psk) {
  return Labelled(psk, "join-mask");
}

KeyPair DeriveNextRoots(const KeyPair& roots, KeySpan shared_secret,
                        uint32_t epoch) {
  ByteWriter info;
  info.Append("epoch").U32(epoch);
  return {NextRoot(roots.from_initiator, shared_secret, info.view()),
          NextRoot(roots.from_responder, shared_secret, info.view())};
}

WipedBytes<32> DeriveVerdictKey(const SecretKey& responder_root) {
  WipedBytes<32> key;
  HkdfSha256({}, responder_root.bytes(), AsBytes("verdict"), key.bytes());
  return key;
}

}  // namespace lwt::handshake
