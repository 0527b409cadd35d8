// Memory for secrets.
//
// SecretBytes is for what lives long or passes from thread to thread (the
// shared key, static keys, session roots, keys of lanes on their way to a
// worker): a slot of a slab that is locked in memory where the limit allows,
// kept out of core dumps, fenced by guard pages, and wiped on release. Making
// one takes a mutex and, every 256 slots, a few system calls: never on a
// worker's thread.
//
// SecretPages is for many keys of which few may be there: its memory is locked
// where the limit allows, each page from its first use on, and kept out of core
// dumps. Who puts something there wipes it.
//
// WipedBytes is for scratch on the stack or inside a short-lived object: wiped
// on destruction, not locked.
#pragma once

#include <sodium.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>

namespace lwt {

inline constexpr size_t kSecretSlotSize = 64;

namespace internal {
uint8_t* AcquireSecretSlot();  // zeroed; aborts when memory is exhausted
void ReleaseSecretSlot(uint8_t* slot);
}  // namespace internal

template <size_t N>
class SecretBytes {
  static_assert(N <= kSecretSlotSize);

 public:
  SecretBytes() : slot_(internal::AcquireSecretSlot()) {}
  explicit SecretBytes(std::span<const uint8_t, N> bytes) : SecretBytes() {
    std::memcpy(slot_, bytes.data(), N);
  }
  SecretBytes(const SecretBytes& other) : SecretBytes(other.bytes()) {}
  // The source is left all-zero.
  SecretBytes(SecretBytes&& other) noexcept : SecretBytes() {
    std::swap(slot_, other.slot_);
  }
  SecretBytes& operator=(SecretBytes other) {
    std::swap(slot_, other.slot_);
    return *this;
  }
  ~SecretBytes() { internal::ReleaseSecretSlot(slot_); }

  std::span<const uint8_t, N> bytes() const {
    return std::span<const uint8_t, N>(slot_, N);
  }
  std::span<uint8_t, N> bytes() { return std::span<uint8_t, N>(slot_, N); }
  // As std::array converts. NOLINTNEXTLINE(google-explicit-constructor)
  operator std::span<const uint8_t, N>() const { return bytes(); }
  const uint8_t* data() const { return slot_; }
  uint8_t* data() { return slot_; }
  static constexpr size_t size() { return N; }

  void Wipe() { sodium_memzero(slot_, N); }
  // In constant time.
  friend bool operator==(const SecretBytes& a, const SecretBytes& b) {
    return sodium_memcmp(a.slot_, b.slot_, N) == 0;
  }

 private:
  uint8_t* slot_;
};

template <size_t N>
class WipedBytes {
 public:
  WipedBytes() = default;
  explicit WipedBytes(std::span<const uint8_t, N> bytes) {
    std::memcpy(bytes_.data(), bytes.data(), N);
  }
  WipedBytes(const WipedBytes&) = default;
  WipedBytes& operator=(const WipedBytes&) = default;
  ~WipedBytes() { sodium_memzero(bytes_.data(), N); }

  std::span<const uint8_t, N> bytes() const { return bytes_; }
  std::span<uint8_t, N> bytes() { return bytes_; }
  const uint8_t* data() const { return bytes_.data(); }
  uint8_t* data() { return bytes_.data(); }
  static constexpr size_t size() { return N; }

 private:
  std::array<uint8_t, N> bytes_{};
};

using SecretKey = SecretBytes<32>;

class SecretPages {
 public:
  // Zeroed; aborts when memory is exhausted.
  explicit SecretPages(size_t size);
  ~SecretPages();
  SecretPages(const SecretPages&) = delete;
  SecretPages& operator=(const SecretPages&) = delete;

  uint8_t* data() { return data_; }
  size_t size() const { return size_; }

 private:
  size_t size_;
  uint8_t* data_ = nullptr;
};

}  // namespace lwt
