// A ring of messages between two threads, one writing and one reading: a header
// of one type and bytes of any length behind it, copied in and copied out, so
// that whose they were may be freed at once.
//
// A message takes its size and 24 bytes or so of the memory, which is taken at
// construction and never grows.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <type_traits>
#include <vector>

namespace lwt {

template <typename Header>
class MessageRing {
  static_assert(std::is_trivially_copyable_v<Header>);

 public:
  // `capacity` in bytes, a power of two.
  explicit MessageRing(size_t capacity)
      : mask_(capacity - 1), memory_(std::make_unique<uint8_t[]>(capacity)) {}

  // The writer. False, with nothing written, when there is no room.
  [[nodiscard]] bool Put(const Header& header, std::span<const uint8_t> bytes) {
    const size_t size = SizeOf(bytes.size());
    const uint64_t end = end_.load(std::memory_order_relaxed);
    // Where the reader was last seen; it is only asked when that is not enough.
    if (end + size - seen_begin_ > mask_ + 1) {
      seen_begin_ = begin_.load(std::memory_order_acquire);
      if (end + size - seen_begin_ > mask_ + 1) return false;
    }
    const Prefix prefix{static_cast<uint32_t>(bytes.size()), header};
    CopyIn(end, &prefix, sizeof(prefix));
    CopyIn(end + sizeof(prefix), bytes.data(), bytes.size());
    end_.store(end + size, std::memory_order_release);
    return true;
  }

  // The reader. False when empty.
  bool Take(Header& header, std::vector<uint8_t>& bytes) {
    const uint64_t begin = begin_.load(std::memory_order_relaxed);
    if (begin == end_.load(std::memory_order_acquire)) return false;
    Prefix prefix;
    CopyOut(begin, &prefix, sizeof(prefix));
    header = prefix.header;
    bytes.resize(prefix.size);
    CopyOut(begin + sizeof(prefix), bytes.data(), prefix.size);
    begin_.store(begin + SizeOf(prefix.size), std::memory_order_release);
    return true;
  }

  // Any thread.
  bool empty() const {
    return begin_.load(std::memory_order_acquire) ==
           end_.load(std::memory_order_acquire);
  }

 private:
  struct Prefix {
    uint32_t size = 0;  // of the bytes
    Header header;
  };

  static size_t SizeOf(size_t bytes) { return sizeof(Prefix) + bytes; }

  // `at` counts bytes since the ring was made; its memory comes round.
  void CopyIn(uint64_t at, const void* from, size_t size) {
    if (size == 0) return;
    const size_t offset = at & mask_;
    const size_t first = std::min(size, mask_ + 1 - offset);
    std::memcpy(&memory_[offset], from, first);
    std::memcpy(&memory_[0], static_cast<const uint8_t*>(from) + first,
                size - first);
  }
  void CopyOut(uint64_t at, void* to, size_t size) const {
    if (size == 0) return;
    const size_t offset = at & mask_;
    const size_t first = std::min(size, mask_ + 1 - offset);
    std::memcpy(to, &memory_[offset], first);
    std::memcpy(static_cast<uint8_t*>(to) + first, &memory_[0], size - first);
  }

  const size_t mask_;
  const std::unique_ptr<uint8_t[]> memory_;
  alignas(64) std::atomic<uint64_t> end_ = 0;    // of the writer
  uint64_t seen_begin_ = 0;                      // the writer's
  alignas(64) std::atomic<uint64_t> begin_ = 0;  // of the reader
};

}  // namespace lwt
