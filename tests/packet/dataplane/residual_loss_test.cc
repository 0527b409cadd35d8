// What is lost for good over a link of known loss, against the exact figures
// of Reed-Solomon; real workers, sealed records, no retransmission.
#include <cmath>
#include <string>

#include "tests/packet/dataplane/lossy_run.h"

namespace lwt::testing {
namespace {

// A build with sanitizers runs the same with fewer packets: it looks for other
// faults, and the bounds hold for any number.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr uint64_t kShare = 40;
#else
constexpr uint64_t kShare = 1;
#endif

// P(a packet is lost for good): it is lost, and so are at least m of the other
// k + m − 1 of its group.
double Exact(const fec::Parameters& code, double loss) {
  const int others = code.data + code.parity - 1;
  double at_most = 0;
  double term = std::pow(1 - loss, others);
  for (int lost = 0; lost < code.parity; ++lost) {
    at_most += term;
    term *= loss / (1 - loss) * (others - lost) / (lost + 1);
  }
  return loss * (1 - at_most);
}

WorkerOptions Without(fec::Mode mode, const fec::Parameters& code = {}) {
  WorkerOptions options = SmallWorker();
  options.retransmit = false;
  options.fec.mode = mode;
  options.fec.fixed = code;
  return options;
}

TEST(ExactLoss, IsWhatTheBooksSay) {
  EXPECT_NEAR(Exact({10, 3, 1}, 0.01), 2.1e-6, 0.05e-6);
  EXPECT_NEAR(Exact({20, 2, 1}, 0.05), 1.4e-2, 0.05e-2);
  EXPECT_NEAR(Exact({8, 6, 1}, 0.10), 9.2e-5, 0.1e-5);
}

struct Case {
  fec::Parameters code;
  double loss;
  uint64_t packets;
};

class ResidualLossTest : public ::testing::TestWithParam<Case> {};

TEST_P(ResidualLossTest, IsTheExactOne) {
  const Case& each = GetParam();
  LossyRunOptions options;
  options.worker = Without(fec::Mode::kFixed, each.code);
  options.loss = each.loss;
  options.seed = 11;
  LossyRun run(options);
  run.Send(each.packets / kShare);
  run.Settle();
  const double exact = Exact(each.code, each.loss);
  const double expected = exact * static_cast<double>(run.sent());
  RecordProperty("residual", std::to_string(run.residual()));
  RecordProperty("exact", std::to_string(exact));
  SCOPED_TRACE(run.Drops());
  EXPECT_EQ(run.duplicates(), 0u);
  if (expected >= 100) {
    EXPECT_NEAR(run.residual(), exact, 0.2 * exact);
  } else {
    // Losses come by groups, so the bound is a wide one.
    EXPECT_LE(run.residual() * static_cast<double>(run.sent()),
              2 * expected + 15);
  }
  // Without the decoder the same run shows the link's own loss.
  EXPECT_NEAR(run.raw(), each.loss,
              5 * std::sqrt(each.loss / static_cast<double>(run.sent())));
}

constexpr fec::Parameters k20And2{20, 2, 1};
constexpr fec::Parameters k10And3{10, 3, 1};
constexpr fec::Parameters k10And5{10, 5, 1};
constexpr fec::Parameters k8And6{8, 6, 1};

INSTANTIATE_TEST_SUITE_P(
    Independent, ResidualLossTest,
    ::testing::Values(
        Case{k20And2, 0.01, 3'000'000}, Case{k20And2, 0.03, 200'000},
        Case{k20And2, 0.05, 100'000}, Case{k20And2, 0.10, 50'000},
        Case{k10And3, 0.01, 100'000}, Case{k10And3, 0.03, 2'000'000},
        Case{k10And3, 0.05, 300'000}, Case{k10And3, 0.10, 100'000},
        Case{k10And5, 0.01, 50'000}, Case{k10And5, 0.03, 50'000},
        Case{k10And5, 0.05, 100'000}, Case{k10And5, 0.10, 1'500'000},
        Case{k8And6, 0.01, 50'000}, Case{k8And6, 0.03, 50'000},
        Case{k8And6, 0.05, 50'000}, Case{k8And6, 0.10, 100'000}),
    [](const auto& each) {
      const Case& run = each.param;
      return std::to_string(run.code.data) + "And" +
             std::to_string(run.code.parity) + "At" +
             std::to_string(static_cast<int>(run.loss * 100 + 0.5));
    });

// "More FEC" is never more loss, from a clean link to a very bad one.
class NeverWorseTest : public ::testing::TestWithParam<double> {};

TEST_P(NeverWorseTest, ThanWithoutFec) {
  for (const double burst : {0.0, 5.0}) {
    for (const fec::Parameters& code :
         {fec::Parameters{}, k20And2, k10And3, k8And6}) {
      LossyRunOptions options;
      options.worker =
          Without(code.on() ? fec::Mode::kFixed : fec::Mode::kAuto, code);
      options.loss = GetParam();
      options.burst = burst;
      options.step_us = 1000;
      LossyRun run(options);
      run.Send(48'000 / kShare);
      run.Settle();
      // Three standard deviations of the number of bursts.
      const double bursts =
          static_cast<double>(run.sent()) * GetParam() / std::max(burst, 1.0);
      const double slack = 3 * std::sqrt(bursts) * std::max(burst, 1.0) /
                           static_cast<double>(run.sent());
      EXPECT_LE(run.residual(), GetParam() + slack)
          << int{code.data} << "+" << int{code.parity} << " burst " << burst;
      EXPECT_LE(run.residual(), run.raw());
      EXPECT_EQ(run.duplicates(), 0u);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Sweep, NeverWorseTest,
                         ::testing::Values(0.0, 0.003, 0.01, 0.03, 0.10, 0.20,
                                           0.30));

TEST(AutoLoss, IsAsGoodAsTheBestFixedCode) {
  LossyRunOptions options;
  options.loss = 0.05;
  options.step_us = 1000;
  options.worker = Without(fec::Mode::kAuto);
  LossyRun automatic(options);
  automatic.Send(96'000);  // 3 s to find out
  automatic.Restart();
  automatic.Send(320'000 / kShare);
  automatic.Settle();
  options.worker = Without(fec::Mode::kFixed, k10And5);
  LossyRun fixed(options);
  fixed.Send(320'000 / kShare);
  fixed.Settle();
  EXPECT_GE(automatic.client().fec_tx_parity.Get(), 5u);
  EXPECT_LE(automatic.residual(), 1.1 * fixed.residual() + 1e-5);
}

TEST(AutoLoss, CostsNothingOnACleanLink) {
  LossyRunOptions options;
  options.step_us = 1000;
  options.worker = Without(fec::Mode::kOff);
  LossyRun off(options);
  off.Send(64'000 / kShare);
  options.worker = Without(fec::Mode::kAuto);
  LossyRun automatic(options);
  automatic.Send(64'000 / kShare);
  EXPECT_EQ(automatic.overhead(), off.overhead());
  EXPECT_EQ(automatic.residual(), 0);
}

TEST(AutoLoss, BurstsAreInterleaved) {
  LossyRunOptions options;
  options.loss = 0.03;
  options.burst = 8;
  options.step_us = 1000;
  options.worker = Without(fec::Mode::kAuto);
  LossyRun run(options);
  run.Send(96'000 / kShare);
  EXPECT_GT(run.client().fec_tx_stride.Get(), 1u);
  run.Restart();
  run.Send(96'000 / kShare);
  run.Settle();
  EXPECT_LT(run.residual(), 0.2 * 0.03);
}

}  // namespace
}  // namespace lwt::testing
