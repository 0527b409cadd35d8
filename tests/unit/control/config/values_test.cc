// Values with a form of their own, read by themselves: what is taken, and with
// which words the rest is refused.
#include "control/config/values.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lwt::config {
namespace {

// What a reader makes of a text: the value as text again, or the sentence.
template <typename Reader>
std::string Read(Reader reader, std::string_view text) {
  const auto value = reader(text);
  return value.ok() ? ToText(*value) : std::string(value.status().message());
}

struct Row {
  std::string_view text;
  std::string_view becomes;
};

std::string Endpoint(std::string_view text) {
  const auto value = ReadListenAddress(text);
  return value.ok() ? ToString(*value) : std::string(value.status().message());
}

std::string Remote(std::string_view text) {
  const auto value = ReadRemoteAddress(text);
  return value.ok() ? ToText(std::optional<HostPort>(*value))
                    : std::string(value.status().message());
}

std::string Tunnel(std::string_view text) {
  return Read([](std::string_view t) { return ReadTunnelAddress(t); }, text);
}

std::string Fec(std::string_view text) {
  return Read([](std::string_view t) { return ReadFec(t); }, text);
}

TEST(ReadRemoteAddressTest, TakesAddressesAndNames) {
  const Row rows[] = {
      {"192.0.2.1:9000", "192.0.2.1:9000"},
      {"[2001:DB8::1]:9000", "[2001:db8::1]:9000"},
      {"[2001:db8:0:0:0:0:0:1]:1", "[2001:db8::1]:1"},
      {"vpn.example.com:65535", "vpn.example.com:65535"},
      {"my_host-1:443", "my_host-1:443"},
      {"127.0.0.1:9000", "127.0.0.1:9000"},
      {"xn--bcher-kva.example:9", "xn--bcher-kva.example:9"},
      {"1a:9", "1a:9"},
  };
  for (const Row& row : rows) EXPECT_EQ(Remote(row.text), row.becomes);
}

TEST(ReadRemoteAddressTest, RefusesTheRestWithExamples) {
  const std::string long_label(64, 'a');
  const std::string label(63, 'a');
  const std::string long_name = label + "." + label + "." + label + "." + label;
  const std::vector<std::string> texts = {"",
                                          ":",
                                          "host:",
                                          ":9000",
                                          "host",
                                          "192.0.2.1",
                                          "192.0.2.1:0",
                                          "192.0.2.1:65536",
                                          "192.0.2.1:-1",
                                          "192.0.2.1:90 ",
                                          "2001:db8::1:9000",
                                          "[2001:db8::1]",
                                          "[host]:9000",
                                          "0.0.0.0:9000",
                                          "[::]:9000",
                                          "224.0.0.1:9000",
                                          "239.255.255.255:1",
                                          "255.255.255.255:9000",
                                          "[ff02::1]:9000",
                                          "256.1.1.1:9",
                                          "1.2.3:9000",
                                          "host.:9000",
                                          ".host:9000",
                                          "a..b:9000",
                                          "a b:9000",
                                          "h\xc3\xb6st:9000",
                                          "host/path:9000",
                                          "http://host:9000",
                                          long_label + ":9000",
                                          long_name + ":9000"};
  for (const std::string& text : texts) {
    EXPECT_EQ(Remote(text),
              Quoted(text) +
                  " is not a hub's address and port, such as 192.0.2.1:9000, "
                  "[2001:db8::1]:9000 or vpn.example.com:9000");
  }
}

TEST(ReadListenAddressTest, KnowsShortForms) {
  const Row rows[] = {
      {"9000", "0.0.0.0:9000"},
      {":1", "0.0.0.0:1"},
      {"localhost:65535", "127.0.0.1:65535"},
      {"[::]:9000", "[::]:9000"},
      {"[fe80::1]:9000", "[fe80::1]:9000"},
      {"10.0.0.1:9000", "10.0.0.1:9000"},
  };
  for (const Row& row : rows) EXPECT_EQ(Endpoint(row.text), row.becomes);
  for (const std::string_view text :
       {"", ":", "::", "0", "[::]", "localhost", "224.0.0.1:9",
        "255.255.255.255:9", "[ff02::1]:9", "Localhost:9", "65536", "9000 ",
        "1.2.3.4"}) {
    EXPECT_NE(Endpoint(text).find("such as 0.0.0.0:9000 or [::]:9000"),
              std::string::npos)
        << text;
  }
}

TEST(ReadMetricsPlaceTest, AnAddressAPortOfThisHostOrAPath) {
  const auto read = [](std::string_view text) {
    const auto place = ReadMetricsPlace(text);
    return place.ok() ? ToText(*place) : std::string(place.status().message());
  };
  const Row rows[] = {
      {"127.0.0.1:9464", "127.0.0.1:9464"},
      {"9464", "127.0.0.1:9464"},
      {"localhost:9464", "127.0.0.1:9464"},
      {"[::1]:9464", "[::1]:9464"},
      {":9464", "0.0.0.0:9464"},
      {"192.0.2.1:9464", "192.0.2.1:9464"},
      {"/run/metrics.sock", "/run/metrics.sock"},
  };
  for (const Row& row : rows) EXPECT_EQ(read(row.text), row.becomes);
  for (const std::string_view text :
       {"", "0", "65536", "metrics.sock", "unix:/run/x", "127.0.0.1",
        "example.com:9464", "224.0.0.1:9464", "127.0.0.1:0"}) {
    EXPECT_NE(read(text).find("is no place to read metrics at"),
              std::string::npos)
        << text;
  }
  EXPECT_NE(read("/" + std::string(107, 'a')).find("107 bytes"),
            std::string::npos);
}

TEST(ReadTunnelAddressTest, AHostsAddressWithItsNetwork) {
  const Row rows[] = {
      {"10.0.0.1/24", "10.0.0.1/24"},
      {"10.0.0.255/16", "10.0.0.255/16"},
      {"10.0.0.254/24", "10.0.0.254/24"},
      {"10.0.0.0/31", "10.0.0.0/31"},
      {"10.0.0.1/32", "10.0.0.1/32"},
      {"10.0.0.1/1", "10.0.0.1/1"},
      {"FD00:0::1/64", "fd00::1/64"},
      {"fd00::/64", "fd00::/64"},
      {"2001:db8::5/128", "2001:db8::5/128"},
  };
  for (const Row& row : rows) EXPECT_EQ(Tunnel(row.text), row.becomes);
}

TEST(ReadTunnelAddressTest, EachMistakeHasItsSentence) {
  const std::string form =
      " is not an address with a prefix length, such as 10.86.27.1/24 or "
      "fd00::1/64";
  const std::string host =
      " is not the address of one host; take one inside the subnet, such as "
      "10.86.27.1/24";
  const std::string link =
      " is link-local: each link has that network, so no route can lead to it; "
      "take one such as fd00::1/64";
  const struct {
    std::string_view text;
    const std::string& why;
  } rows[] = {
      {"", form},
      {"10.0.0.1", form},
      {"fd00::1", form},
      {"10.0.0.1/", form},
      {"10.0.0.1/33", form},
      {"fd00::1/129", form},
      {"10.0.0/24", form},
      {"10.0.0.1/24 ", form},
      {"10.0.0.1/255.255.255.0", form},
      {"10.0.0.0/24", host},
      {"10.0.0.255/24", host},
      {"10.0.0.1/0", host},
      {"0.0.0.0/8", host},
      {"127.0.0.1/8", host},
      {"224.0.0.5/24", host},
      {"255.255.255.255/32", host},
      {"::/64", host},
      {"::1/128", host},
      {"ff02::1/64", host},
      {"fe80::1/64", link},
      {"febf::1/64", link},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(Tunnel(row.text), Quoted(row.text) + row.why);
  }
}

TEST(CheckFamiliesTest, OneOfEachAtMost) {
  const auto prefix = [](const char* text) {
    return ParseIpPrefix(text).value();
  };
  EXPECT_TRUE(CheckFamilies({}).ok());
  EXPECT_TRUE(
      CheckFamilies({prefix("10.0.0.1/24"), prefix("fd00::1/64")}).ok());
  const absl::Status status = CheckFamilies(
      {prefix("fd00::1/64"), prefix("10.0.0.1/24"), prefix("fd01::1/64")});
  EXPECT_EQ(status.message(),
            "fd00::1/64 and fd01::1/64 are of one family; give one IPv4 and "
            "one IPv6 address at most");
}

TEST(ReadBitRateTest, TakesBitsWithAndWithoutUnits) {
  const std::pair<std::string_view, uint64_t> kRates[] = {
      {"64k", 64'000},
      {"64000", 64'000},
      {"1500K", 1'500'000},
      {"50M", 50'000'000},
      {"1G", 1'000'000'000},
      {"400G", 400'000'000'000},
      {"123457000", 123'457'000},
      {"0", 0}};
  for (const auto& [text, bits] : kRates) {
    SCOPED_TRACE(text);
    const auto rate = ReadBitRate(text);
    ASSERT_TRUE(rate.ok());
    EXPECT_EQ(rate->bits_per_s, bits);
    if (bits == 0) continue;  // the default, which is no text
    EXPECT_EQ(ReadBitRate(ToText(*rate))->bits_per_s, bits);
  }
  EXPECT_EQ(ToText(BitRate{50'000'000}), "50M");
}

TEST(ReadBitRateTest, RefusesTheRest) {
  for (const char* text : {"", "M", "-1", "1.5M", "50m", "50MB", "50 M", "63k",
                           "1", "401G", "9999999999999999999999", "0x10"}) {
    EXPECT_FALSE(ReadBitRate(text).ok()) << text;
  }
}

TEST(ReadFecTest, TakesAutoOffAndCodes) {
  for (const std::string_view text :
       {"auto", "off", "1:0", "1:1", "10:3", "64:32", "20:4"}) {
    EXPECT_EQ(Fec(text), text);
  }
  EXPECT_EQ(ReadFec("10:3")->fixed, (fec::Parameters{10, 3, 1}));
  EXPECT_EQ(ReadFec("off")->mode, fec::Mode::kOff);
  for (const std::string_view text :
       {"", "on", "Auto", "10", ":", "10:", ":3", "0:3", "65:3", "10:33",
        "10:-1", "256:1", "10:256", "10:3:1", " 10:3", "10: 3", "0x1:1"}) {
    EXPECT_EQ(Fec(text), Quoted(text) +
                             " is neither auto nor off nor K:M with K from 1 "
                             "to 64 and M from 0 to 32");
  }
}

TEST(CheckInterfaceNameTest, TakesWhatTheKernelTakes) {
  for (const std::string_view text :
       {"a", "eth0", "enp0s31f6", "br-0123456789ab", "wg.home", "ppp+"}) {
    EXPECT_TRUE(CheckInterfaceName(text).ok()) << text;
  }
  // dev_valid_name in the kernel refuses what has a slash, a colon or a space;
  // a percent sign asks it for a number.
  for (const std::string_view text :
       {"", ".", "..", "a/b", "a:b", "a b", "tun%d", "a\tb", "sixteen-letters-",
        "caf\xc3\xa9"}) {
    const absl::Status status = CheckInterfaceName(text);
    EXPECT_FALSE(status.ok()) << text;
    EXPECT_NE(status.message().find("1 to 15 letters, digits and signs"),
              absl::string_view::npos);
  }
}

TEST(CheckHostNameTest, TakesNamesOnly) {
  for (const std::string_view text : {"www.example.com", "a", "1and1.de"}) {
    EXPECT_TRUE(CheckHostName(text).ok()) << text;
  }
  for (const std::string_view text :
       {"", "192.0.2.1", "7", "a.7", "a,b", "a.", "*.example.com"}) {
    EXPECT_FALSE(CheckHostName(text).ok()) << text;
  }
}

TEST(ToTextTest, WhatIsUnsetIsNothing) {
  EXPECT_EQ(ToText(std::optional<HostPort>()), "");
  EXPECT_EQ(ToText(std::string()), "");
}

// What somebody typed, or put into a file, on the way to a terminal.
TEST(QuotedTest, ShowsBytesThatAreNoneForATerminal) {
  EXPECT_EQ(Quoted("plain"), "\"plain\"");
  EXPECT_EQ(Quoted(""), "\"\"");
  EXPECT_EQ(Quoted("a\"b\\c"), "\"a\\\"b\\\\c\"");
  EXPECT_EQ(Quoted("tab\tline\n"), "\"tab\\tline\\n\"");
  EXPECT_EQ(Quoted("\x1b[31m"), "\"\\x1b[31m\"");
  EXPECT_EQ(Quoted(std::string_view("a\0z", 3)), "\"a\\x00z\"");
  EXPECT_EQ(Quoted("\xff"), "\"\\xff\"");
  EXPECT_EQ(Quoted(std::string(64, 'x')), "\"" + std::string(64, 'x') + "\"");
  EXPECT_EQ(Quoted(std::string(65, 'x')),
            "\"" + std::string(64, 'x') + "...\"");
}

}  // namespace
}  // namespace lwt::config
