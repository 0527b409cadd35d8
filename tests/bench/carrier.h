// The way between two uplinks that take super-frames: what a kernel makes of
// frames there, and a link that loses some.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>
#include <deque>
#include <random>
#include <vector>

#include "drivers/port.h"

namespace lwt::bench {

// Large buffers for merged frames, of a pool of the benchmarks' own.
rte_mempool* MergedFramePool();

class Carrier {
 public:
  // Of frames as they are on the wire, single ones, a share of `loss` is lost.
  // What arrives does so `delay` calls of Carry later.
  explicit Carrier(double loss = 0, uint64_t delay = 0)
      : loss_(loss), delay_(delay) {}
  ~Carrier();
  Carrier(const Carrier&) = delete;
  Carrier& operator=(const Carrier&) = delete;

  // All frames that wait at `from` go to `to`: super-frames as merged frames,
  // checksums verified. Where segments were lost, what is left of a run is
  // merged on each side of the gap, as the kernel merges what follows on each
  // other.
  void Carry(Port& from, Port& to);
  uint64_t carried() const { return carried_; }  // frames that arrived
  uint64_t lost() const { return lost_; }

 private:
  using Bytes = std::vector<uint8_t>;

  struct Waiting {
    uint64_t due;
    rte_mbuf* frame;
  };

  void Push(rte_mbuf* frame);
  void PushRun(const std::vector<Bytes>& run, uint16_t segment_size);
  void PushLossy(rte_mbuf* frame);

  const double loss_;
  const uint64_t delay_;
  uint64_t now_ = 0;  // calls of Carry
  std::deque<Waiting> waiting_;
  std::mt19937 random_{1};
  uint64_t carried_ = 0;
  uint64_t lost_ = 0;
};

}  // namespace lwt::bench
