// The key schedule below the handshake: docs/protocol.md, "Keys".
#pragma once

#include "control/handshake/lane_names.h"
#include "control/handshake/noise.h"

namespace lwt::handshake {

// Both directions of something secret. The initiator is who sent message 1 of
// the session's handshake; the schedule knows no other roles.
struct KeyPair {
  SecretKey from_initiator;
  SecretKey from_responder;
};

// Fresh on both sides for every lane.
struct LaneNonces {
  std::array<uint8_t, 16> initiator{};
  std::array<uint8_t, 12> responder{};
};

// Of a finished handshake: the roots of epoch 0.
KeyPair RootsOf(const NoiseHandshake& noise);

// What seals and opens one direction of one lane in one epoch.
struct LaneKey {
  WipedBytes<32> key;
  WipedBytes<12> iv;
};

// Of one direction: `root` is that direction's root of `epoch`.
LaneKey DeriveLaneKey(const SecretKey& root, LaneId lane_id,
                      const LaneNonces& nonces, uint32_t epoch);
// Constant over epochs: `root` is the direction's root of the epoch that the
// lane was made in (0 for lane 0, else the one named in the answer to the
// join).
WipedBytes<32> DeriveMaskKey(const SecretKey& root, LaneId lane_id,
                             const LaneNonces& nonces);
// From the roots of epoch 0.
KeyPair DeriveJoinKeys(const KeyPair& roots);
// From the psk: hides session ids in lane joins.
SecretKey DeriveJoinMaskKey(const SecretKey& psk);
// Roots of `epoch` from those of the one before and a fresh X25519 result.
KeyPair DeriveNextRoots(const KeyPair& roots, KeySpan shared_secret,
                        uint32_t epoch);
// Seals the responder's verdict; used once.
WipedBytes<32> DeriveVerdictKey(const SecretKey& responder_root);

}  // namespace lwt::handshake
