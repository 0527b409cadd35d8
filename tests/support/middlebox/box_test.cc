#include "tests/support/middlebox/box.h"

#include <gtest/gtest.h>

#include <string>

namespace lwt::middlebox {
namespace {

constexpr size_t kPayload = 14 + 20 + 32;

// Client 40000 to server 9000, or back, with a SACK option and two NOPs.
Frame Segment(uint32_t seq, uint32_t ack, const std::string& payload,
              bool back = false) {
  Frame frame(kPayload);
  frame[12] = 8;
  uint8_t* ip = &frame[14];
  ip[0] = 0x45;
  const size_t total = 52 + payload.size();
  ip[2] = static_cast<uint8_t>(total >> 8);
  ip[3] = static_cast<uint8_t>(total);
  ip[9] = 6;
  ip[15] = back ? 2 : 1;
  ip[19] = back ? 1 : 2;
  uint8_t* tcp = ip + 20;
  const uint8_t ports[] = {0x9c, 0x40, 0x23, 0x28};  // 40000, 9000
  for (size_t i = 0; i < 4; ++i) tcp[i] = ports[back ? (i + 2) % 4 : i];
  for (int i = 0; i < 4; ++i) {
    tcp[4 + i] = static_cast<uint8_t>(seq >> (24 - 8 * i));
    tcp[8 + i] = static_cast<uint8_t>(ack >> (24 - 8 * i));
    tcp[24 + i] = static_cast<uint8_t>((ack + 10) >> (24 - 8 * i));
    tcp[28 + i] = static_cast<uint8_t>((ack + 20) >> (24 - 8 * i));
  }
  tcp[12] = 0x80;
  tcp[13] = 0x18;
  tcp[20] = tcp[21] = 1;
  tcp[22] = 5;
  tcp[23] = 10;
  frame.insert(frame.end(), payload.begin(), payload.end());
  return frame;
}

uint32_t Field(const Frame& frame, size_t at) {
  const uint8_t* tcp = &frame[34];
  return uint32_t{tcp[at]} << 24 | uint32_t{tcp[at + 1]} << 16 |
         uint32_t{tcp[at + 2]} << 8 | tcp[at + 3];
}

// 0xffff where the TCP checksum is right.
uint32_t ChecksumOf(const Frame& frame) {
  uint32_t sum = 6 + static_cast<uint32_t>(frame.size() - 34);
  for (size_t i = 26; i < frame.size(); i += 2) {
    sum += static_cast<uint32_t>(frame[i] << 8) +
           (i + 1 < frame.size() ? frame[i + 1] : 0);
  }
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return sum;
}

std::vector<Frame> Pass(Box& box, const std::vector<Frame>& frames) {
  std::vector<std::span<const uint8_t>> spans(frames.begin(), frames.end());
  std::vector<Frame> out;
  box.Pass(spans, out);
  return out;
}

TEST(BoxTest, CutsAnywhereAndMerges) {
  Options options;
  options.port = 9000;
  options.cut = 100;
  Box box(options);
  std::string sent;
  std::string got;
  bool across = false;
  for (uint32_t round = 0; round < 50; ++round) {
    std::vector<Frame> frames;
    std::string bytes;
    for (int i = 0; i < 4; ++i) {
      const std::string payload(70, static_cast<char>('a' + i));
      frames.push_back(
          Segment(1000 + static_cast<uint32_t>(bytes.size()), 5, payload));
      bytes += payload;
    }
    sent += bytes;
    uint32_t next = 1000;
    for (const Frame& frame : Pass(box, frames)) {
      EXPECT_EQ(Field(frame, 4), next);
      EXPECT_EQ(Field(frame, 8), 5u);
      EXPECT_EQ(ChecksumOf(frame), 0xffffu);
      const std::string part(frame.begin() + kPayload, frame.end());
      EXPECT_LE(part.size(), 100u);
      across |= part.front() != part.back();
      next += static_cast<uint32_t>(part.size());
      got += part;
    }
  }
  EXPECT_EQ(got, sent);
  EXPECT_TRUE(across);
  EXPECT_EQ(box.counts().taken, 200u);
  EXPECT_GT(box.counts().given, 150u);
}

TEST(BoxTest, WhatIsNotTheFlowsPasses) {
  Options options;
  options.port = 9001;
  options.cut = 10;
  options.modulate = true;
  options.loss = 1;
  Box box(options);
  const Frame frame = Segment(1, 2, std::string(100, 'x'));
  const std::vector<Frame> out = Pass(box, {frame, Frame(20, 1)});
  ASSERT_EQ(out.size(), 2u);
  EXPECT_EQ(out[0], frame);
}

TEST(BoxTest, ModulatesBothWaysAlike) {
  Options options;
  options.port = 9000;
  options.modulate = true;
  Box there(options);
  Box back(options);
  const Frame out = Pass(there, {Segment(100, 7, "abc")}).at(0);
  const uint32_t ours = Field(out, 4) - 100;
  EXPECT_NE(ours, 0u);
  // The peer acknowledges what it saw; the sender sees its own number.
  const Frame answer =
      Pass(back, {Segment(7 + 0, Field(out, 4) + 3, "", true)}).at(0);
  EXPECT_EQ(Field(answer, 8), 103u);
  EXPECT_EQ(Field(answer, 24), 113u);
  EXPECT_EQ(Field(answer, 28), 123u);
  const uint32_t theirs = Field(answer, 4) - 7;
  EXPECT_NE(theirs, ours);
  EXPECT_EQ(Field(out, 8), 7 - theirs);
  EXPECT_EQ(ChecksumOf(answer), 0xffffu);
}

TEST(BoxTest, LosesTheShareItIsToldTo) {
  Options options;
  options.port = 9000;
  options.loss = 0.3;
  Box box(options);
  const std::vector<Frame> frames(1000, Segment(1, 2, "x"));
  const size_t left = Pass(box, frames).size();
  EXPECT_EQ(left + box.counts().lost, 1000u);
  EXPECT_NEAR(static_cast<double>(box.counts().lost), 300, 60);
}

}  // namespace
}  // namespace lwt::middlebox
