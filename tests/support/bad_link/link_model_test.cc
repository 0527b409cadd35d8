#include "tests/support/bad_link/link_model.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <optional>
#include <vector>

namespace lwt::bad_link {
namespace {

Frame Numbered(uint32_t number) {
  return {static_cast<uint8_t>(number >> 16), static_cast<uint8_t>(number >> 8),
          static_cast<uint8_t>(number)};
}

uint32_t NumberOf(const Frame& frame) {
  return static_cast<uint32_t>(frame[0]) << 16 |
         static_cast<uint32_t>(frame[1]) << 8 | frame[2];
}

std::vector<uint32_t> TakeAll(LinkModel& link, uint64_t now_us) {
  std::vector<uint32_t> numbers;
  while (std::optional<Frame> frame = link.Take(now_us)) {
    numbers.push_back(NumberOf(*frame));
  }
  return numbers;
}

// Offers `count` frames, `gap_us` apart, and returns what arrives in the end.
std::vector<uint32_t> RunAll(LinkModel& link, uint32_t count, uint64_t gap_us) {
  for (uint32_t i = 0; i < count; ++i) link.Offer(i * gap_us, Numbered(i));
  return TakeAll(link, UINT64_MAX);
}

TEST(LinkModel, PerfectLinkDeliversAtOnceAndInOrder) {
  LinkModel link({});
  EXPECT_EQ(link.NextArrival(), std::nullopt);
  EXPECT_EQ(RunAll(link, 4, 0), (std::vector<uint32_t>{0, 1, 2, 3}));
  EXPECT_EQ(link.counts().delivered, 4u);
}

TEST(LinkModel, DelayHoldsFramesForExactlyThatLong) {
  LinkModel link({.delay_us = 25'000});
  link.Offer(1'000, Numbered(7));
  EXPECT_EQ(link.NextArrival(), 26'000u);
  EXPECT_FALSE(link.Take(25'999));
  EXPECT_EQ(TakeAll(link, 26'000), (std::vector<uint32_t>{7}));
  EXPECT_EQ(link.NextArrival(), std::nullopt);
}

TEST(LinkModel, JitterSpreadsArrivalsButKeepsTheOrder) {
  LinkModel link({.delay_us = 1'000, .jitter_us = 5'000});
  for (uint32_t i = 0; i < 1'000; ++i) link.Offer(i * 100, Numbered(i));
  uint64_t most_us = 0;
  for (uint32_t i = 0; i < 1'000; ++i) {
    const uint64_t arrival_us = link.NextArrival().value();
    const uint64_t took_us = arrival_us - i * 100;
    EXPECT_GE(took_us, 1'000u);
    EXPECT_LE(took_us, 6'000u);
    most_us = std::max(most_us, took_us);
    EXPECT_EQ(NumberOf(link.Take(arrival_us).value()), i);
  }
  EXPECT_GT(most_us, 5'500u);
}

TEST(LinkModel, LossIsNearItsProbability) {
  LinkModel link({.loss = 0.05});
  const size_t arrived = RunAll(link, 100'000, 1).size();
  EXPECT_EQ(arrived + link.counts().lost, 100'000u);
  // Four standard deviations of 100 000 tries at 5 %.
  EXPECT_NEAR(static_cast<double>(link.counts().lost), 5'000,
              4 * std::sqrt(100'000 * 0.05 * 0.95));
}

TEST(LinkModel, BurstsHaveTheirLengthAndTheSameMeanLoss) {
  LinkModel link({.loss = 0.05, .burst = 8, .queue_frames = 400'000});
  const std::vector<uint32_t> arrived = RunAll(link, 400'000, 1);
  uint64_t runs = 0;
  for (size_t i = 1; i < arrived.size(); ++i) {
    runs += arrived[i] != arrived[i - 1] + 1 ? 1 : 0;
  }
  const auto lost = static_cast<double>(link.counts().lost);
  EXPECT_NEAR(lost, 20'000, 0.1 * 20'000);
  EXPECT_NEAR(lost / static_cast<double>(runs), 8, 0.8);
}

TEST(LinkModel, CorruptionTurnsOneBitBehindTheLinkHeader) {
  LinkModel link({.corrupt = 0.5});
  const Frame whole(100, 0);
  for (int i = 0; i < 1000; ++i) link.Offer(0, whole);
  uint64_t corrupted = 0;
  while (const std::optional<Frame> frame = link.Take(0)) {
    int bits = 0;
    for (size_t at = 0; at < frame->size(); ++at) {
      bits += std::popcount((*frame)[at]);
      if (at < 24) {
        EXPECT_EQ((*frame)[at], 0);
      }
    }
    EXPECT_LE(bits, 1);
    corrupted += static_cast<uint64_t>(bits);
  }
  EXPECT_EQ(corrupted, link.counts().corrupted);
  EXPECT_NEAR(static_cast<double>(corrupted), 500, 64);
}

TEST(LinkModel, ALimitedLinkSendsOneAfterTheOther) {
  // 1000 bytes at 8 Mbit/s take a millisecond.
  LinkModel link({.delay_us = 500, .rate_bps = 8'000'000, .queue_frames = 3});
  for (int i = 0; i < 5; ++i) link.Offer(0, Frame(1000));
  EXPECT_EQ(link.counts().overflowed, 2u);
  for (const uint64_t arrival_us : {1500, 2500, 3500}) {
    EXPECT_EQ(link.NextArrival(), arrival_us);
    EXPECT_TRUE(link.Take(arrival_us));
  }
  link.Offer(10'000, Frame(500));
  EXPECT_EQ(link.NextArrival(), 11'000u);
}

TEST(LinkModel, CertainLossLosesEverything) {
  LinkModel link({.loss = 1});
  EXPECT_TRUE(RunAll(link, 100, 1).empty());
}

TEST(LinkModel, DuplicatesArriveTwice) {
  LinkModel link({.duplicate = 1});
  EXPECT_EQ(RunAll(link, 2, 10), (std::vector<uint32_t>{0, 0, 1, 1}));
  EXPECT_EQ(link.counts().duplicated, 2u);
  EXPECT_EQ(link.counts().delivered, 4u);
}

TEST(LinkModel, ReorderedFramesArePassedByLaterOnes) {
  LinkModel link({.reorder = 0.1, .reorder_us = 250, .seed = 3});
  const std::vector<uint32_t> numbers = RunAll(link, 10'000, 100);
  ASSERT_EQ(numbers.size(), 10'000u);
  uint64_t passed = 0;
  for (size_t i = 1; i < numbers.size(); ++i) {
    passed += numbers[i] < numbers[i - 1] ? 1 : 0;
    // 250 us are two gaps and a half: nobody is passed by more than three.
    EXPECT_LT(
        std::abs(static_cast<int64_t>(numbers[i]) - static_cast<int64_t>(i)),
        4);
  }
  EXPECT_GT(passed, 500u);
  EXPECT_LE(passed, link.counts().reordered);
}

TEST(LinkModel, SameSeedSameFate) {
  const LinkOptions options = {
      .jitter_us = 500, .loss = 0.2, .duplicate = 0.1, .reorder = 0.1};
  LinkModel first(options);
  LinkModel second(options);
  LinkOptions other_options = options;
  other_options.seed = 2;
  LinkModel other(other_options);
  const std::vector<uint32_t> fate = RunAll(first, 1'000, 10);
  EXPECT_EQ(fate, RunAll(second, 1'000, 10));
  EXPECT_NE(fate, RunAll(other, 1'000, 10));
}

TEST(LinkModel, FullQueueLosesTheNewest) {
  LinkModel link({.delay_us = 10, .queue_frames = 3});
  for (uint32_t i = 0; i < 5; ++i) link.Offer(0, Numbered(i));
  EXPECT_EQ(link.counts().overflowed, 2u);
  EXPECT_EQ(TakeAll(link, 10), (std::vector<uint32_t>{0, 1, 2}));
}

}  // namespace
}  // namespace lwt::bad_link
