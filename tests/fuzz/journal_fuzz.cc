// The journal of host changes, as a dead gateway or anybody may have left it.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "control/host/instance/journal.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto changes = lwt::host::ParseJournal(text);
  if (!changes) return 0;
  // What was understood is written in a form that is understood the same.
  const auto again =
      lwt::host::ParseJournal(lwt::host::FormatJournal(*changes));
  if (again != changes) abort();
  for (const auto& change : *changes) {
    if (!change.SameObject(change)) abort();
  }
  return 0;
}
