#include "dataplane/session/sent_arena.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <set>
#include <vector>

namespace lwt {
namespace {

using Position = SentArena::Position;

// Empties the oldest block, as the outer TCP does, and returns what was in it.
std::vector<Position> EvictOldest(SentArena& arena) {
  std::vector<Position> evicted;
  Position at = arena.FirstOfOldest();
  while (at != SentArena::kNone) {
    const Position next = arena.NextKept(at);
    arena.LetGo(at);
    evicted.push_back(at);
    at = next;
  }
  return evicted;
}

TEST(SentArena, RoundsUpToTwoBlocks) {
  EXPECT_EQ(SentArena(1).capacity(), 2 * SentArena::kBlockSize);
  EXPECT_EQ(SentArena(2 * SentArena::kBlockSize + 1).capacity(),
            3 * SentArena::kBlockSize);
}

TEST(SentArena, StartsEmpty) {
  const SentArena arena(1);
  EXPECT_TRUE(arena.Fits(65'535));
  EXPECT_EQ(arena.FirstOfOldest(), SentArena::kNone);
}

// What is acknowledged in time never leaves the first blocks, so that memory
// stays warm, whatever the arena's size.
TEST(SentArena, ReusesWhatWasLetGoLast) {
  SentArena arena(64u << 20);
  std::vector<Position> in_flight;
  std::set<Position> blocks;
  for (int burst = 0; burst < 2000; ++burst) {
    for (int i = 0; i < 45; ++i) {
      ASSERT_TRUE(arena.Fits(1448));
      in_flight.push_back(arena.Push(1448));
      blocks.insert(in_flight.back() / SentArena::kBlockSize);
    }
    // The burst before this one is acknowledged.
    if (in_flight.size() > 45) {
      for (int i = 0; i < 45; ++i)
        arena.LetGo(in_flight[static_cast<size_t>(i)]);
      in_flight.erase(in_flight.begin(), in_flight.begin() + 45);
    }
  }
  EXPECT_LE(blocks.size(), 4u);
}

TEST(SentArena, EvictsTheOldestInOrder) {
  SentArena arena(4 * SentArena::kBlockSize);
  std::vector<Position> all;
  while (arena.Fits(1448)) all.push_back(arena.Push(1448));
  EXPECT_GT(all.size(), 4u * 84u);
  // Of the first block two are let go before it is evicted.
  arena.LetGo(all[0]);
  arena.LetGo(all[7]);
  const std::vector<Position> first = EvictOldest(arena);
  EXPECT_EQ(first.size(), SentArena::kBlockSize / 1536 - 2);
  EXPECT_EQ(first[0], all[1]);
  EXPECT_TRUE(std::is_sorted(first.begin(), first.end()));
  EXPECT_TRUE(arena.Fits(1448));
  EXPECT_EQ(arena.FirstOfOldest(), all[first.size() + 2]);
}

TEST(SentArena, FillsTheSameBlockAgainOnceItIsEmpty) {
  SentArena arena(1);
  const Position first = arena.Push(100);
  const Position second = arena.Push(100);
  EXPECT_GT(second, first);
  arena.LetGo(first);
  arena.LetGo(second);
  EXPECT_EQ(arena.FirstOfOldest(), SentArena::kNone);
  EXPECT_EQ(arena.Push(100), first);
}

// Random sizes, let go in random order or evicted: what is kept keeps its
// bytes.
TEST(SentArena, KeepsBytesUntilTheyAreLetGo) {
  for (uint32_t seed = 1; seed <= 4; ++seed) {
    SCOPED_TRACE(seed);
    SentArena arena(3 * SentArena::kBlockSize);
    std::mt19937 random(seed);
    struct Kept {
      Position at;
      uint8_t byte;
      uint32_t size;
    };
    std::vector<Kept> kept;
    size_t evictions = 0;
    for (int step = 0; step < 20'000; ++step) {
      const auto size = static_cast<uint32_t>(1 + random() % 1500);
      if (!arena.Fits(size)) {
        ++evictions;
        for (const Position at : EvictOldest(arena)) {
          const auto found =
              std::find_if(kept.begin(), kept.end(),
                           [at](const Kept& one) { return one.at == at; });
          ASSERT_NE(found, kept.end());
          kept.erase(found);
        }
        ASSERT_TRUE(arena.Fits(size));
      }
      const Position at = arena.Push(size);
      ASSERT_EQ(arena.At(at).size, size);
      ASSERT_EQ(arena.At(at).next, SentArena::kNone);
      const auto byte = static_cast<uint8_t>(step);
      std::memset(arena.Payload(at), byte, size);
      kept.push_back({at, byte, size});
      while (kept.size() > 100 + seed * 60 && random() % 4 != 0) {
        const size_t index = random() % kept.size();
        const Kept one = kept[index];
        ASSERT_EQ(arena.At(one.at).size, one.size);
        ASSERT_EQ(arena.Payload(one.at)[0], one.byte);
        ASSERT_EQ(arena.Payload(one.at)[one.size - 1], one.byte);
        arena.LetGo(one.at);
        kept.erase(kept.begin() + static_cast<int>(index));
      }
    }
    // One that is let go late keeps its block, until that is the oldest.
    EXPECT_GT(evictions, 0u);
  }
}

}  // namespace
}  // namespace lwt
