// DPDK's ring between two threads, one writing and one reading, with elements
// of one type.
#pragma once

#include <rte_ring_elem.h>

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <type_traits>

namespace lwt {

template <typename T>
class SpscRing {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) % 4 == 0,
                "rings copy elements in words of four bytes");

 public:
  // `name` is unique in the process; `slots` a power of two, of which one
  // stays empty. Invalid when memory does not suffice.
  SpscRing() = default;
  SpscRing(const std::string& name, unsigned slots)
      : ring_(rte_ring_create_elem(name.c_str(), sizeof(T), slots,
                                   SOCKET_ID_ANY,
                                   RING_F_SP_ENQ | RING_F_SC_DEQ)) {}
  bool valid() const { return ring_ != nullptr; }

  // The writer. False when full.
  [[nodiscard]] bool Put(const T& value) {
    return rte_ring_sp_enqueue_elem(ring_.get(), const_cast<T*>(&value),
                                    sizeof(T)) == 0;
  }
  // What Put would still take, at least.
  unsigned Room() const { return ring_->capacity - Count(); }

  // The reader. False when empty.
  [[nodiscard]] bool Take(T& value) {
    return rte_ring_sc_dequeue_elem(ring_.get(), &value, sizeof(T)) == 0;
  }
  // Fills from the front; returns how many.
  size_t Take(std::span<T> values) {
    return rte_ring_sc_dequeue_burst_elem(ring_.get(), values.data(), sizeof(T),
                                          static_cast<unsigned>(values.size()),
                                          nullptr);
  }

  // Any thread. As rte_ring_count, whose reads the thread sanitizer takes for
  // a race.
  unsigned Count() const {
    const uint32_t end = __atomic_load_n(&ring_->prod.tail, __ATOMIC_ACQUIRE);
    const uint32_t begin = __atomic_load_n(&ring_->cons.tail, __ATOMIC_ACQUIRE);
    return (end - begin) & ring_->mask;
  }
  bool empty() const { return Count() == 0; }

 private:
  struct Free {
    void operator()(rte_ring* ring) const { rte_ring_free(ring); }
  };
  std::unique_ptr<rte_ring, Free> ring_;
};

}  // namespace lwt
