// Merges runs of inner packets into super-frames for a port that cuts them
// again (drivers/port.h): what a kernel's GRO does, on our side of the system
// call, where one call costs as much as all other work on a packet together.
//
// Packets of one flow merge when cutting the result gives them back: equal
// headers except for numbers that count on, equal sizes except for the last,
// and a right checksum, by word of the authenticated sender or by a look.
// Payload is not copied. No packet overtakes an earlier one of its flow.
//
// A local of Deliver or DeliverLan: no run outlives a burst.
#pragma once

#include <rte_mbuf.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "dataplane/burst.h"
#include "dataplane/stages/inside_batch.h"
#include "dataplane/wire/inner_transport.h"

namespace lwt {

class Coalescer {
 public:
  explicit Coalescer(Worker& worker, InsideBatch& batch)
      : worker_(worker), batch_(batch) {}
  Coalescer(const Coalescer&) = delete;
  Coalescer& operator=(const Coalescer&) = delete;
  ~Coalescer() { FlushAll(); }

  // Takes the frame's reference.
  void Push(const Frame& packet);

 private:
  // Flows that may be interleaved in a burst and still merge.
  static constexpr size_t kRuns = 8;

  // What a packet must share with the run it joins.
  struct Run {
    Frame first;                // while it is alone
    rte_mbuf* chain = nullptr;  // from the second packet on
    rte_mbuf* tail = nullptr;
    const uint8_t* header = nullptr;  // of the first packet
    wire::InnerTransport transport;
    uint32_t packets = 0;  // 0: the place is free
    uint32_t segment_size = 0;
    uint32_t payload = 0;  // of all
  };

  Run* FindFlow(const uint8_t* packet, const wire::InnerTransport& transport);
  Run& FreePlace();
  void Begin(const Frame& packet, const wire::InnerTransport& transport);
  [[nodiscard]] bool Append(Run& run, const Frame& packet);
  bool MakeChain(Run& run);
  void FinishChain(Run& run);
  void Flush(Run& run);
  void FlushAll();

  Worker& worker_;
  InsideBatch& batch_;
  std::array<Run, kRuns> runs_;
  size_t next_evicted_ = 0;
};

}  // namespace lwt
