#include "dataplane/wire/mss_clamp.h"

#include <optional>

#include "dataplane/wire/be.h"
#include "dataplane/wire/checksum.h"
#include "dataplane/wire/inner_transport.h"

namespace lwt::wire {
namespace {

constexpr uint8_t kOptionEnd = 0;
constexpr uint8_t kOptionNop = 1;
constexpr uint8_t kOptionMss = 2;
constexpr size_t kMssSize = 4;

// Where the value of the MSS option lies among `options`.
std::optional<size_t> FindMss(std::span<const uint8_t> options) {
  size_t at = 0;
  while (at < options.size() && options[at] != kOptionEnd) {
    if (options[at] == kOptionNop) {
      ++at;
      continue;
    }
    if (options.size() - at < 2) return std::nullopt;
    const size_t size = options[at + 1];
    if (size < 2 || size > options.size() - at) return std::nullopt;
    if (options[at] == kOptionMss) {
      return size == kMssSize ? std::optional(at + 2) : std::nullopt;
    }
    at += size;
  }
  return std::nullopt;
}

// RFC 1624 §3: HC' = ~(~HC + ~m + m'). A value that does not begin at a word of
// the sum counts with its bytes the other way round.
void UpdateChecksum(uint8_t* field, be16 before, be16 after, bool odd) {
  const uint16_t out = odd ? SwapBytes(before.raw()) : before.raw();
  const uint16_t in = odd ? SwapBytes(after.raw()) : after.raw();
  const uint64_t sum = uint64_t{static_cast<uint16_t>(~LoadChecksum(field))} +
                       static_cast<uint16_t>(~out) + in;
  StoreChecksum(field, ChecksumFinish(sum));
}

}  // namespace

bool ClampMss(std::span<uint8_t> packet, uint16_t mtu, bool unfinished) {
  const auto transport = ParseInnerTransport(packet);
  if (!transport || transport->udp ||
      (packet[transport->ip_size + kTcpFlagsAt] & kSyn) == 0) {
    return false;
  }
  // Options are the sender's business (RFC 6691 §3): both headers count bare.
  const bool ipv4 = transport->family == Family::kIpv4;
  const size_t headers =
      (ipv4 ? kIpv4HeaderSize : kIpv6HeaderSize) + kTcpHeaderSize;
  if (mtu <= headers) return false;
  const be16 most(static_cast<uint16_t>(mtu - headers));
  const size_t options_at = transport->ip_size + size_t{kTcpHeaderSize};
  const auto at =
      FindMss(packet.subspan(options_at, transport->header_size - options_at));
  if (!at) return false;
  uint8_t* const value = &packet[options_at + *at];
  const be16 before = be16::Load(value);
  if (before.host() <= most.host()) return false;
  most.Store(value);
  if (!unfinished) {
    UpdateChecksum(&packet[transport->checksum_at()], before, most,
                   *at % 2 != 0);
  }
  return true;
}

}  // namespace lwt::wire
