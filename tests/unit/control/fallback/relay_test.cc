#include "control/fallback/relay.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "tests/unit/control/workers/recording_link.h"

namespace lwt::peer {
namespace {

constexpr FlowId kFlow = FlowId::Of(7, 3);

std::vector<uint8_t> Bytes(size_t begin, size_t size) {
  std::vector<uint8_t> bytes(size);
  for (size_t i = 0; i < size; ++i) {
    bytes[i] = static_cast<uint8_t>((begin + i) * 131 >> 3);
  }
  return bytes;
}

class RelayTest : public testing::Test {
 protected:
  void Arrive(size_t begin, size_t size) {
    relay_.OnStream(link_.Punt(kFlow, Bytes(begin, size), begin));
  }
  // Lets the service take what there is, `step` bytes at a time.
  std::vector<uint8_t> TakeAll(size_t step = SIZE_MAX) {
    std::vector<uint8_t> taken;
    for (auto bytes = relay_.ForService(); !bytes.empty();
         bytes = relay_.ForService()) {
      const size_t size = std::min(step, bytes.size());
      taken.insert(taken.end(), bytes.begin(), bytes.begin() + size);
      relay_.ServiceTook(size);
    }
    return taken;
  }

  RecordingLink link_;
  Relay relay_{link_, kFlow};
};

TEST_F(RelayTest, SplicesAtOnceAndClosesAtTheEnd) {
  EXPECT_EQ(link_.Sent<SpliceCommand>().size(), 1u);
  { Relay other(link_, FlowId::Of(8, 1)); }
  ASSERT_EQ(link_.Sent<CloseFlowCommand>().size(), 1u);
  EXPECT_EQ(link_.Sent<CloseFlowCommand>()[0].flow, FlowId::Of(8, 1));
}

TEST_F(RelayTest, AFlowThatIsGoneIsNotClosed) {
  {
    Relay other(link_, FlowId::Of(8, 1));
    other.OnFlowDown();
    other.FromService(Bytes(0, 10));
  }
  EXPECT_TRUE(link_.Sent<CloseFlowCommand>().empty());
  EXPECT_TRUE(link_.Sent<SendStreamCommand>().empty());
}

TEST_F(RelayTest, BytesInAnyOrderReachTheServiceInTheirs) {
  std::mt19937 random(5);
  std::vector<std::pair<size_t, size_t>> pieces;
  for (size_t at = 0; at < 60'000;) {
    const size_t size = 1 + random() % 3000;
    // Overlaps as retransmissions that were cut again make them.
    pieces.emplace_back(at, size + random() % 100);
    at += size;
  }
  std::shuffle(pieces.begin(), pieces.end(), random);
  std::vector<uint8_t> taken;
  for (const auto& [at, size] : pieces) {
    Arrive(at, size);
    Arrive(at, size);
    const std::vector<uint8_t> more = TakeAll(777);
    taken.insert(taken.end(), more.begin(), more.end());
  }
  EXPECT_GE(taken.size(), 60'000u);
  EXPECT_EQ(taken, Bytes(0, taken.size()));
  // The worker knows all that was taken.
  EXPECT_EQ(link_.Sent<ConsumeCommand>().back().stream_offset, taken.size());
}

TEST_F(RelayTest, HoldsNoMoreThanTheWindow) {
  for (size_t at = 0; at < 4 * Relay::kWindow; at += 1000) Arrive(at, 1000);
  EXPECT_LE(TakeAll().size(), Relay::kWindow);
}

// Behind a hole, where nothing can be handed on: the smallest pieces cost no
// more than large ones.
TEST_F(RelayTest, OneByteSegmentsCostNoMoreMemoryThanTheirBytes) {
  constexpr size_t kSegments = 60'000;
  for (size_t i = 0; i < kSegments; ++i) Arrive(1 + i, 1);
  EXPECT_FALSE(relay_.broken());
  EXPECT_LE(relay_.memory(), Relay::kWindow + 4096);
  Arrive(0, 1);
  EXPECT_EQ(TakeAll(), Bytes(0, kSegments + 1));
}

TEST_F(RelayTest, MoreHolesThanAnySenderMakesEndTheStream) {
  for (size_t i = 0; i < 30'000; ++i) Arrive(1 + 2 * i, 1);
  EXPECT_TRUE(relay_.broken());
  EXPECT_LE(relay_.memory(), Relay::kWindow + 4096);
}

// One in every two segments of a full window is lost.
TEST_F(RelayTest, AsManyHolesAsALossyPathMakesAreFine) {
  constexpr size_t kSegment = 1000;
  constexpr size_t kWindow = 64'000;
  for (size_t at = kSegment; at < kWindow; at += 2 * kSegment) {
    Arrive(at, kSegment);
  }
  for (size_t at = 0; at < kWindow; at += 2 * kSegment) Arrive(at, kSegment);
  EXPECT_FALSE(relay_.broken());
  EXPECT_EQ(TakeAll(3000), Bytes(0, kWindow));
}

TEST_F(RelayTest, WhatLittleAProberSaysCostsLittle) {
  Arrive(0, 500);
  EXPECT_LE(relay_.memory(), 4096u);
}

TEST_F(RelayTest, WhatIsBeyondTheWindowEndsTheStream) {
  Arrive(Relay::kWindow - 999, 1000);
  EXPECT_TRUE(relay_.broken());
}

TEST_F(RelayTest, TheProberIsDoneWhenAllWasTaken) {
  Arrive(0, 100);
  relay_.OnEnded();
  EXPECT_FALSE(relay_.ProberDone());
  TakeAll();
  EXPECT_TRUE(relay_.ProberDone());
}

TEST_F(RelayTest, SendsNoMoreThanTheFlowHasRoomFor) {
  EXPECT_EQ(relay_.Room(), 0u);
  relay_.OnRoom(20'000);
  EXPECT_EQ(relay_.Room(), Relay::kChunk);
  relay_.FromService(Bytes(0, Relay::kChunk));
  EXPECT_EQ(relay_.Room(), 20'000 - Relay::kChunk);
  relay_.FromService(Bytes(0, relay_.Room()));
  EXPECT_EQ(relay_.Room(), 0u);
  relay_.OnRoom(15'000);  // older news
  EXPECT_EQ(relay_.Room(), 0u);
  relay_.OnRoom(20'001);
  EXPECT_EQ(relay_.Room(), 1u);
}

}  // namespace
}  // namespace lwt::peer
