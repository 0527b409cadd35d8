#include "drivers/secret_bytes.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace lwt {
namespace {

// The kernel's flags of the mapping that holds an address (proc(5), smaps).
std::string FlagsOf(const void* address) {
  const auto wanted = reinterpret_cast<uint64_t>(address);
  std::ifstream maps("/proc/self/smaps");
  std::string line;
  bool inside = false;
  while (std::getline(maps, line)) {
    uint64_t begin = 0;
    uint64_t end = 0;
    char dash = 0;
    std::istringstream words(line);
    if (words >> std::hex >> begin >> dash >> end && dash == '-') {
      inside = begin <= wanted && wanted < end;
    } else if (inside && line.rfind("VmFlags:", 0) == 0) {
      return line + " ";
    }
  }
  return "";
}

// Whether the process may, and a call of it does so: with the address sanitizer
// it does nothing.
bool MayLock() {
  alignas(4096) static char page[4096];
  if (mlock(page, sizeof(page)) != 0) return false;
  const bool locked = FlagsOf(page).find(" lo ") != std::string::npos;
  munlock(page, sizeof(page));
  return locked;
}

void ExpectSecret(const void* address) {
  const std::string flags = FlagsOf(address);
  EXPECT_NE(flags.find(" dd "), std::string::npos) << flags;  // in no dump
  if (!MayLock()) return;
  EXPECT_NE(flags.find(" lo "), std::string::npos) << flags;
}

TEST(SecretBytesTest, LiesInLockedMemoryThatNoDumpHas) {
  const SecretKey key;
  ExpectSecret(key.data());
  EXPECT_EQ(FlagsOf(&key).find(" dd "), std::string::npos);
}

TEST(SecretBytesTest, IsWipedWhenItGoes) {
  const uint8_t* slot = nullptr;
  {
    SecretKey key;
    slot = key.data();
    std::fill_n(key.data(), key.size(), 0xab);
  }
  EXPECT_TRUE(
      std::all_of(slot, slot + 32, [](uint8_t byte) { return byte == 0; }));
}

// What holds a worker's lanes.
TEST(SecretAllocatorTest, LiesInLockedMemoryThatNoDumpHas) {
  struct alignas(64) Key {
    uint8_t bytes[1000] = {};
  };
  const std::vector<Key, SecretAllocator<Key>> keys(100);
  ExpectSecret(&keys.front());
  ExpectSecret(&keys.back());
  EXPECT_EQ(reinterpret_cast<uint64_t>(keys.data()) % 64, 0u);
  EXPECT_TRUE(std::all_of(keys.begin(), keys.end(), [](const Key& key) {
    return key.bytes[0] == 0 && key.bytes[999] == 0;
  }));
}

}  // namespace
}  // namespace lwt
