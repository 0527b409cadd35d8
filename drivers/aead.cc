#include "drivers/aead.h"

#include <string.h>

namespace lwt {

void Wipe(void* data, size_t size) { explicit_bzero(data, size); }

std::optional<Aead> Aead::Create(Code code) {
  constexpr uint64_t kNeeded = IMB_FEATURE_AESNI | IMB_FEATURE_PCLMULQDQ;
  Aead aead(alloc_mb_mgr(0));
  IMB_MGR* const manager = aead.manager_.get();
  if (manager == nullptr || (manager->features & kNeeded) != kNeeded) {
    return std::nullopt;
  }
  IMB_ARCH arch = IMB_ARCH_AVX2;
  if (code == Code::kAesni) {
    init_mb_mgr_avx2(manager);
  } else {
    init_mb_mgr_auto(manager, &arch);
  }
  if (imb_get_errno(manager) != 0 || arch == IMB_ARCH_NONE) {
    return std::nullopt;
  }
  return aead;
}

void Aead::ExpandKey(std::span<const uint8_t, kAeadKeySize> key,
                     AeadKey& expanded) const {
  IMB_AES256_GCM_PRE(manager_.get(), key.data(), &expanded.data);
}

void Aead::ExpandMaskKey(std::span<const uint8_t, kAeadKeySize> key,
                         MaskKey& expanded) const {
  MaskKey decryption;  // the library makes both schedules or none
  IMB_AES_KEYEXP_256(manager_.get(), key.data(), expanded.rounds,
                     decryption.rounds);
}

}  // namespace lwt
