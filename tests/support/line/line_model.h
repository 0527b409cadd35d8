// One direction of a line in fake time: a rate, a queue in bytes that drops at
// its tail, a delay, and losses by chance. Neither I/O nor a clock of its own;
// the same for the same seed. What it carries is told by a number.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <random>

#include "tests/support/bad_link/loss_process.h"

namespace lwt::testing {

struct LineOptions {
  uint64_t rate_bps = 0;     // 0: no limit, and no queue
  uint64_t queue_bytes = 0;  // that wait, beside the packet being sent
  uint64_t delay_us = 0;
  double loss = 0;
  uint64_t seed = 1;
};

class LineModel {
 public:
  struct Packet {
    uint64_t number = 0;
    uint32_t bytes = 0;
  };
  struct Counts {
    uint64_t offered = 0;
    uint64_t offered_bytes = 0;
    uint64_t carried_bytes = 0;
    uint64_t dropped = 0;  // at the tail of the queue
    uint64_t lost = 0;     // by chance
  };

  explicit LineModel(const LineOptions& options)
      : options_(options),
        losses_(options.loss, 0),
        random_(options.seed * 2 + 1) {}

  // False where the packet is lost. Time never goes back between calls.
  bool Offer(const Packet& packet, uint64_t now_us);
  // The next packet that has arrived by now.
  std::optional<Packet> Take(uint64_t now_us);
  // UINT64_MAX where the line is empty.
  uint64_t NextArrival() const {
    return under_way_.empty() ? UINT64_MAX : under_way_.front().arrival_us;
  }

  uint64_t queued_bytes(uint64_t now_us) const;
  const Counts& counts() const { return counts_; }
  const LineOptions& options() const { return options_; }
  void SetLoss(double loss) { losses_ = bad_link::LossProcess(loss, 0); }
  void SetRate(uint64_t rate_bps) { options_.rate_bps = rate_bps; }

 private:
  struct UnderWay {
    uint64_t arrival_us = 0;
    Packet packet;
  };

  LineOptions options_;
  bad_link::LossProcess losses_;
  std::mt19937_64 random_;
  std::deque<UnderWay> under_way_;
  double free_at_us_ = 0;  // when all that was taken is on the line
  Counts counts_;
};

}  // namespace lwt::testing
