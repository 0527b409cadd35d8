// The headers of a flow's segments, made once: link, IP, TCP and timestamps.
// A segment copies them and fills in what changes; the sums over what does not
// change are kept.
#pragma once

#include <rte_mbuf.h>

#include <array>
#include <cstdint>

#include "dataplane/flow/flow_key.h"
#include "dataplane/wire/ethernet.h"
#include "dataplane/wire/tcp.h"

namespace lwt {

class FlowTemplate {
 public:
  struct Segment {
    wire::TcpSeq seq;
    wire::TcpSeq ack;
    uint8_t flags = 0;
    uint16_t window = 0;
    uint16_t ip_id = 0;
    wire::TcpTimestamps timestamps;
    uint16_t payload_size = 0;
    uint64_t payload_sum = 0;  // of ChecksumAdd
    // The checksum field takes the sum over the pseudo-header alone, not
    // inverted: the port does the rest, and payload_sum is not looked at.
    bool partial_checksum = false;
  };

  void Set(const FlowKey& key, const wire::LinkHeader& link,
           uint32_t flow_label, bool timestamps);
  void SetLink(const wire::LinkHeader& link);
  // Nothing before Set, nor with IPv4, which has none.
  void SetFlowLabel(uint32_t flow_label);

  // Bytes before the payload, link header included; at most kMaxSize.
  uint16_t size() const { return link_.size + rest_size_; }
  uint8_t ip_size() const { return ip_size_; }
  uint8_t tcp_size() const {
    return static_cast<uint8_t>(rest_size_ - ip_size_);
  }
  const wire::LinkHeader& link() const { return link_; }

  // Writes size() bytes, checksums included, which are the first of `frame`.
  void Write(rte_mbuf* frame, const Segment& segment) const {
    frame->port = link_.leg;
    WriteTo(rte_pktmbuf_mtod(frame, uint8_t*), segment);
  }

  static constexpr size_t kMaxSize = wire::kMaxLinkSize + 40 + 32;

 private:
  void WriteTo(uint8_t* to, const Segment& segment) const;
  // `tcp_length` is header and payload.
  void WriteIp(uint8_t* ip, const Segment& segment, uint16_t tcp_length) const;
  void WriteTcp(uint8_t* tcp, const Segment& segment,
                uint16_t tcp_length) const;

  wire::LinkHeader link_;
  uint8_t rest_size_ = 0;
  uint8_t ip_size_ = 0;
  uint16_t ip_sum_ = 0;
  uint16_t pseudo_sum_ = 0;  // less the length
  uint16_t tcp_sum_ = 0;     // pseudo_sum_ included
  std::array<uint8_t, 40 + 32> rest_{};
};

}  // namespace lwt
