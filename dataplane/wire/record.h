// Sealed records: the frame of TLS application data around our own header,
// ciphertext and tag (docs/protocol.md#records). Bytes only; no keys, no state.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace lwt::wire {

inline constexpr uint8_t kRecordFirstByte = 0x17;  // TLS application data
inline constexpr size_t kRecordFraming = 5;        // TLS type, version, length
inline constexpr size_t kRecordHeader = 16;
inline constexpr size_t kRecordTag = 16;
inline constexpr size_t kRecordPrefix = kRecordFraming + kRecordHeader;
inline constexpr size_t kRecordOverhead = kRecordPrefix + kRecordTag;
inline constexpr size_t kShardWord = 2;
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
std::optional<size_t> RecordSize(std::span<const uint8_t> stream);

// Whether a record may begin here; `stream` may end before that shows.
bool MayBeginRecord(std::span<const uint8_t> stream);

// Writes the framing of a record whose ciphertext has `size` bytes.
void WriteRecordFraming(size_t size, uint8_t* out);

void WriteRecordHeader(const RecordHeader& header, uint8_t* out);
RecordHeader ReadRecordHeader(const uint8_t* bytes);

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

void WriteShardWord(const ShardWord& word, uint8_t* out);

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

struct Report {
  static constexpr size_t kSize = 64;
  bool wants_answer = false;
  bool is_answer = false;
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
std::optional<Report> ReadReport(std::span<const uint8_t> bytes);

}  // namespace lwt::wire
