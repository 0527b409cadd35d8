// WorkerLink over running workers. Owned by the gateway, which also owns the
// workers.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "control/peer/worker_link.h"
#include "dataplane/worker.h"
#include "drivers/aead.h"

namespace lwt::peer {

class MailboxLink : public WorkerLink {
 public:
  explicit MailboxLink(std::span<const std::unique_ptr<WorkerThread>> workers)
      : workers_(workers), aead_(Aead::Create()) {}

  void Send(Command command) override;
  CommandMark Mark() const override;
  bool Passed(const CommandMark& mark) const override;
  void Publish(std::unique_ptr<const Snapshot> snapshot) override;
  LaneReading ReadLane(uint32_t lane) const override;
  bool Opens(const OpeningKeys& keys,
             std::span<const uint8_t> record) const override;

  // What a worker has to say, its lanes by their names.
  bool PollEvent(uint32_t worker, Event& event);
  bool PollStream(uint32_t worker, PuntedStream& stream);
  bool PollRecord(uint32_t worker, PuntedRecord& record);

 private:
  const std::span<const std::unique_ptr<WorkerThread>> workers_;
  const std::optional<Aead> aead_;  // the workers have one, so there is one
};

}  // namespace lwt::peer
