// "More FEC" is never more loss, from a clean link to a very bad one, whether
// it loses now and then or in bursts.
#include <algorithm>
#include <cmath>

#include "tests/packet/dataplane/exact_loss.h"
#include "tests/packet/dataplane/lossy_run.h"

namespace lwt::testing {
namespace {

struct Link {
  double loss;
  double burst;  // mean run of lost frames, 0: independent
};

constexpr uint64_t kPackets = 40'000 / kShare;

double Residual(const Link& link, const WorkerOptions& worker) {
  LossyRunOptions options;
  options.worker = worker;
  options.loss = link.loss;
  options.burst = link.burst;
  options.step_us = 1000;
  LossyRun run(options);
  run.Send(kPackets);
  run.Settle();
  EXPECT_EQ(run.duplicates(), 0u);
  return run.residual();
}

class NeverWorseTest : public ::testing::TestWithParam<double> {};

TEST_P(NeverWorseTest, ThanWithoutFec) {
  for (const double burst : {0.0, 3.0, 10.0}) {
    const Link link{GetParam(), burst};
    const double off = Residual(link, Without(fec::Mode::kOff));
    // Three standard deviations of the difference of two numbers of bursts.
    const double run = std::max(burst, 1.0);
    const double bursts = static_cast<double>(kPackets) * link.loss / run;
    const double slack =
        3 * std::sqrt(2 * bursts) * run / static_cast<double>(kPackets);
    EXPECT_NEAR(off, link.loss, slack) << "without FEC, burst " << burst;
    EXPECT_LE(Residual(link, Without(fec::Mode::kAuto)), off + slack)
        << "auto, burst " << burst;
    for (const fec::Parameters& code : {k20And2, k10And3, k10And5, k8And6}) {
      EXPECT_LE(Residual(link, Without(fec::Mode::kFixed, code)), off + slack)
          << int{code.data} << "+" << int{code.parity} << ", burst " << burst;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Sweep, NeverWorseTest,
                         ::testing::Values(0.0, 0.003, 0.01, 0.03, 0.05, 0.10,
                                           0.15, 0.20, 0.25, 0.30));

}  // namespace
}  // namespace lwt::testing
