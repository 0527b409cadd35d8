#include "control/loop/background.h"

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

namespace lwt::loop {
namespace {

class BackgroundTest : public testing::Test {
 protected:
  void SetUp() override {
    loop_ = *EventLoop::Create();
    background_ = *Background::Create(*loop_);
  }
  // Turns the loop until `count` are done; false when that takes too long.
  bool Done(size_t count) {
    constexpr uint64_t kTurnUs = 10'000;
    for (int turn = 0; turn < 1000 && done_.size() < count; ++turn) {
      loop_->Turn(kTurnUs);
    }
    return done_.size() == count;
  }

  std::unique_ptr<EventLoop> loop_;
  std::unique_ptr<Background> background_;
  std::vector<std::string> done_;
};

TEST_F(BackgroundTest, WorkIsDoneElsewhereAndItsEndIsToldHere) {
  const std::thread::id here = std::this_thread::get_id();
  std::thread::id there;
  std::thread::id told;
  background_->Run([&] { there = std::this_thread::get_id(); },
                   [&] {
                     told = std::this_thread::get_id();
                     done_.push_back("it");
                   });
  ASSERT_TRUE(Done(1));
  EXPECT_NE(there, here);
  EXPECT_EQ(told, here);
}

TEST_F(BackgroundTest, OneJobAfterAnother) {
  std::string order;
  for (const char name : {'a', 'b', 'c', 'd'}) {
    background_->Run([&order, name] { order += name; },
                     [this, name] { done_.emplace_back(1, name); });
  }
  ASSERT_TRUE(Done(4));
  EXPECT_EQ(order, "abcd");
  EXPECT_EQ(done_, (std::vector<std::string>{"a", "b", "c", "d"}));
}

TEST_F(BackgroundTest, AnEndMayAskForMore) {
  background_->Run([] {},
                   [this] {
                     done_.push_back("first");
                     background_->Run([] {},
                                      [this] { done_.push_back("second"); });
                   });
  ASSERT_TRUE(Done(2));
}

TEST_F(BackgroundTest, TheLoopTurnsWhileADiskIsSlow) {
  std::atomic<bool> go = false;
  background_->Run([&go] { go.wait(false); },
                   [this] { done_.push_back("slow"); });
  for (int turn = 0; turn < 5; ++turn) loop_->Turn(1000);
  EXPECT_TRUE(done_.empty());
  go = true;
  go.notify_one();
  EXPECT_TRUE(Done(1));
}

TEST_F(BackgroundTest, WhatWasGivenIsWorkedOffAtTheEnd) {
  int worked = 0;
  for (int i = 0; i < 20; ++i) {
    background_->Run([&worked] { ++worked; },
                     [this] { done_.push_back("too late"); });
  }
  background_.reset();
  EXPECT_EQ(worked, 20);
  loop_->Turn(1000);
  EXPECT_TRUE(done_.empty()) << "who would have been told may be gone";
}

TEST_F(BackgroundTest, WithoutWorkThereIsNoThreadToWaitFor) {
  background_.reset();
}

}  // namespace
}  // namespace lwt::loop
