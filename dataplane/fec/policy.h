// Chooses a lane's code from what the peer reports of its losses
// (docs/protocol.md#how-much).
//
// One per lane; bytes and time in, parameters out. Worse is answered at the
// next report, better after half a minute. Loss that grows with our own load is
// a full link, on which parity is more load: then less is added, not more.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "dataplane/fec/parameters.h"

namespace lwt::fec {

enum class Mode : uint8_t { kOff, kFixed, kAuto };

struct Settings {
  Mode mode = Mode::kAuto;
  Parameters fixed;  // of kFixed; its stride is the policy's
  // What interleaving may add to the delay of a repair, 0 for no interleaving.
  uint64_t interleave_us = 20'000;
  friend bool operator==(const Settings&, const Settings&) = default;
};

// Sums since the lane began, as the peer's report has them.
struct Feedback {
  uint64_t numbers = 0;  // one more than the highest packet number seen
  uint64_t lost = 0;
  uint64_t bursts = 0;
  uint64_t unrepaired = 0;  // data shards that FEC did not give back
  // When the line was last full; what was lost then tells of the load alone.
  uint64_t full_us = 0;
  // The shortest round trip, 0 where none is known.
  uint64_t trip_us = 0;
  // Bytes of parities for each of data that the line has room for.
  double room = 1e9;
};

class Policy {
 public:
  static constexpr int kKnots = 4;
  // k and m at: below 1 %, 1 to 3 %, 3 to 10 %, above.
  static constexpr std::array<Parameters, kKnots> kTable = {
      {{20, 2, 1}, {10, 3, 1}, {10, 5, 1}, {8, 6, 1}}};
  static constexpr int kOffKnot = -1;
  // Below this, FEC is not worth its bytes.
  static constexpr double kWorthwhile = 1e-4;
  static constexpr double kMaxUnrepaired = 1e-5;
  static constexpr uint64_t kPatienceUs = 30'000'000;

  Policy() = default;
  explicit Policy(const Settings& settings) : settings_(settings) {}

  // Others from now on; what is known of the losses stays.
  void SetSettings(const Settings& settings) { settings_ = settings; }

  // A report of the peer.
  void OnReport(const Feedback& feedback, uint64_t now_us);
  // What all lanes to the peer lose together, 0 … 1, of use to one that has
  // sent too little recently to know itself. Forgotten after kBelievedUs.
  void OnPeerLoss(double loss, uint64_t now_us);
  static constexpr uint64_t kBelievedUs = 3'000'000;

  Parameters parameters() const;
  // Loss as last estimated, 0 … 1.
  double loss() const { return loss_; }
  bool congested(uint64_t now_us) const { return now_us < congested_until_us_; }

 private:
  // One interval between reports.
  struct Interval {
    double rate = 0;  // records a second
    double loss = 0;
  };
  static constexpr size_t kIntervals = 16;

  static bool WasFull(const Feedback& delta, uint64_t elapsed_us,
                      uint64_t now_us);
  void Estimate(const Feedback& delta, uint64_t elapsed_us);
  void CheckCongestion(const Interval& interval, uint64_t now_us);
  bool SeesFullLink() const;
  bool IsCareful(uint64_t now_us) const;
  double LossToMeet(uint64_t now_us) const;
  bool IsFailing(const Feedback& delta, uint64_t elapsed_us, uint64_t now_us);
  void MoveKnot(const Feedback& delta, uint64_t elapsed_us, uint64_t now_us);
  void ChooseStride();
  int EnoughKnot(uint64_t now_us) const;
  void FollowFull(bool full, uint64_t now_us);

  Settings settings_;
  Feedback last_;
  uint64_t last_us_ = 0;
  int knot_ = kOffKnot;         // by losses
  int most_knot_ = kKnots - 1;  // by the room on the line
  int full_knot_ = kKnots - 1;  // by how often it was full
  uint64_t full_stepped_us_ = 0;
  uint64_t full_us_ = 0;
  uint64_t stepped_us_ = 0;
  uint8_t stride_ = 1;
  double lost_weight_ = 0;  // decaying sums
  double seen_weight_ = 0;
  double bursts_weight_ = 0;
  double loss_ = 0;
  double peer_loss_ = 0;
  uint64_t peer_loss_until_us_ = 0;
  double burst_length_ = 1;
  double rate_ = 0;
  double excess_ = 0;  // shards unrepaired beyond their share
  uint64_t better_since_us_ = 0;
  uint64_t congested_until_us_ = 0;
  uint64_t congested_for_us_ = 0;
  std::array<Interval, kIntervals> history_{};
  size_t intervals_ = 0;
};

}  // namespace lwt::fec
