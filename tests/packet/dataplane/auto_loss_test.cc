// What the automatic choice of a code makes of a link: as good as the best
// fixed code, quick to get worse, free where nothing is lost, and no help to a
// link that is full.
#include <algorithm>
#include <cmath>
#include <string>

#include "tests/packet/dataplane/exact_loss.h"
#include "tests/packet/dataplane/lossy_run.h"

namespace lwt::testing {
namespace {

// The cheapest line of the table that leaves what may be left, else the
// strongest one.
fec::Parameters BestFixed(double loss) {
  for (const fec::Parameters& code : fec::Policy::kTable) {
    if (Exact(code, loss) <= fec::Policy::kMaxUnrepaired) return code;
  }
  return fec::Policy::kTable.back();
}

class AutoLossTest : public ::testing::TestWithParam<int> {};

TEST_P(AutoLossTest, IsAsGoodAsTheBestFixedCode) {
  LossyRunOptions options;
  options.loss = GetParam() / 100.0;
  options.step_us = 2000;
  options.worker = Without(fec::Mode::kAuto);
  LossyRun automatic(options);
  automatic.Send(640'000 / kShare);  // 40 s to find out
  automatic.Settle();
  automatic.Restart();
  automatic.Send(960'000 / kShare);
  automatic.Settle();
  const fec::Parameters best = BestFixed(options.loss);
  options.worker = Without(fec::Mode::kFixed, best);
  LossyRun fixed(options);
  fixed.Send(96'000 / kShare);
  fixed.Settle();
  // Three standard deviations: losses come by groups of more than m.
  const double exact = Exact(best, options.loss);
  const auto sent = static_cast<double>(automatic.sent());
  const double group = best.parity + 2;
  const double slack = (3 * std::sqrt(exact * sent * group) + group) / sent;
  SCOPED_TRACE(std::to_string(automatic.code().data) + "+" +
               std::to_string(automatic.code().parity) + " for " +
               std::to_string(best.data) + "+" + std::to_string(best.parity));
  EXPECT_EQ(automatic.duplicates(), 0u);
  EXPECT_LE(automatic.residual(), options.loss);
  if (kShare > 1) return;  // too few packets to find out
  EXPECT_LE(automatic.residual(), 1.1 * exact + slack);
  EXPECT_LE(automatic.overhead(), 1.1 * fixed.overhead());
  EXPECT_GE(automatic.overhead(), 0.9 * fixed.overhead());
}

INSTANTIATE_TEST_SUITE_P(Independent, AutoLossTest,
                         ::testing::Values(1, 3, 5, 10),
                         ::testing::PrintToStringParamName());

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

TEST(AutoLoss, IsQuickToGetWorseAndSlowToForget) {
  constexpr uint64_t kSecond = 3200;
  LossyRunOptions options;
  options.step_us = 10'000;
  options.worker = Without(fec::Mode::kAuto);
  LossyRun run(options);
  run.Send(5 * kSecond);
  EXPECT_FALSE(run.code().on());
  run.SetLoss(0.05);
  run.Send(2 * kSecond);
  EXPECT_EQ(run.code(), k10And5);
  run.SetLoss(0.12);
  run.Send(2 * kSecond);
  EXPECT_EQ(run.code(), k8And6);
  run.SetLoss(0);
  run.Send(25 * kSecond);
  EXPECT_EQ(run.code(), k8And6);
  run.Send(20 * kSecond);
  EXPECT_EQ(run.code(), k10And5);
  run.Send(110 * kSecond);
  EXPECT_FALSE(run.code().on());
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

// A link that carries 24 packets a step.
LossyRunOptions FullLink(fec::Mode mode) {
  LossyRunOptions options;
  options.step_us = 2000;
  options.step_bytes = uint64_t{24} * 870;
  options.worker = Without(mode);
  return options;
}

struct LoadedRun {
  double residual;
  double overhead;
};

// Half a second of `high` packets a step and half a second of `low` ones, for a
// minute, in every build: the policy goes by time.
LoadedRun RunLoaded(fec::Mode mode, size_t low, size_t high) {
  LossyRun run(FullLink(mode));
  for (int second = 0; second < 60; ++second) {
    if (second == 10) run.Restart();
    run.Send(high * 250, high);
    run.Send(low * 250, low);
  }
  run.Settle();
  EXPECT_EQ(run.duplicates(), 0u);
  return {run.residual(), run.overhead()};
}

TEST(AutoLoss, OfAFullLinkIsNotAnsweredByMoreLoad) {
  const LoadedRun off = RunLoaded(fec::Mode::kOff, 12, 32);
  const LoadedRun automatic = RunLoaded(fec::Mode::kAuto, 12, 32);
  EXPECT_GT(off.residual, 0.1);
  EXPECT_LE(automatic.residual, 1.05 * off.residual);
  EXPECT_LE(automatic.overhead, 1.1 * off.overhead);
}

// Load that never changes tells nothing by itself; what parities add does.
TEST(AutoLoss, OfALinkThatIsAlwaysFullIsNotAnsweredByMoreLoad) {
  const LoadedRun off = RunLoaded(fec::Mode::kOff, 32, 32);
  const LoadedRun automatic = RunLoaded(fec::Mode::kAuto, 32, 32);
  EXPECT_GT(off.residual, 0.2);
  EXPECT_LE(automatic.residual, 1.1 * off.residual);
  EXPECT_LE(automatic.overhead, 1.1 * off.overhead);
}

}  // namespace
}  // namespace lwt::testing
