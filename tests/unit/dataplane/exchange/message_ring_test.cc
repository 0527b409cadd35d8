#include "dataplane/exchange/message_ring.h"

#include <gtest/gtest.h>

#include <deque>
#include <random>
#include <vector>

namespace lwt {
namespace {

struct Note {
  uint64_t number = 0;
  uint32_t more = 0;
};

using Octets = std::vector<uint8_t>;

TEST(MessageRingTest, GivesBackWhatWasPut) {
  MessageRing<Note> ring(4096);
  EXPECT_TRUE(ring.empty());
  EXPECT_TRUE(ring.Put({7, 1}, Octets{1, 2, 3}));
  EXPECT_TRUE(ring.Put({8, 2}, {}));
  EXPECT_FALSE(ring.empty());
  Note note;
  Octets bytes = {9, 9, 9, 9, 9};
  ASSERT_TRUE(ring.Take(note, bytes));
  EXPECT_EQ(note.number, 7u);
  EXPECT_EQ(bytes, (Octets{1, 2, 3}));
  ASSERT_TRUE(ring.Take(note, bytes));
  EXPECT_EQ(note.more, 2u);
  EXPECT_EQ(bytes, Octets{});
  EXPECT_FALSE(ring.Take(note, bytes));
}

TEST(MessageRingTest, TakesNothingOfWhatDoesNotFit) {
  MessageRing<Note> ring(1024);
  EXPECT_FALSE(ring.Put({}, Octets(1024)));
  EXPECT_TRUE(ring.empty());
  EXPECT_TRUE(ring.Put({1, 0}, Octets(900, 5)));
  EXPECT_FALSE(ring.Put({2, 0}, Octets(900)));
  Note note;
  Octets bytes;
  ASSERT_TRUE(ring.Take(note, bytes));
  EXPECT_EQ(bytes, Octets(900, 5));
  EXPECT_TRUE(ring.Put({2, 0}, Octets(900)));
}

// Messages of all sizes, over the end of the memory at every place.
TEST(MessageRingTest, KeepsOrderAndBytesAtEveryPlace) {
  MessageRing<Note> ring(256);
  std::mt19937 random(1);
  std::deque<Octets> held;
  uint64_t put = 0;
  uint64_t taken = 0;
  for (int step = 0; step < 100'000; ++step) {
    Octets bytes(random() % 120);
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random());
    if (random() % 2 == 0 && ring.Put({put, 0}, bytes)) {
      ++put;
      held.push_back(bytes);
    }
    Note note;
    if (random() % 2 == 0 && ring.Take(note, bytes)) {
      ASSERT_EQ(note.number, taken++);
      ASSERT_EQ(bytes, held.front());
      held.pop_front();
    }
  }
  EXPECT_GT(taken, 10'000u);
  EXPECT_EQ(put - taken, held.size());
}

}  // namespace
}  // namespace lwt
