#include <gtest/gtest.h>

#include <algorithm>

#include "control/handshake/control_channel.h"
#include "control/handshake/messages.h"

namespace lwt::handshake {
namespace {

constexpr auto kType = ControlType::kNotice;

ByteVector Numbered(uint32_t number) { return RekeyDone{number}.Build(); }

std::vector<uint32_t> NumbersOf(const std::vector<ControlMessage>& messages) {
  std::vector<uint32_t> numbers;
  for (const ControlMessage& message : messages) {
    numbers.push_back(RekeyDone::Parse(message.body)->epoch);
  }
  return numbers;
}

TEST(ControlRecord, HoldsAMessageAndPadding) {
  const ByteVector message = {1, 2, 3};
  for (const size_t padding : {0, 1, 255}) {
    const ByteVector record = BuildControlRecord(message, padding);
    EXPECT_EQ(record.size(), 2 + message.size() + padding);
    const auto read = ParseControlRecord(record);
    ASSERT_TRUE(read);
    EXPECT_TRUE(std::ranges::equal(*read, message));
  }
  const ByteVector bare = BuildControlRecord(message, 0);
  for (size_t size = 0; size < bare.size(); ++size) {
    EXPECT_FALSE(ParseControlRecord(ByteSpan(bare).first(size))) << size;
  }
}

TEST(ControlMessage, RoundTripAndBounds) {
  const ControlMessage message{
      .sequence = 7, .acknowledged = 9, .type = kType, .body = {1, 2, 3}};
  const ByteVector bytes = BuildControlMessage(message);
  EXPECT_EQ(bytes, (ByteVector{0, 0, 0, 7, 0, 0, 0, 9, 5, 1, 2, 3}));
  const auto parsed = ParseControlMessage(bytes);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->sequence, 7u);
  EXPECT_EQ(parsed->acknowledged, 9u);
  EXPECT_EQ(parsed->body, message.body);
  for (size_t size = 0; size < kControlHeaderSize; ++size) {
    EXPECT_FALSE(ParseControlMessage(ByteSpan(bytes).first(size)));
  }
  ByteVector longest = bytes;
  longest.resize(kControlHeaderSize + kMaxControlBody);
  EXPECT_TRUE(ParseControlMessage(longest));
  longest.push_back(0);
  EXPECT_FALSE(ParseControlMessage(longest));
  EXPECT_TRUE(ParseControlMessage(ByteVector(9)));
  EXPECT_FALSE(ParseControlMessage(ByteVector(10))) << "an ack with a body";
  EXPECT_FALSE(ParseControlMessage(ByteVector{0, 0, 0, 0, 0, 0, 0, 0, 5}));
  EXPECT_FALSE(ParseControlMessage(ByteVector{0, 0, 0, 1, 0, 0, 0, 0, 0}));
}

TEST(ControlMessage, NoticesAreMadeHarmless) {
  const auto notice = Notice::Parse(
      Notice{NoticeCode::kUnknownType, "type 9\x1b[2J\n"}.Build());
  ASSERT_TRUE(notice);
  EXPECT_EQ(notice->code, NoticeCode::kUnknownType);
  EXPECT_EQ(notice->text, "type 9?[2J?");
  EXPECT_FALSE(Notice::Parse({}));
  EXPECT_EQ(Notice{.text = std::string(5000, 'x')}.Build().size(),
            kMaxControlBody);
}

TEST(ControlChannel, DeliversAndFallsSilent) {
  ControlChannel a;
  ControlChannel b;
  std::vector<ControlMessage> got;
  EXPECT_EQ(a.NextDeadline(), UINT64_MAX);
  EXPECT_FALSE(a.Poll(5));
  ASSERT_TRUE(a.Send(kType, Numbered(1)));
  EXPECT_EQ(a.NextDeadline(), 0u);
  const auto bytes = a.Poll(5);
  ASSERT_TRUE(bytes);
  EXPECT_FALSE(a.Poll(5));
  EXPECT_TRUE(b.Receive(*bytes, &got));
  EXPECT_EQ(NumbersOf(got), (std::vector<uint32_t>{1}));
  const auto ack = b.Poll(6);
  ASSERT_TRUE(ack);
  EXPECT_EQ(ack->size(), kControlHeaderSize);
  EXPECT_FALSE(b.Poll(6));
  EXPECT_FALSE(a.AllAcknowledged());
  EXPECT_TRUE(a.Receive(*ack, &got));
  EXPECT_TRUE(a.AllAcknowledged());
  EXPECT_FALSE(a.Poll(UINT64_MAX));
  EXPECT_EQ(a.NextDeadline(), UINT64_MAX);
}

TEST(ControlChannel, RepeatsWithBackOffUntilAcknowledged) {
  ControlChannel a;
  ASSERT_TRUE(a.Send(kType, Numbered(1)));
  const uint64_t waits_ms[] = {200, 400, 800, 1600, 2000, 2000};
  uint64_t now = 1'000'000;
  ASSERT_TRUE(a.Poll(now));
  for (uint64_t wait_ms : waits_ms) {
    now += wait_ms * 1000;
    EXPECT_EQ(a.NextDeadline(), now);
    EXPECT_FALSE(a.Poll(now - 1));
    EXPECT_TRUE(a.Poll(now));
  }
}

TEST(ControlChannel, RepeatsAreDroppedButAcknowledged) {
  ControlChannel a;
  ControlChannel b;
  std::vector<ControlMessage> got;
  ASSERT_TRUE(a.Send(kType, Numbered(1)));
  const ByteVector bytes = *a.Poll(0);
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(b.Receive(bytes, &got));
    EXPECT_TRUE(b.Poll(0)) << "the acknowledgement may have been lost";
  }
  EXPECT_EQ(got.size(), 1u);
}

TEST(ControlChannel, ReordersWithinTheWindow) {
  ControlChannel a;
  ControlChannel b;
  std::vector<ByteVector> wire;
  for (uint32_t i = 1; i <= 8; ++i) ASSERT_TRUE(a.Send(kType, Numbered(i)));
  while (auto bytes = a.Poll(0)) wire.push_back(*bytes);
  ASSERT_EQ(wire.size(), 8u);
  std::vector<ControlMessage> got;
  for (size_t i = wire.size(); i-- > 1;) {
    EXPECT_TRUE(b.Receive(wire[i], &got));
    EXPECT_TRUE(got.empty());
  }
  EXPECT_TRUE(b.Receive(wire[0], &got));
  EXPECT_EQ(NumbersOf(got), (std::vector<uint32_t>{1, 2, 3, 4, 5, 6, 7, 8}));
}

TEST(ControlChannel, IsBounded) {
  ControlChannel a;
  for (size_t i = 0; i < ControlChannel::kMaxQueue; ++i) {
    EXPECT_TRUE(a.Send(kType, {}));
  }
  EXPECT_FALSE(a.Send(kType, {}));
  EXPECT_FALSE(ControlChannel().Send(kType, ByteVector(kMaxControlBody + 1)));
  size_t on_wire = 0;
  while (a.Poll(0)) ++on_wire;
  EXPECT_EQ(on_wire, ControlChannel::kWindow);
  // Far ahead of what was delivered: dropped, to be repeated in its turn.
  ControlChannel b;
  std::vector<ControlMessage> got;
  EXPECT_TRUE(
      b.Receive(BuildControlMessage({.sequence = 9, .type = kType}), &got));
  EXPECT_TRUE(b.Receive(
      BuildControlMessage({.sequence = UINT32_MAX, .type = kType}), &got));
  EXPECT_TRUE(got.empty());
}

TEST(ControlChannel, AcksOfTheUnsentAreRefused) {
  ControlChannel a;
  std::vector<ControlMessage> got;
  ASSERT_TRUE(a.Send(kType, {}));
  EXPECT_FALSE(a.Receive(BuildControlMessage({.acknowledged = 2}), &got));
  EXPECT_FALSE(a.AllAcknowledged());
  EXPECT_FALSE(a.Receive(ByteVector(3), &got));
  EXPECT_TRUE(a.Receive(BuildControlMessage({.acknowledged = 1}), &got));
  EXPECT_TRUE(a.AllAcknowledged());
}

}  // namespace
}  // namespace lwt::handshake
