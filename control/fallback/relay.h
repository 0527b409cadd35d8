// A prober without the key, and the real service that it is to meet: the
// bytes between an outer flow and that service's connection.
//
// Sans-IO: the caller owns the connection. What the prober sent is kept in one
// stretch of memory that grows to kWindow bytes, with kMaxRanges ranges of it
// that have come: no more, however it was cut. Control thread.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "control/workers/worker_link.h"
#include "dataplane/exchange/event.h"

namespace lwt::peer {

// Who takes in whom the hub turns away.
class ProberDoor {
 public:
  virtual ~ProberDoor() = default;
  // Takes over a flow from `remote` and what came on it; pieces may overlap.
  // False, with nothing taken, when it cannot be served.
  virtual bool Take(FlowId flow, const Endpoint& remote,
                    std::span<const PuntedStream> pieces, uint64_t now_us) = 0;
};

class Relay {
 public:
  // Twice the window of a flow that has proved nothing: so much it may have
  // sent before it was relayed, and so much after. A power of two.
  static constexpr size_t kWindow = 128 * 1024;
  // More than such a window has segments of a size that senders use.
  static constexpr size_t kMaxRanges = 64;
  // Of the service's bytes in one command.
  static constexpr size_t kChunk = 16 * 1024;

  Relay(WorkerLink& link, FlowId flow);
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;
  // Ends the flow, unless it is gone already.
  ~Relay();

  // The prober's side.
  void OnStream(const PuntedStream& stream);
  // The flow takes our bytes up to this stream offset.
  void OnRoom(uint64_t limit);
  // It will send nothing more.
  void OnEnded() { ended_ = true; }
  // Its flow is gone.
  void OnFlowDown() { flow_up_ = false; }

  // The service's side: bytes for it in order, empty while there are none, and
  // how many of them it took.
  std::span<const uint8_t> ForService();
  void ServiceTook(size_t size);
  // All that the prober sent was taken, and it will send nothing more.
  bool ProberDone();
  bool WaitsForService() { return !ForService().empty(); }
  // As much was sent as the prober lets us.
  bool WaitsForProber() const { return sent_ > 0 && Room() == 0; }
  // How many bytes of the service's the flow takes now.
  size_t Room() const;
  // At most Room() bytes.
  void FromService(std::span<const uint8_t> bytes);

  FlowId flow() const { return flow_; }
  bool flow_up() const { return flow_up_; }
  // Bytes were acknowledged that found no room here, which no honest sender
  // brings about: the stream cannot go on.
  bool broken() const { return broken_; }
  // What the prober makes us keep.
  size_t memory() const {
    return ring_.capacity() + ranges_.capacity() * sizeof(Range);
  }

 private:
  struct Range {
    uint64_t begin = 0;
    uint64_t end = 0;
  };

  void Keep(uint64_t offset, std::span<const uint8_t> bytes);
  bool Note(Range range);
  void Grow(size_t size);
  void Write(uint64_t offset, std::span<const uint8_t> bytes);

  WorkerLink& link_;
  const FlowId flow_;
  bool flow_up_ = true;
  bool ended_ = false;
  bool broken_ = false;
  // By stream offset modulo its size, which is a power of two.
  std::vector<uint8_t> ring_;
  std::vector<Range> ranges_;  // what has come from taken_ on; none touch
  uint64_t taken_ = 0;         // by the service
  uint64_t told_ = 0;          // to the worker
  uint64_t sent_ = 0;
  uint64_t limit_ = 0;
};

}  // namespace lwt::peer
