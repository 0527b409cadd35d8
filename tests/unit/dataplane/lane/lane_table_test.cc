#include "dataplane/lane/lane_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>

namespace lwt::session {
namespace {

TEST(LaneTableTest, AnIndexWithoutALaneLeadsToNone) {
  LaneTable table(3);
  EXPECT_EQ(table.size(), 3u);
  EXPECT_EQ(table.made(), 0u);
  for (uint32_t i = 0; i < table.size(); ++i) {
    EXPECT_FALSE(table[i].installed);
    EXPECT_FALSE(table[i].receive.At(EpochSlot{0}).held);
  }
  LaneTable none(0);
  EXPECT_EQ(none.size(), 0u);
}

TEST(LaneTableTest, EachLaneIsItsOwn) {
  LaneTable table(3);
  Lane& first = table.Make({0});
  Lane& last = table.Make({2});
  EXPECT_NE(&first, &last);
  first.installed = true;
  last.send.next_packet = 7;
  EXPECT_EQ(&table[0], &first);
  EXPECT_EQ(&table[2], &last);
  EXPECT_FALSE(table[1].installed);
  EXPECT_EQ(table[1].send.next_packet, 0u);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(&last) % alignof(Lane), 0u);
}

TEST(LaneTableTest, OneThatIsMadeAgainIsFresh) {
  LaneTable table(2);
  Lane& lane = table.Make({1});
  lane.installed = true;
  lane.receive.window.Commit(5);
  lane.peer_rate = 9;
  const Lane& fresh = table.Make({1});
  EXPECT_FALSE(fresh.installed);
  EXPECT_EQ(fresh.receive.window.next(), 0u);
  EXPECT_EQ(fresh.receive.window.Peek(5), ReplayWindow::Verdict::kNew);
  EXPECT_EQ(fresh.peer_rate, 0u);
  EXPECT_EQ(table.made(), 1u);
}

TEST(LaneTableTest, WhatGoesIsWiped) {
  LaneTable table(2);
  Lane& lane = table.Make({0});
  const auto* const bytes = reinterpret_cast<const uint8_t*>(&lane);
  std::fill(lane.send.iv.begin(), lane.send.iv.end(), uint8_t{0xab});
  lane.receive.window.Commit(1000);
  table.Clear({0});
  EXPECT_TRUE(std::all_of(bytes, bytes + sizeof(Lane),
                          [](uint8_t byte) { return byte == 0; }));
  table.Clear({0});  // of one that is not there, nothing
  EXPECT_EQ(table.made(), 0u);
}

// Control uses an index again as late as it can.
TEST(LaneTableTest, MemoryIsBehindAsManyAsStoodAtOneTime) {
  constexpr uint32_t kLanes = 64;
  constexpr uint32_t kAtOnce = 5;
  LaneTable table(kLanes);
  for (uint32_t i = 0; i < 10 * kLanes; ++i) {
    if (i >= kAtOnce) table.Clear({(i - kAtOnce) % kLanes});
    table.Make({i % kLanes});
  }
  EXPECT_EQ(table.made(), kAtOnce);
  EXPECT_EQ(table.touched(), kAtOnce);
}

}  // namespace
}  // namespace lwt::session
