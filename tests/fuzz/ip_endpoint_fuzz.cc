// Addresses, prefixes and endpoints read from text: whatever is accepted must
// read back equal from its own text form.

#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string_view>

#include "drivers/ip_endpoint.h"

namespace {

template <typename T>
void CheckRoundTrip(const std::optional<T>& value,
                    std::optional<T> (*parse)(std::string_view)) {
  if (value && parse(lwt::ToString(*value)) != value) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  CheckRoundTrip(lwt::ParseIpAddress(text), lwt::ParseIpAddress);
  CheckRoundTrip(lwt::ParseEndpoint(text), lwt::ParseEndpoint);
  const auto prefix = lwt::ParseIpPrefix(text);
  CheckRoundTrip(prefix, lwt::ParseIpPrefix);
  if (prefix && !prefix->Contains(prefix->Network())) std::abort();
  return 0;
}
