// What nobody may claim, and what the settings accept.
#include "control/routing/route_rules.h"

#include <gtest/gtest.h>

#include <set>

#include "control/config/networks.h"

namespace lwt::routing {
namespace {

IpPrefix RulePrefix(std::string_view text) { return *ParseIpPrefix(text); }

class RouteRulesTest : public testing::Test {
 protected:
  RouteRulesTest() {
    underlay_.Add(*ParseIpAddress("198.51.100.7"));
    underlay_.Add(*ParseIpAddress("10.50.0.9"));
    underlay_.Add(*ParseIpAddress("2001:db8:5::9"));
  }
  // The code, 0 for none.
  int Code(std::string_view network) const {
    const auto code =
        Forbidden(RulePrefix(network), {tunnel_, underlay_, here_, own_});
    return code ? static_cast<int>(*code) : 0;
  }

  const std::vector<IpPrefix> tunnel_ = {RulePrefix("10.9.0.1/24"),
                                         RulePrefix("fd09::1/64")};
  const std::vector<IpPrefix> here_ = {RulePrefix("192.168.1.5/24"),
                                       RulePrefix("fd77::5/64")};
  const std::vector<IpPrefix> own_ = {RulePrefix("172.16.4.0/22")};
  Underlay underlay_;
};

TEST_F(RouteRulesTest, WhatIsNobodysHasItsCode) {
  EXPECT_EQ(Code("0.0.0.0/0"), 1);
  EXPECT_EQ(Code("::/0"), 1);
  EXPECT_EQ(Code("10.9.0.0/24"), 2);
  EXPECT_EQ(Code("10.9.0.128/25"), 2);
  EXPECT_EQ(Code("10.0.0.0/8"), 2);
  EXPECT_EQ(Code("fd09::/16"), 2);
  EXPECT_EQ(Code("198.51.100.0/24"), 3);
  EXPECT_EQ(Code("10.50.0.8/29"), 3);
  EXPECT_EQ(Code("2001:db8:5::/64"), 3);
  EXPECT_EQ(Code("192.168.1.0/24"), 4);
  EXPECT_EQ(Code("192.168.0.0/16"), 4);
  EXPECT_EQ(Code("192.168.1.99/32"), 4);
  EXPECT_EQ(Code("fd77::/48"), 4);
  EXPECT_EQ(Code("172.16.5.0/24"), 4) << "ours, announced";
  for (const char* text :
       {"12.0.0.0/7", "2000::/15", "127.0.0.0/8", "169.254.0.0/16",
        "224.0.0.0/8", "fe80::/64", "ff05::/16", "10.60.0.1/24"}) {
    EXPECT_EQ(Code(text), 8) << text;
  }
  for (const char* text :
       {"10.60.0.0/16", "192.168.2.0/24", "10.50.0.0/29", "11.0.0.0/8",
        "2001:db8:6::/64", "2002::/16", "198.51.100.8/29"}) {
    EXPECT_EQ(Code(text), 0) << text;
  }
}

TEST_F(RouteRulesTest, AnEndIsCountedAsOftenAsItIsThere) {
  underlay_.Add(*ParseIpAddress("10.50.0.9"));
  underlay_.Remove(*ParseIpAddress("10.50.0.9"));
  EXPECT_EQ(Code("10.50.0.0/16"), 3);
  underlay_.Remove(*ParseIpAddress("10.50.0.9"));
  EXPECT_EQ(Code("10.50.0.0/16"), 0);
  underlay_.Remove(*ParseIpAddress("10.50.0.9"));
}

TEST(AcceptsTest, GoesByTheSettings) {
  const auto accepts = [](std::initializer_list<const char*> settings,
                          const char* network) {
    std::vector<config::Acceptance> accept;
    for (const char* each : settings) {
      accept.push_back(*config::ReadAcceptance(each));
    }
    return Accepts(accept, RulePrefix(network));
  };
  for (const char* text :
       {"10.0.0.0/8", "10.1.0.0/16", "172.31.0.0/16", "192.168.7.0/24",
        "100.64.0.0/10", "fd00:1::/32", "fc00::/7"}) {
    EXPECT_TRUE(accepts({"private"}, text)) << text;
    EXPECT_TRUE(accepts({"all"}, text)) << text;
    EXPECT_FALSE(accepts({"off"}, text)) << text;
  }
  for (const char* text : {"11.0.0.0/8", "172.32.0.0/16", "192.0.0.0/8",
                           "100.0.0.0/8", "2001:db8::/32"}) {
    EXPECT_FALSE(accepts({"private"}, text)) << text;
    EXPECT_TRUE(accepts({"all"}, text)) << text;
  }
  EXPECT_TRUE(accepts({"10.20.0.0/16"}, "10.20.7.0/24"));
  EXPECT_FALSE(accepts({"10.20.0.0/16"}, "10.0.0.0/8"));
  EXPECT_FALSE(accepts({"10.20.0.0/16"}, "10.21.0.0/24"));
  EXPECT_TRUE(accepts({"private", "203.0.113.0/24"}, "203.0.113.0/24"));
}

TEST(WhyTest, EachCodeHasASentenceOfItsOwn) {
  std::set<std::string> sentences;
  for (uint8_t code = 1; code <= 9; ++code) {
    sentences.insert(Why(static_cast<RouteCode>(code)));
  }
  EXPECT_EQ(sentences.size(), 9u);
}

}  // namespace
}  // namespace lwt::routing
