// Settings at and beyond the edges of what there is here, and that what is
// written is read back as the same.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "control/config/diff.h"
#include "control/config/load.h"
#include "control/config/options.h"
#include "control/config/write_toml.h"
#include "control/migrate/convert.h"

namespace lwt::migrate {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

OldSettings Settings(
    std::initializer_list<std::pair<const char*, const char*>> given) {
  OldSettings old;
  old.known["key"].text = "long enough";
  for (const auto& [key, text] : given) old.known[key].text = text;
  return old;
}

Converted ConvertedFrom(const OldSettings& old) {
  auto converted = Convert(old);
  EXPECT_TRUE(converted.ok()) << converted.status();
  return converted.ok() ? *std::move(converted) : Converted();
}

std::string ValueIn(const config::Config& config, std::string_view key) {
  const config::Option& option = *config::FindByToml(key);
  return config::FlagText(option, config::ValueOf(option, config));
}

TEST(ConvertLimitsTest, EachCodeBecomesOneThatThereIs) {
  const struct {
    const char* data;
    const char* parity;
    fec::Mode mode;
  } rows[] = {
      {"10", "3", fec::Mode::kAuto},  // that program's own
      {"1", "1", fec::Mode::kFixed},    {"64", "32", fec::Mode::kFixed},
      {"65", "3", fec::Mode::kAuto},    {"10", "33", fec::Mode::kAuto},
      {"0", "3", fec::Mode::kOff},      {"10", "0", fec::Mode::kOff},
      {"-1", "3", fec::Mode::kOff},     {"10", "-5", fec::Mode::kOff},
      {"2", "32", fec::Mode::kFixed},   {"64", "1", fec::Mode::kFixed},
      {"266", "259", fec::Mode::kAuto},  // 10 and 3 in eight bits
  };
  for (const auto& row : rows) {
    const Converted hub = ConvertedFrom(
        Settings({{"fec_data", row.data}, {"fec_parity", row.parity}}));
    const auto settings = hub.config.fec.Settings();
    EXPECT_EQ(settings.mode, row.mode) << row.data << "+" << row.parity;
    if (row.mode == fec::Mode::kFixed) {
      EXPECT_EQ(std::to_string(settings.fixed.data), row.data);
      EXPECT_EQ(std::to_string(settings.fixed.parity), row.parity);
    }
    EXPECT_THAT(hub.changed, Contains(StartsWith("fec_data: ")));
    EXPECT_THAT(hub.changed, Contains(StartsWith("fec_parity: ")));
  }
}

TEST(ConvertLimitsTest, MoreClientsThanThereCanBeAreTheMostThereCanBe) {
  const struct {
    const char* there;
    const char* here;
    bool kept;
  } rows[] = {{"1", "1", true},
              {"10000", "10000", true},
              {"0", "1", false},
              {"-7", "1", false},
              {"10001", "10000", false}};
  for (const auto& row : rows) {
    const Converted hub = ConvertedFrom(Settings({{"max_clients", row.there}}));
    EXPECT_EQ(ValueIn(hub.config, "max_clients"), row.here) << row.there;
    const std::vector<std::string>& where = row.kept ? hub.kept : hub.changed;
    EXPECT_THAT(where, Contains(StartsWith("max_clients"))) << row.there;
  }
}

TEST(ConvertLimitsTest, AnMtuIsKeptWhereItWasReached) {
  for (const char* mtu : {"576", "1280", "1371"}) {
    const Converted hub = ConvertedFrom(Settings({{"mtu", mtu}}));
    EXPECT_EQ(ValueIn(hub.config, "mtu"), mtu);
    EXPECT_THAT(hub.kept, Contains("mtu"));
  }
  for (const char* mtu : {"575", "1372", "-1", "66836"}) {
    const Converted hub = ConvertedFrom(Settings({{"mtu", mtu}}));
    EXPECT_EQ(ValueIn(hub.config, "mtu"), "0") << mtu;
    EXPECT_THAT(hub.changed, Contains(StartsWith("mtu: "))) << mtu;
  }
}

TEST(ConvertLimitsTest, WhatIsTheHubsIsNotTheClients) {
  const Converted client =
      ConvertedFrom(Settings({{"mode", "client"},
                              {"remote_addr", "hub.example.com:9000"},
                              {"tunnel_addr", "10.0.0.7/24"},
                              {"multi_client", "true"},
                              {"max_clients", "5"},
                              {"client_isolation", "true"}}));
  EXPECT_THAT(client.gone, ElementsAre(StartsWith("multi_client: "),
                                       StartsWith("max_clients: "),
                                       StartsWith("client_isolation: ")));
  EXPECT_EQ(ValueIn(client.config, "remote_addr"), "hub.example.com:9000");
  EXPECT_EQ(ValueIn(client.config, "tunnel_addr"), "10.0.0.7/24");
  EXPECT_THAT(client.changed, IsEmpty());
}

TEST(ConvertLimitsTest, AHubConnectsToNobody) {
  const Converted hub =
      ConvertedFrom(Settings({{"remote_addr", "192.0.2.1:9000"}}));
  EXPECT_THAT(hub.gone, ElementsAre(StartsWith("remote_addr: ")));
  EXPECT_FALSE(hub.config.client.remote);
  const Converted empty = ConvertedFrom(Settings({{"remote_addr", ""}}));
  EXPECT_THAT(empty.gone, IsEmpty());
  EXPECT_THAT(empty.kept, Contains("remote_addr"));
}

TEST(ConvertLimitsTest, RoutesOfWhichOneIsNoneAreNotKeptAndNamed) {
  OldSettings old = Settings({{"mode", "client"}, {"remote_addr", "h:1"}});
  old.known["routes"].list = {"192.168.1.0/24", "not a \"network\""};
  const Converted client = ConvertedFrom(old);
  EXPECT_THAT(client.changed, Contains(AllOf(HasSubstr("NOT KEPT"),
                                             HasSubstr("192.168.1.0/24,not"))));
  EXPECT_THAT(client.config.routing.own, IsEmpty());
  old.known["routes"].list.clear();
  EXPECT_THAT(ConvertedFrom(old).kept, Contains("routes"));
}

TEST(ConvertLimitsTest, ReportHasALineForEach) {
  Converted converted;
  EXPECT_EQ(Report(converted), "");
  converted.kept = {"mode", "key"};
  converted.changed = {"mtu: left to the gateway"};
  converted.gone = {"timeout: for ever", "p2p: planned"};
  converted.unknown = {"\"colour\""};
  EXPECT_EQ(Report(converted),
            "kept: mode, key\n"
            "changed: mtu: left to the gateway\n"
            "gone: timeout: for ever\n"
            "gone: p2p: planned\n"
            "passed over, as it was there: \"colour\"\n");
}

// Good old settings of any kind: what comes of them is good here, and its file
// says the same.
TEST(ConvertLimitsTest, WhatIsWrittenIsReadAsTheSame) {
  for (uint32_t seed = 1; seed <= 100; ++seed) {
    std::mt19937 random(seed);
    const auto pick = [&](std::initializer_list<const char*> texts) {
      return *(texts.begin() + random() % texts.size());
    };
    OldSettings old = Settings({});
    const bool hub = random() % 2 == 0;
    old.known["mode"].text = hub ? "server" : "client";
    if (!hub) old.known["remote_addr"].text = pick({"h:1", "[2001:db8::1]:9"});
    const auto maybe = [&](const char* key, const char* text) {
      if (random() % 2 == 0) old.known[key].text = text;
    };
    maybe("key",
          pick({"with \"quotes\"", "back\\slash", "caf\xc3\xa9 au lait"}));
    maybe("tunnel_addr", pick({"10.9.0.1/24", "10.0.0.1/24", "172.16.3.5/30"}));
    maybe("local_addr", pick({":9000", "0.0.0.0:443", "192.0.2.1:9000"}));
    maybe("mtu", pick({"0", "1300", "1400", "9000"}));
    maybe("fec_data", pick({"0", "10", "20", "70"}));
    maybe("fec_parity", pick({"0", "1", "3", "32"}));
    maybe("max_clients", pick({"0", "7", "100000"}));
    maybe("tun_name", pick({"", "tun7", "lwt-a"}));
    maybe("timeout", "30");
    const Converted converted = ConvertedFrom(old);
    config::Config again;
    const absl::Status read = config::ApplyToml(
        config::SampleFile(converted.config, "name"), "file", again);
    ASSERT_TRUE(read.ok()) << seed << ": " << read;
    for (const config::Change& change : config::Diff(converted.config, again)) {
      ADD_FAILURE() << seed << ": " << config::NameOf(change);
    }
  }
}

}  // namespace
}  // namespace lwt::migrate
