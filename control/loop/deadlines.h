// Which of many things is due: a deadline, in µs, for each of a fixed number of
// keys, so that nobody walks all of them in a turn.
//
// A binary heap with the place of each key beside it: Set costs O(log n), the
// rest O(1); nothing is allocated after the constructor. Control thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace lwt::loop {

class Deadlines {
 public:
  static constexpr uint64_t kNever = UINT64_MAX;

  // For keys 0 … keys − 1, none of them due.
  explicit Deadlines(size_t keys) : at_us_(keys, kNever), places_(keys) {
    heap_.reserve(keys);
    for (uint32_t key = 0; key < keys; ++key) {
      places_[key] = key;
      heap_.push_back(key);
    }
  }

  // kNever takes it out.
  void Set(uint32_t key, uint64_t at_us) {
    const uint64_t before = std::exchange(at_us_[key], at_us);
    if (at_us < before) {
      Up(places_[key]);
    } else if (at_us > before) {
      Down(places_[key]);
    }
  }
  uint64_t Of(uint32_t key) const { return at_us_[key]; }

  uint64_t Next() const {
    return heap_.empty() ? kNever : at_us_[heap_.front()];
  }
  // A key whose deadline has come, the first due first; it has none from now
  // on.
  std::optional<uint32_t> TakeDue(uint64_t now_us) {
    if (Next() > now_us || Next() == kNever) return std::nullopt;
    const uint32_t key = heap_.front();
    Set(key, kNever);
    return key;
  }

 private:
  bool Before(size_t a, size_t b) const {
    return at_us_[heap_[a]] < at_us_[heap_[b]];
  }
  void Swap(size_t a, size_t b) {
    std::swap(heap_[a], heap_[b]);
    places_[heap_[a]] = static_cast<uint32_t>(a);
    places_[heap_[b]] = static_cast<uint32_t>(b);
  }
  void Up(size_t at) {
    while (at > 0 && Before(at, (at - 1) / 2)) {
      Swap(at, (at - 1) / 2);
      at = (at - 1) / 2;
    }
  }
  void Down(size_t at) {
    for (;;) {
      size_t least = at;
      for (size_t child = 2 * at + 1;
           child < heap_.size() && child <= 2 * at + 2; ++child) {
        if (Before(child, least)) least = child;
      }
      if (least == at) return;
      Swap(at, least);
      at = least;
    }
  }

  std::vector<uint64_t> at_us_;   // by key
  std::vector<uint32_t> places_;  // by key: where it is in the heap
  std::vector<uint32_t> heap_;    // keys, the one due first in front
};

}  // namespace lwt::loop
