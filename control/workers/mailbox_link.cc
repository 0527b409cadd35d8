#include "control/workers/mailbox_link.h"

#include <algorithm>
#include <utility>

#include "dataplane/lane/sealing.h"

namespace lwt::peer {
void MailboxLink::Send(WorkerIndex worker, Command command) {
  workers_[worker.value]->mailbox().Send(std::move(command));
}

void MailboxLink::SendToAll(const CommandToAll& command) {
  std::visit(
      [this](const auto& each) {
        for (const auto& worker : workers_) worker->mailbox().Send(each);
      },
      command);
}

CommandMark MailboxLink::Mark() const {
  CommandMark mark{};
  for (size_t i = 0; i < workers_.size(); ++i) {
    mark.sent[i] = workers_[i]->mailbox().sent();
  }
  return mark;
}

bool MailboxLink::Passed(const CommandMark& mark) const {
  for (size_t i = 0; i < workers_.size(); ++i) {
    if (workers_[i]->mailbox().carried_out() < mark.sent[i]) return false;
  }
  return true;
}

void MailboxLink::Publish(std::unique_ptr<const Snapshot> snapshot) {
  const std::shared_ptr<const Snapshot> shared = std::move(snapshot);
  for (const auto& worker : workers_) worker->mailbox().Publish(shared);
}

LaneReading MailboxLink::ReadLane(LaneName lane) const {
  return workers_[lane.worker.value]->lane_counters(lane.index).Read();
}

bool MailboxLink::Opens(const OpeningKeys& keys,
                        std::span<const uint8_t> record) const {
  if (!aead_) return false;
  const auto half = std::make_unique<session::ReceiveHalf>();
  aead_->ExpandMaskKey(keys.mask, half->mask);
  for (const EpochKeys& epoch : keys.epochs) {
    auto& slot = half->At(session::EpochSlot::Of(epoch.epoch));
    slot.held = true;
    slot.epoch = epoch.epoch;
    std::copy_n(epoch.iv.data(), slot.iv.size(), slot.iv.begin());
    aead_->ExpandKey(epoch.key, slot.key);
  }
  std::vector<uint8_t> copy(record.begin(), record.end());
  return session::ProveRecord(*aead_, *half, copy);
}

}  // namespace lwt::peer
