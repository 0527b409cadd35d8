#include "dataplane/exchange/mailbox.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <rte_mbuf.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <new>

#include "tests/packet/dataplane/gateway_pair.h"

// Snapshots and commands that live, told by their size: the mailbox frees them
// itself, and a test has to see when.
namespace {
std::atomic<int> live_snapshots;
std::atomic<int> live_commands;

void CountLive(size_t size, int change) {
  static_assert(sizeof(lwt::Snapshot) != sizeof(lwt::Command));
  if (size == sizeof(lwt::Snapshot)) live_snapshots += change;
  if (size == sizeof(lwt::Command)) live_commands += change;
}
}  // namespace

void* operator new(size_t size) {
  CountLive(size, 1);
  void* const memory = std::malloc(size);
  if (memory == nullptr) std::abort();
  return memory;
}
// Not in line: else g++ takes these for a pair that does not match.
[[gnu::noinline]] void operator delete(void* memory) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, size_t size) noexcept {
  if (memory != nullptr) CountLive(size, -1);
  std::free(memory);
}

namespace lwt {
namespace {

class MailboxTest : public ::testing::Test {
 protected:
  void SetUp() override {
    testing::StartTestEal();
    static int count = 0;
    box_ = Mailbox::Create("box" + std::to_string(count++));
    ASSERT_NE(box_, nullptr);
    auto wait = RxWait::Create({});
    ASSERT_TRUE(wait.ok());
    wait_ = std::move(*wait);
  }

  void SendProbe(uint32_t token) { box_->Send(ProbeLaneCommand{{0}, token}); }

  // The next command's token, handing it back; -1 when there is none.
  int64_t RunOne() {
    Command* const command = box_->NextCommand();
    if (command == nullptr) return -1;
    const int64_t token = std::get<ProbeLaneCommand>(*command).token;
    box_->Done(command);
    return token;
  }

  // Whether a Wait of ten seconds is ended by a kick.
  bool Kicked() {
    const auto start = std::chrono::steady_clock::now();
    wait_->Wait(10'000'000);
    return std::chrono::steady_clock::now() - start < std::chrono::seconds(9);
  }

  bool EventFdReadable() const {
    pollfd fd{box_->event_fd(), POLLIN, 0};
    return poll(&fd, 1, 0) == 1;
  }

  std::unique_ptr<RxWait> wait_;
  std::unique_ptr<Mailbox> box_;
};

std::unique_ptr<const Snapshot> SnapshotOf(uint64_t version) {
  auto snapshot = std::make_unique<Snapshot>();
  snapshot->version = version;
  return snapshot;
}

TEST_F(MailboxTest, CommandsArriveInOrder) {
  for (uint32_t i = 0; i < 10; ++i) SendProbe(i);
  EXPECT_TRUE(box_->HasCommands());
  for (uint32_t i = 0; i < 10; ++i) EXPECT_EQ(RunOne(), i);
  EXPECT_EQ(RunOne(), -1);
  EXPECT_FALSE(box_->HasCommands());
}

TEST_F(MailboxTest, CommandsBeyondTheRingWaitInOrder) {
  constexpr uint32_t kCount = 5000;
  for (uint32_t i = 0; i < kCount; ++i) SendProbe(i);
  uint32_t next = 0;
  for (int rounds = 0; next < kCount && rounds < 100; ++rounds) {
    for (int64_t token = RunOne(); token >= 0; token = RunOne()) {
      ASSERT_EQ(token, next++);
    }
    box_->Collect();
  }
  EXPECT_EQ(next, kCount);
}

TEST_F(MailboxTest, SendTakesAlongWhatWaits) {
  constexpr uint32_t kCount = 1500;
  for (uint32_t i = 0; i < kCount; ++i) SendProbe(i);
  uint32_t next = 0;
  while (RunOne() >= 0) ++next;
  ASSERT_LT(next, kCount);
  SendProbe(kCount);
  for (int64_t token = RunOne(); token >= 0; token = RunOne()) {
    ASSERT_EQ(token, next++);
  }
  EXPECT_EQ(next, kCount + 1);
}

TEST_F(MailboxTest, EveryCommandIsFreedEvenWithoutCollect) {
  const int before = live_commands;
  for (uint32_t i = 0; i < 5000; ++i) {
    SendProbe(i);
    ASSERT_EQ(RunOne(), i);
  }
  EXPECT_LE(live_commands - before, 2);
  box_->Collect();
  EXPECT_EQ(live_commands, before);
}

TEST_F(MailboxTest, EndFreesCommandsWhereverTheyAre) {
  const int before = live_commands;
  for (uint32_t i = 0; i < 3000; ++i) SendProbe(i);
  for (uint32_t i = 0; i < 10; ++i) RunOne();
  box_.reset();
  // Told by size, the mailbox itself may be one.
  const int itself = sizeof(Mailbox) == sizeof(Command) ? 1 : 0;
  EXPECT_EQ(live_commands, before - itself);
}

TEST_F(MailboxTest, SendWakesAParkedWorker) {
  box_->AttachWorker(wait_.get());
  box_->Park();
  EXPECT_FALSE(box_->HasCommands());
  SendProbe(1);
  EXPECT_TRUE(Kicked());
  box_->Unpark();
  EXPECT_EQ(RunOne(), 1);
  box_->AttachWorker(nullptr);
}

TEST_F(MailboxTest, CollectWakesAWorkerForCommandsThatWaited) {
  box_->AttachWorker(wait_.get());
  for (uint32_t i = 0; i < 1500; ++i) SendProbe(i);
  while (RunOne() >= 0) {
  }
  box_->Park();
  ASSERT_FALSE(box_->HasCommands());
  box_->Collect();
  EXPECT_TRUE(box_->HasCommands());
  EXPECT_TRUE(Kicked());
  box_->Unpark();
  box_->AttachWorker(nullptr);
}

TEST_F(MailboxTest, EventsArriveInOrderUntilTheRingIsFull) {
  uint32_t sent = 0;
  Event event;
  event.kind = EventKind::kReportAnswer;
  event.token = sent;
  while (box_->Report(event)) event.token = ++sent;
  EXPECT_EQ(sent, 4095u);
  Event got;
  for (uint32_t i = 0; i < sent; ++i) {
    ASSERT_TRUE(box_->PollEvent(got));
    ASSERT_EQ(got.token, i);
    ASSERT_EQ(got.kind, EventKind::kReportAnswer);
  }
  EXPECT_FALSE(box_->PollEvent(got));
  EXPECT_TRUE(box_->Report(event));
}

TEST_F(MailboxTest, WhatFindsNoRoomIsNotPunted) {
  const std::vector<uint8_t> segment(60'000, 7);
  const FlowId flow = FlowId::Of(4, 2);
  uint64_t sent = 0;
  while (box_->PuntStream(flow, sent * 100, segment)) ++sent;
  // As many as control is given to hold beside one another.
  EXPECT_EQ(sent, 17u);
  PuntedStream got;
  ASSERT_TRUE(box_->PollStream(got));
  EXPECT_TRUE(box_->PuntStream(flow, sent * 100, segment));
  for (uint64_t i = 1; i <= sent; ++i) {
    ASSERT_TRUE(box_->PollStream(got));
    ASSERT_EQ(got.flow, flow);
    ASSERT_EQ(got.stream_offset, i * 100);
    ASSERT_EQ(got.bytes, segment);
  }
  EXPECT_FALSE(box_->PollStream(got));
}

TEST_F(MailboxTest, RecordsArriveWhole) {
  const std::vector<uint8_t> content = {1, 2, 3};
  ASSERT_TRUE(box_->PuntRecord({3}, 5, content));
  PuntedRecord got;
  ASSERT_TRUE(box_->PollRecord(got));
  EXPECT_EQ(got.lane, LaneIndex{3});
  EXPECT_EQ(got.bytes, content);
  EXPECT_EQ(got.kind, 5);
}

TEST_F(MailboxTest, ControlSleepsOnlyWhenNothingWaits) {
  EXPECT_TRUE(box_->PrepareSleep());
  box_->AfterSleep();
  ASSERT_TRUE(box_->Report(Event{}));
  EXPECT_FALSE(box_->PrepareSleep());
  Event event;
  ASSERT_TRUE(box_->PollEvent(event));
  EXPECT_TRUE(box_->PrepareSleep());
  box_->AfterSleep();
  ASSERT_TRUE(box_->PuntStream(kNullFlow, 0, {}));
  EXPECT_FALSE(box_->PrepareSleep());
  PuntedStream stream;
  ASSERT_TRUE(box_->PollStream(stream));
  ASSERT_TRUE(box_->PuntRecord({0}, 0, {}));
  EXPECT_FALSE(box_->PrepareSleep());
}

TEST_F(MailboxTest, KickReachesSleepingControlOnly) {
  ASSERT_TRUE(box_->Report(Event{}));
  box_->KickControl();
  EXPECT_FALSE(EventFdReadable());  // control is awake
  Event event;
  ASSERT_TRUE(box_->PollEvent(event));
  ASSERT_TRUE(box_->PrepareSleep());
  box_->KickControl();
  EXPECT_FALSE(EventFdReadable());  // nothing was queued
  ASSERT_TRUE(box_->Report(Event{}));
  box_->KickControl();
  EXPECT_TRUE(EventFdReadable());
  box_->AfterSleep();
  EXPECT_FALSE(EventFdReadable());
}

TEST_F(MailboxTest, SnapshotsLiveUntilTheWorkerIsQuiescent) {
  box_->AttachWorker(wait_.get());
  const int before = live_snapshots;
  box_->Publish(SnapshotOf(1));
  EXPECT_EQ(box_->snapshot()->version, 1u);
  box_->Publish(SnapshotOf(2));
  EXPECT_EQ(box_->snapshot()->version, 2u);
  box_->Collect();
  EXPECT_EQ(live_snapshots - before, 2);
  box_->ReportQuiescent();
  EXPECT_EQ(live_snapshots - before, 2);
  box_->Collect();
  EXPECT_EQ(live_snapshots - before, 1);
  EXPECT_EQ(box_->snapshot()->version, 2u);
  box_->AttachWorker(nullptr);
}

TEST_F(MailboxTest, ParkedWorkerHoldsNoSnapshot) {
  box_->AttachWorker(wait_.get());
  const int before = live_snapshots;
  box_->Publish(SnapshotOf(1));
  box_->Park();
  box_->Publish(SnapshotOf(2));
  EXPECT_EQ(live_snapshots - before, 1);
  box_->Unpark();
  box_->Publish(SnapshotOf(3));
  EXPECT_EQ(live_snapshots - before, 2);
  box_->AttachWorker(nullptr);
  box_->Collect();
  EXPECT_EQ(live_snapshots - before, 1);
}

TEST_F(MailboxTest, TheLanIsPublishedByItself) {
  box_->AttachWorker(wait_.get());
  EXPECT_EQ(box_->lan(), nullptr);
  box_->Publish(SnapshotOf(1));
  auto first = std::make_shared<const LanTable>(LanTable::Spec{.mtu = 1});
  const std::weak_ptr<const LanTable> watched = first;
  box_->PublishLan(std::move(first));
  EXPECT_EQ(box_->lan()->mtu(), 1);
  box_->PublishLan(std::make_shared<const LanTable>(LanTable::Spec{.mtu = 2}));
  EXPECT_EQ(box_->lan()->mtu(), 2);
  EXPECT_EQ(box_->snapshot()->version, 1u);
  box_->Collect();
  EXPECT_FALSE(watched.expired());
  box_->ReportQuiescent();
  box_->Collect();
  EXPECT_TRUE(watched.expired());
  box_->AttachWorker(nullptr);
}

}  // namespace
}  // namespace lwt
