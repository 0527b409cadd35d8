// A worker that only writes down what control asks of it.
#pragma once

#include <span>
#include <vector>

#include "control/workers/worker_link.h"
#include "dataplane/exchange/event.h"

namespace lwt::peer {

class RecordingLink : public WorkerLink {
 public:
  using WorkerLink::Send;
  void Send(WorkerIndex, Command command) override {
    commands.push_back(std::move(command));
  }
  void SendToAll(const CommandToAll& command) override {
    std::visit([this](const auto& each) { commands.push_back(each); }, command);
  }
  void Publish(std::unique_ptr<const Snapshot>) override {}
  CommandMark Mark() const override { return {}; }
  bool Passed(const CommandMark&) const override { return true; }
  LaneReading ReadLane(LaneName) const override { return {}; }
  bool Opens(const OpeningKeys&, std::span<const uint8_t>) const override {
    return false;
  }

  static PuntedStream Punt(FlowId flow, std::span<const uint8_t> bytes,
                           uint64_t offset) {
    return {flow, offset, {bytes.begin(), bytes.end()}};
  }

  template <typename T>
  std::vector<T> Sent() const {
    std::vector<T> found;
    for (const Command& command : commands) {
      if (const T* one = std::get_if<T>(&command)) found.push_back(*one);
    }
    return found;
  }

  std::vector<Command> commands;
};

}  // namespace lwt::peer
