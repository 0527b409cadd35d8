#include "tests/support/world/segment.h"

#include <algorithm>
#include <array>
#include <utility>

#include "dataplane/wire/checksum.h"
#include "dataplane/wire/ip.h"

namespace lwt::world {

std::optional<Segment> Segment::Of(Bytes frame) {
  if (frame.size() < kBare || frame[kIp] != 0x45 ||
      wire::LoadBe16(&frame[wire::kEtherTypeAt]) != wire::kEtherTypeIpv4 ||
      frame[kIp + 9] != wire::kProtocolTcp ||
      kIp + wire::LoadBe16(&frame[kIp + 2]) != frame.size()) {
    return std::nullopt;
  }
  Segment segment(std::move(frame));
  if (segment.payload_at() < kBare ||
      segment.payload_at() > segment.bytes_.size()) {
    return std::nullopt;
  }
  return segment;
}

void Segment::SetPayload(std::span<const uint8_t> payload) {
  const Bytes copy(payload.begin(), payload.end());
  bytes_.resize(payload_at());
  bytes_.insert(bytes_.end(), copy.begin(), copy.end());
}

std::optional<wire::TcpTimestamps> Segment::timestamps() const {
  wire::TcpView view;
  DropReason why{};
  if (!wire::ParseTcp({&bytes_[kTcp], bytes_.size() - kTcp}, view, why)) {
    return std::nullopt;
  }
  return view.options.timestamps;
}

void Segment::SetOptions(std::optional<wire::TcpTimestamps> timestamps,
                         std::span<const wire::SackBlock> blocks) {
  wire::TcpHeader header;
  header.source_port = wire::LoadBe16(&bytes_[kTcp]);
  header.destination_port = wire::LoadBe16(&bytes_[kTcp + 2]);
  header.seq = wire::TcpSeq(seq());
  header.ack = wire::TcpSeq(ack());
  header.flags = flags();
  header.window = wire::LoadBe16(&bytes_[kTcp + 14]);
  header.options.timestamps = timestamps;
  const size_t most = timestamps ? 3 : 4;
  for (const wire::SackBlock& block : blocks) {
    if (header.options.sack_count == most) break;
    header.options.sack[header.options.sack_count++] = block;
  }
  std::array<uint8_t, wire::kMaxTcpHeaderSize> written;
  const size_t size = wire::WriteTcp(written.data(), header);
  const Bytes data(bytes_.begin() + static_cast<ptrdiff_t>(payload_at()),
                   bytes_.end());
  bytes_.resize(kTcp);
  bytes_.insert(bytes_.end(), written.begin(), written.begin() + size);
  bytes_.insert(bytes_.end(), data.begin(), data.end());
}

bool Segment::SameFlow(const Segment& other) const {
  return std::equal(&bytes_[kIp + 12], &bytes_[kTcp + 4],
                    &other.bytes_[kIp + 12]);
}

bool Segment::IsContinuedBy(const Segment& next) const {
  return SameFlow(next) && next.ack() == ack() &&
         next.payload_at() == payload_at() &&
         next.seq() == seq() + payload_size();
}

Bytes Segment::Finish() && {
  uint8_t* const ip = &bytes_[kIp];
  uint8_t* const tcp = &bytes_[kTcp];
  wire::StoreBe16(ip + 2, static_cast<uint16_t>(bytes_.size() - kIp));
  wire::StoreChecksum(ip + 10, 0);
  wire::StoreChecksum(ip + 10,
                      wire::ChecksumFinish(wire::ChecksumIpv4Header(ip)));
  const size_t size = bytes_.size() - kTcp;
  wire::StoreChecksum(tcp + wire::kTcpChecksumAt, 0);
  const uint64_t sum = wire::PseudoHeaderSum(
                           IpAddress::FromBytes(Family::kIpv4, ip + 12),
                           IpAddress::FromBytes(Family::kIpv4, ip + 16), size) +
                       wire::ChecksumAdd(tcp, size);
  wire::StoreChecksum(tcp + wire::kTcpChecksumAt, wire::ChecksumFinish(sum));
  return std::move(bytes_);
}

}  // namespace lwt::world
