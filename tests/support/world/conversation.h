// A whole conversation between a hub and its clients with an attacker between
// them: hostile times, each followed by a clean path, on which the tunnel has
// to carry packets both ways within 10 s; at the end nothing may be left.
#pragma once

#include <cstdint>
#include <string>

#include "tests/support/world/choices.h"

namespace lwt::world {

struct ConversationOptions {
  uint64_t seed = 1;      // of keys and jitter
  uint32_t clients = 1;   // 1 … 8
  uint64_t steps = 2000;  // decisions of the attacker, about
  bool verbose = false;   // the gateways' logs on standard error
};

struct ConversationResult {
  std::string failure;  // empty when all is well
  uint64_t steps = 0;
  uint64_t phases = 0;
  uint64_t packets = 0;     // inner ones that arrived
  uint64_t longest_us = 0;  // until a clean path carried both ways again
  uint64_t fake_us = 0;
};

ConversationResult Converse(Choices& choices,
                            const ConversationOptions& options);

}  // namespace lwt::world
