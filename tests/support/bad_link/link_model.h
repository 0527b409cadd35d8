// One direction of a bad link: decides for each frame whether and when it
// arrives. No I/O and no clock of its own: time goes in with each call, so that
// a test sees a second in no time. One thread.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <queue>
#include <random>
#include <vector>

#include "tests/support/bad_link/loss_process.h"

namespace lwt::bad_link {

struct LinkOptions {
  uint64_t delay_us = 0;
  uint64_t jitter_us = 0;  // added to the delay, uniform from 0 to this
  double loss = 0;         // probabilities, 0 … 1, of each frame
  double burst = 0;        // mean run of lost frames; 0: independent losses
  double corrupt = 0;      // one bit behind the link header turns
  double duplicate = 0;
  double reorder = 0;
  // How much longer a reordered frame takes; frames behind it pass it.
  uint64_t reorder_us = 1000;
  uint64_t rate_bps = 0;          // bits a second, 0 for no limit
  size_t queue_frames = 100'000;  // more in flight than this are lost
  uint64_t seed = 1;
};

struct LinkCounts {
  uint64_t offered = 0;
  uint64_t delivered = 0;  // duplicates included
  uint64_t lost = 0;
  uint64_t duplicated = 0;
  uint64_t corrupted = 0;
  uint64_t reordered = 0;
  uint64_t overflowed = 0;
  size_t largest = 0;  // frame offered, its virtio-net header not counted
};

using Frame = std::vector<uint8_t>;

class LinkModel {
 public:
  explicit LinkModel(const LinkOptions& options);

  // A frame enters the link. Time never goes back between calls.
  void Offer(uint64_t now_us, Frame frame);

  // The next frame that has arrived by `now_us`, oldest arrival first; nullopt
  // when there is none.
  std::optional<Frame> Take(uint64_t now_us);

  // When Take has something next; nullopt when the link is empty.
  std::optional<uint64_t> NextArrival() const;

  const LinkCounts& counts() const { return counts_; }

 private:
  struct InFlight {
    uint64_t arrival_us;
    uint64_t order;  // of entering: ties arrive in it
    Frame frame;
    bool operator>(const InFlight& other) const {
      return arrival_us != other.arrival_us ? arrival_us > other.arrival_us
                                            : order > other.order;
    }
  };

  bool Chance(double probability);
  void Corrupt(Frame& frame);
  uint64_t SerializedUs(uint64_t now_us, size_t size);
  void Push(uint64_t arrival_us, bool late, Frame frame);
  size_t in_flight() const { return in_order_.size() + late_.size(); }
  // The next one to arrive is among those out of their turn.
  bool LateIsNext() const;

  const LinkOptions options_;
  std::mt19937_64 random_;
  std::deque<InFlight> in_order_;
  // Those that others pass.
  std::priority_queue<InFlight, std::vector<InFlight>, std::greater<>> late_;
  LossProcess losses_;
  uint64_t next_order_ = 0;
  double free_at_us_ = 0;  // when a link of limited rate has sent what it has
  // Jitter alone does not reorder: no frame arrives before this.
  uint64_t last_arrival_us_ = 0;
  LinkCounts counts_;
};

}  // namespace lwt::bad_link
