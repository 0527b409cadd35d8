// The file of banned keys, as anybody left it.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "control/hub/banned_keys.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace lwt::peer;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto keys = ParseBannedKeys(text);
  if (!keys) return 0;
  if (keys->size() > kMaxBannedKeys) abort();
  // What was understood is written in a form that is understood the same.
  if (ParseBannedKeys(FormatBannedKeys(*keys)) != keys) abort();
  return 0;
}
