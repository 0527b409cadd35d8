#include "dataplane/flow/control_segment.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "dataplane/wire/checksum.h"
#include "dataplane/wire/ip.h"

namespace lwt {

rte_mbuf* MakeControlSegment(rte_mempool* pool, const FlowKey& key,
                             ControlSegment& segment) {
  const Endpoint local = key.local();
  const Endpoint remote = key.remote();
  segment.tcp.source_port = local.port;
  segment.tcp.destination_port = remote.port;

  std::array<uint8_t, wire::kMaxTcpHeaderSize> tcp;
  const size_t tcp_size = wire::WriteTcp(tcp.data(), segment.tcp);
  const uint16_t checksum = wire::ChecksumFinish(
      wire::PseudoHeaderSum(local.address, remote.address, tcp_size) +
      wire::ChecksumAdd(tcp.data(), tcp_size));
  std::memcpy(tcp.data() + 16, &checksum, 2);

  const size_t ip_size = wire::IpHeaderSize(key.family());
  rte_mbuf* frame = rte_pktmbuf_alloc(pool);
  if (frame == nullptr) return nullptr;
  char* to = rte_pktmbuf_append(
      frame, static_cast<uint16_t>(segment.link.size + ip_size + tcp_size));
  if (to == nullptr) {
    rte_pktmbuf_free(frame);
    return nullptr;
  }
  frame->port = segment.link.leg;
  std::copy_n(segment.link.bytes.data(), segment.link.size, to);
  auto* ip = reinterpret_cast<uint8_t*>(to) + segment.link.size;
  if (key.family() == Family::kIpv4) {
    wire::WriteIpv4(ip, local.address, remote.address, segment.ip_id, tcp_size,
                    segment.traffic_class);
  } else {
    wire::WriteIpv6(ip, local.address, remote.address, segment.flow_label,
                    tcp_size, segment.traffic_class);
  }
  std::memcpy(ip + ip_size, tcp.data(), tcp_size);
  return frame;
}

}  // namespace lwt
