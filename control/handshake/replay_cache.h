// Remembers the tags of accepted first messages for 20 minutes, so that a
// recorded one is worth nothing.
//
// A table of fixed size made at start: buckets of 16 chosen by a keyed hash.
// Only holders of the shared key can fill it. In a full bucket the oldest makes
// room: one who floods it may repeat messages early, which gets it no further
// than a new one would, and keeps nobody out. Control thread.
#pragma once

#include <vector>

#include "control/handshake/crypto.h"

namespace lwt::handshake {

class ReplayCache {
 public:
  static constexpr uint64_t kLifetimeMs = 20 * 60 * 1000;

  // Room for `capacity` tags, rounded up to a power of two of at least 16.
  explicit ReplayCache(size_t capacity);

  using Tag = std::span<const uint8_t, kTagSize>;
  bool Holds(Tag tag, uint64_t now_ms) const;
  // True, and remembered, when the tag is new.
  [[nodiscard]] bool Insert(Tag tag, uint64_t now_ms);

 private:
  static constexpr size_t kWays = 16;
  struct Entry {
    std::array<uint8_t, kTagSize> tag{};
    uint64_t expires_ms = 0;
  };

  // The first entry of the tag's bucket.
  size_t BucketOf(Tag tag) const;

  std::array<uint8_t, 16> hash_key_;
  std::vector<Entry> entries_;
};

}  // namespace lwt::handshake
