#include "drivers/secret_bytes.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <sstream>
#include <string>

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
TEST(SecretPagesTest, LieInLockedMemoryThatNoDumpHas) {
  SecretPages pages(100'000);
  ExpectSecret(pages.data());
  ExpectSecret(pages.data() + pages.size() - 1);
  EXPECT_EQ(reinterpret_cast<uint64_t>(pages.data()) % 64, 0u);
  EXPECT_TRUE(std::all_of(pages.data(), pages.data() + pages.size(),
                          [](uint8_t byte) { return byte == 0; }));
}

// However many there may be, only those that are used are there.
TEST(SecretPagesTest, AreThereOnceTheyAreUsed) {
  constexpr size_t kPage = 4096;
  constexpr size_t kPages = 64;
  SecretPages pages(kPages * kPage);
  std::fill_n(pages.data() + 7 * kPage, kPage, uint8_t{1});
  std::array<unsigned char, kPages> there{};
  ASSERT_EQ(mincore(pages.data(), pages.size(), there.data()), 0);
  EXPECT_EQ(std::count_if(there.begin(), there.end(),
                          [](unsigned char page) { return (page & 1) != 0; }),
            1);
}

TEST(SecretPagesTest, MayBeNone) { EXPECT_EQ(SecretPages(0).size(), 0u); }

}  // namespace
}  // namespace lwt
