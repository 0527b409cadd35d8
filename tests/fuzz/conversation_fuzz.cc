// The decisions of a man in the middle between a hub and its clients, one after
// the other: whatever they are, the gateways neither crash nor leak nor let a
// byte in, and a clean path carries again within 10 s.
#include <cstdint>
#include <cstdio>

#include "tests/support/world/conversation.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  lwt::world::BytesChoices choices({data, size});
  lwt::world::ConversationOptions options;
  options.seed = choices.Below(256);
  options.clients = 1 + choices.Below(2);
  const auto result = lwt::world::Converse(choices, options);
  if (!result.failure.empty()) {
    std::fprintf(stderr, "%s\n", result.failure.c_str());
    __builtin_trap();
  }
  return 0;
}
