// The way between two uplinks that take super-frames: what a kernel makes of
// frames there, and a link that loses some.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>
#include <random>
#include <vector>

#include "drivers/port.h"

namespace lwt::bench {

// Large buffers for merged frames, of a pool of the benchmarks' own.
rte_mempool* MergedFramePool();

class Carrier {
 public:
  // Of frames as they are on the wire, single ones, that share is lost.
  explicit Carrier(double loss = 0) : loss_(loss) {}

  // All frames that wait at `from` go to `to`: super-frames as merged frames,
  // checksums verified. Where segments were lost, what is left of a run is
  // merged on each side of the gap, as the kernel merges what follows on each
  // other.
  void Carry(Port& from, Port& to);
  uint64_t carried() const { return carried_; }  // frames that arrived
  uint64_t lost() const { return lost_; }

 private:
  using Bytes = std::vector<uint8_t>;

  void Push(rte_mbuf* frame, Port& to);
  void PushRun(const std::vector<Bytes>& run, uint16_t segment_size, Port& to);
  void CarryLossy(rte_mbuf* frame, Port& to);

  const double loss_;
  std::mt19937 random_{1};
  uint64_t carried_ = 0;
  uint64_t lost_ = 0;
};

}  // namespace lwt::bench
