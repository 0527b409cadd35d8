// AES-256-GCM in place over IPsec-MB, and the AES-256 block that masks record
// headers (RFC 9001 section 5.4).
//
// Aead is immutable once made: one serves all threads. Keys belong to who
// expands them and are wiped when they die. For the hot path: no allocation,
// no lock. Sealing 1400 bytes costs about 1100 TSC cycles where the CPU has no
// VAES, a mask about 11 in a loop.
#pragma once

#include <immintrin.h>
// Without its old names, which are those of others too (SHA1, CBC).
#define NO_COMPAT_IMB_API_053
#include <intel-ipsec-mb.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

namespace lwt {

inline constexpr size_t kAeadKeySize = 32;
inline constexpr size_t kAeadIvSize = 12;
inline constexpr size_t kAeadTagSize = 16;
inline constexpr size_t kMaskSize = 16;

// Overwrites memory in a way that the compiler keeps.
void Wipe(void* data, size_t size);

// An expanded key with its hash powers, about 1 KiB.
struct alignas(64) AeadKey {
  gcm_key_data data{};

  AeadKey() = default;
  AeadKey(const AeadKey&) = default;
  AeadKey& operator=(const AeadKey&) = default;
  ~AeadKey() { Wipe(&data, sizeof(data)); }
};

// The 15 round keys of AES-256 encryption.
struct alignas(16) MaskKey {
  __m128i rounds[15]{};

  MaskKey() = default;
  MaskKey(const MaskKey&) = default;
  MaskKey& operator=(const MaskKey&) = default;
  ~MaskKey() { Wipe(rounds, sizeof(rounds)); }
};

class Aead {
 public:
  // Which of the library's code paths: the best for this CPU, or those of a
  // CPU with AES-NI and AVX2 but without VAES, to measure what such a one
  // would do. Keys are expanded by the Aead that uses them.
  enum class Code : uint8_t { kBest, kAesni };

  // Empty when the CPU lacks AES or PCLMUL, or when the self-test of the
  // library fails.
  static std::optional<Aead> Create(Code code = Code::kBest);

  void ExpandKey(std::span<const uint8_t, kAeadKeySize> key,
                 AeadKey& expanded) const;
  void ExpandMaskKey(std::span<const uint8_t, kAeadKeySize> key,
                     MaskKey& expanded) const;

  // Encrypts `size` bytes at `data` in place and writes the tag. An IV is
  // never used twice with one key. `size` may be 0.
  void Seal(const AeadKey& key, const uint8_t iv[kAeadIvSize],
            std::span<const uint8_t> aad, uint8_t* data, size_t size,
            uint8_t tag[kAeadTagSize]) const {
    gcm_context_data context;
    IMB_AES256_GCM_ENC(manager_.get(), &key.data, &context, data, data, size,
                       iv, aad.data(), aad.size(), tag, kAeadTagSize);
  }

  // Decrypts in place; true when the tag is right. When it is not, `data`
  // holds bytes that mean nothing and must not be used. The comparison takes
  // the same time wherever the tags differ.
  [[nodiscard]] bool Open(const AeadKey& key, const uint8_t iv[kAeadIvSize],
                          std::span<const uint8_t> aad, uint8_t* data,
                          size_t size, const uint8_t tag[kAeadTagSize]) const {
    gcm_context_data context;
    alignas(16) uint8_t computed[kAeadTagSize];
    IMB_AES256_GCM_DEC(manager_.get(), &key.data, &context, data, data, size,
                       iv, aad.data(), aad.size(), computed, kAeadTagSize);
    const __m128i difference = _mm_xor_si128(
        _mm_load_si128(reinterpret_cast<const __m128i*>(computed)),
        _mm_loadu_si128(reinterpret_cast<const __m128i*>(tag)));
    return _mm_testz_si128(difference, difference) != 0;
  }

 private:
  struct FreeManager {
    void operator()(IMB_MGR* manager) const { free_mb_mgr(manager); }
  };

  explicit Aead(IMB_MGR* manager) : manager_(manager) {}

  std::unique_ptr<IMB_MGR, FreeManager> manager_;
};

// mask = AES-256(key, sample): one block, no state.
inline void ComputeMask(const MaskKey& key, const uint8_t sample[kMaskSize],
                        uint8_t mask[kMaskSize]) {
  __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(sample));
  block = _mm_xor_si128(block, key.rounds[0]);
  for (int round = 1; round < 14; ++round) {
    block = _mm_aesenc_si128(block, key.rounds[round]);
  }
  block = _mm_aesenclast_si128(block, key.rounds[14]);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(mask), block);
}

}  // namespace lwt
