// Big-endian integers as they lie in a packet. They do not convert by
// themselves, so that no host-order value enters a header unnoticed.
#pragma once

#include <cstdint>
#include <cstring>

namespace lwt::wire {

constexpr uint16_t SwapBytes(uint16_t value) {
  return __builtin_bswap16(value);
}
constexpr uint32_t SwapBytes(uint32_t value) {
  return __builtin_bswap32(value);
}
constexpr uint64_t SwapBytes(uint64_t value) {
  return __builtin_bswap64(value);
}

template <typename Host>
class BigEndian {
 public:
  constexpr BigEndian() = default;
  constexpr explicit BigEndian(Host host) : raw_(SwapBytes(host)) {}

  constexpr Host host() const { return SwapBytes(raw_); }
  // The value as it lies in memory: what a checksum adds up.
  constexpr Host raw() const { return raw_; }

  // Reads or writes sizeof(Host) bytes at any alignment.
  static BigEndian Load(const void* from) {
    BigEndian value;
    std::memcpy(&value.raw_, from, sizeof(Host));
    return value;
  }
  void Store(void* to) const { std::memcpy(to, &raw_, sizeof(Host)); }

  friend constexpr bool operator==(BigEndian, BigEndian) = default;

 private:
  Host raw_ = 0;
};

using be16 = BigEndian<uint16_t>;
using be32 = BigEndian<uint32_t>;
using be64 = BigEndian<uint64_t>;

static_assert(sizeof(be16) == 2 && sizeof(be32) == 4 && sizeof(be64) == 8);

inline uint16_t LoadBe16(const uint8_t* from) {
  return be16::Load(from).host();
}
inline uint32_t LoadBe32(const uint8_t* from) {
  return be32::Load(from).host();
}
inline uint64_t LoadBe64(const uint8_t* from) {
  return be64::Load(from).host();
}
inline void StoreBe16(uint8_t* to, uint16_t host) { be16(host).Store(to); }
inline void StoreBe32(uint8_t* to, uint32_t host) { be32(host).Store(to); }
inline void StoreBe64(uint8_t* to, uint64_t host) { be64(host).Store(to); }

}  // namespace lwt::wire
