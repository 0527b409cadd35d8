#include "control/handshake/rekey.h"

#include <algorithm>

namespace lwt::handshake {
namespace {

template <ControlBody M>
RekeyAction Say(const M& message, uint32_t epoch) {
  return {.kind = RekeyAction::Kind::kSend,
          .epoch = epoch,
          .type = M::kType,
          .body = message.Build()};
}

}  // namespace

Rekey::Rekey(RekeyRole role, const RekeyConfig& config, KeyPair roots,
             uint64_t now_us)
    : role_(role), config_(config), epoch_began_us_(now_us) {
  slots_[0].open = true;
  slots_[0].roots = std::move(roots);
}

void Rekey::Tick(uint64_t now_us, uint64_t records,
                 std::vector<RekeyAction>* actions) {
  for (Slot& slot : slots_) {
    if (slot.open && now_us >= slot.retire_us) Retire(slot, actions);
  }
  if (records >= kHardLimit) {
    actions->push_back({.kind = RekeyAction::Kind::kGiveUp});
    return;
  }
  if (pending_) return;
  const bool old = now_us - epoch_began_us_ >= config_.interval_us;
  if (role_ == RekeyRole::kInitiator &&
      (old || records >= config_.max_records)) {
    Begin(actions);
  } else if (role_ == RekeyRole::kResponder && records >= config_.max_records) {
    pending_ = true;
    actions->push_back(Say(RekeyRequest{}, send_epoch_ + 1));
  }
}

uint64_t Rekey::NextDeadline() const {
  uint64_t deadline = UINT64_MAX;
  if (role_ == RekeyRole::kInitiator && !pending_) {
    deadline = epoch_began_us_ + config_.interval_us;
  }
  for (const Slot& slot : slots_) {
    if (slot.open) deadline = std::min(deadline, slot.retire_us);
  }
  return deadline;
}

const KeyPair* Rekey::Roots(uint32_t epoch) const {
  const Slot& slot = slots_[epoch % kOpenEpochs];
  return slot.open && slot.epoch == epoch ? &slot.roots : nullptr;
}

std::vector<uint32_t> Rekey::OpenEpochs() const {
  std::vector<uint32_t> epochs;
  for (const Slot& slot : slots_) {
    if (slot.open) epochs.push_back(slot.epoch);
  }
  std::ranges::sort(epochs);
  return epochs;
}

void Rekey::Begin(std::vector<RekeyAction>* actions) {
  config_.random(ephemeral_.bytes());
  pending_ = true;
  const RekeyOffer offer{.epoch = send_epoch_ + 1,
                         .public_key = X25519Public(ephemeral_.bytes())};
  actions->push_back(Say(offer, offer.epoch));
}

bool Rekey::Receive(const RekeyRequest&, uint64_t,
                    std::vector<RekeyAction>* actions) {
  if (role_ != RekeyRole::kInitiator) return false;
  // A request that crossed our offer is answered by it.
  if (!pending_) Begin(actions);
  return true;
}

bool Rekey::Receive(const RekeyOffer& offer, uint64_t,
                    std::vector<RekeyAction>* actions) {
  if (role_ != RekeyRole::kResponder || offer.epoch != send_epoch_ + 1 ||
      Roots(offer.epoch) != nullptr) {
    return false;
  }
  WipedBytes<32> shared;
  config_.random(ephemeral_.bytes());
  if (!X25519(ephemeral_.bytes(), offer.public_key, shared.bytes())) {
    return false;
  }
  const RekeyAnswer answer{.epoch = offer.epoch,
                           .public_key = X25519Public(ephemeral_.bytes())};
  ephemeral_ = WipedBytes<32>();
  pending_ = true;
  Open(offer.epoch, shared.bytes(), actions);
  actions->push_back(Say(answer, answer.epoch));
  return true;
}

bool Rekey::Receive(const RekeyAnswer& answer, uint64_t now_us,
                    std::vector<RekeyAction>* actions) {
  WipedBytes<32> shared;
  if (role_ != RekeyRole::kInitiator || !pending_ ||
      answer.epoch != send_epoch_ + 1 ||
      !X25519(ephemeral_.bytes(), answer.public_key, shared.bytes())) {
    return false;
  }
  ephemeral_ = WipedBytes<32>();
  Open(answer.epoch, shared.bytes(), actions);
  Switch(answer.epoch, now_us, actions);
  actions->push_back(Say(RekeyDone{.epoch = answer.epoch}, answer.epoch));
  return true;
}

bool Rekey::Receive(const RekeyDone& done, uint64_t now_us,
                    std::vector<RekeyAction>* actions) {
  if (role_ != RekeyRole::kResponder || done.epoch != send_epoch_ + 1 ||
      Roots(done.epoch) == nullptr) {
    return false;
  }
  Switch(done.epoch, now_us, actions);
  return true;
}

void Rekey::Open(uint32_t epoch, KeySpan shared,
                 std::vector<RekeyAction>* actions) {
  KeyPair roots = DeriveNextRoots(*Roots(send_epoch_), shared, epoch);
  Slot& slot = slots_[epoch % kOpenEpochs];
  if (slot.open) Retire(slot, actions);
  slot.open = true;
  slot.epoch = epoch;
  slot.retire_us = UINT64_MAX;
  slot.roots = std::move(roots);
  actions->push_back(
      {.kind = RekeyAction::Kind::kInstallReceive, .epoch = epoch});
}

void Rekey::Switch(uint32_t epoch, uint64_t now_us,
                   std::vector<RekeyAction>* actions) {
  slots_[send_epoch_ % kOpenEpochs].retire_us = now_us + kGraceUs;
  send_epoch_ = epoch;
  epoch_began_us_ = now_us;
  pending_ = false;
  actions->push_back({.kind = RekeyAction::Kind::kSwitchSend, .epoch = epoch});
}

void Rekey::Retire(Slot& slot, std::vector<RekeyAction>* actions) {
  slot.open = false;
  slot.retire_us = UINT64_MAX;
  slot.roots.from_initiator.Wipe();
  slot.roots.from_responder.Wipe();
  actions->push_back({.kind = RekeyAction::Kind::kRetire, .epoch = slot.epoch});
}

}  // namespace lwt::handshake
