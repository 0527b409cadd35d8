// Sealed records: the frame of TLS application data around our own header,
// ciphertext and tag (docs/protocol.md#records). Bytes only; no keys, no state.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>

#include "dataplane/wire/be.h"

namespace lwt::wire {

inline constexpr uint8_t kRecordFirstByte = 0x17;  // TLS application data
inline constexpr size_t kRecordFraming = 5;        // TLS type, version, length
inline constexpr size_t kRecordHeader = 16;
inline constexpr size_t kRecordTag = 16;
inline constexpr size_t kRecordPrefix = kRecordFraming + kRecordHeader;
inline constexpr size_t kRecordOverhead = kRecordPrefix + kRecordTag;
inline constexpr size_t kShardWord = 2;
inline constexpr uint8_t kVersionByte = 0x03;
// RFC 8446 section 5.2: 2^14 bytes and at most 256 more.
inline constexpr size_t kMaxRecordLength = 16640;
inline constexpr size_t kMinRecordLength = kRecordHeader + kRecordTag;

enum class RecordKind : uint8_t {
  kData = 0,
  kParity = 1,
  kControl = 2,
  kReport = 3,
  kProbe = 4,
  kClose = 5,
};

// Where a record stands in its FEC group (docs/protocol.md#groups).
struct GroupPlace {
  uint32_t base = 0;   // low 32 bits of the first packet number
  uint8_t index = 0;   // of a data shard, or the row of a parity
  uint8_t data = 0;    // k; 0 when the record is in no group
  uint8_t parity = 0;  // m
  uint8_t stride = 0;
  friend bool operator==(const GroupPlace&, const GroupPlace&) = default;
};

struct RecordHeader {
  uint8_t kind = 0;
  uint8_t epoch = 0;           // low 8 bits
  uint64_t packet_number = 0;  // 48 bits
  GroupPlace group;
  friend bool operator==(const RecordHeader&, const RecordHeader&) = default;
};

// Size of the whole record at the front of `stream`, framing included, or
// nullopt when none begins there or its length is impossible. The record may
// be longer than `stream`.
inline std::optional<size_t> RecordSize(std::span<const uint8_t> stream) {
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

// Whether a record may begin here; `stream` may end before that shows.
bool MayBeginRecord(std::span<const uint8_t> stream);

// Writes the framing of a record whose ciphertext has `size` bytes.
inline void WriteRecordFraming(size_t size, uint8_t* out) {
  out[0] = kRecordFirstByte;
  out[1] = kVersionByte;
  out[2] = kVersionByte;
  StoreBe16(out + 3, static_cast<uint16_t>(kRecordHeader + size + kRecordTag));
}

inline void WriteRecordHeader(const RecordHeader& header, uint8_t* out) {
  StoreBe64(out, header.packet_number);  // its upper two bytes are overwritten
  out[0] = header.kind;
  out[1] = header.epoch;
  StoreBe32(out + 8, header.group.base);
  out[12] = header.group.index;
  out[13] = header.group.data;
  out[14] = header.group.parity;
  out[15] = header.group.stride;
}
inline RecordHeader ReadRecordHeader(const uint8_t* bytes) {
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

// XORs the sixteen header bytes; masking and unmasking are the same.
inline void ApplyMask(const uint8_t* mask, uint8_t* header) {
  for (size_t i = 0; i < kRecordHeader; ++i) header[i] ^= mask[i];
}

// The word before each packet of a shard.
struct ShardWord {
  static constexpr uint16_t kMaxLength = 0x3fff;
  uint16_t length = 0;
  bool checksum_good = false;
  bool checksum_unfinished = false;
};

// Flags of the word on the wire.
inline constexpr uint16_t kChecksumGood = 0x8000;
inline constexpr uint16_t kChecksumUnfinished = 0x4000;

inline void WriteShardWord(const ShardWord& word, uint8_t* out) {
  uint16_t value = word.length;
  if (word.checksum_good) value |= kChecksumGood;
  if (word.checksum_unfinished) value |= kChecksumUnfinished;
  StoreBe16(out, value);
}

// Walks the packets of an opened shard.
class ShardReader {
 public:
  explicit ShardReader(std::span<uint8_t> shard) : rest_(shard) {}

  // The next packet. False at the end of the list, or when a word points past
  // the shard: then malformed() is true.
  bool Next(ShardWord& word, std::span<uint8_t>& packet);
  bool malformed() const { return malformed_; }

 private:
  std::span<uint8_t> rest_;
  bool malformed_ = false;
};

inline bool ShardReader::Next(ShardWord& word, std::span<uint8_t>& packet) {
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

struct Report {
  static constexpr size_t kSize = 64;
  bool wants_answer = false;
  bool is_answer = false;
  bool line_full = false;  // on which the lane sends
  uint32_t token = 0;
  uint64_t forward_point = 0;   // stream offset
  uint64_t highest_packet = 0;  // packet number received
  uint64_t records_received = 0;
  uint64_t records_lost = 0;       // that did not come in their turn
  uint64_t loss_bursts = 0;        // runs of them
  uint64_t shards_repaired = 0;    // by FEC
  uint64_t shards_unrepaired = 0;  // groups given up
};

void WriteReport(const Report& report, uint8_t* out);
[[nodiscard]] std::optional<Report> ReadReport(std::span<const uint8_t> bytes);

}  // namespace lwt::wire
