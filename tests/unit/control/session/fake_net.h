// The workers of two gateways joined in memory, for tests of sessions: flows,
// stream bytes and sealed records travel between them with a delay, in fake
// time. Records open only with the very keys that they were sealed with.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "control/workers/worker_link.h"
#include "dataplane/exchange/event.h"

namespace lwt::peer {

class FakeNet;

// With the worker that has it to say; an event of a flow tells it by the flow.
struct FakeEvent : Event {
  FakeEvent(const Event& event) : Event(event), worker(flow.worker()) {}
  FakeEvent(LaneName of, const Event& event) : Event(event), worker(of.worker) {
    lane = of.index;
  }

  WorkerIndex worker;
};
struct FakeRecord {
  WorkerIndex worker;
  PuntedRecord record;
};

class FakeWorker : public WorkerLink {
 public:
  struct Flow {
    FakeWorker* to = nullptr;  // the other side's worker
    FlowId other;
    Endpoint local;
    Endpoint remote;
    uint64_t sent = 0;  // stream bytes
    LaneName lane = LaneName::kNone;
  };
  struct Lane {
    FlowId flow;
    PeerIndex peer{0};
    EpochKeys send;
    std::map<uint32_t, EpochKeys> receive;
    MaskSecret send_mask;
    MaskSecret receive_mask;
    LaneReading reading;
    double told_loss = 0;
    PeerTuning tuning;
  };

  explicit FakeWorker(FakeNet& net) : net_(net) {}

  using WorkerLink::Send;
  void Send(WorkerIndex worker, Command command) override;
  void SendToAll(const CommandToAll&) override {}
  void Publish(std::unique_ptr<const Snapshot> snapshot) override {
    published = std::move(snapshot);
  }
  CommandMark Mark() const override { return {}; }
  bool Passed(const CommandMark&) const override { return passed; }
  LaneReading ReadLane(LaneName lane) const override;
  bool Opens(const OpeningKeys& keys,
             std::span<const uint8_t> record) const override;

  // Seals one inner packet for `peer` on the lane of a worker; false when that
  // has none.
  bool SendData(uint32_t peer = 0, uint32_t worker = 0);
  // What arrives from the net.
  void Arrive(FlowId flow, const std::vector<uint8_t>& bytes, uint64_t offset);
  void ArriveRecord(FlowId flow, const std::vector<uint8_t>& bytes,
                    uint64_t offset);
  void Punt(FlowId flow, const std::vector<uint8_t>& bytes, uint64_t offset);
  // The flow of a lane takes segments of another size now.
  void TakePath(LaneName lane, uint64_t payload);
  // The worker is gone: its flows say nothing any more.
  void Crash();

  FakeWorker* hub = nullptr;  // where Connect leads
  std::function<void(const Command&)> on_send;
  std::map<uint64_t, Flow> flows;
  std::map<LaneName, Lane> lanes;
  std::unique_ptr<const Snapshot> published;
  std::deque<FakeEvent> events;
  std::deque<PuntedStream> streams;
  std::deque<FakeRecord> records;
  bool listening = false;
  uint32_t workers = 1;  // SYNs come to the one that the ports tell
  bool passed = true;    // commands are carried out at once by all workers
  uint64_t data_received = 0;
  uint64_t bad_tags = 0;
  uint32_t next_flow = 1;
  size_t cut = SIZE_MAX;  // stream bytes are punted in pieces of this size
  bool reverse = false;   // ... the last one first

 private:
  void Run(const ConnectCommand& command);
  void Run(const SendStreamCommand& command);
  void Run(const SpliceCommand&) {}
  void Run(const ConsumeCommand&) {}
  void Run(const CloseFlowCommand& command) { End(command.flow, true); }
  void Run(const ReleaseFlowCommand& command) { End(command.flow, false); }
  void Run(const SetLinkCommand&) {}
  void Run(const SwapUplinkCommand&) {}
  void Run(const TuneCommand&) {}
  void Run(const TuneLaneCommand& command) {
    lanes.at(Named(command.lane)).tuning = command.tuning;
  }
  void Run(const SetLinkMtuCommand&) {}
  void Run(const TooBigCommand&) {}
  void Run(const ListenCommand&) {}
  void Run(const InstallLaneCommand& command);
  void Run(const RemoveLaneCommand& command);
  void Run(const InstallReceiveEpochCommand& command);
  void Run(const SwitchSendEpochCommand& command);
  void Run(const RetireReceiveEpochCommand& command);
  void Run(const SendRecordCommand& command);
  void Run(const ProbeLaneCommand& command);
  void Run(const TellLossCommand& command) {
    lanes.at(Named(command.lane)).told_loss = command.loss;
  }
  void Run(const ReinjectCommand& command);
  void End(FlowId flow, bool fin);
  void SealAndSend(LaneName lane, uint8_t kind, std::vector<uint8_t> bytes);
  LaneName Named(LaneIndex index) const { return {running_, index}; }

  FakeNet& net_;
  WorkerIndex running_;  // whose command is carried out
};

class FakeNet {
 public:
  static constexpr uint64_t kDelayUs = 10'000;

  void At(uint64_t when_us, std::function<void()> action) {
    queue_.emplace(when_us, std::move(action));
  }
  // Carries something on the flow of `local`, unless its path is dead.
  void Carry(const Endpoint& local, const Endpoint& remote,
             std::function<void()> action) {
    if (!Works(local) || !Works(remote)) return;
    const uint64_t more_us = slow_port == local.port ? slow_us : 0;
    At(now_us + kDelayUs + more_us,
       [this, local, remote, action = std::move(action)] {
         if (Works(local) && Works(remote)) action();
       });
  }
  bool Works(const Endpoint& end) const {
    return path_up && !dead_ports.contains(end.port) &&
           end.address != dead_address;
  }
  uint64_t next_us() const {
    return queue_.empty() ? UINT64_MAX : queue_.begin()->first;
  }
  void RunDue() {
    while (!queue_.empty() && queue_.begin()->first <= now_us) {
      auto action = std::move(queue_.begin()->second);
      queue_.erase(queue_.begin());
      action();
    }
  }

  // Somebody on the path who sees every stream byte when it is sent.
  using Tap = std::function<void(const Endpoint& from, const Endpoint& to,
                                 const std::vector<uint8_t>& bytes)>;

  uint64_t now_us = 1'000'000;
  Tap tap;
  bool path_up = true;
  std::set<uint16_t> dead_ports;
  std::optional<IpAddress> dead_address;  // swallows everything
  uint16_t slow_port = 0;  // what leaves from it takes kDelayUs and this:
  uint64_t slow_us = 0;

 private:
  std::multimap<uint64_t, std::function<void()>> queue_;
};

}  // namespace lwt::peer
