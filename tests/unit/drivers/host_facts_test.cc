#include "drivers/host_facts.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <random>

namespace lwt {
namespace {

TEST(CapabilitiesTest, ReadsTheEffectiveSet) {
  EXPECT_EQ(
      ParseEffectiveCapabilities("Name:\tx\nCapPrm:\t0000000000000001\n"
                                 "CapEff:\t000001fffeffffff\nCapBnd:\t0\n"),
      0x000001fffeffffffu);
}

TEST(CapabilitiesTest, GrantsNothingOnOtherText) {
  for (const std::string_view text :
       {"", "CapEff:\n", "CapEff:\tzz\n", "CapEff:\t-1\n",
        "CapEff:\t1ffffffffffffffff\n", "CapEff\t1\n", "xCapEff:\t1\n",
        "CapEff:\t1 1\n"}) {
    EXPECT_EQ(ParseEffectiveCapabilities(text), 0u) << text;
  }
}

TEST(MeminfoTest, ReadsKilobytes) {
  constexpr std::string_view kText =
      "MemTotal:       24684456 kB\nMemAvailable:     100 kB\n"
      "HugePages_Total:       7\n";
  EXPECT_EQ(ParseMeminfoBytes(kText, "MemAvailable"), 102400u);
  EXPECT_EQ(ParseMeminfoBytes(kText, "MemTotal"), 24684456 * uint64_t{1024});
  EXPECT_EQ(ParseMeminfoBytes(kText, "HugePages_Total"), 0u);
  EXPECT_EQ(ParseMeminfoBytes(kText, "MemFree"), 0u);
}

TEST(MeminfoTest, CountsNothingOnOtherText) {
  for (const std::string_view text :
       {"", "A:", "A: kB", "A: -5 kB", "A: 5 MB", "A: 5 5 kB",
        "A: 18446744073709551615 kB", "A: 99999999999999999999 kB"}) {
    EXPECT_EQ(ParseMeminfoBytes(text, "A"), 0u) << text;
  }
}

constexpr std::array<std::string_view, 2> kWanted = {"aes", "avx2"};

TEST(CpuFlagsTest, ComparesWholeWords) {
  EXPECT_TRUE(MissingCpuFlags("flags\t\t: fpu avx2 x aes\n", kWanted).empty());
  EXPECT_EQ(MissingCpuFlags("flags\t: vaes avx2\n", kWanted),
            std::vector<std::string>{"aes"});
  EXPECT_EQ(MissingCpuFlags("vmx flags\t: aes avx2\n", kWanted).size(), 2u);
}

TEST(CpuFlagsTest, AllAreMissingInOtherText) {
  for (const std::string_view text :
       {"", "flags", "flags:", "flags: aesavx2", "Features: aes avx2"}) {
    EXPECT_EQ(MissingCpuFlags(text, kWanted).size(), 2u) << text;
  }
}

// Random text out of the alphabet that the parsers look at: nothing to find,
// but the sanitizers watch.
TEST(HostileTextTest, IsReadWithinItsBounds) {
  constexpr std::string_view kAlphabet = "CapEff:flags MemTotal\n\t09afkB";
  for (unsigned seed = 0; seed < 2000; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    std::string text(random() % 64, '\0');
    for (char& letter : text) letter = kAlphabet[random() % kAlphabet.size()];
    // On the heap and no longer than it is, so that one byte beyond is seen.
    const std::vector<char> exact(text.begin(), text.end());
    const std::string_view view(exact.data(), exact.size());
    ParseEffectiveCapabilities(view);
    EXPECT_EQ(ParseMeminfoBytes(view, "MemTotal") % 1024, 0u);
    EXPECT_LE(MissingCpuFlags(view, kWanted).size(), 2u);
  }
}

TEST(LinksTest, TheLoopbackIsKnownAsOne) {
  const std::vector<LinkState> links = ReadLinks();
  const auto loopback =
      std::find_if(links.begin(), links.end(),
                   [](const LinkState& link) { return link.name == "lo"; });
  ASSERT_NE(loopback, links.end());
  EXPECT_TRUE(loopback->is_loopback);
}

}  // namespace
}  // namespace lwt
