#include "dataplane/session/flow_template.h"

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
  tcp_sum_ = wire::ChecksumFold(
      wire::PseudoHeaderSum(local.address, remote.address, 0) +
      wire::ChecksumAdd(tcp, tcp_size));
}

void FlowTemplate::SetLink(const wire::LinkHeader& link) { link_ = link; }

void FlowTemplate::Write(uint8_t* to, const Segment& segment) const {
  std::memcpy(to, link_.bytes.data(), link_.size);
  uint8_t* ip = to + link_.size;
  std::memcpy(ip, rest_.data(), rest_size_);
  const auto tcp_size =
      static_cast<uint16_t>(rest_size_ - ip_size_ + segment.payload_size);
  if (ip_size_ == wire::kIpv4HeaderSize) {
    const be16 length(static_cast<uint16_t>(ip_size_ + tcp_size));
    const be16 id(segment.ip_id);
    length.Store(ip + 2);
    id.Store(ip + 4);
    const uint16_t checksum =
        wire::ChecksumFinish(uint64_t{ip_sum_} + length.raw() + id.raw());
    std::memcpy(ip + 10, &checksum, 2);
  } else {
    wire::StoreBe16(ip + 4, tcp_size);
  }
  uint8_t* tcp = ip + ip_size_;
  const be32 seq(segment.seq.value());
  const be32 ack(segment.ack.value());
  const be16 window(segment.window);
  seq.Store(tcp + 4);
  ack.Store(tcp + 8);
  tcp[13] = segment.flags;
  window.Store(tcp + 14);
  // The flags are the second byte of their word, in memory order.
  uint64_t sum = uint64_t{tcp_sum_} + be16(tcp_size).raw() + seq.raw() +
                 ack.raw() + (uint32_t{segment.flags} << 8) + window.raw() +
                 segment.payload_sum;
  if (rest_size_ - ip_size_ > static_cast<int>(wire::kTcpHeaderSize)) {
    const be32 value(segment.timestamps.value);
    const be32 echo(segment.timestamps.echo);
    value.Store(tcp + wire::kTcpHeaderSize + 4);
    echo.Store(tcp + wire::kTcpHeaderSize + 8);
    sum += uint64_t{value.raw()} + echo.raw();
  }
  const uint16_t checksum = wire::ChecksumFinish(sum);
  std::memcpy(tcp + 16, &checksum, 2);
}

}  // namespace lwt
