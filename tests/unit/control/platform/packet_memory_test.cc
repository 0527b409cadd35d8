#include "control/platform/packet_memory.h"

#include <gtest/gtest.h>

#include "drivers/ports/uplink.h"

namespace lwt::platform {
namespace {

TEST(PacketMemoryTest, EachWorkerGetsFramesOfItsOwn) {
  const MemoryRequest one = RequestFor({.workers = 1});
  const MemoryRequest four = RequestFor({.workers = 4});
  EXPECT_EQ(four.small_frames, 4 * one.small_frames);
  EXPECT_EQ(four.jumbo_frames, 4 * one.jumbo_frames);
  EXPECT_EQ(four.other_bytes, 4 * one.other_bytes);
}

TEST(PacketMemoryTest, SentRecordsAreKeptInSmallFrames) {
  const MemoryRequest none = RequestFor({.workers = 2});
  const MemoryRequest kept =
      RequestFor({.workers = 2, .arena_bytes = 64u << 20});
  EXPECT_GT(kept.small_frames, none.small_frames);
  EXPECT_EQ(kept.jumbo_frames, none.jumbo_frames);
}

TEST(PacketMemoryTest, WhatWaitsHasFramesOfItsOwn) {
  const MemoryRequest few = RequestFor({.workers = 2, .send_queue = 100});
  const MemoryRequest many = RequestFor({.workers = 2, .send_queue = 5100});
  EXPECT_EQ(many.small_frames, few.small_frames + 2 * 5000);
  EXPECT_EQ(many.jumbo_frames, few.jumbo_frames);
}

TEST(PacketMemoryTest, ALanPortIsASecondPacketSocket) {
  const MemoryRequest without = RequestFor({.workers = 3});
  const MemoryRequest with = RequestFor({.workers = 3, .lan_port = true});
  EXPECT_EQ(with.jumbo_frames, without.jumbo_frames + 3 * kAfPacketFrames);
  EXPECT_EQ(with.small_frames, without.small_frames);
}

TEST(PacketMemoryTest, AfXdpTakesMemoryForEachQueue) {
  const MemoryRequest without = RequestFor({.workers = 1});
  const MemoryRequest with = RequestFor({.workers = 1, .xdp_queues = 3});
  EXPECT_EQ(with.other_bytes, without.other_bytes + 3 * kXdpBytesPerQueue);
}

}  // namespace
}  // namespace lwt::platform
