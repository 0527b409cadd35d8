// The forms that TOML 1.0 has for one thing, and what a setting makes of each.
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "control/config/load.h"
#include "control/config/nearest_name.h"

namespace lwt::config {
namespace {

// Of a file "f": why it is refused, or nothing.
std::string Refusal(std::string_view text, Config& config) {
  return std::string(ApplyToml(text, "f", config).message());
}
std::string Refusal(std::string_view text) {
  Config config;
  return Refusal(text, config);
}

TEST(TomlTest, ATextMayBeWrittenInManyWays) {
  for (const std::string_view text :
       {"network = \"a-name\"", "network = 'a-name'",
        "network = \"\"\"a-name\"\"\"", "network = '''a-name'''",
        "network = \"a\\u002dname\"", "network = \"\"\"\na-name\"\"\"",
        "network = \"\"\"a-\\\n   name\"\"\"", "\"network\" = \"a-name\"",
        "'network' = 'a-name' # why", "  network=\t'a-name'\r\n",
        "\xef\xbb\xbfnetwork = \"a-name\""}) {
    Config config;
    EXPECT_EQ(Refusal(text, config), "") << text;
    EXPECT_EQ(config.key.network, "a-name") << text;
  }
}

TEST(TomlTest, ANumberMayBeWrittenInManyWays) {
  const struct {
    std::string_view text;
    std::string_view why;  // nothing: it is 1400
  } rows[] = {
      {"1400", ""},
      {"+1400", ""},
      {"1_400", ""},
      {"0x578", ""},
      {"0o2570", ""},
      {"0b10101111000", ""},
      {"1400.0", "f:1:7: mtu must be a whole number without quotes"},
      {"\"1400\"", "f:1:7: mtu must be a whole number without quotes"},
      {"true", "f:1:7: mtu must be a whole number without quotes"},
      {"[1400]", "f:1:7: mtu must be a whole number without quotes"},
      {"1979-05-27", "f:1:7: mtu must be a whole number without quotes"},
      {"inf", "f:1:7: mtu must be a whole number without quotes"},
      {"{ a = 1 }", "f:1:7: mtu must be a whole number without quotes"},
      {"-1", "f:1:7: mtu: -1 is not between 0 and 9000"},
      {"9001", "f:1:7: mtu: 9001 is not between 0 and 9000"},
      {"9223372036854775807",
       "f:1:7: mtu: 9223372036854775807 is not between 0 and 9000"},
  };
  for (const auto& row : rows) {
    Config config;
    EXPECT_EQ(Refusal("mtu = " + std::string(row.text), config), row.why);
    EXPECT_EQ(config.tunnel.mtu, row.why.empty() ? 1400 : 0) << row.text;
  }
  for (const std::string_view text :
       {"01400", "1__400", "_1400", "0x", "1e", "9223372036854775808"}) {
    EXPECT_TRUE(Refusal("mtu = " + std::string(text)).starts_with("f:1:"))
        << text;
  }
}

TEST(TomlTest, TrueAndFalseAreWordsOfTheirOwn) {
  Config config;
  EXPECT_EQ(Refusal("multi_client = false", config), "");
  EXPECT_FALSE(config.hub.multi_client);
  for (const std::string_view text : {"\"false\"", "0", "[false]"}) {
    EXPECT_EQ(Refusal("multi_client = " + std::string(text)),
              "f:1:16: multi_client must be true or false without quotes");
  }
  EXPECT_FALSE(Refusal("multi_client = False").empty());
}

TEST(TomlTest, ATableMayBeWrittenInManyWays) {
  for (const std::string_view text :
       {"[uplink]\ndriver = \"af_xdp\"\ninterface = \"eth1\"\n",
        "uplink.driver = \"af_xdp\"\nuplink.interface = \"eth1\"\n",
        "uplink = { driver = \"af_xdp\", interface = \"eth1\" }\n",
        "[ uplink ]\n'driver' = 'af_xdp'\n\"interface\" = 'eth1'\n"}) {
    Config config;
    EXPECT_EQ(Refusal(text, config), "") << text;
    EXPECT_EQ(config.uplink.driver, UplinkDriver::kAfXdp) << text;
    EXPECT_EQ(config.uplink.interface, "eth1") << text;
  }
  EXPECT_EQ(Refusal("uplink = 3"),
            "f:1:1: uplink is a table: write [uplink] on a line of its own and "
            "its keys below");
  EXPECT_FALSE(Refusal("[uplink]\n[uplink]\n").empty()) << "twice";
  EXPECT_FALSE(Refusal("uplink.driver.name = 1").empty()) << "too deep";
}

constexpr std::string_view kPeerKey =
    "vD1t5yk9uMJvVJdTgNVbLRRfAMO3WlMKqkjXQUUuNWc=";

std::string Entry(std::string_view keys) {
  return "[[peer]]\npublic_key = \"" + std::string(kPeerKey) + "\"\n" +
         std::string(keys);
}

TEST(TomlTest, AnEntryMayBeWrittenInManyWays) {
  const std::string key = "public_key = \"" + std::string(kPeerKey) + "\"";
  for (const std::string& text :
       {Entry("allowed_ips = [\"10.9.0.0/24\"]\n"),
        Entry("allowed_ips = \"10.9.0.0/24\"\n"),
        "peer = [{ " + key + ", allowed_ips = [\"10.9.0.0/24\"] }]\n"}) {
    Config config;
    EXPECT_EQ(Refusal(text, config), "") << text;
    ASSERT_EQ(config.hub.peers.size(), 1u) << text;
    EXPECT_EQ(config.hub.peers[0].public_key, kPeerKey);
    EXPECT_EQ(config.hub.peers[0].allowed_ips.size(), 1u);
  }
  for (const std::string_view text :
       {"[peer]\n", "peer = 3\n", "peer = \"x\"\n", "peer = [1, 2]\n"}) {
    EXPECT_EQ(Refusal(text).substr(0, 40).find("f:1:"), 0u) << text;
    EXPECT_NE(Refusal(text).find("write [[peer]] on a line of its own"),
              std::string::npos)
        << Refusal(text);
  }
}

TEST(TomlTest, EveryFaultIsSaidAtItsPlace) {
  EXPECT_EQ(Refusal("mtu = 9001\n\n# a comment\n  muxt = 1\n[uplink]\n"
                    "driver = \"fast\"\n[dataplane]\nretransmit = 1\n"),
            "f:1:7: mtu: 9001 is not between 0 and 9000\n"
            "f:4:3: unknown key \"muxt\"\n"
            "f:6:10: uplink.driver: \"fast\" is none of auto, af_packet, "
            "af_xdp\n"
            "f:8:14: dataplane.retransmit must be true or false without "
            "quotes");
}

TEST(TomlTest, WhatIsRefusedLeavesTheRestToBeRead) {
  Config config;
  EXPECT_NE(Refusal("mtu = 9001\ntun_name = \"lwt5\"\n", config), "");
  EXPECT_EQ(config.tunnel.device, "lwt5") << "so that all faults are found";
  EXPECT_EQ(config.tunnel.mtu, 0);
}

TEST(TomlTest, NothingIsAlsoAFile) {
  for (const std::string_view text : {"", "\n", "# nothing", "\r\n\r\n"}) {
    EXPECT_EQ(Refusal(text), "") << text;
  }
}

TEST(EditDistanceTest, IsADistance) {
  const std::string_view words[] = {"",       "a",     "ab",   "ba",  "abc",
                                    "acb",    "mtu",   "mut",  "tum", "driver",
                                    "drvier", "river", "diver"};
  for (const std::string_view a : words) {
    for (const std::string_view b : words) {
      const size_t distance = EditDistance(a, b);
      EXPECT_EQ(distance, EditDistance(b, a)) << a << " " << b;
      EXPECT_EQ(distance == 0, a == b) << a << " " << b;
      EXPECT_LE(distance, std::max(a.size(), b.size()));
      EXPECT_GE(distance,
                std::max(a.size(), b.size()) - std::min(a.size(), b.size()));
    }
  }
}

TEST(NearestNameTest, AThirdOfANameMayBeWrong) {
  const std::string_view names[] = {"mtu", "max_clients", "k", "log_level"};
  const struct {
    std::string_view name;
    std::string_view nearest;
  } rows[] = {
      {"mtu", "mtu"},
      {"mtus", "mtu"},
      {"mt", "mtu"},
      {"tmu", "mtu"},
      {"utm", ""},
      {"xyz", ""},
      {"max-clients", "max_clients"},
      {"maxclients", "max_clients"},
      {"max_client", "max_clients"},
      {"mx_clnts", ""},  // three of eight are more than a third
      {"loglevel", "log_level"},
      {"log_levels", "log_level"},
      {"level", ""},
      {"k", "k"},
      {"j", ""},  // one letter is like every other
  };
  for (const auto& row : rows) {
    EXPECT_EQ(NearestName(row.name, names), row.nearest) << row.name;
  }
  EXPECT_EQ(NearestName("mtu", {}), "");
}

}  // namespace
}  // namespace lwt::config
