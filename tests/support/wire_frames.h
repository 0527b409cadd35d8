// What a frame for Transmit becomes on the wire: a port with super-frames cuts
// it and completes its checksums.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>
#include <vector>

#include "drivers/segmenter.h"

namespace lwt::test {

inline std::vector<uint8_t> Gathered(const rte_mbuf& frame) {
  std::vector<uint8_t> bytes;
  for (const rte_mbuf* part = &frame; part != nullptr; part = part->next) {
    const auto* data = rte_pktmbuf_mtod(part, const uint8_t*);
    bytes.insert(bytes.end(), data, data + part->data_len);
  }
  return bytes;
}

inline std::vector<std::vector<uint8_t>> WireFrames(const rte_mbuf& frame) {
  Segmenter segmenter(frame);
  if (!segmenter.valid()) return {Gathered(frame)};
  std::vector<std::vector<uint8_t>> frames;
  Segmenter::Segment segment;
  while (segmenter.Next(segment)) {
    std::vector<uint8_t>& bytes = frames.emplace_back(
        segment.headers.begin(), segment.headers.begin() + segment.header_size);
    for (size_t i = 0; i < segment.payload_parts; ++i) {
      const auto* data =
          static_cast<const uint8_t*>(segment.payload[i].iov_base);
      bytes.insert(bytes.end(), data, data + segment.payload[i].iov_len);
    }
  }
  return frames;
}

}  // namespace lwt::test
