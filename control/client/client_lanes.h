// The lanes of a client's session: one for each of its workers, as many as the
// hub takes. Watches the life of each and tells which to build next; what that
// takes is ClientSession's.
//
// Sans-IO. Owned by ClientSession. Control thread.
#pragma once

#include <optional>
#include <vector>

#include "control/session/backoff.h"
#include "control/session/liveness.h"
#include "control/session/session.h"

namespace lwt::peer {

class ClientLanes {
 public:
  explicit ClientLanes(RandomSource random) : random_(random) {}

  // A new session with so many slots, the lanes of which are to be built.
  void Begin(uint32_t slots);
  // There is no session.
  void End() { slots_.clear(); }

  // The session has a new lane in the slot.
  void OnUp(handshake::LaneSlot slot, uint64_t now_us);
  // The session has no lane in the slot any more. A next one is for at once,
  // but after one that did not serve long.
  void OnDown(handshake::LaneSlot slot, uint64_t now_us);
  // A lane for the slot could not be brought up: it is tried again later.
  void OnFailed(handshake::LaneSlot slot, uint64_t now_us);
  // Probe its lane at once.
  void Hint(handshake::LaneSlot slot, uint64_t now_us);
  // A RST came on the flow of its lane.
  void OnReset(handshake::LaneSlot slot, uint64_t now_us);
  // Probe all lanes at once.
  void HintAll(uint64_t now_us);
  // A probe on its lane was answered.
  void OnAnswer(handshake::LaneSlot slot, uint64_t now_us);
  // Our address has changed: every lane is to be replaced.
  void OnMoved();

  struct Change {
    handshake::LaneSlot slot;
    Liveness::State state;
  };
  // Probes what is due and returns what changed. Call it at next_tick_us().
  std::vector<Change> Tick(Session& session, const WorkerLink& link,
                           uint64_t now_us);
  uint64_t next_tick_us() const { return next_tick_us_; }

  // A slot whose lane is missing or in doubt and may be tried now.
  std::optional<handshake::LaneSlot> Wanted(uint64_t now_us) const;
  // When Wanted may have a new answer.
  uint64_t NextWanted() const;
  // A lane is up and answers.
  bool AnySound() const;

 private:
  void SpreadDoubt(uint64_t now_us);

  struct Slot {
    explicit Slot(RandomSource random) : backoff(random) {}
    bool Wants() const {
      return !liveness || moved || liveness->state() != Liveness::State::kAlive;
    }

    std::optional<Liveness> liveness;  // of its lane
    bool in_doubt = false;             // at the last tick
    bool moved = false;
    Backoff backoff;
    uint64_t up_since_us = 0;
    uint64_t try_at_us = 0;
  };

  // At most kMaxLanesPerPeer.
  uint8_t slot_count() const { return static_cast<uint8_t>(slots_.size()); }

  const RandomSource random_;
  std::vector<Slot> slots_;
  uint64_t next_tick_us_ = UINT64_MAX;
};

}  // namespace lwt::peer
