// What a hub and a client keep of shared keys in their state directories. What
// is taken reads as it was written.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "control/rotation/key_store.h"
#include "control/rotation/rotation_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto state = lwt::rotation::ParseRotation(text)) {
    if (state->before.size() > lwt::rotation::RotationState::kMaxBefore)
      abort();
    const std::string written = lwt::rotation::FormatRotation(*state);
    const auto again = lwt::rotation::ParseRotation(written);
    if (!again || lwt::rotation::FormatRotation(*again) != written) abort();
  }
  if (const auto stored = lwt::rotation::ParseStoredKey(text)) {
    if (lwt::rotation::FormatStoredKey(*stored) != text) abort();
  }
  return 0;
}
