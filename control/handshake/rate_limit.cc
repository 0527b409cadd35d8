#include "control/handshake/rate_limit.h"

#include <sodium.h>

#include <algorithm>

namespace lwt::handshake {

bool TokenBucket::Has(const Rate& rate, uint64_t now_us) {
  if (now_us > updated_us_) {
    const uint64_t full = Full(rate);
    // A bucket is full after burst / per_second; longer waits would overflow.
    const uint64_t waited =
        std::min(now_us - updated_us_, full / rate.per_second + 1);
    microtokens_ = std::min(full, microtokens_ + waited * rate.per_second);
    updated_us_ = now_us;
  }
  return microtokens_ >= kToken;
}

RateLimit::RateLimit(const Config& config)
    : config_(config), buckets_(config.buckets, TokenBucket(config.rate)) {
  randombytes_buf(hash_key_.data(), hash_key_.size());
}

TokenBucket& RateLimit::BucketOf(const IpAddress& source) {
  const bool ipv4 = source.family == Family::kIpv4;
  const IpPrefix prefix{source, ipv4 ? config_.ipv4_bits : config_.ipv6_bits};
  const IpAddress network = prefix.Network();
  std::array<uint8_t, 9> name{};
  name[0] = static_cast<uint8_t>(source.family);
  std::copy_n(network.bytes.begin(), 8, &name[1]);
  static_assert(crypto_shorthash_KEYBYTES == 16);
  uint64_t hash = 0;
  crypto_shorthash(reinterpret_cast<uint8_t*>(&hash), name.data(), name.size(),
                   hash_key_.data());
  return buckets_[hash % buckets_.size()];
}

}  // namespace lwt::handshake
