// An IPv4 TCP segment in an Ethernet frame, to be read and changed in place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "dataplane/wire/be.h"
#include "dataplane/wire/tcp.h"
#include "tests/support/world/network.h"

namespace lwt::world {

class Segment {
 public:
  static constexpr size_t kIp = wire::kEthernetSize;
  static constexpr size_t kTcp = kIp + wire::kIpv4HeaderSize;
  static constexpr size_t kBare = kTcp + wire::kTcpHeaderSize;

  // Nullopt where the frame is not one, or has IP options.
  static std::optional<Segment> Of(Bytes frame);

  uint32_t seq() const { return wire::LoadBe32(&bytes_[kTcp + 4]); }
  uint32_t ack() const { return wire::LoadBe32(&bytes_[kTcp + 8]); }
  uint8_t flags() const { return bytes_[kTcp + wire::kTcpFlagsAt]; }
  void SetSeq(uint32_t seq) { wire::StoreBe32(&bytes_[kTcp + 4], seq); }
  void SetAck(uint32_t ack) { wire::StoreBe32(&bytes_[kTcp + 8], ack); }
  void SetFlags(uint8_t flags) { bytes_[kTcp + wire::kTcpFlagsAt] = flags; }
  void SetWindow(uint16_t value) { wire::StoreBe16(&bytes_[kTcp + 14], value); }

  size_t payload_size() const { return bytes_.size() - payload_at(); }
  std::span<uint8_t> payload() {
    return {bytes_.data() + payload_at(), payload_size()};
  }
  void SetPayload(std::span<const uint8_t> payload);

  std::optional<wire::TcpTimestamps> timestamps() const;
  // Timestamps if there are any, then SACK blocks: no other options.
  void SetOptions(std::optional<wire::TcpTimestamps> timestamps,
                  std::span<const wire::SackBlock> blocks);

  bool SameFlow(const Segment& other) const;
  // `next` begins where this ends, and says the same otherwise.
  bool IsContinuedBy(const Segment& next) const;

  // Lengths and checksums made right.
  Bytes Finish() &&;

 private:
  explicit Segment(Bytes bytes) : bytes_(std::move(bytes)) {}
  size_t payload_at() const {
    return kTcp + size_t{bytes_[kTcp + wire::kTcpDataOffsetAt]} / 16 * 4;
  }

  Bytes bytes_;
};

}  // namespace lwt::world
