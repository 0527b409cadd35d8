#include "dataplane/wire/tcp.h"

#include <algorithm>

#include "dataplane/wire/be.h"

namespace lwt::wire {
namespace {

enum Option : uint8_t {
  kEnd = 0,
  kNop = 1,
  kMss = 2,
  kWindowScale = 3,
  kSackPermitted = 4,
  kSack = 5,
  kTimestamps = 8,
};

constexpr uint8_t kMaxWindowScale = 14;  // RFC 7323 §2.3

// One option of `size` bytes, kind and length included. An option of a wrong
// size is passed over, as a kernel does.
void ReadOption(const uint8_t* option, size_t size, TcpOptions& out) {
  const uint8_t kind = option[0];
  if (kind == kMss && size == 4) {
    out.mss = LoadBe16(option + 2);
  } else if (kind == kWindowScale && size == 3) {
    out.window_scale = std::min(option[2], kMaxWindowScale);
  } else if (kind == kSackPermitted && size == 2) {
    out.sack_permitted = true;
  } else if (kind == kTimestamps && size == 10) {
    out.timestamps = TcpTimestamps{LoadBe32(option + 2), LoadBe32(option + 6)};
  } else if (kind == kSack && size >= 10 && (size - 2) % 8 == 0) {
    out.sack_count = static_cast<uint8_t>((size - 2) / 8);
    for (size_t i = 0; i < out.sack_count; ++i) {
      const uint8_t* block = option + 2 + 8 * i;
      out.sack[i] = {TcpSeq(LoadBe32(block)), TcpSeq(LoadBe32(block + 4))};
    }
  }
}

bool ReadOptions(std::span<const uint8_t> bytes, TcpOptions& out) {
  size_t at = 0;
  while (at < bytes.size()) {
    if (bytes[at] == kEnd) return true;
    if (bytes[at] == kNop) {
      ++at;
      continue;
    }
    if (at + 1 >= bytes.size()) return false;
    const size_t size = bytes[at + 1];
    if (size < 2 || size > bytes.size() - at) return false;
    ReadOption(bytes.data() + at, size, out);
    at += size;
  }
  return true;
}

class OptionWriter {
 public:
  explicit OptionWriter(uint8_t* to) : at_(to) {}

  void Byte(uint8_t value) { *at_++ = value; }
  void Word(uint16_t value) {
    StoreBe16(at_, value);
    at_ += 2;
  }
  void Long(uint32_t value) {
    StoreBe32(at_, value);
    at_ += 4;
  }
  uint8_t* at() const { return at_; }

 private:
  uint8_t* at_;
};

// Where SACK-permitted and timestamps are both there, they share two words;
// alone, each is led by two NOPs.
void WriteTimestamps(const TcpOptions& options, OptionWriter& writer) {
  if (options.timestamps.has_value()) {
    writer.Byte(options.sack_permitted ? kSackPermitted : kNop);
    writer.Byte(options.sack_permitted ? 2 : kNop);
    writer.Byte(kTimestamps);
    writer.Byte(10);
    writer.Long(options.timestamps->value);
    writer.Long(options.timestamps->echo);
  } else if (options.sack_permitted) {
    writer.Byte(kNop);
    writer.Byte(kNop);
    writer.Byte(kSackPermitted);
    writer.Byte(2);
  }
}

void WriteSack(const TcpOptions& options, OptionWriter& writer) {
  if (options.sack_count == 0) return;
  writer.Byte(kNop);
  writer.Byte(kNop);
  writer.Byte(kSack);
  writer.Byte(static_cast<uint8_t>(2 + 8 * options.sack_count));
  for (const SackBlock& block : options.sack_blocks()) {
    writer.Long(block.left.value());
    writer.Long(block.right.value());
  }
}

}  // namespace

bool ParseTcp(std::span<const uint8_t> segment, TcpView& out, DropReason& why) {
  if (segment.size() < kTcpHeaderSize) {
    return Fail(DropReason::kTruncated, why);
  }
  const uint8_t* header = segment.data();
  const size_t header_size = (header[12] >> 4) * 4u;
  if (header_size < kTcpHeaderSize) return Fail(DropReason::kMalformed, why);
  if (header_size > segment.size()) return Fail(DropReason::kTruncated, why);
  out.source_port = LoadBe16(header);
  out.destination_port = LoadBe16(header + 2);
  out.seq = TcpSeq(LoadBe32(header + 4));
  out.ack = TcpSeq(LoadBe32(header + 8));
  out.flags = header[13];
  out.window = LoadBe16(header + 14);
  out.options = {};
  const std::span<const uint8_t> options =
      segment.subspan(kTcpHeaderSize, header_size - kTcpHeaderSize);
  if (!ReadOptions(options, out.options)) {
    return Fail(DropReason::kMalformed, why);
  }
  out.payload = segment.subspan(header_size);
  return true;
}

size_t WriteTcp(uint8_t* to, const TcpHeader& header) {
  OptionWriter writer(to + kTcpHeaderSize);
  const TcpOptions& options = header.options;
  if (options.mss.has_value()) {
    writer.Byte(kMss);
    writer.Byte(4);
    writer.Word(*options.mss);
  }
  WriteTimestamps(options, writer);
  if (options.window_scale.has_value()) {
    writer.Byte(kNop);
    writer.Byte(kWindowScale);
    writer.Byte(3);
    writer.Byte(*options.window_scale);
  }
  WriteSack(options, writer);
  const size_t size = static_cast<size_t>(writer.at() - to);
  StoreBe16(to, header.source_port);
  StoreBe16(to + 2, header.destination_port);
  StoreBe32(to + 4, header.seq.value());
  StoreBe32(to + 8, header.ack.value());
  to[12] = static_cast<uint8_t>(size / 4 << 4);
  to[13] = header.flags;
  StoreBe16(to + 14, header.window);
  StoreBe32(to + 16, 0);  // checksum and urgent pointer
  return size;
}

}  // namespace lwt::wire
