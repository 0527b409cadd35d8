// The headers of a flow's segments, made once: link, IP, TCP and timestamps.
// A segment copies them and fills in what changes; the sums over what does not
// change are kept.
#pragma once

#include <array>
#include <cstdint>

#include "dataplane/session/flow_key.h"
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
  };

  void Set(const FlowKey& key, const wire::LinkHeader& link,
           uint32_t flow_label, bool timestamps);
  void SetLink(const wire::LinkHeader& link);

  // Bytes before the payload, link header included; at most kMaxSize.
  uint16_t size() const { return link_.size + rest_size_; }
  const wire::LinkHeader& link() const { return link_; }

  // Writes size() bytes, checksums included.
  void Write(uint8_t* to, const Segment& segment) const;

  static constexpr size_t kMaxSize = wire::kMaxLinkSize + 40 + 32;

 private:
  wire::LinkHeader link_;
  uint8_t rest_size_ = 0;
  uint8_t ip_size_ = 0;
  uint16_t ip_sum_ = 0;
  uint16_t tcp_sum_ = 0;
  std::array<uint8_t, 40 + 32> rest_{};
};

}  // namespace lwt
