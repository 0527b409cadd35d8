#include "drivers/segmenter.h"

#include <algorithm>
#include <cstring>

#include "drivers/headers.h"
#include "drivers/vnet_header.h"

namespace lwt {
namespace {

uint16_t Load16(const uint8_t* at) {
  return static_cast<uint16_t>(at[0] << 8 | at[1]);
}

void Store16(uint8_t* at, uint32_t value) {
  at[0] = static_cast<uint8_t>(value >> 8);
  at[1] = static_cast<uint8_t>(value);
}

// The Internet checksum (RFC 1071) over pieces of any size.
class Checksum {
 public:
  void Add(const void* data, size_t size) {
    const auto* bytes = static_cast<const uint8_t*>(data);
    for (size_t i = 0; i < size; ++i) {
      sum_ += odd_ ? bytes[i] : uint64_t{bytes[i]} << 8;
      odd_ = !odd_;
    }
  }
  void AddNumber(uint64_t value) { sum_ += value; }
  uint16_t Finish() const {
    uint64_t sum = sum_;
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<uint16_t>(~sum);
  }

 private:
  uint64_t sum_ = 0;
  bool odd_ = false;
};

}  // namespace

Segmenter::Segmenter(const rte_mbuf& frame)
    : frame_(frame),
      udp_((frame.ol_flags & RTE_MBUF_F_TX_UDP_SEG) != 0 ||
           (frame.ol_flags & RTE_MBUF_F_TX_L4_MASK) == RTE_MBUF_F_TX_UDP_CKSUM),
      segment_size_(IsSuperFrame(frame) ? frame.tso_segsz : UINT16_MAX),
      part_(&frame) {
  const size_t size = size_t{frame.l2_len} + frame.l3_len + frame.l4_len;
  const bool asks =
      IsSuperFrame(frame) || (frame.ol_flags & RTE_MBUF_F_TX_L4_MASK) != 0;
  if (!asks || segment_size_ == 0 || size > kMaxHeaders ||
      size > frame.data_len || size >= frame.pkt_len ||
      frame.l4_len < (udp_ ? wire::kUdpHeaderSize : wire::kTcpHeaderSize)) {
    return;
  }
  ipv6_ = (frame.ol_flags & RTE_MBUF_F_TX_IPV6) != 0;
  if (frame.l3_len < (ipv6_ ? wire::kIpv6HeaderSize : wire::kIpv4HeaderSize))
    return;
  header_size_ = static_cast<uint16_t>(size);
  part_at_ = header_size_;
  left_ = frame.pkt_len - header_size_;
  valid_ = true;
}

uint32_t Segmenter::TakePayload(Segment& segment) {
  segment.payload_parts = 0;
  uint32_t taken = 0;
  while (taken < segment_size_ && part_ != nullptr) {
    const auto count = static_cast<uint16_t>(
        std::min<uint32_t>(part_->data_len - part_at_, segment_size_ - taken));
    if (count > 0) {
      if (segment.payload_parts == segment.payload.size()) break;
      segment.payload[segment.payload_parts++] = {
          rte_pktmbuf_mtod_offset(part_, uint8_t*, part_at_), count};
    }
    taken += count;
    part_at_ = static_cast<uint16_t>(part_at_ + count);
    if (part_at_ == part_->data_len) {
      part_ = part_->next;
      part_at_ = 0;
    }
  }
  return taken;
}

void Segmenter::WriteIp(uint8_t* ip, uint16_t l4_length) const {
  if (ipv6_) {
    Store16(ip + 4, frame_.l3_len - wire::kIpv6HeaderSize + l4_length);
    return;
  }
  Store16(ip + 2, frame_.l3_len + uint32_t{l4_length});
  Store16(ip + 4, Load16(ip + 4) + uint32_t{index_});
  Store16(ip + 10, 0);
  Checksum sum;
  sum.Add(ip, frame_.l3_len);
  Store16(ip + 10, sum.Finish());
}

void Segmenter::WriteTcp(uint8_t* tcp, bool last) const {
  const uint32_t seq =
      (uint32_t{Load16(tcp + 4)} << 16 | Load16(tcp + 6)) + offset_;
  Store16(tcp + 4, seq >> 16);
  Store16(tcp + 6, seq);
  if (!last)
    tcp[wire::kTcpFlagsAt] &= static_cast<uint8_t>(~(wire::kFin | wire::kPsh));
  if (index_ > 0) tcp[wire::kTcpFlagsAt] &= static_cast<uint8_t>(~wire::kCwr);
}

void Segmenter::WriteChecksum(Segment& segment, uint16_t l4_length) const {
  const uint8_t* ip = segment.headers.data() + frame_.l2_len;
  uint8_t* l4 = segment.headers.data() + frame_.l2_len + frame_.l3_len;
  uint8_t* field = l4 + (udp_ ? wire::kUdpChecksumAt : wire::kTcpChecksumAt);
  Store16(field, 0);
  Checksum sum;
  sum.Add(ip + (ipv6_ ? 8 : 12), ipv6_ ? 32 : 8);  // both addresses
  sum.AddNumber(l4_length + (udp_ ? wire::kProtocolUdp : wire::kProtocolTcp));
  sum.Add(l4, frame_.l4_len);
  for (size_t i = 0; i < segment.payload_parts; ++i) {
    sum.Add(segment.payload[i].iov_base, segment.payload[i].iov_len);
  }
  const uint16_t result = sum.Finish();
  // Zero would mean "no checksum" in UDP (RFC 768).
  Store16(field, udp_ && result == 0 ? 0xffff : result);
}

bool Segmenter::Next(Segment& segment) {
  if (!valid_ || left_ == 0) return false;
  const uint32_t taken = TakePayload(segment);
  if (taken == 0) return false;
  left_ -= std::min(left_, taken);
  std::memcpy(segment.headers.data(), rte_pktmbuf_mtod(&frame_, uint8_t*),
              header_size_);
  segment.header_size = header_size_;
  const auto l4_length = static_cast<uint16_t>(frame_.l4_len + taken);
  uint8_t* ip = segment.headers.data() + frame_.l2_len;
  uint8_t* l4 = ip + frame_.l3_len;
  WriteIp(ip, l4_length);
  if (udp_) {
    Store16(l4 + 4, l4_length);
  } else {
    WriteTcp(l4, left_ == 0);
  }
  WriteChecksum(segment, l4_length);
  offset_ += taken;
  ++index_;
  return true;
}

}  // namespace lwt
