#include "dataplane/flow/flow_template.h"

#include <cstring>

#include "dataplane/wire/checksum.h"
#include "dataplane/wire/ip.h"

namespace lwt {

using wire::be16;
using wire::be32;

void FlowTemplate::Set(const FlowKey& key, const wire::LinkHeader& link,
                       uint32_t flow_label, bool timestamps) {
  link_ = link;
  const Endpoint local = key.local();
  const Endpoint remote = key.remote();
  ip_size_ = static_cast<uint8_t>(wire::IpHeaderSize(key.family()));
  uint8_t* tcp = rest_.data() + ip_size_;
  wire::TcpHeader header{.source_port = local.port,
                         .destination_port = remote.port};
  if (timestamps) header.options.timestamps.emplace();
  const size_t tcp_size = wire::WriteTcp(tcp, header);
  rest_size_ = static_cast<uint8_t>(ip_size_ + tcp_size);
  if (key.family() == Family::kIpv4) {
    wire::WriteIpv4(rest_.data(), local.address, remote.address, 0, 0);
    std::memset(rest_.data() + 2, 0, 2);   // length
    std::memset(rest_.data() + 10, 0, 2);  // checksum
    ip_sum_ = wire::ChecksumFold(wire::ChecksumAdd(rest_.data(), ip_size_));
  } else {
    wire::WriteIpv6(rest_.data(), local.address, remote.address, flow_label, 0);
  }
  pseudo_sum_ = wire::ChecksumFold(
      wire::PseudoHeaderSum(local.address, remote.address, 0));
  tcp_sum_ = wire::ChecksumFold(pseudo_sum_ + wire::ChecksumAdd(tcp, tcp_size));
}

void FlowTemplate::SetLink(const wire::LinkHeader& link) { link_ = link; }

// No checksum covers it.
void FlowTemplate::SetFlowLabel(uint32_t flow_label) {
  if (ip_size_ != wire::kIpv6HeaderSize) return;
  rest_[1] = static_cast<uint8_t>((rest_[1] & 0xf0) | flow_label >> 16);
  wire::StoreBe16(&rest_[2], static_cast<uint16_t>(flow_label));
}

void FlowTemplate::WriteTo(uint8_t* to, const Segment& segment) const {
  std::memcpy(to, link_.bytes.data(), link_.size);
  uint8_t* ip = to + link_.size;
  std::memcpy(ip, rest_.data(), rest_size_);
  const auto length = static_cast<uint16_t>(tcp_size() + segment.payload_size);
  WriteIp(ip, segment, length);
  WriteTcp(ip + ip_size_, segment, length);
}

void FlowTemplate::WriteIp(uint8_t* ip, const Segment& segment,
                           uint16_t tcp_length) const {
  if (ip_size_ != wire::kIpv4HeaderSize) {
    wire::StoreBe16(ip + 4, tcp_length);
    return;
  }
  const be16 length(static_cast<uint16_t>(ip_size_ + tcp_length));
  const be16 id(segment.ip_id);
  length.Store(ip + 2);
  id.Store(ip + 4);
  const uint16_t checksum =
      wire::ChecksumFinish(uint64_t{ip_sum_} + length.raw() + id.raw());
  std::memcpy(ip + 10, &checksum, 2);
}

void FlowTemplate::WriteTcp(uint8_t* tcp, const Segment& segment,
                            uint16_t tcp_length) const {
  const be32 seq(segment.seq.value());
  const be32 ack(segment.ack.value());
  const be16 window(segment.window);
  seq.Store(tcp + 4);
  ack.Store(tcp + 8);
  tcp[13] = segment.flags;
  window.Store(tcp + 14);
  const be32 value(segment.timestamps.value);
  const be32 echo(segment.timestamps.echo);
  const bool timestamps = tcp_size() > wire::kTcpHeaderSize;
  if (timestamps) {
    value.Store(tcp + wire::kTcpHeaderSize + 4);
    echo.Store(tcp + wire::kTcpHeaderSize + 8);
  }
  const uint64_t length = be16(tcp_length).raw();
  uint16_t checksum;
  if (segment.partial_checksum) {
    checksum = wire::ChecksumFold(pseudo_sum_ + length);
  } else {
    // The flags are the second byte of their word, in memory order.
    uint64_t sum = uint64_t{tcp_sum_} + length + seq.raw() + ack.raw() +
                   (uint32_t{segment.flags} << 8) + window.raw() +
                   segment.payload_sum;
    if (timestamps) sum += uint64_t{value.raw()} + echo.raw();
    checksum = wire::ChecksumFinish(sum);
  }
  std::memcpy(tcp + 16, &checksum, 2);
}

}  // namespace lwt
