// Does in software what a frame for Transmit asks of the device (port.h): cuts
// a super-frame, with header fields as Linux's own segmentation fills them,
// and makes checksums. For the frame that a device refuses, and for tests.
//
// Used by one thread, reads the frame and never changes it. Costs a walk over
// all its bytes for the checksums, byte by byte: the fast path is the device's.
#pragma once

#include <rte_mbuf.h>
#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "drivers/port.h"

namespace lwt {

class Segmenter {
 public:
  static constexpr size_t kMaxHeaders = 128;

  // A segment: headers of its own, with complete checksums, and its payload
  // where it lies in the frame.
  struct Segment {
    std::array<uint8_t, kMaxHeaders> headers;
    uint16_t header_size = 0;
    std::array<iovec, kMaxChain> payload;
    size_t payload_parts = 0;
  };

  // `frame` is as port.h says and outlives this object.
  explicit Segmenter(const rte_mbuf& frame);

  // False when the frame asks for nothing, or its lengths contradict its bytes.
  bool valid() const { return valid_; }
  // Fills in the next segment; false when there is none left.
  bool Next(Segment& segment);

 private:
  uint32_t TakePayload(Segment& segment);
  void WriteIp(uint8_t* ip, uint16_t l4_length) const;
  void WriteTcp(uint8_t* tcp, bool last) const;
  void WriteChecksum(Segment& segment, uint16_t l4_length) const;

  const rte_mbuf& frame_;
  const bool udp_;
  const uint32_t segment_size_;
  bool valid_ = false;
  bool ipv6_ = false;
  uint16_t header_size_ = 0;
  uint16_t index_ = 0;
  uint32_t offset_ = 0;  // payload bytes in segments before
  uint32_t left_ = 0;    // and not yet in one
  // The first byte not yet taken.
  const rte_mbuf* part_;
  uint16_t part_at_ = 0;
};

}  // namespace lwt
