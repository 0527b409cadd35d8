// What sessions see of the workers: commands out, readings in. The seam that
// lets tests join a client and a hub in memory, without packets.
//
// A command goes to one worker and names its lanes by that worker's indices; a
// flow's name tells its worker.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "control/workers/names.h"
#include "dataplane/exchange/command.h"
#include "dataplane/exchange/counters.h"
#include "dataplane/exchange/snapshot.h"

namespace lwt::peer {

// What a lane opens records with.
struct OpeningKeys {
  std::vector<EpochKeys> epochs;  // all that are open
  MaskSecret mask{};
};

// A point in what the workers were sent.
struct CommandMark {
  std::array<uint64_t, kMaxWorkers> sent{};  // by worker
  uint64_t held = 0;                         // OrderedLink's
};

// Control thread.
class WorkerLink {
 public:
  virtual ~WorkerLink() = default;
  // A worker carries its commands out in order; among workers there is none.
  virtual void Send(WorkerIndex worker, Command command) = 0;
  virtual void SendToAll(const CommandToAll& command) = 0;
  // Of a flow: to the worker that has it.
  template <typename OfFlow>
  requires requires(const OfFlow& command) { command.flow.worker(); }
  void Send(OfFlow command) {
    const WorkerIndex worker = command.flow.worker();
    Send(worker, Command(std::move(command)));
  }
  // All that was sent until now, and whether it has been carried out.
  virtual CommandMark Mark() const = 0;
  virtual bool Passed(const CommandMark& mark) const = 0;
  virtual void Publish(std::unique_ptr<const Snapshot> snapshot) = 0;
  virtual LaneReading ReadLane(LaneName lane) const = 0;
  // Whether a lane with these keys would open the record, which is whole. No
  // lane is needed for it, and nothing changes.
  virtual bool Opens(const OpeningKeys& keys,
                     std::span<const uint8_t> record) const = 0;
};

}  // namespace lwt::peer
