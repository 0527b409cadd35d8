// A road to the workers on which commands of a flow can wait for the next
// snapshot, in order: a peer's packets are to be routed and vouched for before
// its flow carries any.
//
// All else goes on at once. Owned by the gateway. Control thread.
#pragma once

#include <unordered_set>
#include <vector>

#include "control/workers/worker_link.h"

namespace lwt::peer {

class OrderedLink final : public WorkerLink {
 public:
  explicit OrderedLink(WorkerLink& inner) : inner_(inner) {}

  // Until the next Publish commands for this flow wait, and those for a lane
  // that is made on it meanwhile.
  void Hold(FlowId flow) { flows_.insert(flow.value); }
  // The same of one command, whose flow has no name yet.
  void SendHeld(WorkerIndex worker, Command command);

  using WorkerLink::Send;
  void Send(WorkerIndex worker, Command command) override;
  void SendToAll(const CommandToAll& command) override {
    inner_.SendToAll(command);
  }
  CommandMark Mark() const override;
  bool Passed(const CommandMark& mark) const override;
  void Publish(std::unique_ptr<const Snapshot> snapshot) override;
  LaneReading ReadLane(LaneName lane) const override {
    return inner_.ReadLane(lane);
  }
  bool Opens(const OpeningKeys& keys,
             std::span<const uint8_t> record) const override {
    return inner_.Opens(keys, record);
  }

  size_t held() const { return held_.size(); }

 private:
  struct Held {
    WorkerIndex worker;
    Command command;
  };

  bool IsHeld(WorkerIndex worker, const Command& command);

  WorkerLink& inner_;
  std::unordered_set<uint64_t> flows_;
  std::unordered_set<LaneName> lanes_;
  std::vector<Held> held_;
  uint64_t ever_held_ = 0;
  CommandMark released_{};  // behind the last that were held and went on
};

}  // namespace lwt::peer
