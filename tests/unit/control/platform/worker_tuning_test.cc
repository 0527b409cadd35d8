#include "control/platform/worker_tuning.h"

#include <gtest/gtest.h>

#include "control/telemetry/status.h"

namespace lwt {
namespace {

TEST(WorkerTuningTest, WorkersShareTheLineAndEachHasAllPeers) {
  config::Config config;
  config.queues.rate = {8'000'000};
  config.queues.rate_in = {16'000'000};
  config.queues.uplink_rate = {32'000'000};
  config.fec.choice = {fec::Mode::kFixed, {8, 6, 1}};
  const Tuning tuning = TuningOf(config, 4);
  EXPECT_EQ(tuning.rate, 1'000'000u);
  EXPECT_EQ(tuning.rate_in, 2'000'000u);
  EXPECT_EQ(tuning.uplink_rate, 1'000'000u);
  EXPECT_EQ(tuning.fec.fixed, (fec::Parameters{8, 6, 1}));
}

// What a peer has of its own is said by who reports it.
TEST(WorkerTuningTest, PeersWithoutARateOfTheirOwnHaveThatOfAll) {
  config::Config config;
  config.queues.rate = {8'000'000};
  const WorkerTuning tuning({}, config.queues);
  telemetry::Status status;
  status.peers.resize(2);
  status.peers[1].reading.rate = 0;
  status.peers[1].reading.rate_in = 4'000'000;
  tuning.Report(status, 0);
  EXPECT_EQ(status.peers[0].reading.rate, 8'000'000u);
  EXPECT_EQ(status.peers[0].reading.rate_in, 0u);
  EXPECT_EQ(status.peers[1].reading.rate, 0u);
  EXPECT_EQ(status.peers[1].reading.rate_in, 4'000'000u);
}

}  // namespace
}  // namespace lwt
