// Any bytes as an inner super-frame: what is accepted is cut, every piece has
// to be a packet that can be read again, and the payloads together are the
// whole's. The first four bytes are what the port says: place and kind of the
// L4 header, segment size.
#include <cstdint>
#include <cstring>
#include <vector>

#include "dataplane/wire/be.h"
#include "dataplane/wire/checksum.h"
#include "dataplane/wire/inner_packet.h"
#include "dataplane/wire/inner_transport.h"
#include "dataplane/wire/super_frame.h"

namespace {

void Require(bool condition) {
  if (!condition) __builtin_trap();
}

void Cut(const lwt::wire::SuperFrame& super) {
  const lwt::wire::SegmentWriter writer(super);
  size_t payload = 0;
  for (size_t i = 0; i < super.segments; ++i) {
    std::vector<uint8_t> piece(super.header_size + size_t{super.segment_size});
    piece.resize(writer.Write(i, piece.data()));
    Require(piece.size() > super.header_size);
    Require(lwt::wire::ParseInner(piece).has_value());
    const size_t size = piece.size() - super.header_size;
    Require(std::memcmp(&piece[super.header_size],
                        &super.packet[super.header_size + payload], size) == 0);
    payload += size;
    const auto transport = lwt::wire::ParseInnerTransport(piece);
    Require(transport.has_value() || !super.plain);
    if (transport && super.plain) {
      Require(transport->header_size == super.header_size);
    }
  }
  Require(payload == super.packet.size() - super.header_size);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 4) return 0;
  const std::vector<uint8_t> packet(data + 4, data + size);
  const auto super = lwt::wire::ParseSuperFrame(
      packet, data[0], (data[1] & 1) != 0, lwt::wire::LoadBe16(data + 2));
  if (super) Cut(*super);
  const auto transport = lwt::wire::ParseInnerTransport(packet);
  if (!transport) return 0;
  std::vector<uint8_t> whole = packet;
  const uint16_t sum = lwt::wire::ChecksumFold(lwt::wire::InnerPseudoSum(
      whole.data(), *transport, whole.size() - transport->ip_size));
  std::memcpy(&whole[transport->checksum_at()], &sum, sizeof(sum));
  lwt::wire::FinishChecksum(whole, *transport);
  Require(lwt::wire::HasRightChecksum(whole, *transport));
  return 0;
}
