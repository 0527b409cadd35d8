#include "control/handshake/rekey.h"

#include <algorithm>

namespace lwt::handshake {

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
    actions->push_back({.kind = RekeyAction::Kind::kSend,
                        .epoch = send_epoch_ + 1,
                        .type = ControlType::kRekeyRequest});
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

bool Rekey::Receive(const ControlMessage& message, uint64_t now_us,
                    std::vector<RekeyAction>* actions) {
  const bool initiator = role_ == RekeyRole::kInitiator;
  if (message.type == ControlType::kRekeyRequest) {
    return initiator && message.body.empty() && OnRequest(actions);
  }
  if (message.type == ControlType::kRekeyDone) {
    const std::optional<uint32_t> epoch = ParseRekeyDone(message.body);
    return !initiator && epoch && OnDone(*epoch, now_us, actions);
  }
  const std::optional<RekeyShare> share = ParseRekeyShare(message.body);
  if (!share) return false;
  if (message.type == ControlType::kRekeyOffer) {
    return !initiator && OnOffer(*share, actions);
  }
  return message.type == ControlType::kRekeyAnswer && initiator &&
         OnAnswer(*share, now_us, actions);
}

void Rekey::Begin(std::vector<RekeyAction>* actions) {
  config_.random(ephemeral_.bytes());
  pending_ = true;
  const RekeyShare share{.epoch = send_epoch_ + 1,
                         .public_key = X25519Public(ephemeral_.bytes())};
  actions->push_back({.kind = RekeyAction::Kind::kSend,
                      .epoch = share.epoch,
                      .type = ControlType::kRekeyOffer,
                      .body = BuildRekeyShare(share)});
}

bool Rekey::OnRequest(std::vector<RekeyAction>* actions) {
  // A request that crossed our offer is answered by it.
  if (!pending_) Begin(actions);
  return true;
}

bool Rekey::OnOffer(const RekeyShare& share,
                    std::vector<RekeyAction>* actions) {
  if (share.epoch != send_epoch_ + 1 || Roots(share.epoch) != nullptr) {
    return false;
  }
  WipedBytes<32> shared;
  config_.random(ephemeral_.bytes());
  if (!X25519(ephemeral_.bytes(), share.public_key, shared.bytes())) {
    return false;
  }
  const RekeyShare answer{.epoch = share.epoch,
                          .public_key = X25519Public(ephemeral_.bytes())};
  ephemeral_ = WipedBytes<32>();
  pending_ = true;
  Open(share.epoch, shared.bytes(), actions);
  actions->push_back({.kind = RekeyAction::Kind::kSend,
                      .epoch = share.epoch,
                      .type = ControlType::kRekeyAnswer,
                      .body = BuildRekeyShare(answer)});
  return true;
}

bool Rekey::OnAnswer(const RekeyShare& share, uint64_t now_us,
                     std::vector<RekeyAction>* actions) {
  WipedBytes<32> shared;
  if (!pending_ || share.epoch != send_epoch_ + 1 ||
      !X25519(ephemeral_.bytes(), share.public_key, shared.bytes())) {
    return false;
  }
  ephemeral_ = WipedBytes<32>();
  Open(share.epoch, shared.bytes(), actions);
  Switch(share.epoch, now_us, actions);
  actions->push_back({.kind = RekeyAction::Kind::kSend,
                      .epoch = share.epoch,
                      .type = ControlType::kRekeyDone,
                      .body = BuildRekeyDone(share.epoch)});
  return true;
}

bool Rekey::OnDone(uint32_t epoch, uint64_t now_us,
                   std::vector<RekeyAction>* actions) {
  if (epoch != send_epoch_ + 1 || Roots(epoch) == nullptr) return false;
  Switch(epoch, now_us, actions);
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
