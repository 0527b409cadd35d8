#include "control/handshake/replay_cache.h"

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
  Entry* free_entry = nullptr;
  for (size_t i = 0; i < kWays; ++i) {
    Entry& entry = bucket[i];
    if (entry.expires_ms <= now_ms) {
      free_entry = &entry;
    } else if (std::memcmp(entry.tag.data(), tag.data(), tag.size()) == 0) {
      return false;
    }
  }
  if (free_entry == nullptr) return false;
  std::memcpy(free_entry->tag.data(), tag.data(), tag.size());
  free_entry->expires_ms = now_ms + kLifetimeMs;
  return true;
}

}  // namespace lwt::handshake
