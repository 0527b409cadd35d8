// The file of held tunnel addresses, as an older hub or anybody left it, and
// the book that takes what was understood.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "control/hub/address_book.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace lwt::peer;
  constexpr uint64_t kUnixMs = 1'750'000'000'000;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto held = ParseHeldAddresses(text);
  if (!held) return 0;
  // What was understood is written in a form that is understood the same.
  if (ParseHeldAddresses(FormatHeldAddresses(*held)) != held) abort();
  AddressBook book({*lwt::ParseIpPrefix("10.0.0.1/24")});
  book.Restore(*held, 0, kUnixMs);
  if (book.Held(0, kUnixMs).size() > held->size()) abort();
  if (!book.Held(AddressBook::kHoldUs, kUnixMs).empty()) abort();
  return 0;
}
