#include "tests/support/world/tcp_frame.h"

#include <algorithm>
#include <array>

#include "dataplane/wire/be.h"
#include "dataplane/wire/checksum.h"
#include "dataplane/wire/ip.h"
#include "dataplane/wire/tcp.h"

namespace lwt::world {
namespace {

constexpr size_t kIp = wire::kEthernetSize;
constexpr size_t kIpv4Ttl = kIp + 8;
constexpr size_t kIpv4Checksum = kIp + 10;
constexpr size_t kIpv4Source = kIp + 12;
constexpr size_t kIpv6HopLimit = kIp + 7;
constexpr size_t kIpv6Source = kIp + 8;

bool CarriesIpv4(const Bytes& frame) { return frame[kIp] >> 4 == 4; }

size_t TcpAt(const Bytes& frame) {
  return kIp +
         (CarriesIpv4(frame) ? wire::kIpv4HeaderSize : wire::kIpv6HeaderSize);
}

// RFC 1624 §3, equation 3: of the two 16-bit words at `at` and what a field
// says of them, the words become others and the field what it said then.
void Replace(Bytes& frame, size_t at, std::span<const uint8_t> by,
             std::span<const size_t> checksums) {
  const uint16_t before =
      wire::ChecksumFold(wire::ChecksumAdd(&frame[at], by.size()));
  const uint16_t after =
      wire::ChecksumFold(wire::ChecksumAdd(by.data(), by.size()));
  for (const size_t field : checksums) {
    const uint64_t sum =
        uint64_t{static_cast<uint16_t>(~wire::LoadChecksum(&frame[field]))} +
        static_cast<uint16_t>(~before) + after;
    wire::StoreChecksum(&frame[field], wire::ChecksumFinish(sum));
  }
  std::copy(by.begin(), by.end(), frame.begin() + static_cast<ptrdiff_t>(at));
}

void SetEnd(Bytes& frame, const Endpoint& end, bool source) {
  const bool ipv4 = CarriesIpv4(frame);
  const size_t tcp = TcpAt(frame);
  const std::array<size_t, 2> both = {tcp + wire::kTcpChecksumAt,
                                      kIpv4Checksum};
  const size_t address =
      (ipv4 ? kIpv4Source : kIpv6Source) + (source ? 0 : end.address.size());
  // The pseudo header of TCP has the addresses too.
  Replace(frame, address, {end.address.bytes.data(), end.address.size()},
          {both.data(), ipv4 ? size_t{2} : size_t{1}});
  std::array<uint8_t, 2> port;
  wire::StoreBe16(port.data(), end.port);
  Replace(frame, tcp + (source ? 0 : 2), port, {both.data(), 1});
}

}  // namespace

std::optional<TcpSegment> SegmentOf(const Bytes& frame) {
  if (frame.size() < kIp + wire::kIpv4HeaderSize) return std::nullopt;
  const uint16_t type = wire::LoadBe16(&frame[wire::kEtherTypeAt]);
  const bool ipv4 = type == wire::kEtherTypeIpv4;
  if (!ipv4 && type != wire::kEtherTypeIpv6) return std::nullopt;
  if (ipv4 ? frame[kIp] != 0x45 : frame[kIp] >> 4 != 6) return std::nullopt;
  wire::IpView ip;
  wire::TcpView tcp;
  DropReason why{};
  if (!wire::ParseIp({&frame[kIp], frame.size() - kIp}, ip, why) ||
      ip.payload.data() != frame.data() + TcpAt(frame) ||
      !wire::ParseTcp(ip.payload, tcp, why)) {
    return std::nullopt;
  }
  return TcpSegment{.source = {ip.source, tcp.source_port},
                    .destination = {ip.destination, tcp.destination_port},
                    .seq = tcp.seq.value(),
                    .ack = tcp.ack.value(),
                    .flags = tcp.flags,
                    .payload_size = tcp.payload.size()};
}

Bytes FrameOf(const TcpSegment& segment, uint8_t ttl,
              std::span<const uint8_t> payload) {
  const IpAddress& from = segment.source.address;
  const IpAddress& to = segment.destination.address;
  const bool ipv4 = from.family == Family::kIpv4;
  const size_t tcp = kIp + wire::IpHeaderSize(from.family);
  const size_t tcp_size = wire::kTcpHeaderSize + payload.size();
  Bytes frame(tcp + tcp_size);
  wire::StoreBe16(&frame[wire::kEtherTypeAt],
                  ipv4 ? wire::kEtherTypeIpv4 : wire::kEtherTypeIpv6);
  if (ipv4) {
    wire::WriteIpv4(&frame[kIp], from, to, 0, tcp_size);
  } else {
    wire::WriteIpv6(&frame[kIp], from, to, 0, tcp_size);
  }
  wire::TcpHeader header;
  header.source_port = segment.source.port;
  header.destination_port = segment.destination.port;
  header.seq = wire::TcpSeq(segment.seq);
  header.ack = wire::TcpSeq(segment.ack);
  header.flags = segment.flags;
  header.window = 65'535;
  wire::WriteTcp(&frame[tcp], header);
  std::copy(payload.begin(), payload.end(),
            frame.begin() + static_cast<ptrdiff_t>(tcp + wire::kTcpHeaderSize));
  wire::StoreChecksum(
      &frame[tcp + wire::kTcpChecksumAt],
      wire::ChecksumFinish(wire::PseudoHeaderSum(from, to, tcp_size) +
                           wire::ChecksumAdd(&frame[tcp], tcp_size)));
  if (ttl < wire::kDefaultTtl) {
    TakeHops(frame, static_cast<uint8_t>(wire::kDefaultTtl - ttl));
  }
  return frame;
}

void SetSource(Bytes& frame, const Endpoint& source) {
  SetEnd(frame, source, true);
}

void SetDestination(Bytes& frame, const Endpoint& destination) {
  SetEnd(frame, destination, false);
}

bool TakeHops(Bytes& frame, uint8_t hops) {
  if (frame.size() < kIp + wire::kIpv4HeaderSize) return false;
  const bool ipv4 = CarriesIpv4(frame);
  const size_t at = ipv4 ? kIpv4Ttl : kIpv6HopLimit;
  if (frame[at] <= hops) return false;
  const uint8_t left = static_cast<uint8_t>(frame[at] - hops);
  if (ipv4) {
    const std::array<uint8_t, 2> by = {left, frame[at + 1]};
    const std::array<size_t, 1> checksum = {kIpv4Checksum};
    Replace(frame, at, by, checksum);
  } else {
    frame[at] = left;
  }
  return true;
}

}  // namespace lwt::world
