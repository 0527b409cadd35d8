// Any bytes as a packet of the inside: only the MSS and the checksum of a SYN
// change, a right checksum stays right, and once lowered it is low enough. The
// first two bytes are the MTU.
#include <cstdint>
#include <vector>

#include "dataplane/wire/be.h"
#include "dataplane/wire/inner_transport.h"
#include "dataplane/wire/mss_clamp.h"

namespace {

void Require(bool condition) {
  if (!condition) __builtin_trap();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const uint16_t mtu = lwt::wire::LoadBe16(data);
  const std::vector<uint8_t> before(data + 2, data + size);
  std::vector<uint8_t> packet = before;
  const auto transport = lwt::wire::ParseInnerTransport(packet);
  const bool changed = lwt::wire::ClampMss(packet, mtu, false);
  if (!changed) {
    Require(packet == before);
    return 0;
  }
  Require(transport && !transport->udp);
  Require(lwt::wire::MayBeSyn(packet.data(), packet.size()));
  size_t differ = 0;
  for (size_t i = 0; i < packet.size(); ++i) {
    if (packet[i] != before[i]) ++differ;
  }
  Require(differ <= 4);
  if (lwt::wire::HasRightChecksum(before, *transport)) {
    Require(lwt::wire::HasRightChecksum(packet, *transport));
  }
  Require(!lwt::wire::ClampMss(packet, mtu, false));
  std::vector<uint8_t> unfinished = before;
  Require(lwt::wire::ClampMss(unfinished, mtu, true));
  const size_t at = transport->checksum_at();
  Require(unfinished[at] == before[at] && unfinished[at + 1] == before[at + 1]);
  return 0;
}
