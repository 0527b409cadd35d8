#include "control/handshake/rate_limit.h"

#include <sodium.h>

#include <algorithm>
#include <cstring>

namespace lwt::handshake {
namespace {

constexpr uint64_t kToken = 1'000'000;

}  // namespace

RateLimit::RateLimit(const Config& config)
    : config_(config), buckets_(config.buckets) {
  randombytes_buf(hash_key_.data(), hash_key_.size());
  for (Bucket& bucket : buckets_) bucket.microtokens = config.burst * kToken;
}

size_t RateLimit::IndexOf(const IpAddress& source) const {
  // The family and the first 24 or 56 bits.
  std::array<uint8_t, 8> network{};
  network[0] = static_cast<uint8_t>(source.family);
  std::memcpy(&network[1], source.bytes.data(),
              source.family == Family::kIpv4 ? 3 : 7);
  static_assert(crypto_shorthash_KEYBYTES == 16);
  uint64_t hash = 0;
  crypto_shorthash(reinterpret_cast<uint8_t*>(&hash), network.data(),
                   network.size(), hash_key_.data());
  return hash % buckets_.size();
}

bool RateLimit::Allow(const IpAddress& source, uint64_t now_us) {
  Bucket& bucket = buckets_[IndexOf(source)];
  if (now_us > bucket.updated_us) {
    const uint64_t full = config_.burst * kToken;
    // A bucket is full after burst / per_second; longer waits would overflow.
    const uint64_t waited =
        std::min(now_us - bucket.updated_us, full / config_.per_second + 1);
    bucket.microtokens =
        std::min(full, bucket.microtokens + waited * config_.per_second);
    bucket.updated_us = now_us;
  }
  if (bucket.microtokens < kToken) return false;
  bucket.microtokens -= kToken;
  return true;
}

}  // namespace lwt::handshake
