#include "control/handshake/replay_cache.h"

#include <algorithm>
#include <bit>

namespace lwt::handshake {

ReplayCache::ReplayCache(size_t capacity)
    : entries_(std::bit_ceil(capacity < kWays ? kWays : capacity)) {
  RandomBytes(hash_key_);
}

size_t ReplayCache::BucketOf(Tag tag) const {
  uint64_t hash = 0;
  crypto_shorthash(reinterpret_cast<uint8_t*>(&hash), tag.data(), tag.size(),
                   hash_key_.data());
  const size_t buckets = entries_.size() / kWays;
  return (hash & (buckets - 1)) * kWays;
}

bool ReplayCache::Holds(Tag tag, uint64_t now_ms) const {
  const Entry* const bucket = &entries_[BucketOf(tag)];
  return std::any_of(bucket, bucket + kWays, [&](const Entry& entry) {
    return entry.expires_ms > now_ms &&
           std::memcmp(entry.tag.data(), tag.data(), tag.size()) == 0;
  });
}

bool ReplayCache::Insert(Tag tag, uint64_t now_ms) {
  if (Holds(tag, now_ms)) return false;
  Entry* const bucket = &entries_[BucketOf(tag)];
  Entry* const oldest = std::min_element(bucket, bucket + kWays,
                                         [](const Entry& a, const Entry& b) {
                                           return a.expires_ms < b.expires_ms;
                                         });
  std::memcpy(oldest->tag.data(), tag.data(), tag.size());
  oldest->expires_ms = now_ms + kLifetimeMs;
  return true;
}

}  // namespace lwt::handshake
