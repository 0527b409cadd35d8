// Limits the handshake work that one source network may cause.
//
// Token buckets in a table of fixed size made at start, chosen by a keyed hash
// of the source's /24 or /56, so that networks that share a bucket cannot be
// picked from outside. Control thread only.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "drivers/ip_endpoint.h"

namespace lwt::handshake {

class RateLimit {
 public:
  struct Config {
    uint32_t per_second = 10;
    uint32_t burst = 40;
    size_t buckets = 4096;
  };

  explicit RateLimit(const Config& config);

  // Takes a token; false when the source has none left at `now_us`.
  bool Allow(const IpAddress& source, uint64_t now_us);

 private:
  struct Bucket {
    uint64_t updated_us = 0;
    uint64_t microtokens = 0;  // a token is 1 000 000
  };

  size_t IndexOf(const IpAddress& source) const;

  Config config_;
  std::array<uint8_t, 16> hash_key_;
  std::vector<Bucket> buckets_;
};

}  // namespace lwt::handshake
