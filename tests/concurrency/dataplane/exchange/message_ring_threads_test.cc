// One thread writes messages of all sizes, another reads them.
#include <gtest/gtest.h>

#include <random>
#include <thread>
#include <vector>

#include "dataplane/exchange/message_ring.h"

namespace lwt {
namespace {

constexpr uint64_t kMessages = 200'000;

std::vector<uint8_t> MessageOf(uint64_t number, std::mt19937& random) {
  return std::vector<uint8_t>(random() % 300, static_cast<uint8_t>(number));
}

TEST(MessageRingThreadsTest, AllComeInOrderAndWhole) {
  MessageRing<uint64_t> ring(4096);
  std::thread writer([&ring] {
    std::mt19937 random(4);
    for (uint64_t number = 0; number < kMessages; ++number) {
      const std::vector<uint8_t> bytes = MessageOf(number, random);
      while (!ring.Put(number, bytes)) std::this_thread::yield();
    }
  });
  std::mt19937 random(4);
  uint64_t wrong = 0;
  for (uint64_t expected = 0; expected < kMessages; ++expected) {
    uint64_t number = 0;
    std::vector<uint8_t> bytes;
    while (!ring.Take(number, bytes)) std::this_thread::yield();
    if (number != expected || bytes != MessageOf(expected, random)) ++wrong;
  }
  writer.join();
  EXPECT_EQ(wrong, 0u);
  EXPECT_TRUE(ring.empty());
}

}  // namespace
}  // namespace lwt
