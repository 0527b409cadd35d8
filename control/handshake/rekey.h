// New epochs for a running session: docs/protocol.md, "Re-key".
//
// Sans-IO, one object per session and side; owns the session's roots. At most
// four epochs are open at once, slot = epoch & 3; opening a fifth retires the
// oldest. Control thread. Costs two X25519 (0.15 ms) an epoch.
#pragma once

#include <optional>
#include <vector>

#include "control/handshake/lane_keys.h"
#include "control/handshake/messages.h"

namespace lwt::handshake {

// Of the session, not of a re-key: the initiator makes every offer, the
// responder may ask for one.
enum class RekeyRole : uint8_t { kInitiator, kResponder };

struct RekeyConfig {
  uint64_t interval_us = 120'000'000;
  uint64_t max_records = 1ULL << 28;
  RandomSource random = RandomBytes;
};

// What the caller does, in this order as given.
struct RekeyAction {
  enum class Kind : uint8_t {
    kSend,            // hand `type`, `body` to the control channel
    kInstallReceive,  // derive each lane's keys of `epoch`, let them open
    kSwitchSend,      // then seal with `epoch`
    kRetire,          // forget the lanes' keys of `epoch`
    kGiveUp,          // close the session: its keys are used up
  };
  Kind kind = Kind::kSend;
  uint32_t epoch = 0;
  ControlType type = ControlType::kAck;
  ByteVector body;
};

class Rekey {
 public:
  static constexpr uint64_t kGraceUs = 15'000'000;
  static constexpr size_t kOpenEpochs = 4;
  // Well below 2^36 records, where AES-GCM's bounds would begin to matter.
  static constexpr uint64_t kHardLimit = 1ULL << 34;

  // Starts in epoch 0 with the handshake's roots.
  Rekey(RekeyRole role, const RekeyConfig& config, KeyPair roots,
        uint64_t now_us);

  // Call at NextDeadline() and whenever counters were read. `records` is the
  // largest number that any lane has sealed in the epoch sent with.
  void Tick(uint64_t now_us, uint64_t records,
            std::vector<RekeyAction>* actions);

  // Takes what the peer says. False when it breaks the protocol, as by coming
  // from the wrong side: the caller closes the session.
  bool Receive(const RekeyRequest& request, uint64_t now_us,
               std::vector<RekeyAction>* actions);
  bool Receive(const RekeyOffer& offer, uint64_t now_us,
               std::vector<RekeyAction>* actions);
  bool Receive(const RekeyAnswer& answer, uint64_t now_us,
               std::vector<RekeyAction>* actions);
  bool Receive(const RekeyDone& done, uint64_t now_us,
               std::vector<RekeyAction>* actions);

  // Others from now on, for the epoch in use too.
  void SetLimits(uint64_t interval_us, uint64_t max_records) {
    config_.interval_us = interval_us;
    config_.max_records = max_records;
  }

  uint64_t max_records() const { return config_.max_records; }

  uint64_t NextDeadline() const;
  uint32_t send_epoch() const { return send_epoch_; }
  // Roots of an open epoch, or null. Valid until the next Tick() or Receive().
  const KeyPair* Roots(uint32_t epoch) const;
  // Oldest first. A new lane is given the keys of each.
  std::vector<uint32_t> OpenEpochs() const;

 private:
  struct Slot {
    bool open = false;
    uint32_t epoch = 0;
    uint64_t retire_us = UINT64_MAX;
    KeyPair roots;
  };

  void Begin(std::vector<RekeyAction>* actions);
  void Open(uint32_t epoch, KeySpan shared, std::vector<RekeyAction>* actions);
  void Switch(uint32_t epoch, uint64_t now_us,
              std::vector<RekeyAction>* actions);
  void Retire(Slot& slot, std::vector<RekeyAction>* actions);

  RekeyRole role_;
  RekeyConfig config_;
  std::array<Slot, kOpenEpochs> slots_;
  uint32_t send_epoch_ = 0;
  uint64_t epoch_began_us_;
  bool pending_ = false;  // initiator: offered; responder: asked or answered
  WipedBytes<32> ephemeral_;
};

}  // namespace lwt::handshake
