// SipHash-2-4 (Aumasson and Bernstein 2012) over whole 64-bit words: a keyed
// hash whose values an outsider cannot foresee. About 20 cycles a word.
#pragma once

#include <cstdint>
#include <span>

namespace lwt {

struct SipKey {
  uint64_t k0 = 0;
  uint64_t k1 = 0;
};

class SipHash {
 public:
  explicit SipHash(SipKey key)
      : v0_(key.k0 ^ 0x736f6d6570736575),
        v1_(key.k1 ^ 0x646f72616e646f6d),
        v2_(key.k0 ^ 0x6c7967656e657261),
        v3_(key.k1 ^ 0x7465646279746573) {}

  void Add(uint64_t word) {
    v3_ ^= word;
    Round();
    Round();
    v0_ ^= word;
    bytes_ += 8;
  }

  uint64_t Finish() {
    Add(bytes_ << 56);
    v2_ ^= 0xff;
    for (int i = 0; i < 4; ++i) Round();
    return v0_ ^ v1_ ^ v2_ ^ v3_;
  }

  static uint64_t Of(SipKey key, std::span<const uint64_t> words) {
    SipHash hash(key);
    for (const uint64_t word : words) hash.Add(word);
    return hash.Finish();
  }

 private:
  static uint64_t Rotate(uint64_t value, int bits) {
    return value << bits | value >> (64 - bits);
  }

  void Round() {
    v0_ += v1_;
    v1_ = Rotate(v1_, 13) ^ v0_;
    v0_ = Rotate(v0_, 32);
    v2_ += v3_;
    v3_ = Rotate(v3_, 16) ^ v2_;
    v0_ += v3_;
    v3_ = Rotate(v3_, 21) ^ v0_;
    v2_ += v1_;
    v1_ = Rotate(v1_, 17) ^ v2_;
    v2_ = Rotate(v2_, 32);
  }

  uint64_t v0_;
  uint64_t v1_;
  uint64_t v2_;
  uint64_t v3_;
  uint64_t bytes_ = 0;
};

}  // namespace lwt
