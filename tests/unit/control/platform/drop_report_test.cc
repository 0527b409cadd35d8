#include "control/platform/drop_report.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/unit/control/base/log_lines.h"

namespace lwt {
namespace {

constexpr uint64_t kStart = 1'000'000;

// A worker of which only the counters are asked.
class CountingWorker final : public WorkerThread {
 public:
  bool Start(std::string&) override { return true; }
  void Stop() override {}
  bool Watch(const Port&, std::string&) override { return true; }
  void Unwatch(const Port&) override {}
  Mailbox& mailbox() override { std::abort(); }
  const WorkerCounters& counters() const override { return counters_; }
  const LaneCounters& lane_counters(LaneIndex) const override { std::abort(); }
  const std::vector<int>& cpus() const override { return cpus_; }

  void Drop(DropReason reason, uint64_t frames) {
    counters_.drops[static_cast<size_t>(reason)].Add(frames);
  }

 private:
  WorkerCounters counters_;
  std::vector<int> cpus_;
};

class DropReportTest : public testing::Test {
 protected:
  static std::vector<std::unique_ptr<WorkerThread>> TwoWorkers() {
    std::vector<std::unique_ptr<WorkerThread>> workers;
    workers.push_back(std::make_unique<CountingWorker>());
    workers.push_back(std::make_unique<CountingWorker>());
    return workers;
  }
  void Drop(size_t worker, DropReason reason, uint64_t frames) {
    static_cast<CountingWorker&>(*workers_[worker]).Drop(reason, frames);
  }
  std::string LinesAt(uint64_t now_us) {
    report_.OnTimer(now_us);
    return lines_.Take();
  }

  loop::LogLines lines_;
  const std::vector<std::unique_ptr<WorkerThread>> workers_ = TwoWorkers();
  DropReport report_{workers_, lines_.log()};
};

TEST_F(DropReportTest, SaysWhatAllWorkersLostWithItsReason) {
  EXPECT_EQ(LinesAt(kStart), "");
  Drop(0, DropReason::kUplinkFull, 3);
  Drop(1, DropReason::kUplinkFull, 4);
  EXPECT_EQ(LinesAt(kStart + DropReport::kPeriodUs - 1), "")
      << "not more often than it may";
  const std::string line = LinesAt(kStart + DropReport::kPeriodUs);
  EXPECT_NE(line.find(" warn  7 frames dropped, uplink_full: "),
            std::string::npos)
      << line;
  EXPECT_NE(line.find(SentenceOf(DropReason::kUplinkFull)), std::string::npos);
}

TEST_F(DropReportTest, WhatWasSaidIsNotSaidAgain) {
  Drop(0, DropReason::kPuntFull, 5);
  EXPECT_NE(LinesAt(kStart).find(" 5 frames dropped"), std::string::npos);
  EXPECT_EQ(LinesAt(kStart + DropReport::kPeriodUs), "");
  Drop(1, DropReason::kPuntFull, 1);
  EXPECT_NE(LinesAt(kStart + 2 * DropReport::kPeriodUs)
                .find(" 1 frames dropped, punt_full: "),
            std::string::npos);
}

// A burst is one line with its count, and one that goes on a line each period.
TEST_F(DropReportTest, AFullSendQueueIsSaidOnceABurst) {
  EXPECT_EQ(LinesAt(kStart), "");
  uint64_t now_us = kStart;
  for (const uint64_t burst : {9000u, 50u}) {
    for (uint64_t i = 0; i < 10; ++i) {
      Drop(i % 2, DropReason::kSendQueueFull, burst / 10);
      EXPECT_EQ(LinesAt(now_us + i), "");
    }
    now_us += DropReport::kPeriodUs;
    const std::string line = LinesAt(now_us);
    EXPECT_NE(line.find(" warn  " + std::to_string(burst) +
                        " frames dropped, send_queue_full: "),
              std::string::npos)
        << line;
  }
  EXPECT_EQ(LinesAt(now_us + DropReport::kPeriodUs), "");
}

// What strangers send is not the host's fault, and not theirs to write a log
// with.
TEST_F(DropReportTest, OnlyWhatThisHostLacksIsSaid) {
  uint64_t now_us = kStart;
  for (size_t index = 0; index < kDropReasonCount; ++index) {
    const auto reason = static_cast<DropReason>(index);
    Drop(0, reason, 1);
    now_us += DropReport::kPeriodUs;
    const bool full = NameOf(reason).ends_with("_full") &&
                      reason != DropReason::kFlowTableFull;
    const bool said = !LinesAt(now_us).empty();
    const bool other =
        reason == DropReason::kPoolEmpty || reason == DropReason::kEpochSpent;
    if (said) {
      EXPECT_TRUE(full || other) << NameOf(reason);
    }
    if (other) {
      EXPECT_TRUE(said) << NameOf(reason);
    }
  }
}

TEST_F(DropReportTest, SeveralReasonsAreLinesOfTheirOwn) {
  Drop(0, DropReason::kPoolEmpty, 1);
  Drop(0, DropReason::kTunnelFull, 1);
  Drop(0, DropReason::kHandoffFull, 1);
  report_.OnTimer(kStart);
  EXPECT_EQ(lines_.TakeCount(), 3u);
  EXPECT_EQ(report_.NextDeadline(), kStart + DropReport::kPeriodUs);
}

}  // namespace
}  // namespace lwt
