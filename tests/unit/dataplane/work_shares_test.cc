#include "dataplane/work_shares.h"

#include <gtest/gtest.h>

#include <array>
#include <deque>

namespace lwt {
namespace {

constexpr uint32_t kCost = WorkShares::kRecord;
constexpr uint32_t kRefused = kCost / 10;

// A worker that does `speed` of work each µs, behind a port that queues frames
// of all lanes in one line and loses what finds it full.
class Line {
 public:
  Line(size_t lanes, bool shares) : shares_(16), use_shares_(shares) {
    rates_.resize(lanes);
    burst_ms_.resize(lanes);
    overdraft_.resize(lanes);
    read_.resize(lanes);
    owed_.resize(lanes);
    longest_us_.resize(lanes);
  }

  // Frames a millisecond that a lane sends.
  void SetRate(size_t lane, double rate) { rates_[lane] = rate; }
  // What it sends comes all at once, each so many ms.
  void SetBurst(size_t lane, uint64_t ms) { burst_ms_[lane] = ms; }

  // All that it sends are words about the lane.
  void SetWords(size_t lane) {
    overdraft_[lane] = WorkShares::kSessionOverdraft;
  }

  void Run(uint64_t until_us) {
    while (now_us_ < until_us) {
      shares_.Turn(now_us_);
      size_t taken = 0;
      uint64_t cycles = 500;
      for (; taken < kBurst && !line_.empty(); ++taken) {
        const Waiting next = line_.front();
        line_.pop_front();
        if (use_shares_ &&
            !shares_.Take({next.lane}, kCost, overdraft_[next.lane])) {
          cycles += kRefused;
          continue;
        }
        cycles += kCost;
        ++read_[next.lane];
        longest_us_[next.lane] =
            std::max(longest_us_[next.lane], now_us_ - next.since_us);
      }
      if (taken == kBurst) shares_.SawMore();
      Arrive(cycles / kCyclesPerUs + 1);
    }
  }

  uint64_t read(size_t lane) const { return read_[lane]; }
  uint64_t longest_us(size_t lane) const { return longest_us_[lane]; }
  const WorkShares& shares() const { return shares_; }

 private:
  static constexpr uint64_t kCyclesPerUs = 2000;  // one frame
  static constexpr size_t kBurst = 32;
  static constexpr size_t kLine = 20'000;

  struct Waiting {
    uint32_t lane;
    uint64_t since_us;
  };

  void Arrive(uint64_t us) {
    for (uint64_t i = 0; i < us; ++i) {
      ++now_us_;
      for (uint32_t lane = 0; lane < rates_.size(); ++lane) {
        owed_[lane] += rates_[lane] / 1000;
        if (burst_ms_[lane] > 0 && now_us_ % (burst_ms_[lane] * 1000) != 0) {
          continue;
        }
        for (; owed_[lane] >= 1; owed_[lane] -= 1) {
          if (line_.size() < kLine) line_.push_back({lane, now_us_});
        }
      }
    }
  }

  WorkShares shares_;
  const bool use_shares_;
  std::vector<double> rates_;
  std::vector<uint64_t> burst_ms_;
  std::vector<uint64_t> overdraft_;
  std::vector<double> owed_;
  std::vector<uint64_t> read_;
  std::vector<uint64_t> longest_us_;
  std::deque<Waiting> line_;
  uint64_t now_us_ = 1'000'000;
};

// Three lanes at a worker that reads 1000 frames a millisecond: one sends four
// times that, the others half of their equal part each.
struct Outcome {
  double least;         // of what the quiet ones sent, the part that was read
  uint64_t longest_us;  // that one of their frames waited
};
Outcome Flood(bool shares) {
  Line line(3, shares);
  line.SetRate(0, 4000);
  line.SetRate(1, 160);
  line.SetRate(2, 160);
  line.Run(1'000'000 + 1'000'000);
  const double sent = 160 * 1000;
  return {static_cast<double>(std::min(line.read(1), line.read(2))) / sent,
          std::max(line.longest_us(1), line.longest_us(2))};
}

TEST(WorkShares, AFloodLeavesTheOthersTheirShare) {
  const Outcome without = Flood(false);
  EXPECT_LT(without.least, 0.3) << "the line alone divides by who sends most";
  EXPECT_GT(without.longest_us, 15'000u);
  const Outcome with = Flood(true);
  EXPECT_GT(with.least, 0.9);
  EXPECT_LT(with.longest_us, 15'000u);
}

// TCP sends a window at once and then waits.
TEST(WorkShares, WhoSendsInBurstsHasTheSamePart) {
  Line line(3, true);
  line.SetRate(0, 4000);
  for (size_t lane : {1, 2}) {
    line.SetRate(lane, 160);
    line.SetBurst(lane, 10);
  }
  line.Run(1'000'000 + 1'000'000);
  EXPECT_GT(line.read(1), 0.9 * 160'000);
  EXPECT_GT(line.read(2), 0.9 * 160'000);
  EXPECT_GT(line.read(0), 200'000u);
}

TEST(WorkShares, OneLaneAloneIsNotLimited) {
  Line line(1, true);
  line.SetRate(0, 5000);
  line.Run(1'200'000);
  EXPECT_FALSE(line.shares().limited());
  EXPECT_GT(line.read(0), 190'000u);
}

TEST(WorkShares, LanesThatAreAlikeAllHaveTheirs) {
  Line line(4, true);
  for (size_t lane = 0; lane < 4; ++lane) line.SetRate(lane, 1000);
  line.Run(1'500'000);
  for (size_t lane = 0; lane < 4; ++lane) {
    EXPECT_GT(line.read(lane), 100'000u);  // of 125'000
  }
}

TEST(WorkShares, AWorkerThatKeepsUpLimitsNobody) {
  Line line(3, true);
  line.SetRate(0, 700);
  line.SetRate(1, 100);
  line.SetRate(2, 100);
  line.Run(1'500'000);
  EXPECT_FALSE(line.shares().limited());
  EXPECT_GT(line.read(0), 349'000u);
}

TEST(WorkShares, WhatTheOthersDoNotNeedOneLaneMayHave) {
  Line line(2, true);
  line.SetRate(0, 1200);
  line.SetRate(1, 20);
  line.Run(2'000'000);
  EXPECT_GT(line.read(1), 19'500u);
  EXPECT_GT(line.read(0), 850'000u) << "all but a tenth of the time";
}

// One frame each 10 ms, fewer than there are periods: it finds no line either.
TEST(WorkShares, WhoSendsSeldomIsReadToo) {
  const auto run = [](bool shares) {
    Line line(2, shares);
    line.SetRate(0, 4000);
    line.SetRate(1, 100);
    line.Run(1'100'000);
    line.SetRate(1, 0.1);
    line.Run(1'150'000);  // what stood in the line is read
    const uint64_t before = line.read(1);
    line.Run(3'150'000);
    return Outcome{static_cast<double>(line.read(1) - before) / 200,
                   line.longest_us(1)};
  };
  EXPECT_LT(run(false).least, 0.5);
  const Outcome with = run(true);
  EXPECT_GT(with.least, 0.95);
  EXPECT_LT(with.longest_us, 15'000u);
}

TEST(WorkShares, OneIsAloneOnceTheOthersWereSilentForLong) {
  Line line(2, true);
  line.SetRate(0, 4000);
  line.SetRate(1, 100);
  line.Run(1'100'000);
  EXPECT_TRUE(line.shares().limited());
  line.SetRate(1, 0);
  line.Run(1'100'000 + WorkShares::kAloneUs / 2);
  EXPECT_TRUE(line.shares().limited());
  line.Run(1'150'000 + WorkShares::kAloneUs);
  EXPECT_FALSE(line.shares().limited());
}

// What a peer says of its lane takes no more of the worker than data does.
TEST(WorkShares, AFloodOfWordsAboutTheLaneLeavesOthersTheirPart) {
  std::array<uint64_t, 2> read{};
  for (const bool words : {false, true}) {
    Line line(2, true);
    line.SetRate(0, 400);
    line.SetRate(1, 4000);
    if (words) line.SetWords(1);
    line.Run(1'000'000);
    const uint64_t before = line.read(0);
    line.Run(3'000'000);
    read[words] = line.read(0) - before;
  }
  EXPECT_GT(read[1], read[0] * 9 / 10) << "of " << read[0];
}

TEST(WorkShares, WordsAboutTheLaneGoOnForSomeParts) {
  WorkShares shares(2);
  uint64_t now_us = 10'000;
  shares.Turn(now_us);
  for (int loop = 0; loop < 20; ++loop) {
    shares.SawMore();
    shares.Charge({0}, 1'000'000);
    shares.Charge({1}, kCost);
    shares.Turn(now_us += 1000);
  }
  ASSERT_TRUE(shares.limited());
  while (shares.Take({0}, kCost)) {
  }
  EXPECT_TRUE(shares.Take({0}, kCost, WorkShares::kSessionOverdraft));
  EXPECT_TRUE(shares.Take({1}, kCost));
}

}  // namespace
}  // namespace lwt
