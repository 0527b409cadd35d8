// Any bytes as a packet that comes in: what is read of it as a router's word
// about one of our segments is consistent, and a byte beyond it changes
// nothing.
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "dataplane/wire/too_big.h"

namespace {

void Require(bool condition) {
  if (!condition) __builtin_trap();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::span<const uint8_t> packet(data, size);
  const auto told = lwt::wire::ParseTooBig(packet);
  if (!told) return 0;
  Require(told->mtu > 0 && told->length > told->mtu);
  Require(told->local.address.family == told->remote.address.family);
  // It is for who sent the segment.
  const bool ipv4 = data[0] >> 4 == 4;
  Require(std::memcmp(data + (ipv4 ? 16 : 24), told->local.address.bytes.data(),
                      ipv4 ? 4 : 16) == 0);
  std::vector<uint8_t> longer(packet.begin(), packet.end());
  longer.push_back(0);
  const auto again = lwt::wire::ParseTooBig(longer);
  Require(again && again->mtu == told->mtu &&
          again->sequence == told->sequence && again->length == told->length);
  return 0;
}
