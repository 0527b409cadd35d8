// The tables of fixed size under the outer flows.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <set>

#include "dataplane/flow/flow_table.h"
#include "dataplane/flow/flow_timers.h"
#include "dataplane/flow/receive_ranges.h"
#include "dataplane/flow/sent_arena.h"
#include "dataplane/flow/syn_cookie.h"
#include "dataplane/sip_hash.h"
#include "tests/unit/dataplane/flow/tcp_rig.h"

namespace lwt {
namespace {

TEST(SipHash, MatchesThePublishedVector) {
  // Key 00..0f, input 00..07: vectors_sip64 number 8 of the authors.
  const SipKey key{0x0706050403020100, 0x0f0e0d0c0b0a0908};
  const uint64_t words[] = {0x0706050403020100};
  EXPECT_EQ(SipHash::Of(key, words), 0x93f5f5799a932462u);
}

TEST(FlowTable, FindsWhatIsInAndNothingElse) {
  const FlowKeyedHash hash({1, 2, 3});
  FlowTable table(64, hash);
  std::mt19937 random(5);
  std::set<uint16_t> in;
  const auto key_of = [](uint16_t port) {
    return FlowKey::Of(test::At("192.0.2.1:9000"),
                       {test::At("192.0.2.2:1").address, port});
  };
  for (int step = 0; step < 20000; ++step) {
    const auto port = static_cast<uint16_t>(random() % 100);
    OuterFlow* flow = table.Find(key_of(port));
    ASSERT_EQ(flow != nullptr, in.contains(port)) << step;
    if (flow != nullptr) {
      ASSERT_EQ(flow->key.remote().port, port);
      table.Free(*flow);
      in.erase(port);
    } else if (OuterFlow* fresh = table.Add(key_of(port))) {
      fresh->state = FlowState::kOpen;
      in.insert(port);
    } else {
      ASSERT_EQ(in.size(), 64u);
    }
  }
}

TEST(FlowTable, ANameOutlivesItsFlowInVain) {
  const FlowKeyedHash hash({});
  FlowTable table(1, hash);
  const FlowKey key =
      FlowKey::Of(test::At("192.0.2.1:1"), test::At("192.0.2.2:2"));
  OuterFlow* flow = table.Add(key);
  flow->state = FlowState::kOpen;
  const FlowId old = FlowId::Of(0, flow->generation);
  EXPECT_EQ(table.Find(old), flow);
  EXPECT_EQ(table.Add(key), nullptr);
  table.Free(*flow);
  EXPECT_EQ(table.Find(old), nullptr);
  flow = table.Add(key);
  flow->state = FlowState::kOpen;
  EXPECT_EQ(table.Find(old), nullptr);
  EXPECT_EQ(table.Find(kNullFlow), nullptr);
}

TEST(FlowTable, NoNameOfASlotComesAgain) {
  const FlowKeyedHash hash({});
  FlowTable table(1, hash);
  const FlowKey key =
      FlowKey::Of(test::At("192.0.2.1:1"), test::At("192.0.2.2:2"));
  OuterFlow* flow = table.Add(key);
  const FlowId first =
      FlowId::Of(0, flow->generation, WorkerIndex{kMaxWorkers - 1});
  for (int i = 0; i < 1 << 17; ++i) {
    table.Free(*flow);
    flow = table.Add(key);
    flow->state = FlowState::kOpen;
    ASSERT_EQ(table.Find(first), nullptr) << i;
  }
  const FlowId last =
      FlowId::Of(0, flow->generation, WorkerIndex{kMaxWorkers - 1});
  EXPECT_EQ(table.Find(last), flow);
  EXPECT_EQ(last.worker(), WorkerIndex{kMaxWorkers - 1});
  EXPECT_EQ(last.slot(), 0u);
}

TEST(FlowTimers, FiresEachOnceAndNotLate) {
  FlowTimers timers(100);
  std::mt19937_64 random(9);
  uint64_t now = 50'000'000;
  EXPECT_EQ(timers.PopDue(now), FlowTimers::kNone);
  std::vector<uint64_t> due(100);
  for (uint32_t slot = 0; slot < 100; ++slot) {
    due[slot] = now + random() % 3'000'000;
    timers.ArmBy(slot, due[slot]);
  }
  timers.Cancel(7);
  size_t fired = 0;
  while (timers.NextDeadline() != FlowTimers::kNever) {
    ASSERT_GE(timers.NextDeadline(), now);
    now = timers.NextDeadline();
    for (uint32_t slot = timers.PopDue(now); slot != FlowTimers::kNone;
         slot = timers.PopDue(now)) {
      ++fired;
      ASSERT_NE(slot, 7u);
      ASSERT_GE(now, due[slot]);
      ASSERT_LE(now, due[slot] + 1000);
    }
  }
  EXPECT_EQ(fired, 99u);
}

TEST(FlowTimers, AFarDeadlineComesEarlyAndMovesOn) {
  FlowTimers timers(1);
  uint64_t now = 1'000'000;
  ASSERT_EQ(timers.PopDue(now), FlowTimers::kNone);
  const uint64_t deadline = now + 20'000'000;
  timers.ArmBy(0, deadline);
  int early = 0;
  while (now < deadline) {
    now = timers.NextDeadline();
    ASSERT_EQ(timers.PopDue(now), 0u);
    if (now < deadline) {
      ++early;
      timers.ArmBy(0, deadline);
    }
  }
  EXPECT_LE(early, 5);
}

TEST(FlowTimers, FirstDeadlinesOfAHostLongUpTakeAFewTurns) {
  FlowTimers timers(3);
  const uint64_t now = uint64_t{400} * 24 * 3600 * 1'000'000;
  const uint64_t deadline = now + 60'000'000;
  for (uint32_t slot = 0; slot < 3; ++slot) timers.ArmBy(slot, deadline);
  int early = 0;
  for (uint32_t slot = timers.PopDue(now); slot != FlowTimers::kNone;
       slot = timers.PopDue(now)) {
    timers.ArmBy(slot, deadline);
    ASSERT_LE(++early, 12);
  }
  EXPECT_GT(timers.NextDeadline(), now);
  // Each still comes, and none is lost.
  std::set<uint32_t> fired;
  while (timers.NextDeadline() != FlowTimers::kNever) {
    fired.insert(timers.PopDue(deadline));
  }
  EXPECT_EQ(fired, (std::set<uint32_t>{0, 1, 2}));
}

TEST(ReceiveRanges, EqualsAModelOfBytes) {
  std::mt19937 random(3);
  RangePlaces places(1);
  for (int round = 0; round < 300; ++round) {
    ReceiveRanges ranges;
    const bool may_grow = round % 2 == 1;
    std::set<uint64_t> model;
    uint64_t base = 4'294'967'000;  // across 2^32
    for (int step = 0; step < 100; ++step) {
      const uint64_t begin = base + 1 + random() % 400;
      const uint64_t end = begin + 1 + random() % 20;
      if (random() % 5 == 0) {
        base = ranges.Absorb(base + random() % 30);
        model.erase(model.begin(), model.lower_bound(base));
        ASSERT_FALSE(model.contains(base));
        continue;
      }
      if (may_grow && ranges.full()) ranges.Grow(places.Take({7}));
      if (!ranges.Add(base, begin, end)) {
        ASSERT_FALSE(may_grow);
        ASSERT_EQ(ranges.size(), ReceiveRanges::kCapacity);
        continue;
      }
      for (uint64_t i = begin; i < end; ++i) model.insert(i);
      std::set<uint64_t> held;
      for (size_t i = 0; i < ranges.size(); ++i) {
        const auto range = ranges.At(i);
        for (uint64_t at = range.begin; at < range.end; ++at) held.insert(at);
      }
      ASSERT_EQ(held, model);
    }
    if (ranges.is_large()) places.GiveBack(ranges.Shrink());
    ASSERT_EQ(places.available(), 1u);
  }
}

TEST(RangePlacesTest, OnePeerHasAnEighthAtMost) {
  RangePlaces places(32);
  std::vector<ReceiveRanges::LargePlace*> taken;
  while (auto* place = places.Take({1})) taken.push_back(place);
  EXPECT_EQ(taken.size(), 4u);
  for (uint32_t peer = 2; peer <= 8; ++peer) {
    for (int i = 0; i < 4; ++i) EXPECT_NE(places.Take({peer}), nullptr);
  }
  EXPECT_EQ(places.Take({9}), nullptr) << "all are in use";
  places.GiveBack(taken.front());
  EXPECT_EQ(places.Take({9}), taken.front());
  EXPECT_EQ(places.available(), 0u);
}

// As many holes as a long path of many losses has.
TEST(ReceiveRanges, ALargeListHoldsTwoThousand) {
  RangePlaces places(1);
  ReceiveRanges ranges;
  uint64_t at = 0;
  while (ranges.Add(0, at + 10, at + 20)) {
    at += 20;
    if (ranges.size() == ReceiveRanges::kCapacity)
      ranges.Grow(places.Take({7}));
  }
  EXPECT_EQ(ranges.size(), ReceiveRanges::kLargeCapacity);
  EXPECT_EQ(places.Take({8}), nullptr);
  // Filled from the front, hole by hole.
  uint64_t base = 0;
  while (!ranges.empty()) {
    ASSERT_TRUE(ranges.Holds(base + 10, base + 20));
    base = ranges.Absorb(base + 10);
  }
  EXPECT_EQ(base, at);
  places.GiveBack(ranges.Shrink());
}

// A hole is always there, for more bytes than a distance can tell.
TEST(ReceiveRanges, AListThatIsNeverEmptyGoesOnForEver) {
  ReceiveRanges ranges;
  constexpr uint64_t kStep = 8u << 20;
  uint64_t base = 5;
  for (int i = 0; i < 2000; ++i) {
    ASSERT_TRUE(ranges.Add(base, base + 2 * kStep, base + 2 * kStep + 9));
    base += kStep;
    ASSERT_EQ(ranges.Absorb(base), i == 0 ? base : base + 9) << i;
    base = ranges.Absorb(base);
    ASSERT_EQ(ranges.size(), 1u);
    base -= base % kStep;
    base += 5;
  }
}

TEST(ReceiveRanges, TellsTheLatestChangeFirst) {
  ReceiveRanges ranges;
  for (uint64_t begin : {100u, 300u, 500u, 700u}) {
    ASSERT_TRUE(ranges.Add(0, begin, begin + 50));
  }
  ASSERT_TRUE(ranges.Add(0, 350, 360));
  std::array<ReceiveRanges::Range, ReceiveRanges::kTold> out;
  ASSERT_EQ(ranges.Tell(3, out), 3u);
  EXPECT_EQ(out[0], (ReceiveRanges::Range{300, 360}));
  EXPECT_EQ(out[1], (ReceiveRanges::Range{700, 750}));
  EXPECT_EQ(out[2], (ReceiveRanges::Range{500, 550}));
  EXPECT_EQ(ranges.untold(), 0u);
}

TEST(SynCookie, IsGoodForItsFlowAndMinuteOnly) {
  const FlowKeyedHash hash({9});
  const SynCookie cookie(hash);
  const FlowKey key =
      FlowKey::Of(test::At("192.0.2.1:9000"), test::At("192.0.2.2:2"));
  const FlowKey other =
      FlowKey::Of(test::At("192.0.2.1:9000"), test::At("192.0.2.2:3"));
  const wire::TcpSeq isn(77);
  const uint64_t now = 10 * SynCookie::kPeriodUs + 5;
  const wire::TcpSeq made = cookie.Make(key, isn, 1400, now);
  EXPECT_EQ(cookie.Check(key, isn, made, now), 1300);
  EXPECT_EQ(cookie.Check(key, isn, made, now + SynCookie::kPeriodUs), 1300);
  EXPECT_EQ(cookie.Check(key, isn, made, now + 2 * SynCookie::kPeriodUs),
            std::nullopt);
  EXPECT_EQ(cookie.Check(other, isn, made, now), std::nullopt);
  EXPECT_EQ(cookie.Check(key, isn + 1, made, now), std::nullopt);
  EXPECT_EQ(cookie.Check(key, isn, made + 0x1000, now), std::nullopt);
}

TEST(SynCookie, TellsOptionsInTheTimestamp) {
  wire::TcpOptions options;
  options.window_scale = 10;
  options.sack_permitted = true;
  for (const uint32_t now : {0u, 5u, 63u, 64u, 1000u, 0xffffffffu}) {
    const uint32_t told = SynCookie::EncodeOptions(options, now);
    EXPECT_LE(now - told, 64u);
    const wire::TcpOptions back = SynCookie::DecodeOptions(told);
    EXPECT_EQ(back.window_scale, 10);
    EXPECT_TRUE(back.sack_permitted);
  }
  const wire::TcpOptions none =
      SynCookie::DecodeOptions(SynCookie::EncodeOptions({}, 1000));
  EXPECT_FALSE(none.window_scale.has_value());
  EXPECT_FALSE(none.sack_permitted);
}

}  // namespace
}  // namespace lwt
