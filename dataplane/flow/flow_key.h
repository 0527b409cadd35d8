// The pair of endpoints that names an outer flow, and the keyed hashes of it.
#pragma once

#include <array>
#include <cstdint>

#include "dataplane/sip_hash.h"
#include "drivers/ip_endpoint.h"

namespace lwt {

struct FlowKey {
  // Address bytes as IpAddress holds them; ports and family packed last.
  std::array<uint64_t, 5> words{};

  static FlowKey Of(const Endpoint& local, const Endpoint& remote) {
    FlowKey key;
    std::memcpy(&key.words[0], local.address.bytes.data(), 16);
    std::memcpy(&key.words[2], remote.address.bytes.data(), 16);
    key.words[4] = uint64_t{local.port} << 32 | uint64_t{remote.port} << 16 |
                   static_cast<uint64_t>(local.address.family);
    return key;
  }

  Family family() const { return static_cast<Family>(words[4] & 0xff); }
  Endpoint local() const {
    return {IpAddress::FromBytes(family(), Bytes(0)),
            static_cast<uint16_t>(words[4] >> 32)};
  }
  Endpoint remote() const {
    return {IpAddress::FromBytes(family(), Bytes(2)),
            static_cast<uint16_t>(words[4] >> 16)};
  }

  friend bool operator==(const FlowKey&, const FlowKey&) = default;

 private:
  const uint8_t* Bytes(size_t word) const {
    return reinterpret_cast<const uint8_t*>(&words[word]);
  }
};

// What each value that others see or could aim at is hashed for: no use tells
// anything about another.
enum class HashUse : uint64_t {
  kTable,
  kIsn,
  kTimestampOffset,
  kIpId,
  kFlowLabel,
  kCookieBase,
  kCookieCount,
};

class FlowKeyedHash {
 public:
  explicit FlowKeyedHash(const std::array<uint8_t, 32>& secret) {
    std::memcpy(&key_.k0, secret.data(), 8);
    std::memcpy(&key_.k1, secret.data() + 8, 8);
    std::memcpy(&salt_, secret.data() + 16, 8);
  }

  uint64_t Of(HashUse use, const FlowKey& key, uint64_t extra = 0) const {
    SipHash hash(key_);
    hash.Add(salt_ + static_cast<uint64_t>(use));
    for (const uint64_t word : key.words) hash.Add(word);
    hash.Add(extra);
    return hash.Finish();
  }

 private:
  SipKey key_;
  uint64_t salt_ = 0;
};

}  // namespace lwt
