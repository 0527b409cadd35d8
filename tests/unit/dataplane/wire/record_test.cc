#include "dataplane/wire/record.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <vector>

namespace lwt::wire {
namespace {

using Bytes = std::vector<uint8_t>;

RecordHeader FullHeader() {
  RecordHeader header;
  header.kind = 3;
  header.epoch = 0xfe;
  header.packet_number = 0x0102030405a6;
  header.group.base = 0x11223344;
  header.group.index = 5;
  header.group.data = 20;
  header.group.parity = 4;
  header.group.stride = 2;
  return header;
}

TEST(MayBeginRecord, SaysSoAsLongAsNothingContradicts) {
  const Bytes begin = {0x17, 0x03, 0x03, 0x00, 0x20, 0x99};
  for (size_t size = 0; size <= begin.size(); ++size) {
    EXPECT_TRUE(MayBeginRecord(std::span(begin).first(size))) << size;
  }
  for (size_t at = 0; at < kRecordFraming; ++at) {
    Bytes other = begin;
    other[at] = at == 4 ? 0x1f : 0x42;
    for (size_t size = 0; size <= other.size(); ++size) {
      // The last byte of the length tells nothing by itself.
      const bool known = size > at;
      EXPECT_EQ(MayBeginRecord(std::span(other).first(size)), !known)
          << at << " " << size;
    }
  }
}

TEST(RecordHeader, HasTheBytesOfTheProtocol) {
  Bytes bytes(kRecordHeader, 0xee);
  WriteRecordHeader(FullHeader(), bytes.data());
  EXPECT_EQ(bytes, (Bytes{3, 0xfe, 1, 2, 3, 4, 5, 0xa6, 0x11, 0x22, 0x33, 0x44,
                          5, 20, 4, 2}));
}

TEST(RecordHeader, ReadsWhatItWrote) {
  Bytes bytes(kRecordHeader);
  WriteRecordHeader(FullHeader(), bytes.data());
  EXPECT_EQ(ReadRecordHeader(bytes.data()), FullHeader());
}

TEST(RecordHeader, KeepsTheLargestPacketNumberApartFromKindAndEpoch) {
  RecordHeader header;
  header.packet_number = (uint64_t{1} << 48) - 1;
  Bytes bytes(kRecordHeader);
  WriteRecordHeader(header, bytes.data());
  EXPECT_EQ(bytes[0], 0);
  EXPECT_EQ(bytes[1], 0);
  EXPECT_EQ(ReadRecordHeader(bytes.data()), header);
}

TEST(RecordHeader, MaskTwiceIsNoMask) {
  Bytes bytes(kRecordHeader);
  WriteRecordHeader(FullHeader(), bytes.data());
  const Bytes clear = bytes;
  std::array<uint8_t, kRecordHeader> mask;
  for (size_t i = 0; i < mask.size(); ++i) mask[i] = uint8_t(0x80 + i);
  ApplyMask(mask.data(), bytes.data());
  for (size_t i = 0; i < bytes.size(); ++i) {
    EXPECT_EQ(bytes[i], clear[i] ^ mask[i]) << i;
  }
  ApplyMask(mask.data(), bytes.data());
  EXPECT_EQ(bytes, clear);
}

TEST(RecordFraming, HasTheBytesOfTlsApplicationData) {
  Bytes bytes(kRecordFraming);
  WriteRecordFraming(1411, bytes.data());
  EXPECT_EQ(bytes, (Bytes{0x17, 3, 3, 0x05, 0xa3}));
  EXPECT_EQ(RecordSize(bytes), 1411 + kRecordOverhead);
}

TEST(RecordSize, TakesEveryPossibleLengthAndNoOther) {
  Bytes bytes = {0x17, 3, 3, 0, 0};
  for (size_t length = 0; length <= 0xffff; ++length) {
    bytes[3] = uint8_t(length >> 8);
    bytes[4] = uint8_t(length);
    const auto size = RecordSize(bytes);
    if (length < 32 || length > 16640) {
      ASSERT_FALSE(size) << length;
    } else {
      ASSERT_EQ(size, length + 5) << length;
    }
  }
}

TEST(RecordSize, RefusesEveryOtherTypeAndVersion) {
  const Bytes good = {0x17, 3, 3, 0, 32};
  ASSERT_EQ(RecordSize(good), 37u);
  for (size_t at = 0; at < 3; ++at) {
    for (int value = 0; value < 256; ++value) {
      Bytes bytes = good;
      bytes[at] = uint8_t(value);
      EXPECT_EQ(RecordSize(bytes).has_value(), value == good[at])
          << at << ": " << value;
    }
  }
}

TEST(RecordSize, NeedsTheWholeFraming) {
  const Bytes good = {0x17, 3, 3, 0, 32, 9, 9};
  for (size_t size = 0; size <= good.size(); ++size) {
    EXPECT_EQ(RecordSize(std::span(good).first(size)).has_value(), size >= 5)
        << size;
  }
}

TEST(ShardWord, HasTheBytesOfTheProtocol) {
  Bytes bytes(2);
  WriteShardWord({0x0123, false, false}, bytes.data());
  EXPECT_EQ(bytes, (Bytes{0x01, 0x23}));
  WriteShardWord({0x0123, true, false}, bytes.data());
  EXPECT_EQ(bytes, (Bytes{0x81, 0x23}));
  WriteShardWord({0x0123, false, true}, bytes.data());
  EXPECT_EQ(bytes, (Bytes{0x41, 0x23}));
  WriteShardWord({ShardWord::kMaxLength, true, true}, bytes.data());
  EXPECT_EQ(bytes, (Bytes{0xff, 0xff}));
}

// What a reader found: sizes of the packets, and how it ended.
struct Walk {
  std::vector<Bytes> packets;
  std::vector<ShardWord> words;
  bool malformed = false;
};

Walk WalkShard(Bytes shard) {
  Walk walk;
  ShardReader reader(shard);
  ShardWord word;
  std::span<uint8_t> packet;
  while (reader.Next(word, packet)) {
    walk.packets.emplace_back(packet.begin(), packet.end());
    walk.words.push_back(word);
  }
  walk.malformed = reader.malformed();
  return walk;
}

TEST(ShardReader, WalksPacketsInOrderWithTheirFlags) {
  const Walk walk = WalkShard({0x80, 2, 'a', 'b', 0x40, 1, 'c', 0, 3, 1, 2, 3});
  EXPECT_FALSE(walk.malformed);
  EXPECT_EQ(walk.packets, (std::vector<Bytes>{{'a', 'b'}, {'c'}, {1, 2, 3}}));
  ASSERT_EQ(walk.words.size(), 3u);
  EXPECT_TRUE(walk.words[0].checksum_good);
  EXPECT_FALSE(walk.words[0].checksum_unfinished);
  EXPECT_FALSE(walk.words[1].checksum_good);
  EXPECT_TRUE(walk.words[1].checksum_unfinished);
  EXPECT_FALSE(walk.words[2].checksum_good);
  EXPECT_EQ(walk.words[2].length, 3);
}

TEST(ShardReader, EmptyShardHoldsNothing) {
  const Walk walk = WalkShard({});
  EXPECT_TRUE(walk.packets.empty());
  EXPECT_FALSE(walk.malformed);
}

TEST(ShardReader, ZeroLengthEndsTheList) {
  for (const uint8_t flags : {0x00, 0x40, 0x80, 0xc0}) {
    const Walk walk = WalkShard({0, 1, 'a', flags, 0, 0, 1, 'b', 0xff});
    EXPECT_EQ(walk.packets, (std::vector<Bytes>{{'a'}})) << int{flags};
    EXPECT_FALSE(walk.malformed);
  }
}

TEST(ShardReader, HalfAWordIsMalformed) {
  const Walk walk = WalkShard({0, 1, 'a', 0});
  EXPECT_EQ(walk.packets.size(), 1u);
  EXPECT_TRUE(walk.malformed);
}

TEST(ShardReader, WordPastTheEndIsMalformed) {
  EXPECT_FALSE(WalkShard({0, 3, 1, 2, 3}).malformed);
  EXPECT_TRUE(WalkShard({0, 4, 1, 2, 3}).malformed);
  EXPECT_TRUE(WalkShard({0x3f, 0xff, 1, 2, 3}).malformed);
  EXPECT_TRUE(WalkShard({0, 1}).malformed);
}

TEST(ShardReader, StaysAtItsEnd) {
  for (Bytes shard : {Bytes{0, 0, 0, 1, 'a'}, Bytes{0, 9, 0, 1, 'a'}}) {
    ShardReader reader(shard);
    ShardWord word;
    std::span<uint8_t> packet;
    EXPECT_FALSE(reader.Next(word, packet));
    EXPECT_FALSE(reader.Next(word, packet));
  }
}

TEST(ShardReader, TakesTheLongestPacket) {
  Bytes shard(2 + ShardWord::kMaxLength, 7);
  WriteShardWord({ShardWord::kMaxLength, false, false}, shard.data());
  const Walk walk = WalkShard(shard);
  ASSERT_EQ(walk.packets.size(), 1u);
  EXPECT_EQ(walk.packets[0].size(), ShardWord::kMaxLength);
}

Report FullReport() {
  Report report;
  report.wants_answer = true;
  report.is_answer = true;
  report.token = 0x01020304;
  report.forward_point = 0x1112131415161718;
  report.highest_packet = 0x2122232425262728;
  report.records_received = 0x3132333435363738;
  report.records_lost = 0x4142434445464748;
  report.loss_bursts = 0x5152535455565758;
  report.shards_repaired = 0x6162636465666768;
  report.shards_unrepaired = 0x7172737475767778;
  return report;
}

TEST(Report, HasTheBytesOfTheProtocol) {
  Bytes bytes(Report::kSize, 0xee);
  WriteReport(FullReport(), bytes.data());
  EXPECT_EQ(
      bytes,
      (Bytes{3,    0,    0,    0,    1,    2,    3,    4,    0x11, 0x12, 0x13,
             0x14, 0x15, 0x16, 0x17, 0x18, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26,
             0x27, 0x28, 0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38, 0x41,
             0x42, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x51, 0x52, 0x53, 0x54,
             0x55, 0x56, 0x57, 0x58, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67,
             0x68, 0x71, 0x72, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78}));
}

TEST(Report, FlagsAreApart) {
  Bytes bytes(Report::kSize);
  Report report;
  WriteReport(report, bytes.data());
  EXPECT_EQ(bytes[0], 0);
  report.wants_answer = true;
  WriteReport(report, bytes.data());
  EXPECT_EQ(bytes[0], 1);
  report = {};
  report.is_answer = true;
  WriteReport(report, bytes.data());
  EXPECT_EQ(bytes[0], 2);
  EXPECT_FALSE(ReadReport(bytes)->line_full);
  report = {};
  report.line_full = true;
  WriteReport(report, bytes.data());
  EXPECT_EQ(bytes[0], 4);
  EXPECT_TRUE(ReadReport(bytes)->line_full);
}

TEST(Report, ReadsWhatItWrote) {
  Bytes bytes(Report::kSize);
  WriteReport(FullReport(), bytes.data());
  const auto read = ReadReport(bytes);
  ASSERT_TRUE(read);
  EXPECT_TRUE(read->wants_answer);
  EXPECT_TRUE(read->is_answer);
  EXPECT_EQ(read->token, FullReport().token);
  EXPECT_EQ(read->forward_point, FullReport().forward_point);
  EXPECT_EQ(read->highest_packet, FullReport().highest_packet);
  EXPECT_EQ(read->records_received, FullReport().records_received);
  EXPECT_EQ(read->records_lost, FullReport().records_lost);
  EXPECT_EQ(read->loss_bursts, FullReport().loss_bursts);
  EXPECT_EQ(read->shards_repaired, FullReport().shards_repaired);
  EXPECT_EQ(read->shards_unrepaired, FullReport().shards_unrepaired);
}

TEST(Report, RefusesFewerBytesAndIgnoresMore) {
  const Bytes bytes(Report::kSize + 8);
  for (size_t size = 0; size <= bytes.size(); ++size) {
    EXPECT_EQ(ReadReport(std::span(bytes).first(size)).has_value(),
              size >= Report::kSize)
        << size;
  }
}

}  // namespace
}  // namespace lwt::wire
