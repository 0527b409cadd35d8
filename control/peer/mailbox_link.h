// WorkerLink over a running worker. Owned by the gateway, which also owns the
// worker.
#pragma once

#include "control/peer/worker_link.h"
#include "dataplane/worker.h"

namespace lwt::peer {

class MailboxLink : public WorkerLink {
 public:
  explicit MailboxLink(WorkerThread& worker) : worker_(worker) {}

  void Send(Command command) override;
  void Publish(std::unique_ptr<const Snapshot> snapshot) override;
  LaneReading ReadLane(uint32_t lane) const override;
  void FreeFrame(rte_mbuf* frame) override;

 private:
  WorkerThread& worker_;
};

}  // namespace lwt::peer
