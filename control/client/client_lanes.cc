#include "control/client/client_lanes.h"

#include <algorithm>

namespace lwt::peer {
namespace {

// A lane that served this long makes back-off begin at 1 s again.
constexpr uint64_t kGoodServiceUs = 10'000'000;

}  // namespace

void ClientLanes::Begin(uint32_t slots) {
  slots_.assign(slots, Slot(random_));
  next_tick_us_ = UINT64_MAX;
}

void ClientLanes::OnUp(handshake::LaneSlot slot, uint64_t now_us) {
  Slot& up = slots_[slot.value];
  up.liveness.emplace(random_, now_us);
  up.moved = false;
  up.up_since_us = now_us;
  next_tick_us_ = std::min(next_tick_us_, now_us + Liveness::kTickUs);
}

void ClientLanes::OnDown(handshake::LaneSlot slot, uint64_t now_us) {
  Slot& down = slots_[slot.value];
  down.liveness.reset();
  if (now_us - down.up_since_us >= kGoodServiceUs) {
    down.backoff.Reset();
  } else {
    OnFailed(slot, now_us);
  }
}

void ClientLanes::OnFailed(handshake::LaneSlot slot, uint64_t now_us) {
  slots_[slot.value].try_at_us = now_us + slots_[slot.value].backoff.NextUs();
}

void ClientLanes::Hint(handshake::LaneSlot slot, uint64_t now_us) {
  if (slot.value >= slots_.size() || !slots_[slot.value].liveness) return;
  slots_[slot.value].liveness->Hint(now_us);
  next_tick_us_ = now_us;
}

void ClientLanes::OnReset(handshake::LaneSlot slot, uint64_t now_us) {
  if (slot.value >= slots_.size() || !slots_[slot.value].liveness) return;
  slots_[slot.value].liveness->OnReset(now_us);
  next_tick_us_ = now_us;
}

void ClientLanes::HintAll(uint64_t now_us) {
  for (uint8_t i = 0; i < slot_count(); ++i) Hint({i}, now_us);
}

void ClientLanes::OnAnswer(handshake::LaneSlot slot, uint64_t now_us) {
  if (slot.value >= slots_.size() || !slots_[slot.value].liveness) return;
  slots_[slot.value].liveness->OnAnswer();
  next_tick_us_ = now_us;
}

void ClientLanes::OnMoved() {
  for (Slot& slot : slots_) slot.moved = true;
}

std::vector<ClientLanes::Change> ClientLanes::Tick(Session& session,
                                                   const WorkerLink& link,
                                                   uint64_t now_us) {
  std::vector<Change> changes;
  next_tick_us_ = UINT64_MAX;
  for (uint8_t i = 0; i < slot_count(); ++i) {
    Slot& slot = slots_[i];
    const SessionLane* lane = session.LaneOfSlot({i});
    if (!slot.liveness || lane == nullptr) continue;
    LaneReading reading = link.ReadLane(lane->name);
    reading.last_rx_us = std::max(reading.last_rx_us, lane->installed_us);
    const Liveness::State before = slot.liveness->state();
    if (slot.liveness->Tick(reading, now_us)) session.Probe(lane->name);
    const Liveness::State after = slot.liveness->state();
    if (after != before) changes.push_back({{i}, after});
    if (after != before && now_us - slot.up_since_us >= kGoodServiceUs) {
      slot.backoff.Reset();
    }
    next_tick_us_ = std::min(next_tick_us_, slot.liveness->NextTick(now_us));
  }
  SpreadDoubt(now_us);
  return changes;
}

// What ends one lane mostly ends all. They prove themselves side by side, so
// that several are not found dead one after the other.
void ClientLanes::SpreadDoubt(uint64_t now_us) {
  bool fresh = false;
  for (Slot& slot : slots_) {
    const bool before = slot.in_doubt;
    slot.in_doubt = slot.liveness && slot.liveness->in_doubt();
    fresh = fresh || (slot.in_doubt && !before);
  }
  if (!fresh) return;
  for (uint8_t i = 0; i < slot_count(); ++i) {
    if (!slots_[i].in_doubt) Hint({i}, now_us);
  }
}

std::optional<handshake::LaneSlot> ClientLanes::Wanted(uint64_t now_us) const {
  for (uint8_t i = 0; i < slot_count(); ++i) {
    if (slots_[i].Wants() && slots_[i].try_at_us <= now_us) {
      return handshake::LaneSlot{i};
    }
  }
  return std::nullopt;
}

uint64_t ClientLanes::NextWanted() const {
  uint64_t next = UINT64_MAX;
  for (const Slot& slot : slots_) {
    if (slot.Wants()) next = std::min(next, slot.try_at_us);
  }
  return next;
}

bool ClientLanes::AnySound() const {
  return std::any_of(slots_.begin(), slots_.end(),
                     [](const Slot& slot) { return !slot.Wants(); });
}

}  // namespace lwt::peer
