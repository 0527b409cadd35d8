// Joining a further lane to a session: docs/protocol.md, "Joining a lane".
//
// The initiator's ClientHello carries a sealed blob, the responder's
// ServerHello a sealed answer; one round trip, no DH. Functions without state:
// the caller looks up the session and keeps the newest lane id of each slot.
#pragma once

#include <optional>

#include "control/handshake/lane_keys.h"
#include "control/handshake/tls_shape.h"

namespace lwt::handshake {

// Of the initiator's side, between its hello and the answer.
struct LaneJoinRequest {
  HelloFields hello;  // as sent
  LaneId lane_id;
  LaneSlot slot;
  std::array<uint8_t, 16> initiator_nonce{};
};

// A lane as both sides see it in the end.
struct JoinedLane {
  LaneId lane_id;
  LaneSlot slot;  // replaces what had it
  LaneNonces nonces;
  uint32_t epoch = 0;  // of the roots that make the mask key
};

// The initiator's blob and key share. BuildClientHello(request.hello, ...)
// makes the bytes to send.
LaneJoinRequest MakeLaneJoin(const SecretKey& join_mask_key,
                             const KeyPair& join_keys, uint64_t session_id,
                             LaneId lane_id, LaneSlot slot, uint64_t unix_ms,
                             RandomSource random = RandomBytes);

// The responder: which session a hello that proved no key may belong to. Any
// bytes give an id; an unknown one means a probe.
uint64_t LaneJoinSessionId(const SecretKey& join_mask_key,
                           const HelloFields& hello);

// The responder: opens the blob. nullopt unless it verifies, its clock is
// within 10 minutes, its slot one of the session's and its lane id above the
// newest of that slot: lanes of different slots join side by side, and the
// later one may be the first to prove itself. Whoever saw a hello on the way
// can repeat it until then: it proves nothing about the flow that it came on. A
// record on that flow does, and uses the id up.
struct LaneJoinBlob {
  LaneId lane_id;
  LaneSlot slot;
  std::array<uint8_t, 16> initiator_nonce{};
};
std::optional<LaneJoinBlob> OpenLaneJoin(const KeyPair& join_keys,
                                         const HelloFields& hello,
                                         std::span<const LaneId> newest,
                                         uint64_t unix_ms);

// The responder's answer: ServerHello and ChangeCipherSpec. `epoch` is the one
// it seals with now.
struct LaneJoinAnswer {
  ByteVector bytes;
  JoinedLane lane;
};
LaneJoinAnswer AnswerLaneJoin(const KeyPair& join_keys,
                              const HelloFields& hello,
                              const LaneJoinBlob& blob, uint32_t epoch,
                              RandomSource random = RandomBytes);

// The initiator: reads the answer from all that the flow brought so far. On
// kDone, `*lane` is set and `*consumed` is where sealed records begin; it then
// sends kChangeCipherSpecRecord and seals.
enum class LaneJoinProgress : uint8_t { kReading, kDone, kFailed };
LaneJoinProgress ReadLaneJoinAnswer(const KeyPair& join_keys,
                                    const LaneJoinRequest& request,
                                    ByteSpan bytes, JoinedLane* lane,
                                    size_t* consumed);

}  // namespace lwt::handshake
