// Where decisions come from: random numbers of a seed, or the bytes of a
// fuzzer, after whose end every decision is the first one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <span>

namespace lwt::world {

class Choices {
 public:
  virtual ~Choices() = default;
  // In [0, count), count ≥ 1.
  virtual uint32_t Below(uint32_t count) = 0;
  virtual bool exhausted() const { return false; }

  bool OneIn(uint32_t count) { return Below(count) == count - 1; }
  uint32_t Any32() { return Below(1u << 16) << 16 | Below(1u << 16); }
  // Bytes that nobody reads anything into: one decision, however many.
  uint8_t Noise() { return static_cast<uint8_t>(noise_()); }
  template <typename T, size_t N>
  T Of(const T (&list)[N]) {
    return list[Below(N)];
  }

 private:
  std::minstd_rand noise_;
};

class SeededChoices final : public Choices {
 public:
  explicit SeededChoices(uint64_t seed) : engine_(seed) {}
  uint32_t Below(uint32_t count) override {
    return static_cast<uint32_t>(engine_() % count);
  }

 private:
  std::mt19937_64 engine_;
};

class BytesChoices final : public Choices {
 public:
  explicit BytesChoices(std::span<const uint8_t> bytes) : bytes_(bytes) {}
  uint32_t Below(uint32_t count) override {
    uint32_t value = 0;
    for (uint32_t reach = 1; reach < count && !bytes_.empty(); reach <<= 8) {
      value = value << 8 | bytes_.front();
      bytes_ = bytes_.subspan(1);
      if (reach > UINT32_MAX >> 8) break;
    }
    return value % count;
  }
  bool exhausted() const override { return bytes_.empty(); }

 private:
  std::span<const uint8_t> bytes_;
};

}  // namespace lwt::world
