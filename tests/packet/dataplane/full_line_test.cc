// What a tunnel does on a line that is full: it costs those inside no more than
// its headers, those beside it nothing, and sends little again. In fake time,
// with the same flows on the bare line as the control.
#include <algorithm>
#include <cmath>
#include <vector>

#include "tests/support/line/line_run.h"

namespace lwt::testing {
namespace {

constexpr uint64_t kSecond = 1'000'000;
// Wire bytes of a packet of TcpFlow beside those of its record.
constexpr double kBareBytes = 1414;
constexpr double kRecordBytes = 1505;

struct Line {
  uint64_t mbit = 10;
  double queue = 1;  // of a bandwidth-delay product, 10 packets at least
  uint64_t trip_ms = 40;
  double loss = 0;
  uint64_t seed = 1;

  uint64_t product() const { return mbit * trip_ms * 1000 / 8; }
  LineOptions Model() const {
    const auto bytes =
        static_cast<uint64_t>(queue * static_cast<double>(product()));
    return {.rate_bps = mbit * 1'000'000,
            .queue_bytes = std::max<uint64_t>(bytes, 10 * 1500),
            .delay_us = trip_ms * 500,
            .loss = loss,
            .seed = seed};
  }
};

enum class Mode : uint8_t { kBare, kOff, kFixed, kAuto };

struct Outcome {
  double mbit = 0;    // of the flow inside, from a third of the time on
  double beside = 0;  // of one on the bare line
  double ping_ms = 0;
  uint64_t again = 0;       // outer segments
  uint64_t line_drops = 0;  // at the tail of the queue
  double datagrams_lost = 0;
};

struct Load {
  uint64_t seconds = 45;
  bool beside = false;
  uint64_t datagram_mbit = 0;
};

Outcome RunOn(const Line& line, Mode mode, const Load& load) {
  LineRunOptions options;
  options.line = line.Model();
  options.fec.mode = mode == Mode::kAuto    ? fec::Mode::kAuto
                     : mode == Mode::kFixed ? fec::Mode::kFixed
                                            : fec::Mode::kOff;
  options.fec.fixed = {10, 3, 1};
  LineRun run(options);
  const auto way =
      mode == Mode::kBare ? LineRun::Way::kBare : LineRun::Way::kTunnel;
  TcpFlow inside({});
  TcpFlow beside({});
  PingFlow ping;
  DatagramFlow datagrams(std::max<uint64_t>(load.datagram_mbit, 1) * 1'000'000,
                         1200);
  run.Add(inside, way);
  run.Add(ping, way);
  if (load.beside) run.Add(beside, LineRun::Way::kBare);
  if (load.datagram_mbit != 0) run.Add(datagrams, way);
  const uint64_t judged = load.seconds * 2 / 3;
  run.Run((load.seconds - judged) * kSecond);
  const uint64_t from = inside.receiver.next();
  const uint64_t beside_from = beside.receiver.next();
  run.Run(judged * kSecond);
  const auto mbit = [&](uint64_t packets) {
    return static_cast<double>(packets * TcpFlow::kBytes * 8) / 1e6 /
           static_cast<double>(judged);
  };
  Outcome outcome;
  outcome.mbit = mbit(inside.receiver.next() - from);
  outcome.beside = mbit(beside.receiver.next() - beside_from);
  outcome.ping_ms = ping.mean_ms();
  outcome.again = run.outer().segments_retransmitted;
  outcome.line_drops = run.line().counts().dropped;
  if (load.datagram_mbit != 0) {
    outcome.datagrams_lost = 1 - static_cast<double>(datagrams.arrived) /
                                     static_cast<double>(datagrams.sent);
  }
  return outcome;
}

class FullLineTest : public ::testing::TestWithParam<Line> {};

// No loss by chance: FEC costs nothing, nor does the tunnel but its headers.
TEST_P(FullLineTest, CarriesAllButHeaders) {
  const Load load{.seconds = GetParam().mbit > 20 ? 30u : 60u};
  const Outcome bare = RunOn(GetParam(), Mode::kBare, load);
  const Outcome off = RunOn(GetParam(), Mode::kOff, load);
  const Outcome automatic = RunOn(GetParam(), Mode::kAuto, load);
  EXPECT_GE(off.mbit, 0.95 * bare.mbit * kBareBytes / kRecordBytes);
  EXPECT_GE(automatic.mbit, 0.97 * off.mbit);
  // A few packets more stand in a queue that is short anyway.
  EXPECT_LE(automatic.ping_ms, 1.2 * bare.ping_ms + 3);
  // What the queue drops is sent again once, and hardly anything else.
  EXPECT_LE(automatic.again, 3 * automatic.line_drops / 2 + 20);
}

INSTANTIATE_TEST_SUITE_P(
    Lines, FullLineTest,
    ::testing::Values(Line{2, 0.25, 40}, Line{2, 4, 5}, Line{10, 0.25, 40},
                      Line{10, 2.6, 40}, Line{10, 1, 200}, Line{50, 0.25, 40},
                      Line{50, 0.5, 40}, Line{50, 1, 5}, Line{100, 0.5, 40}));

// One flow inside beside one outside: neither starves the other.
TEST(FullLine, IsSharedWithAFlowBesideTheTunnel) {
  for (const double queue : {1.0, 2.6, 8.0}) {
    for (const Mode mode : {Mode::kOff, Mode::kAuto}) {
      const Outcome outcome =
          RunOn({10, queue, 40}, mode, {.seconds = 60, .beside = true});
      const double share =
          outcome.mbit * kRecordBytes / (outcome.beside * kBareBytes);
      EXPECT_GE(share, 0.5) << queue;
      EXPECT_LE(share, 2) << queue;
    }
  }
}

// With random loss the flow beside keeps half of a fair share, or of what it
// has alone where that is less.
TEST(FullLine, LeavesToAFlowBesideItWhatLossLeavesIt) {
  const Line line{10, 2.6, 40, 0.01};
  const Outcome alone = RunOn(line, Mode::kBare, {.seconds = 60});
  const Outcome outcome =
      RunOn(line, Mode::kAuto, {.seconds = 60, .beside = true});
  EXPECT_GE(outcome.beside, 0.5 * std::min(alone.mbit, 5.0));
}

// Datagrams that nothing slows down, and one connection that has what is left.
TEST(FullLine, IsNotFilledByRepairs) {
  const Line line{10, 2.6, 40};
  const Load load{.seconds = 60, .datagram_mbit = 8};
  const Outcome bare = RunOn(line, Mode::kBare, load);
  for (const Mode mode : {Mode::kOff, Mode::kAuto}) {
    const Outcome outcome = RunOn(line, mode, load);
    EXPECT_LE(outcome.again, 3 * outcome.line_drops / 2);
    EXPECT_LE(outcome.line_drops, 10 * bare.line_drops);
    EXPECT_LE(outcome.datagrams_lost, bare.datagrams_lost + 0.01);
    EXPECT_LE(outcome.ping_ms, 1.2 * bare.ping_ms);
    EXPECT_GT(outcome.mbit, 0.5);
  }
}

struct Mean {
  double sum_of_logs = 0;
  size_t count = 0;

  void Add(double ratio) {
    sum_of_logs += std::log(ratio);
    ++count;
  }
  double value() const {
    return std::exp(sum_of_logs / static_cast<double>(count));
  }
};

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// Random loss on a line that may be full: with FEC by itself no cell is much
// below the better of none, and on the whole it is far above.
TEST(FullLine, AutomaticFecIsNeverBelowNone) {
  Mean mean;
  for (const uint64_t mbit : {2u, 10u}) {
    for (const double queue : {0.25, 1.0, 4.0}) {
      // Of the faster line the middle: it takes five times as long.
      if (mbit == 10 && queue != 1) continue;
      for (const double loss : {0.001, 0.02}) {
        for (const uint64_t trip_ms : {5u, 40u, 200u}) {
          std::vector<double> off;
          std::vector<double> automatic;
          for (const uint64_t seed : {1u, 2u, 3u}) {
            const Line line{mbit, queue, trip_ms, loss, seed};
            off.push_back(RunOn(line, Mode::kOff, {}).mbit);
            automatic.push_back(RunOn(line, Mode::kAuto, {}).mbit);
          }
          const double ratio = Median(automatic) / Median(off);
          mean.Add(ratio);
          EXPECT_GE(ratio, 0.85)
              << mbit << " Mbit/s, queue " << queue << ", loss " << loss << ", "
              << trip_ms << " ms";
        }
      }
    }
  }
  EXPECT_GE(mean.value(), 0.99);
}

// A sender that knows the congestion bits is told by them, and loses nothing.
TEST(FullLine, MarksWhatItWouldDrop) {
  for (const bool ecn : {false, true}) {
    LineRunOptions options;
    options.line = Line{10, 2.6, 40}.Model();
    options.fec.mode = fec::Mode::kOff;
    LineRun run(options);
    TcpFlow flow({.ecn = ecn});
    run.Add(flow, LineRun::Way::kTunnel);
    run.Run(60 * kSecond);
    EXPECT_GT(run.hub().lane_counters[0].losses_shown.Get(), 3u);
    const uint64_t dropped = run.pair().hub.drops(DropReason::kLossShown);
    EXPECT_EQ(dropped > 3, !ecn);
    EXPECT_EQ(dropped == 0, ecn);
    EXPECT_GT(flow.sender.reductions(), 3u);
  }
}

}  // namespace
}  // namespace lwt::testing
