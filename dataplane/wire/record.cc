#include "dataplane/wire/record.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "dataplane/wire/be.h"

namespace lwt::wire {
namespace {

constexpr uint8_t kVersionByte = 0x03;
constexpr uint16_t kChecksumGood = 0x8000;
constexpr uint16_t kChecksumUnfinished = 0x4000;
constexpr uint8_t kReportWantsAnswer = 1;
constexpr uint8_t kReportIsAnswer = 2;

}  // namespace

std::optional<size_t> RecordSize(std::span<const uint8_t> stream) {
  if (stream.size() < kRecordFraming) return std::nullopt;
  if (stream[0] != kRecordFirstByte || stream[1] != kVersionByte ||
      stream[2] != kVersionByte) {
    return std::nullopt;
  }
  const size_t length = LoadBe16(&stream[3]);
  if (length < kMinRecordLength || length > kMaxRecordLength) {
    return std::nullopt;
  }
  return kRecordFraming + length;
}

bool MayBeginRecord(std::span<const uint8_t> stream) {
  if (stream.size() >= kRecordFraming) return RecordSize(stream).has_value();
  constexpr uint8_t kBegin[] = {kRecordFirstByte, kVersionByte, kVersionByte};
  const size_t known = std::min(stream.size(), sizeof(kBegin));
  return std::equal(kBegin, kBegin + known, stream.begin()) &&
         (stream.size() < 4 || stream[3] <= kMaxRecordLength >> 8);
}

void WriteRecordFraming(size_t size, uint8_t* out) {
  out[0] = kRecordFirstByte;
  out[1] = kVersionByte;
  out[2] = kVersionByte;
  StoreBe16(out + 3, static_cast<uint16_t>(kRecordHeader + size + kRecordTag));
}

void WriteRecordHeader(const RecordHeader& header, uint8_t* out) {
  StoreBe64(out, header.packet_number);  // its upper two bytes are overwritten
  out[0] = header.kind;
  out[1] = header.epoch;
  StoreBe32(out + 8, header.group.base);
  out[12] = header.group.index;
  out[13] = header.group.data;
  out[14] = header.group.parity;
  out[15] = header.group.stride;
}

RecordHeader ReadRecordHeader(const uint8_t* bytes) {
  RecordHeader header;
  header.kind = bytes[0];
  header.epoch = bytes[1];
  header.packet_number = LoadBe64(bytes) & 0xffffffffffff;
  header.group.base = LoadBe32(bytes + 8);
  header.group.index = bytes[12];
  header.group.data = bytes[13];
  header.group.parity = bytes[14];
  header.group.stride = bytes[15];
  return header;
}

void WriteShardWord(const ShardWord& word, uint8_t* out) {
  uint16_t value = word.length;
  if (word.checksum_good) value |= kChecksumGood;
  if (word.checksum_unfinished) value |= kChecksumUnfinished;
  StoreBe16(out, value);
}

bool ShardReader::Next(ShardWord& word, std::span<uint8_t>& packet) {
  const std::span<uint8_t> shard = std::exchange(rest_, {});
  if (shard.empty()) return false;
  if (shard.size() < kShardWord) {
    malformed_ = true;
    return false;
  }
  const uint16_t value = LoadBe16(shard.data());
  word.length = value & ShardWord::kMaxLength;
  word.checksum_good = (value & kChecksumGood) != 0;
  word.checksum_unfinished = (value & kChecksumUnfinished) != 0;
  if (word.length == 0) return false;
  const std::span<uint8_t> behind = shard.subspan(kShardWord);
  if (word.length > behind.size()) {
    malformed_ = true;
    return false;
  }
  packet = behind.first(word.length);
  rest_ = behind.subspan(word.length);
  return true;
}

void WriteReport(const Report& report, uint8_t* out) {
  std::memset(out, 0, Report::kSize);
  if (report.wants_answer) out[0] |= kReportWantsAnswer;
  if (report.is_answer) out[0] |= kReportIsAnswer;
  StoreBe32(out + 4, report.token);
  StoreBe64(out + 8, report.forward_point);
  StoreBe64(out + 16, report.highest_packet);
  StoreBe64(out + 24, report.records_received);
  StoreBe64(out + 32, report.records_lost);
  StoreBe64(out + 40, report.loss_bursts);
  StoreBe64(out + 48, report.shards_repaired);
  StoreBe64(out + 56, report.shards_unrepaired);
}

std::optional<Report> ReadReport(std::span<const uint8_t> bytes) {
  if (bytes.size() < Report::kSize) return std::nullopt;
  Report report;
  report.wants_answer = (bytes[0] & kReportWantsAnswer) != 0;
  report.is_answer = (bytes[0] & kReportIsAnswer) != 0;
  report.token = LoadBe32(&bytes[4]);
  report.forward_point = LoadBe64(&bytes[8]);
  report.highest_packet = LoadBe64(&bytes[16]);
  report.records_received = LoadBe64(&bytes[24]);
  report.records_lost = LoadBe64(&bytes[32]);
  report.loss_bursts = LoadBe64(&bytes[40]);
  report.shards_repaired = LoadBe64(&bytes[48]);
  report.shards_unrepaired = LoadBe64(&bytes[56]);
  return report;
}

}  // namespace lwt::wire
