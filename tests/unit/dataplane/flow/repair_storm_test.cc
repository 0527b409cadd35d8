// What an ack of a repaired segment tells of the others (RFC 8985 §6.2 step 2).
// Where it was made by the copy of before, it pretends a round trip that is far
// too short of a segment that was sent just now, and all that is in flight
// looks lost. Where it was not, the others wait no longer than they have to.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <vector>

#include "tests/unit/dataplane/flow/tcp_rig.h"

namespace lwt::test {
namespace {

constexpr uint16_t kBulkSize = 200;
constexpr uint64_t kBulkPaceUs = 200;

uint64_t SentAgain(TcpRig& rig) {
  return rig.client.tcp->Stats(rig.client.flow)->segments_retransmitted;
}

// Bulk with an ever changing amount in flight, so that round trips are between
// the link's own and many times that, acknowledged with data both ways.
class Bulk {
 public:
  Bulk(TcpRig& rig, uint64_t seed) : rig_(rig), random_(seed) {}

  void Run(uint64_t time_us) {
    const uint64_t end = rig_.now_us + time_us;
    while (rig_.now_us < end) {
      if (rig_.now_us >= change_at_us_) {
        in_flight_ = 50 + random_() % 1500;
        change_at_us_ = rig_.now_us + 20'000 + random_() % 60'000;
      }
      SendBurst();
      rig_.FlushBoth();
      rig_.RunTo(rig_.now_us + kBulkPaceUs);
    }
  }

 private:
  void SendBurst() {
    const auto& client = rig_.client;
    for (int i = 0; i < 32; ++i) {
      const auto stats = client.tcp->Stats(client.flow);
      if (stats->bytes_in_flight > in_flight_ * kBulkSize) break;
      if (!rig_.Send(rig_.client, kBulkSize)) break;
    }
    const uint64_t received =
        rig_.hub.tcp->Stats(rig_.hub.flow)->segments_received;
    if (received <= answered_ + 4) return;
    answered_ = received;
    rig_.Send(rig_.hub, kBulkSize / 2);
  }

  TcpRig& rig_;
  std::mt19937_64 random_;
  uint64_t in_flight_ = 0;
  uint64_t change_at_us_ = 0;
  uint64_t answered_ = 0;
};

// The link of the end-to-end tests, where one frame in a hundred comes 1 ms
// later, and who carries the frames waits for its core now and then. Nothing is
// lost. A kernel repairs about as many as are late.
TEST(RepairStorm, FewerAreSentAgainThanAreLate) {
  uint64_t late = 0;
  uint64_t again = 0;
  for (uint64_t seed = 1; seed <= 16; ++seed) {
    TcpRig rig{RigConfig(1), RigConfig(2),
               LinkConfig{.delay_us = 1000, .frame_us = 12}, seed};
    ASSERT_TRUE(rig.Open());
    rig.link.late = 0.01;
    rig.link.stall_us = 15'000;
    Bulk(rig, seed).Run(400'000);
    EXPECT_GT(rig.frames_late, 100u) << seed;
    EXPECT_LE(SentAgain(rig) * 3, rig.frames_late) << seed;
    late += rig.frames_late;
    again += SentAgain(rig);
    EXPECT_TRUE(rig.faults.empty()) << rig.faults.front();
  }
  EXPECT_LE(again * 10, late);
}

// The control: with losses on the same link, each is repaired, once for each
// copy that is lost.
TEST(RepairStorm, WhatIsLostIsSentAgainOnce) {
  for (uint64_t seed = 1; seed <= 4; ++seed) {
    TcpRig rig{RigConfig(1), RigConfig(2),
               LinkConfig{.delay_us = 1000, .frame_us = 12}, seed};
    ASSERT_TRUE(rig.Open());
    std::mt19937_64 random(seed);
    uint64_t lost = 0;
    rig.filter = [&](const wire::FrameView& view) {
      const bool arrives =
          view.tcp.payload.size() != kBulkSize || random() % 50;
      lost += arrives ? 0 : 1;
      return arrives;
    };
    Bulk(rig, seed).Run(400'000);
    rig.filter = nullptr;
    rig.RunTo(rig.now_us + 300'000);
    EXPECT_GT(lost, 200u) << seed;
    EXPECT_GE(SentAgain(rig), lost) << seed;
    EXPECT_LE(SentAgain(rig) * 20, lost * 21) << seed;
    EXPECT_TRUE(rig.Complete(rig.client));
  }
}

// One flow with a shortest round trip of 2 ms, which takes 20 ms since: as
// where a queue has grown.
class RepairTest : public testing::Test {
 protected:
  static constexpr uint64_t kRoundTripUs = 20'000;
  static constexpr uint64_t kPaceUs = 500;
  static constexpr uint16_t kSize = 1000;

  void SetUp() override {
    ASSERT_TRUE(rig_.Open());
    first_seq_ = rig_.client_numbers.first;
    Send(10);
    rig_.link.delay_us = kRoundTripUs / 2;
    Send(500);
    rig_.observer = [this](const TcpRig::Side& from, const Frame& frame) {
      const wire::FrameView view = frame.View();
      if (&from != &rig_.client || view.tcp.payload.empty()) return;
      copies_[view.tcp.seq.value()].push_back(rig_.now_us);
    };
    rig_.filter = [this](const wire::FrameView& view) {
      const auto found = to_lose_.find(view.tcp.seq.value());
      if (view.tcp.payload.empty() || found == to_lose_.end()) return true;
      return found->second-- <= 0;
    };
  }

  // The path was seen to reorder, so that nothing is lost before its time.
  void ShowReordering() {
    SendLate(500);
    Send(200);
    ASSERT_EQ(SentAgain(rig_), 0u);
  }
  void Send(int count) {
    for (int i = 0; i < count; ++i) {
      ASSERT_TRUE(rig_.Send(rig_.client, kSize));
      rig_.FlushBoth();
      rig_.RunTo(rig_.now_us + kPaceUs);
    }
  }
  void SendLate(uint64_t late_us) {
    rig_.link.late = 1;
    rig_.link.late_us = late_us;
    ASSERT_TRUE(rig_.Send(rig_.client, kSize));
    rig_.link.late = 0;
    rig_.RunTo(rig_.now_us + kPaceUs);
  }
  // The next segment; its first `copies` are lost.
  uint32_t SendLost(int copies) {
    const uint32_t seq = NextSeq();
    to_lose_[seq] = copies;
    Send(1);
    return seq;
  }
  uint32_t NextSeq() {
    const auto stats = rig_.client.tcp->Stats(rig_.client.flow);
    return first_seq_ + static_cast<uint32_t>(stats->bytes_sent);
  }
  void Pass(uint64_t time_us) { rig_.RunTo(rig_.now_us + time_us); }

  TcpRig rig_{RigConfig(1), RigConfig(2), LinkConfig{.delay_us = 1000}, 5};
  uint32_t first_seq_ = 0;
  // By sequence number: when each copy was sent, and how many are lost still.
  std::map<uint32_t, std::vector<uint64_t>> copies_;
  std::map<uint32_t, int> to_lose_;
};

TEST_F(RepairTest, AnAckOfTheCopyBeforeMakesNothingLost) {
  ShowReordering();
  // Repaired after a round trip and 1 ms, and here 4 ms later, which is more
  // than the shortest round trip.
  SendLate(5000);
  Send(500);
  EXPECT_EQ(SentAgain(rig_), 1u);
}

TEST_F(RepairTest, NorDoesASackOfTheCopyBefore) {
  ShowReordering();
  SendLost(2);
  Send(2);
  SendLate(5000);
  Send(500);
  EXPECT_EQ(SentAgain(rig_), 3u);
}

// Of a line that is full: each copy waits twice as long as the one before.
TEST_F(RepairTest, ARepairThatIsLostIsRepairedInTwoRoundTrips) {
  const uint32_t twice = SendLost(2);
  Send(10);
  const uint32_t once = SendLost(1);
  Send(10);
  // Nothing follows that could tell of it but the other repair.
  Pass(4 * kRoundTripUs);
  ASSERT_EQ(copies_[once].size(), 2u);
  ASSERT_EQ(copies_[twice].size(), 3u);
  EXPECT_LE(copies_[twice][1], copies_[twice][0] + kRoundTripUs + 2000);
  EXPECT_GE(copies_[twice][2], copies_[twice][1] + 2 * kRoundTripUs);
  EXPECT_LE(copies_[twice][2], copies_[twice][1] + 2 * kRoundTripUs + 10'000);
  EXPECT_TRUE(rig_.Complete(rig_.client));
}

// What was sent again time and again waits long for the next copy, and for a
// timeout at last; what was sent again after it does not wait with it.
TEST_F(RepairTest, HoldsUpNoneThatWasSentAgainLessOften) {
  Send(20);
  constexpr int kAlways = 1000;
  const uint32_t always = SendLost(kAlways);
  Send(300);
  ASSERT_GE(copies_[always].size(), 4u);
  for (int i = 0; i < 3; ++i) {
    const uint32_t twice = SendLost(2);
    Send(160);
    ASSERT_EQ(copies_[twice].size(), 3u) << i;
    EXPECT_LE(copies_[twice][2], copies_[twice][1] + 2 * kRoundTripUs + 10'000)
        << i;
  }
}

TEST_F(RepairTest, AProbeThatArrivesTellsOfTheTail) {
  Send(20);
  const uint32_t first = SendLost(1);
  const uint32_t second = SendLost(1);
  const uint32_t last = SendLost(1);
  Pass(10 * kRoundTripUs);
  ASSERT_EQ(copies_[last].size(), 2u);
  const uint64_t probed_us = copies_[last][1];
  for (const uint32_t seq : {first, second}) {
    ASSERT_EQ(copies_[seq].size(), 2u);
    EXPECT_LE(copies_[seq][1], probed_us + kRoundTripUs + 2000);
  }
  EXPECT_TRUE(rig_.Complete(rig_.client));
}

TEST_F(RepairTest, TheFirstRepairOfATimeoutTellsOfAllOthers) {
  Pass(2 * kRoundTripUs);
  std::vector<uint32_t> lost;
  for (int i = 0; i < 40; ++i) lost.push_back(SendLost(1));
  // The tail-loss probe is lost too.
  to_lose_[lost.back()] = 1;
  const auto complete = [this] { return rig_.Complete(rig_.client); };
  EXPECT_TRUE(rig_.RunUntil(1'000'000, complete));
  const uint64_t timeout_us = copies_[lost.front()][1];
  for (const uint32_t seq : lost) {
    EXPECT_LE(copies_[seq].back(), timeout_us + 2 * kRoundTripUs + 2000);
  }
}

// A record that comes too late on a full line is given up; not so while bytes
// of a stream, which may not be, stand before it.
TEST_F(RepairTest, AStreamIsNotGivenUpWithTheRecordsBehindIt) {
  const uint64_t begin = rig_.client.tcp->Stats(rig_.client.flow)->bytes_sent;
  constexpr int kAlways = 1000;
  to_lose_[NextSeq()] = kAlways;
  ASSERT_TRUE(rig_.SendStream(rig_.client, kSize));
  rig_.FlushBoth();
  const uint32_t record = SendLost(kAlways);
  Send(1000);
  ASSERT_TRUE(rig_.client.tcp->LoadOf(rig_.client.flow)->full());
  EXPECT_GE(copies_[record].size(), 3u);
  EXPECT_LE(rig_.client.tcp->ForwardPoint(rig_.client.flow), begin);
  to_lose_.clear();
  EXPECT_TRUE(rig_.RunUntil(10'000'000, [&] {
    const auto& delivered = rig_.hub.delivered;
    return std::any_of(delivered.begin(), delivered.end(), [&](auto& range) {
      return range.first <= begin && range.second >= begin + kSize;
    });
  }));
}

}  // namespace
}  // namespace lwt::test
