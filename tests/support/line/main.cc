// line_lab: one run of inner flows over a modelled line, for the eye.
//
//   line_lab RATE_MBIT QUEUE_BYTES RTT_MS LOSS_PERCENT off|auto|fixed|bare
//            [SECONDS [UDP_MBIT [BESIDE [SEED]]]]
#include <cstdio>
#include <cstdlib>
#include <string>

#include "tests/support/line/line_run.h"

namespace lwt::testing {
namespace {

double Mbit(uint64_t segments, double seconds) {
  return static_cast<double>(segments) * TcpFlow::kBytes * 8 / 1e6 / seconds;
}

void Main(int argc, char** argv) {
  const auto arg = [&](int i, double fallback) {
    return i < argc ? std::atof(argv[i]) : fallback;
  };
  LineRunOptions options;
  options.line.rate_bps = static_cast<uint64_t>(arg(1, 10) * 1e6);
  options.line.queue_bytes = static_cast<uint64_t>(arg(2, 128 * 1024));
  options.line.delay_us = static_cast<uint64_t>(arg(3, 40) * 500);
  options.line.loss = arg(4, 0) / 100;
  const std::string mode = argc > 5 ? argv[5] : "auto";
  const double seconds = arg(6, 60);
  options.line.seed = static_cast<uint64_t>(arg(9, 1));
  options.fec.mode = mode == "auto"    ? fec::Mode::kAuto
                     : mode == "fixed" ? fec::Mode::kFixed
                                       : fec::Mode::kOff;
  options.fec.fixed = {10, 3, 1};
  const auto way = mode == "bare" ? LineRun::Way::kBare : LineRun::Way::kTunnel;
  LineRun run(options);
  TcpFlow tcp({});
  PingFlow ping;
  run.Add(tcp, way);
  run.Add(ping, way);
  DatagramFlow udp(static_cast<uint64_t>(arg(7, 0) * 1e6 + 1), 1200);
  if (arg(7, 0) > 0) run.Add(udp, way);
  TcpFlow beside({});
  if (arg(8, 0) > 0) run.Add(beside, LineRun::Way::kBare);
  uint64_t before = 0;
  uint64_t before_beside = 0;
  const bool verbose = std::getenv("V") != nullptr;
  for (int i = 0; i < 6; ++i) {
    if (i == 2) {
      before = tcp.receiver.next();
      before_beside = beside.receiver.next();
    }
    const uint64_t at = tcp.receiver.next();
    run.Run(static_cast<uint64_t>(seconds * 1e6 / 6));
    if (verbose) {
      const auto& counters = run.client().lane_counters[0];
      std::printf(
          "  %5.2f Mbit/s fec %u+%u parities %lu window %.0f queue %lu rtt "
          "%u\n",
          Mbit(tcp.receiver.next() - at, seconds / 6),
          (unsigned)counters.fec_tx_data.Get(),
          (unsigned)counters.fec_tx_parity.Get(), counters.parities_sent.Get(),
          tcp.sender.window(), run.line().queued_bytes(run.now_us()),
          run.outer().srtt_us);
    }
  }
  const auto outer = run.outer();
  const auto& line = run.line().counts();
  std::printf(
      "%-5s tcp %.2f beside %.2f ping %.0f ms (%zu/%lu) udp %lu/%lu | outer "
      "sent %lu again %lu given up %lu | parities %lu | inner repairs %lu "
      "reductions %lu undone %lu rto %lu | line offered %lu dropped %lu lost "
      "%lu |%s\n",
      mode.c_str(), Mbit(tcp.receiver.next() - before, seconds * 4 / 6),
      Mbit(beside.receiver.next() - before_beside, seconds * 4 / 6),
      ping.mean_ms(), ping.took_us.size(), ping.sent, udp.arrived, udp.sent,
      outer.segments_sent, outer.segments_retransmitted,
      outer.segments_given_up,
      run.client().lane_counters[0].parities_sent.Get(), tcp.sender.repairs(),
      tcp.sender.reductions(), tcp.sender.undone(), tcp.sender.timeouts(),
      line.offered, line.dropped, line.lost, run.Drops().c_str());
}

}  // namespace
}  // namespace lwt::testing

int main(int argc, char** argv) { lwt::testing::Main(argc, argv); }
