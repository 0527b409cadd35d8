// A TCP connection as its congestion control sees it, in segments and fake
// time: a sender with CUBIC (RFC 9438), HyStart (RFC 9406), RACK (RFC 8985),
// proportional rate reduction (RFC 6937), a tail-loss probe, and the undoing of
// a reduction by D-SACK (RFC 3708) and by timestamps (Eifel, RFC 3522, 4015) as
// Linux does it; a receiver with delayed ACKs, SACK, D-SACK and the echo of
// congestion marks. There is always more to send.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace lwt::testing {

struct TcpSegment {
  uint64_t number = 0;
  uint64_t stamp_us = 0;
  bool marked = false;  // CE
};

struct TcpAck {
  uint64_t next = 0;  // all below arrived
  uint64_t echo_us = 0;
  std::vector<std::pair<uint64_t, uint64_t>> ranges;  // above it
  std::optional<uint64_t> duplicate;
  bool marked = false;
};

class TcpReceiver {
 public:
  // An ACK where one is due at once.
  std::optional<TcpAck> Take(const TcpSegment& segment, uint64_t now_us);
  std::optional<TcpAck> OnTimer(uint64_t now_us);
  uint64_t NextDeadline() const { return ack_at_us_; }
  uint64_t next() const { return next_; }

 private:
  static constexpr size_t kRanges = 8;

  TcpAck MakeAck();
  bool Insert(uint64_t number);

  uint64_t next_ = 0;
  std::map<uint64_t, uint64_t> ranges_;  // begin, end
  uint64_t newest_ = 0;
  uint64_t echo_us_ = 0;
  uint64_t ack_at_us_ = UINT64_MAX;
  uint32_t owed_ = 0;
  uint32_t quick_ = 16;
  bool marked_ = false;
  std::optional<uint64_t> duplicate_;
};

class CubicSender {
 public:
  struct Options {
    bool timestamps = true;
    bool ecn = false;
    uint64_t most = UINT64_MAX;  // the receiver's window, in segments
  };

  explicit CubicSender(const Options& options) : options_(options) {}

  void OnAck(const TcpAck& ack, uint64_t now_us);
  void OnTimer(uint64_t now_us);
  uint64_t NextDeadline() const;
  // The next segment to send now.
  std::optional<TcpSegment> Next(uint64_t now_us);

  double window() const { return window_; }
  uint64_t acked() const { return una_; }
  uint64_t repairs() const { return repairs_; }
  uint64_t undone() const { return undone_; }
  uint64_t reductions() const { return reductions_; }
  uint64_t timeouts() const { return timeouts_; }

 private:
  enum class State : uint8_t { kOpen, kRecovery, kLoss };
  struct Sent {
    uint64_t sent_us = 0;
    bool sacked = false;
    bool lost = false;
    bool repaired = false;  // a copy of the last repair is under way
    bool ever_repaired = false;
  };

  Sent& At(uint64_t number) { return sent_[number - una_]; }
  uint64_t NextNumber() const { return una_ + sent_.size(); }
  void Deliver(uint64_t number, uint64_t now_us);
  void Unpipe(const Sent& sent);
  void MarkLost(Sent& sent);
  void DetectLosses(uint64_t now_us);
  void EnterRecovery();
  void Reduce();
  void Undo();
  void TryUndo(const TcpAck& ack, bool advanced);
  void Grow(uint64_t delivered, uint64_t now_us);
  void GrowCubic(double delivered, uint64_t now_us);
  void Measure(uint64_t rtt_us);
  void HyStart(uint64_t rtt_us);
  void ReduceProportionally(uint64_t delivered);
  void Rearm(uint64_t now_us);

  const Options options_;
  std::deque<Sent> sent_;  // from una_ on
  uint64_t una_ = 0;
  State state_ = State::kOpen;
  double window_ = 10;
  double threshold_ = 1e12;
  double pipe_ = 0;
  uint64_t sacked_ = 0;
  uint64_t lost_to_send_ = 0;
  uint64_t recovery_end_ = 0;

  double most_ = 0;  // CUBIC's W_max
  double origin_ = 0;
  double k_s_ = 0;
  uint64_t epoch_us_ = 0;
  double friendly_ = 0;

  double prr_delivered_ = 0;
  double prr_out_ = 0;
  double prr_prior_ = 1;

  bool may_undo_ = false;
  double prior_window_ = 0;
  double prior_threshold_ = 0;
  int64_t undo_repairs_ = 0;
  uint64_t repair_stamp_us_ = 0;  // of the first repair
  uint64_t repairs_out_ = 0;

  uint64_t rack_us_ = 0;  // of what was delivered, the latest sending
  uint64_t rack_rtt_us_ = 0;
  bool reordering_ = false;
  uint64_t highest_sacked_ = 0;
  uint64_t rack_at_us_ = UINT64_MAX;

  uint64_t srtt_us_ = 0;
  uint64_t rttvar_us_ = 0;
  uint64_t min_rtt_us_ = UINT64_MAX;
  uint64_t rto_us_ = 1'000'000;
  uint64_t rto_at_us_ = UINT64_MAX;
  uint64_t probe_at_us_ = UINT64_MAX;
  bool probe_now_ = false;
  uint32_t backoff_ = 0;

  uint64_t round_end_ = 0;
  uint64_t round_least_us_ = UINT64_MAX;
  uint64_t round_before_us_ = UINT64_MAX;
  uint32_t round_samples_ = 0;

  uint64_t limited_until_ = 0;  // sent when the window was used up
  uint64_t marked_until_ = 0;
  uint64_t repairs_ = 0;
  uint64_t undone_ = 0;
  uint64_t reductions_ = 0;
  uint64_t timeouts_ = 0;
};

}  // namespace lwt::testing
