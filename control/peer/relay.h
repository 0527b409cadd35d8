// A visitor without the key, and the real service that he is to meet: the
// bytes between an outer flow and that service's connection.
//
// Sans-IO: the caller owns the connection. The flow's window keeps what the
// visitor sent within kWindow bytes. Control thread.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "control/peer/worker_link.h"
#include "dataplane/exchange/event.h"

namespace lwt::peer {

// Who takes in whom the hub turns away.
class VisitorDoor {
 public:
  virtual ~VisitorDoor() = default;
  // Takes over a flow and what came on it; pieces may overlap. False, with
  // nothing taken, when he cannot be served.
  virtual bool Take(FlowId flow, std::span<const PuntedStream> pieces,
                    uint64_t now_us) = 0;
};

class Relay {
 public:
  // More than the window of a flow that has proved nothing.
  static constexpr size_t kWindow = 128 * 1024;
  // Of the service's bytes in one command.
  static constexpr size_t kChunk = 16 * 1024;

  Relay(WorkerLink& link, FlowId flow);
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;
  // Ends the flow, unless it is gone already.
  ~Relay();

  // The visitor's side.
  void OnStream(const PuntedStream& stream);
  // The flow takes our bytes up to this stream offset.
  void OnRoom(uint64_t limit);
  // He will send nothing more.
  void OnEnded() { ended_ = true; }
  // His flow is gone.
  void OnFlowDown() { flow_up_ = false; }

  // The service's side: bytes for it in order, empty while there are none, and
  // how many of them it took.
  std::span<const uint8_t> ForService();
  void ServiceTook(size_t size);
  // All that the visitor sent was taken, and he will send nothing more.
  bool VisitorDone();
  // How many bytes of the service's the flow takes now.
  size_t Room() const;
  // At most Room() bytes.
  void FromService(std::span<const uint8_t> bytes);

  FlowId flow() const { return flow_; }
  bool flow_up() const { return flow_up_; }

 private:
  WorkerLink& link_;
  const FlowId flow_;
  bool flow_up_ = true;
  bool ended_ = false;
  // By stream offset; they may overlap.
  std::map<uint64_t, std::vector<uint8_t>> chunks_;
  size_t held_ = 0;
  uint64_t taken_ = 0;  // by the service
  uint64_t told_ = 0;   // to the worker
  uint64_t sent_ = 0;
  uint64_t limit_ = 0;
};

}  // namespace lwt::peer
