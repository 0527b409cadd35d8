#include "drivers/secret_bytes.h"

#include <sys/mman.h>

#include <cstdlib>
#include <mutex>
#include <vector>

namespace lwt::internal {
namespace {

constexpr size_t kSlotsPerSlab = 256;

// Never destroyed, so that secrets with static lifetime may outlive main().
struct SlotPool {
  std::mutex mutex;
  std::vector<uint8_t*> free_slots;
};

SlotPool& Pool() {
  static SlotPool* pool = new SlotPool;
  return *pool;
}

void AddSlab(SlotPool& pool) {
  // sodium_malloc() locks where it can; a lock refused by the limit is not an
  // error. Without sodium_init() it has no page size to work with.
  if (sodium_init() < 0) std::abort();
  auto* slab =
      static_cast<uint8_t*>(sodium_allocarray(kSlotsPerSlab, kSecretSlotSize));
  if (slab == nullptr) std::abort();
  sodium_memzero(slab, kSlotsPerSlab * kSecretSlotSize);
  for (size_t i = kSlotsPerSlab; i-- > 0;) {
    pool.free_slots.push_back(slab + i * kSecretSlotSize);
  }
}

}  // namespace

uint8_t* AcquireSecretSlot() {
  SlotPool& pool = Pool();
  std::lock_guard lock(pool.mutex);
  if (pool.free_slots.empty()) AddSlab(pool);
  uint8_t* slot = pool.free_slots.back();
  pool.free_slots.pop_back();
  return slot;
}

void ReleaseSecretSlot(uint8_t* slot) {
  sodium_memzero(slot, kSecretSlotSize);
  SlotPool& pool = Pool();
  std::lock_guard lock(pool.mutex);
  pool.free_slots.push_back(slot);
}

}  // namespace lwt::internal

namespace lwt {

SecretPages::SecretPages(size_t size) : size_(size) {
  if (size == 0) return;
  void* const memory = mmap(nullptr, size, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) std::abort();
  // Neither is an error where the kernel refuses it.
  madvise(memory, size, MADV_DONTDUMP);
  mlock2(memory, size, MLOCK_ONFAULT);
  data_ = static_cast<uint8_t*>(memory);
}

SecretPages::~SecretPages() {
  if (size_ != 0) munmap(data_, size_);
}

}  // namespace lwt
