// Any bytes as a packet at a router: a hop less keeps a right header right,
// errors about it are packets that no error is sent about, and fragments are
// packets that carry all of it. The first two bytes are the MTU.
#include <array>
#include <cstdint>
#include <cstring>
#include <vector>

#include "dataplane/wire/be.h"
#include "dataplane/wire/checksum.h"
#include "dataplane/wire/forwarding.h"
#include "dataplane/wire/inner_packet.h"

namespace {

using lwt::wire::Obstacle;

void Require(bool condition) {
  if (!condition) __builtin_trap();
}

uint16_t HeaderSum(const std::vector<uint8_t>& packet) {
  const size_t size = size_t{packet[0] & 0x0fu} * 4;
  return lwt::wire::ChecksumFold(lwt::wire::ChecksumAdd(packet.data(), size));
}

void Hop(std::vector<uint8_t> packet) {
  if (lwt::wire::HopsLeft(packet.data()) == 0) return;
  const bool ipv4 = packet[0] >> 4 == 4;
  const bool right = ipv4 && HeaderSum(packet) == 0xffff;
  lwt::wire::TakeHop(packet.data());
  if (right) Require(HeaderSum(packet) == 0xffff);
}

void Obstruct(Obstacle obstacle, uint16_t mtu,
              const std::vector<uint8_t>& packet) {
  lwt::IpAddress own = lwt::IpAddress::Any(
      packet[0] >> 4 == 4 ? lwt::Family::kIpv4 : lwt::Family::kIpv6);
  own.bytes[0] = 10;
  std::array<uint8_t, lwt::wire::kLargestObstacle> out;
  const auto size = lwt::wire::WriteObstacle(obstacle, mtu, own, packet, out);
  if (!size) return;
  const std::vector<uint8_t> error(out.begin(), out.begin() + *size);
  Require(lwt::wire::ParseInner(error).has_value());
  Require(!lwt::wire::WriteObstacle(obstacle, mtu, own, error, out));
}

void Cut(uint16_t mtu, const std::vector<uint8_t>& packet) {
  const lwt::wire::Fragments fragments(packet, mtu);
  size_t at = 20;
  for (size_t i = 0; i < fragments.count(); ++i) {
    std::vector<uint8_t> piece(mtu);
    piece.resize(fragments.Write(i, piece.data()));
    Require(lwt::wire::ParseInner(piece).has_value());
    Require(HeaderSum(piece) == 0xffff);
    Require(at + piece.size() - 20 <= packet.size());
    Require(std::memcmp(&piece[20], &packet[at], piece.size() - 20) == 0);
    at += piece.size() - 20;
  }
  Require(fragments.count() == 0 || at == packet.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const uint16_t mtu = lwt::wire::LoadBe16(data);
  const std::vector<uint8_t> packet(data + 2, data + size);
  if (!lwt::wire::ParseInner(packet)) return 0;
  Hop(packet);
  Obstruct(Obstacle::kTimeExceeded, 0, packet);
  Obstruct(Obstacle::kTooBig, mtu, packet);
  if (!lwt::wire::MustNotFragment(packet.data())) Cut(mtu, packet);
  return 0;
}
