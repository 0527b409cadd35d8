#include "control/base/domain_name.h"

#include <gtest/gtest.h>

#include <string>

namespace lwt {
namespace {

TEST(DomainNameTest, LabelsAndDots) {
  for (const char* name :
       {"corp", "corp.example", "a.b.c.d", "_sites.corp", "x-1.EXAMPLE",
        "7.example", "xn--bcher-kva.example"}) {
    EXPECT_TRUE(IsDomainName(name)) << name;
  }
  for (const char* name :
       {"", ".", "corp.", ".corp", "a..b", "-a.example", "a-.example",
        "corp example", "corp\nnameserver", "corp;x", "~.", "b\xc3\xbc.example",
        "10.0.0.1", "7", "a/b", "$(x)", "a.7"}) {
    EXPECT_FALSE(IsDomainName(name)) << name;
  }
}

TEST(DomainNameTest, AsLongAsTheyMayBe) {
  const std::string label(kLongestLabel, 'a');
  EXPECT_TRUE(IsDomainName(label));
  EXPECT_FALSE(IsDomainName(label + "a"));
  const std::string three = label + "." + label + "." + label + ".";
  EXPECT_TRUE(IsDomainName(three + std::string(61, 'b')));
  EXPECT_FALSE(IsDomainName(three + std::string(62, 'b')));
  EXPECT_FALSE(IsDomainName(std::string("a\0b", 3)));
}

}  // namespace
}  // namespace lwt
