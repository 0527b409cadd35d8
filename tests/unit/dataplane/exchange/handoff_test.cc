// The rings between workers, and the directory that says whose a flow is.
#include "dataplane/exchange/handoff.h"

#include <gtest/gtest.h>

#include <chrono>
#include <random>

#include "dataplane/exchange/flow_directory.h"
#include "tests/packet/dataplane/gateway_pair.h"

namespace lwt {
namespace {

using Road = Handoff::Road;

Frame Numbered(uint32_t number) {
  Frame frame;
  frame.length = number;
  return frame;
}

class HandoffTest : public ::testing::Test {
 protected:
  void SetUp() override {
    testing::StartTestEal();
    handoff_ = Handoff::Create("ho" + std::to_string(count_++), 3);
    ASSERT_NE(handoff_, nullptr);
    for (uint32_t i = 0; i < 3; ++i) {
      boxes_.push_back(Mailbox::Create("hobox" + std::to_string(count_++)));
      waits_.push_back(*RxWait::Create({}));
      boxes_[i]->AttachWorker(waits_[i].get());
      handoff_->Attach({i}, boxes_[i].get());
    }
  }
  void TearDown() override {
    for (auto& box : boxes_) box->AttachWorker(nullptr);
  }

  std::vector<uint32_t> TakeAll(Road road, WorkerIndex to) {
    std::vector<uint32_t> numbers;
    std::array<Frame, 7> frames;
    while (const size_t count = handoff_->Take(road, to, frames)) {
      for (size_t i = 0; i < count; ++i) numbers.push_back(frames[i].length);
    }
    return numbers;
  }
  // Whether a wait of the worker is ended at once.
  bool Kicked(uint32_t worker) {
    const auto start = std::chrono::steady_clock::now();
    waits_[worker]->Wait(2'000'000);
    return std::chrono::steady_clock::now() - start < std::chrono::seconds(1);
  }

  static inline int count_ = 0;
  std::unique_ptr<Handoff> handoff_;
  std::vector<std::unique_ptr<Mailbox>> boxes_;
  std::vector<std::unique_ptr<RxWait>> waits_;
};

TEST_F(HandoffTest, RoadsAndWorkersAreApartAndInOrder) {
  for (uint32_t i = 0; i < 20; ++i) {
    EXPECT_TRUE(handoff_->Give(Road::kFrames, {0}, {1}, Numbered(i)));
    EXPECT_TRUE(handoff_->Give(Road::kPackets, {0}, {1}, Numbered(100 + i)));
  }
  EXPECT_TRUE(handoff_->Give(Road::kFrames, {2}, {1}, Numbered(900)));
  EXPECT_FALSE(handoff_->HasFor({0}));
  EXPECT_TRUE(handoff_->HasFor({1}));
  EXPECT_FALSE(handoff_->HasFor({2}));
  const std::vector<uint32_t> frames = TakeAll(Road::kFrames, {1});
  EXPECT_EQ(frames.size(), 21u);
  std::vector<uint32_t> of_first;
  for (const uint32_t number : frames) {
    if (number < 100) of_first.push_back(number);
  }
  EXPECT_TRUE(std::ranges::is_sorted(of_first));
  EXPECT_TRUE(handoff_->HasFor({1}));
  const std::vector<uint32_t> packets = TakeAll(Road::kPackets, {1});
  EXPECT_EQ(packets.size(), 20u);
  EXPECT_TRUE(std::ranges::is_sorted(packets));
  EXPECT_FALSE(handoff_->HasFor({1}));
}

TEST_F(HandoffTest, NobodyIsStarvedByAFullRing) {
  for (uint32_t i = 0; i < 100; ++i) {
    ASSERT_TRUE(handoff_->Give(Road::kFrames, {0}, {2}, Numbered(i)));
  }
  ASSERT_TRUE(handoff_->Give(Road::kFrames, {1}, {2}, Numbered(900)));
  std::array<Frame, 4> few;
  bool seen = false;
  for (int turn = 0; turn < 3 && !seen; ++turn) {
    const size_t count = handoff_->Take(Road::kFrames, {2}, few);
    for (size_t i = 0; i < count; ++i) seen = seen || few[i].length == 900;
  }
  EXPECT_TRUE(seen);
}

TEST_F(HandoffTest, FullIsSaidAndTheRestIsKept) {
  uint32_t given = 0;
  while (handoff_->Give(Road::kPackets, {1}, {0}, Numbered(given))) ++given;
  EXPECT_EQ(given, Handoff::kSlots - 1);
  EXPECT_EQ(TakeAll(Road::kPackets, {0}).size(), given);
}

// There are few buffers for merged frames: a worker that takes nothing does not
// hold them all, whatever one flow sends to the wrong one.
TEST_F(HandoffTest, LargeBuffersHaveAShareOfTheRing) {
  const auto merged = [] {
    Frame frame;
    frame.mbuf = rte_pktmbuf_alloc(testing::TestJumboPool());
    return frame;
  };
  const unsigned before = rte_mempool_avail_count(testing::TestJumboPool());
  for (int round = 0; round < 3; ++round) {
    uint32_t given = 0;
    for (int i = 0; i < 50; ++i) {
      const Frame frame = merged();
      if (handoff_->Give(Road::kFrames, {0}, {1}, frame)) {
        ++given;
      } else {
        rte_pktmbuf_free(frame.mbuf);
      }
    }
    EXPECT_EQ(given, Handoff::kMaxLarge / 2) << "one of two other workers";
    EXPECT_EQ(rte_mempool_avail_count(testing::TestJumboPool()),
              before - given);
    // Others find room beside them, and what was taken makes room again.
    EXPECT_TRUE(handoff_->Give(Road::kFrames, {0}, {1}, Numbered(7)));
    std::array<Frame, 64> frames;
    const size_t count = handoff_->Take(Road::kFrames, {1}, frames);
    EXPECT_EQ(count, given + 1);
    for (size_t i = 0; i < count; ++i) rte_pktmbuf_free(frames[i].mbuf);
  }
}

TEST_F(HandoffTest, WakesThoseThatSleepAndWereGivenSomething) {
  for (auto& box : boxes_) box->Park();
  ASSERT_TRUE(handoff_->Give(Road::kFrames, {0}, {1}, Numbered(1)));
  handoff_->WakeReceivers({0});
  EXPECT_TRUE(Kicked(1));
  EXPECT_FALSE(Kicked(2));
  // Once for what was given.
  handoff_->WakeReceivers({0});
  EXPECT_FALSE(Kicked(1));
  for (auto& box : boxes_) box->Unpark();
  ASSERT_TRUE(handoff_->Give(Road::kFrames, {0}, {1}, Numbered(1)));
  handoff_->WakeReceivers({0});
  EXPECT_FALSE(Kicked(1)) << "one that is awake looks by itself";
}

TEST_F(HandoffTest, WhatNobodyTookIsFreed) {
  const unsigned before = rte_mempool_avail_count(testing::TestPool());
  for (const Road road : {Road::kFrames, Road::kPackets}) {
    Frame frame;
    frame.mbuf = rte_pktmbuf_alloc(testing::TestPool());
    ASSERT_TRUE(handoff_->Give(road, {0}, {1}, frame));
  }
  EXPECT_EQ(rte_mempool_avail_count(testing::TestPool()), before - 2);
  handoff_.reset();
  EXPECT_EQ(rte_mempool_avail_count(testing::TestPool()), before);
}

TEST(FlowDirectoryTest, FindsWhatItWasGivenAndNothingElse) {
  std::mt19937 random(7);
  std::vector<FlowDirectory::Entry> entries;
  std::vector<FlowKey> others;
  for (uint32_t i = 0; i < 5000; ++i) {
    Endpoint local =
        *ParseEndpoint(i % 2 ? "192.0.2.1:9000" : "[2001:db8::1]:9000");
    Endpoint remote = local;
    remote.port = static_cast<uint16_t>(i);
    remote.address.bytes[3] = static_cast<uint8_t>(random());
    entries.push_back({FlowKey::Of(local, remote), {i % kMaxWorkers}});
    ++local.port;
    others.push_back(FlowKey::Of(local, remote));
  }
  std::ranges::shuffle(entries, random);
  const FlowDirectory directory(entries);
  EXPECT_EQ(directory.size(), entries.size());
  for (const FlowDirectory::Entry& entry : entries) {
    ASSERT_EQ(directory.Find(entry.key), entry.worker);
  }
  for (const FlowKey& key : others) EXPECT_FALSE(directory.Find(key));
  EXPECT_FALSE(FlowDirectory().Find(others.front()));
}

}  // namespace
}  // namespace lwt
