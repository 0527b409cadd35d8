#include "tests/support/world/traffic.h"

#include <algorithm>

#include "dataplane/wire/be.h"
#include "dataplane/wire/checksum.h"
#include "drivers/headers.h"

namespace lwt::world {
namespace {

constexpr size_t kUdp = wire::kIpv4HeaderSize + wire::kUdpHeaderSize;
constexpr uint64_t kLongestWayUs = 120 * kSecond;

}  // namespace

void Traffic::Send(Gateway& from, const IpAddress& to, size_t size) {
  const Sent sent = {from.options().inner.address, to,
                     std::max(size, kUdp + sizeof(uint64_t)), world_.now_us()};
  under_way_.emplace(++sent_, sent);
  from.SendInside(PacketOf(sent_, sent));
}

bool Traffic::TakeAll() {
  for (Gateway* gateway : world_.gateways()) {
    for (const Bytes& packet : gateway->TakeInside()) {
      if (!Take(*gateway, packet)) return false;
    }
  }
  return true;
}

void Traffic::Mark() {
  mark_ = sent_;
  newest_.clear();
}

bool Traffic::Passed(const Gateway& from, const Gateway& to) const {
  const auto at = newest_.find(
      {from.options().inner.address.bytes, to.options().inner.address.bytes});
  return at != newest_.end() && at->second > mark_;
}

void Traffic::Prune() {
  std::erase_if(under_way_, [&](const auto& packet) {
    return packet.second.at_us + kLongestWayUs < world_.now_us();
  });
}

Bytes Traffic::PacketOf(uint64_t number, const Sent& sent) {
  Bytes packet(sent.size);
  packet[0] = 0x45;
  wire::StoreBe16(&packet[2], static_cast<uint16_t>(sent.size));
  packet[6] = 0x40;  // DF: told when it is too large, and never cut
  packet[8] = 64;
  packet[9] = wire::kProtocolUdp;
  std::copy_n(sent.from.bytes.begin(), 4, &packet[12]);
  std::copy_n(sent.to.bytes.begin(), 4, &packet[16]);
  wire::StoreChecksum(
      &packet[10],
      wire::ChecksumFinish(wire::ChecksumIpv4Header(packet.data())));
  wire::StoreBe16(&packet[24],
                  static_cast<uint16_t>(sent.size - wire::kIpv4HeaderSize));
  wire::StoreBe64(&packet[kUdp], number);
  for (size_t i = kUdp + sizeof(number); i < packet.size(); ++i) {
    packet[i] = static_cast<uint8_t>(number * 7 + i);
  }
  return packet;
}

bool Traffic::IsHub(const Gateway& gateway) const {
  return std::any_of(world_.hubs().begin(), world_.hubs().end(),
                     [&](const auto& hub) { return hub.get() == &gateway; });
}

// Whether it is an ICMP error about a packet that was sent there (RFC 792), as
// where there is no way to the one that it is for, or too narrow a one.
bool Traffic::TellsSender(const Gateway& at, const Bytes& packet) const {
  constexpr size_t kQuote = wire::kIpv4HeaderSize + 8;
  constexpr uint8_t kUnreachable = 3;
  if (packet.size() < kQuote + kUdp + sizeof(uint64_t) || packet[9] != 1 ||
      packet[wire::kIpv4HeaderSize] != kUnreachable) {
    return false;
  }
  const auto sent = under_way_.find(wire::LoadBe64(&packet[kQuote + kUdp]));
  if (sent == under_way_.end() ||
      sent->second.from != at.options().inner.address) {
    return false;
  }
  // All but the TTL and the checksum, which forwarding changes.
  constexpr size_t kAddresses = 12;
  const Bytes was = PacketOf(sent->first, sent->second);
  const size_t quoted = std::min(packet.size() - kQuote, was.size());
  return std::equal(was.begin() + kAddresses,
                    was.begin() + static_cast<ptrdiff_t>(quoted),
                    packet.begin() + kQuote + kAddresses);
}

// What is for a client that is not there comes to the hub's host.
bool Traffic::Take(const Gateway& at, const Bytes& packet) {
  if (TellsSender(at, packet)) return true;
  if (packet.size() < kUdp + sizeof(uint64_t)) return false;
  const auto sent = under_way_.find(wire::LoadBe64(&packet[kUdp]));
  if (sent == under_way_.end() ||
      PacketOf(sent->first, sent->second) != packet) {
    return false;
  }
  const IpAddress& here = at.options().inner.address;
  if (sent->second.to == here) {
    newest_[{sent->second.from.bytes, here.bytes}] = sent->first;
  } else if (!IsHub(at)) {
    return false;
  }
  under_way_.erase(sent);
  ++arrived_;
  return true;
}

}  // namespace lwt::world
