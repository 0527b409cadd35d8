// What is lost for good over a link of known loss, against the exact figures
// of Reed-Solomon; real workers, sealed records, no retransmission.
#include <cmath>
#include <string>

#include "tests/packet/dataplane/exact_loss.h"
#include "tests/packet/dataplane/lossy_run.h"

namespace lwt::testing {
namespace {

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

}  // namespace
}  // namespace lwt::testing
