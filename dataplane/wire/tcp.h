// The TCP header (RFC 9293 §3.1) and the options this gateway speaks: MSS,
// window scale and timestamps (RFC 7323), selective acknowledgement (RFC 2018).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "dataplane/drop_reason.h"
#include "dataplane/wire/tcp_seq.h"
#include "drivers/headers.h"

namespace lwt::wire {

inline constexpr size_t kMaxTcpHeaderSize = 60;
// NOP, NOP, timestamps: what every segment but a SYN carries.
inline constexpr size_t kTimestampOptionSize = 12;
inline constexpr size_t kMaxSackBlocks = 4;

// The bytes [left, right) have arrived.
struct SackBlock {
  TcpSeq left;
  TcpSeq right;
  friend bool operator==(const SackBlock&, const SackBlock&) = default;
};

struct TcpTimestamps {
  uint32_t value = 0;
  uint32_t echo = 0;
  friend bool operator==(const TcpTimestamps&, const TcpTimestamps&) = default;
};

// Options as they were in the segment; window_scale is cut at 14 (RFC 7323
// §2.3).
struct TcpOptions {
  std::optional<uint16_t> mss;
  std::optional<uint8_t> window_scale;
  std::optional<TcpTimestamps> timestamps;
  bool sack_permitted = false;
  uint8_t sack_count = 0;
  std::array<SackBlock, kMaxSackBlocks> sack{};

  std::span<const SackBlock> sack_blocks() const {
    return {sack.data(), sack_count};
  }
};

struct TcpView {
  uint16_t source_port = 0;
  uint16_t destination_port = 0;
  TcpSeq seq;
  TcpSeq ack;
  uint8_t flags = 0;
  uint16_t window = 0;  // as it stands, not scaled
  TcpOptions options;
  std::span<const uint8_t> payload;

  bool Has(uint8_t flag) const { return (flags & flag) != 0; }
};

// Reads header, options and payload of a segment; the checksum is not looked
// at. Fails with kTruncated or kMalformed.
[[nodiscard]] bool ParseTcp(std::span<const uint8_t> segment, TcpView& out,
                            DropReason& why);

// Header and options for WriteTcp; the caller adds the checksum.
struct TcpHeader {
  uint16_t source_port = 0;
  uint16_t destination_port = 0;
  TcpSeq seq;
  TcpSeq ack;
  uint8_t flags = 0;
  uint16_t window = 0;
  TcpOptions options;
};

// Writes the header with its options in Linux's order and padding, and a
// checksum of zero. Needs up to kMaxTcpHeaderSize bytes; returns those used.
size_t WriteTcp(uint8_t* to, const TcpHeader& header);

}  // namespace lwt::wire
