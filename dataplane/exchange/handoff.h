// The roads between workers: what one receives for a flow or a lane that
// another one has (docs/architecture.md#workers-and-lanes).
//
// For each pair and direction a ring of fixed size for frames of the uplink
// and one for inner packets. A call names the worker that makes it, and only
// that worker's thread makes it. Costs a look at each other worker's ring per
// loop.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "dataplane/burst.h"
#include "dataplane/exchange/mailbox.h"
#include "dataplane/exchange/spsc_ring.h"
#include "dataplane/names.h"

namespace lwt {

class Handoff {
 public:
  enum class Road : uint8_t {
    kFrames,   // as the uplink gave them, nothing looked at
    kPackets,  // inner packets whose peer is known, on their way out
  };
  static constexpr unsigned kSlots = 512;
  // Buffers of merged frames that wait on the roads from one worker, so that
  // one which is slow to take them does not hold all that there are.
  static constexpr uint32_t kMaxLarge = 24;

  // For workers 0 … count − 1. `name` is unique in the process and short. Null
  // when memory does not suffice.
  static std::unique_ptr<Handoff> Create(const std::string& name,
                                         uint32_t count);
  Handoff(const Handoff&) = delete;
  Handoff& operator=(const Handoff&) = delete;
  ~Handoff();  // frees what nobody took; no worker runs any more

  // Before the workers start: by which the worker is woken. Outlives the
  // workers' threads.
  void Attach(WorkerIndex worker, Mailbox* mailbox) {
    ends_[worker.value].mailbox = mailbox;
  }

  // Of worker `from`. With true `to` has the frame's reference. False when the
  // ring, or its share of large buffers, is full.
  [[nodiscard]] bool Give(Road road, WorkerIndex from, WorkerIndex to,
                          const Frame& frame);
  // Of worker `from`: wakes whom it gave something since the last call.
  void WakeReceivers(WorkerIndex from);

  // Of worker `to`: fills from the front, returns how many.
  size_t Take(Road road, WorkerIndex to, std::span<Frame> frames);
  bool HasFor(WorkerIndex to) const;

 private:
  // Of one worker.
  struct alignas(64) End {
    Mailbox* mailbox = nullptr;
    uint32_t given_to = 0;  // a bit for each, since the last WakeReceivers
    static_assert(kMaxWorkers <= 32);
    std::array<uint32_t, 2> next{};  // by road: who comes first at Take
  };

  // Of one road, from one worker to another.
  struct Ring {
    SpscRing<Frame> frames;
    // In large buffers: both ends count, and only where a frame is merged.
    alignas(64) std::atomic<uint32_t> large = 0;
  };

  explicit Handoff(uint32_t count);
  size_t RingOf(Road road, WorkerIndex from, WorkerIndex to) const {
    return (static_cast<size_t>(road) * count_ + to.value) * count_ +
           from.value;
  }

  const uint32_t count_;
  const uint32_t max_large_;  // of each ring
  std::vector<Ring> rings_;   // none from a worker to itself
  std::vector<End> ends_;
};

}  // namespace lwt
