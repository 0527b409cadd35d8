// The file of held networks, as an older hub or anybody left it, and the book
// that takes what was understood.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "control/hub/held_routes.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace lwt;
  constexpr uint64_t kUnixMs = 1'750'000'000'000;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto held = peer::ParseHeldRoutes(text);
  if (!held) return 0;
  // What was understood is written in a form that is understood the same.
  if (peer::ParseHeldRoutes(peer::FormatHeldRoutes(*held)) != held) abort();
  routing::RouteBook book;
  const std::vector<config::Acceptance> all = {
      {config::Acceptance::What::kAll, {}}};
  const routing::Underlay nowhere;
  book.Restore(*held, all, {{}, nowhere, {}, {}}, 0, kUnixMs);
  if (book.Held(0, kUnixMs).size() > held->size()) abort();
  book.Expire(routing::RouteBook::kHoldUs);
  if (!book.All().empty()) abort();
  return 0;
}
