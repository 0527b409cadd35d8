// WorkerLink over running workers. Owned by the gateway, which also owns the
// workers.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "control/workers/worker_link.h"
#include "dataplane/worker.h"
#include "drivers/aead.h"

namespace lwt::peer {

class MailboxLink : public WorkerLink {
 public:
  explicit MailboxLink(std::span<const std::unique_ptr<WorkerThread>> workers)
      : workers_(workers), aead_(Aead::Create()) {}

  using WorkerLink::Send;
  void Send(WorkerIndex worker, Command command) override;
  void SendToAll(const CommandToAll& command) override;
  CommandMark Mark() const override;
  bool Passed(const CommandMark& mark) const override;
  void Publish(std::unique_ptr<const Snapshot> snapshot) override;
  LaneReading ReadLane(LaneName lane) const override;
  bool Opens(const OpeningKeys& keys,
             std::span<const uint8_t> record) const override;

 private:
  const std::span<const std::unique_ptr<WorkerThread>> workers_;
  const std::optional<Aead> aead_;  // the workers have one, so there is one
};

}  // namespace lwt::peer
