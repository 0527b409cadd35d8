// A lane: one outer flow with its own keys, packet numbers and replay window.
//
// Owned by one worker, which alone touches it; control changes it by commands.
// The send and the receive half lie on cache lines of their own.
#pragma once

#include <array>
#include <cstdint>

#include "dataplane/fec/loss_meter.h"
#include "dataplane/fec/parity_budget.h"
#include "dataplane/fec/policy.h"
#include "dataplane/flow/flow_id.h"
#include "dataplane/lane/peer_tuning.h"
#include "dataplane/lane/replay_window.h"
#include "dataplane/lane/token_bucket.h"
#include "dataplane/names.h"
#include "drivers/aead.h"

namespace lwt::session {

// Receive epochs held at once.
inline constexpr uint32_t kReceiveEpochs = 4;
// Records of one epoch after which nothing more is sealed with it: the bound of
// docs/protocol.md, far below what AES-GCM permits with a counter.
inline constexpr uint64_t kEpochHardLimit = uint64_t{1} << 34;
inline constexpr uint64_t kMaxPacketNumber = (uint64_t{1} << 48) - 1;
static_assert(kEpochHardLimit < kMaxPacketNumber);

// Where the keys of a receive epoch lie. The low eight bits of the epoch, which
// are all that a record carries, tell it too.
struct EpochSlot {
  static constexpr EpochSlot Of(uint32_t epoch) {
    return {epoch % kReceiveEpochs};
  }
  uint32_t value;
};
static_assert(256 % kReceiveEpochs == 0);

struct alignas(64) SendHalf {
  uint64_t next_packet = 0;
  uint64_t epoch_first_packet = 0;
  uint32_t epoch = 0;
  bool due_reported = false;
  bool spent_reported = false;
  std::array<uint8_t, kAeadIvSize> iv{};
  MaskKey mask;
  AeadKey key;

  uint64_t records_of_epoch() const { return next_packet - epoch_first_packet; }
};

struct ReceiveEpoch {
  bool held = false;
  uint32_t epoch = 0;
  std::array<uint8_t, kAeadIvSize> iv{};
  AeadKey key;
};

// What one lane may hand to the control thread, whose ring all lanes of a
// worker share: two re-keys, say, many times over.
struct PuntBudget {
  static constexpr uint64_t kPeriodUs = 100'000;
  static constexpr uint32_t kBytes = 16 * 1024;
  // What a message costs beside its bytes.
  static constexpr uint32_t kEach = 64;

  uint64_t since_us = 0;
  uint32_t taken = 0;

  bool Take(uint32_t bytes, uint64_t now_us) {
    if (now_us - since_us >= kPeriodUs) {
      since_us = now_us;
      taken = 0;
    }
    if (taken + kEach + bytes > kBytes) return false;
    taken += kEach + bytes;
    return true;
  }
};

struct alignas(64) ReceiveHalf {
  uint64_t records_opened = 0;
  uint32_t highest_epoch = 0;  // of these records
  // What the peer was told of its losses last, when it is told next, and until
  // when it is told that there are none.
  uint64_t reported_lost = 0;
  uint64_t reported_next = 0;
  uint64_t report_due_us = 0;
  uint64_t report_until_us = 0;
  bool grouped = false;    // records in FEC groups came since then
  bool line_full = false;  // the peer tells that its line to here is
  PuntBudget punts;
  fec::LossMeter meter;
  MaskKey mask;
  std::array<ReceiveEpoch, kReceiveEpochs> epochs;
  ReplayWindow window;

  ReceiveEpoch& At(EpochSlot slot) { return epochs[slot.value]; }
  const ReceiveEpoch& At(EpochSlot slot) const { return epochs[slot.value]; }
};

struct Lane {
  static constexpr uint32_t kNoShard = UINT32_MAX;
  // A window of what is sent at once: who polices less makes TCP crawl.
  static constexpr uint64_t kTakenDepthUs = 50'000;

  bool installed = false;
  bool flow_up = false;
  FlowId flow;
  PeerIndex peer;
  uint32_t shed_debt = 0;  // crowding summed up over shards, see AwaitWindow
  // Scratch of one outbound burst, valid while `round` is the worker's.
  uint64_t round = 0;
  uint32_t budget = 0;    // bytes the peer's window still takes
  uint32_t crowding = 0;  // OuterTcp::Crowding
  uint32_t numbered = 0;  // packet numbers promised to shards of FEC groups
  uint32_t open_shard = kNoShard;  // in Pack, that takes company: its place
  uint32_t last_record = 0;        // in Encapsulate: the place of the last
  // Bytes a second to and from the peer, by its own setting or that of all; 0:
  // no limit.
  uint64_t peer_rate = 0;
  uint64_t peer_rate_in = 0;
  // The probe whose answer is awaited.
  bool probe_pending = false;
  uint32_t probe_token = 0;
  uint64_t probe_sent_us = 0;
  bool unknown_kind_reported = false;
  // A packet was refused that a larger segment would have taken.
  bool wants_larger = false;
  // Where rates are set: what may leave, what of it was counted, and what may
  // be taken.
  TokenBucket rate;
  uint64_t charged = 0;
  TokenBucket rate_in{kTakenDepthUs};
  PeerTuning own;  // what is set for the peer alone
  fec::Policy policy;
  fec::ParityBudget parity_budget;
  SendHalf send;
  ReceiveHalf receive;

  bool up() const { return installed && flow_up; }
};

}  // namespace lwt::session
