// Limits what one source may cause.
//
// Token buckets in a table of fixed size made at start, chosen by a keyed hash
// of the first bits of the source, so that sources that share a bucket cannot
// be picked from outside. Control thread only.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "drivers/ip_endpoint.h"

namespace lwt::handshake {

struct Rate {
  uint32_t per_second = 0;  // 1 at least
  uint32_t burst = 0;
};

class TokenBucket {
 public:
  explicit TokenBucket(const Rate& rate) : microtokens_(Full(rate)) {}

  // Takes a token; false when none is left at `now_us`.
  bool Take(const Rate& rate, uint64_t now_us) {
    if (!Has(rate, now_us)) return false;
    microtokens_ -= kToken;
    return true;
  }
  bool Has(const Rate& rate, uint64_t now_us);

 private:
  static constexpr uint64_t kToken = 1'000'000;
  static uint64_t Full(const Rate& rate) { return rate.burst * kToken; }

  uint64_t updated_us_ = 0;
  uint64_t microtokens_;
};

class RateLimit {
 public:
  struct Config {
    Rate rate{10, 40};
    // Of an address, what names its source: a network, or a host.
    uint8_t ipv4_bits = 24;
    uint8_t ipv6_bits = 56;  // 64 at most
    size_t buckets = 4096;
  };

  explicit RateLimit(const Config& config);

  // Takes a token; false when the source has none left at `now_us`.
  bool Allow(const IpAddress& source, uint64_t now_us) {
    return BucketOf(source).Take(config_.rate, now_us);
  }
  bool Has(const IpAddress& source, uint64_t now_us) {
    return BucketOf(source).Has(config_.rate, now_us);
  }

 private:
  TokenBucket& BucketOf(const IpAddress& source);

  Config config_;
  std::array<uint8_t, 16> hash_key_;
  std::vector<TokenBucket> buckets_;
};

}  // namespace lwt::handshake
