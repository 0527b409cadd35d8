// Whatever a man in the middle does to a conversation, the tunnel neither
// crashes nor leaks nor lets a byte in, and carries packets again within 10 s
// of a clean path. LWT_CONVERSATION_STEPS asks for more of its decisions than
// the default (scripts/test.sh -all does); the seed is printed on failure.

#include <gtest/gtest.h>
#include <malloc.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "tests/support/world/conversation.h"

namespace lwt::world {
namespace {

constexpr uint64_t kSteps = 100'000;
constexpr uint64_t kStepsEach = 4'000;

uint64_t StepsAsked() {
  const char* const asked = std::getenv("LWT_CONVERSATION_STEPS");
  return asked == nullptr ? kSteps : std::strtoull(asked, nullptr, 10);
}

uint64_t FirstSeed() {
  const char* const asked = std::getenv("LWT_CONVERSATION_SEED");
  return asked == nullptr ? 1 : std::strtoull(asked, nullptr, 10);
}

// Bytes of the heap in use.
size_t HeapInUse() { return mallinfo2().uordblks; }

TEST(ConversationProperty, AManInTheMiddleCannotStopIt) {
  const uint64_t asked = StepsAsked();
  ConversationResult sum;
  uint64_t conversations = 0;
  [[maybe_unused]] size_t heap = 0;  // a sanitizer has its own
  for (uint64_t seed = FirstSeed(); sum.steps < asked; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    SeededChoices choices(seed);
    ConversationOptions options;
    options.seed = seed;
    options.clients = 1 + static_cast<uint32_t>(seed % 3);
    options.steps = kStepsEach;
    options.verbose = std::getenv("LWT_CONVERSATION_LOG") != nullptr;
    const ConversationResult result = Converse(choices, options);
    ASSERT_EQ(result.failure, "");
    sum.steps += result.steps;
    sum.phases += result.phases;
    sum.packets += result.packets;
    sum.fake_us += result.fake_us;
    sum.longest_us = std::max(sum.longest_us, result.longest_us);
    // The first ones fill what is kept for the life of the process.
    if (++conversations == 3) heap = HeapInUse();
  }
  std::printf(
      "%lu conversations, %lu steps, %lu hostile times, %lu packets arrived, "
      "%lu s of fake time, at most %lu ms until a clean path carried\n",
      conversations, sum.steps, sum.phases, sum.packets,
      sum.fake_us / 1'000'000, sum.longest_us / 1000);
  EXPECT_GT(sum.packets, sum.steps / 10);
#ifndef __SANITIZE_ADDRESS__
  EXPECT_LE(HeapInUse(), heap + (size_t{1} << 20));
#endif
}

}  // namespace
}  // namespace lwt::world
