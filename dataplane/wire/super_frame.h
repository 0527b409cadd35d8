// Splitting an inner super-frame: one TCP or UDP packet of up to 64 KiB that
// stands for a run of packets (drivers/port.h), cut as the kernel's own
// segmentation would cut it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace lwt::wire {

// Points into the packet it was read from.
struct SuperFrame {
  std::span<const uint8_t> packet;
  bool ipv4 = true;
  bool udp = false;
  // The checksum that a segment needs can be told by the shard word: TCP or UDP
  // follows the IP header with no extension header between.
  bool plain = true;
  uint16_t ip_size = 0;      // IP headers
  uint16_t header_size = 0;  // with the TCP or UDP header
  uint16_t segment_size = 0;
  uint16_t segments = 0;  // 1 at least
};

// `ip_size` and `udp` are what the port says of the packet: where its TCP or
// UDP header begins. Nullopt when the bytes are not exactly one such packet, or
// there is nothing to cut (no payload, `segment_size` 0).
[[nodiscard]] std::optional<SuperFrame> ParseSuperFrame(
    std::span<const uint8_t> packet, size_t ip_size, bool udp,
    uint16_t segment_size);

// Writes the segments of one super-frame, in any order. Lengths, IPv4 IDs and
// checksums, sequence numbers and flags are those of each (RFC 9293; CWR on the
// first alone, FIN and PSH on the last, RFC 3168 section 6.1.2); the TCP or UDP
// checksum field holds the sum over the pseudo header, unfinished, since its
// payload was not read. About 60 cycles and a copy a segment.
class SegmentWriter {
 public:
  explicit SegmentWriter(const SuperFrame& super);

  // Writes segment `index` (below segments) to `out`, which has room for
  // header_size + segment_size bytes, and returns its size.
  size_t Write(size_t index, uint8_t* out) const;
  // The same for the headers alone, before a payload that is there already. Of
  // `packet` only the headers are read.
  size_t WriteHeaders(size_t index, uint8_t* out) const;

 private:
  void WriteIp(size_t index, uint16_t l4_size, uint8_t* out) const;
  void WriteTcp(size_t index, uint8_t* l4) const;

  const SuperFrame super_;
  // IPv4: the header's sum without total length, ID and checksum.
  uint64_t ip_sum_ = 0;
  // The pseudo header's sum without the length.
  uint64_t pseudo_sum_ = 0;
};

}  // namespace lwt::wire
