#include "control/handshake/replay_cache.h"

#include <algorithm>
#include <bit>

namespace lwt::handshake {

ReplayCache::ReplayCache(size_t capacity)
    : entries_(std::bit_ceil(capacity < kWays ? kWays : capacity)) {
  RandomBytes(hash_key_);
}

bool ReplayCache::Insert(std::span<const uint8_t, kTagSize> tag,
                         uint64_t now_ms) {
  uint64_t hash = 0;
  crypto_shorthash(reinterpret_cast<uint8_t*>(&hash), tag.data(), tag.size(),
                   hash_key_.data());
  const size_t buckets = entries_.size() / kWays;
  Entry* const bucket = &entries_[(hash & (buckets - 1)) * kWays];
  for (size_t i = 0; i < kWays; ++i) {
    const Entry& entry = bucket[i];
    if (entry.expires_ms > now_ms &&
        std::memcmp(entry.tag.data(), tag.data(), tag.size()) == 0) {
      return false;
    }
  }
  Entry* const oldest = std::min_element(bucket, bucket + kWays,
                                         [](const Entry& a, const Entry& b) {
                                           return a.expires_ms < b.expires_ms;
                                         });
  std::memcpy(oldest->tag.data(), tag.data(), tag.size());
  oldest->expires_ms = now_ms + kLifetimeMs;
  return true;
}

}  // namespace lwt::handshake
