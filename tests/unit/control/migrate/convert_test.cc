#include "control/migrate/convert.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "control/config/options.h"

namespace lwt::migrate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

absl::StatusOr<Converted> FromFile(std::string_view json) {
  auto old = ReadOldFile(json);
  if (!old.ok()) return old.status();
  return Convert(*old);
}

Converted Of(std::string_view json) {
  auto converted = FromFile(json);
  EXPECT_TRUE(converted.ok()) << converted.status();
  return converted.ok() ? *std::move(converted) : Converted();
}

std::string ErrorOf(std::string_view json) {
  return std::string(FromFile(json).status().message());
}

std::string Told(const config::Config& config, std::string_view key) {
  const config::Option& option = *config::FindByToml(key);
  return config::FlagText(option, config::ValueOf(option, config));
}

TEST(ConvertTest, TakesOverWhatMeansTheSame) {
  const Converted hub = Of(
      R"({"mode": "server", "local_addr": ":9000", "tunnel_addr": "10.9.0.1/24",
          "key": "long enough", "multi_client": true, "max_clients": 7,
          "tun_name": "tun7", "mtu": 1300, "client_isolation": false})");
  EXPECT_THAT(hub.kept, ElementsAre("mode", "local_addr", "tunnel_addr",
                                    "tun_name", "mtu", "key", "multi_client",
                                    "max_clients", "client_isolation"));
  EXPECT_THAT(hub.changed, IsEmpty());
  EXPECT_THAT(hub.gone, IsEmpty());
  EXPECT_EQ(Told(hub.config, "local_addr"), "0.0.0.0:9000");
  EXPECT_EQ(Told(hub.config, "tunnel_addr"), "10.9.0.1/24");
  EXPECT_EQ(Told(hub.config, "max_clients"), "7");
  EXPECT_EQ(Told(hub.config, "tun_name"), "tun7");
  EXPECT_EQ(Told(hub.config, "mtu"), "1300");
  EXPECT_EQ(hub.config.key.text, "long enough");
}

// The README's two lines had no more than that.
TEST(ConvertTest, KnowsWhatStoodForWhatWasNotGiven) {
  const Converted hub = Of(R"({"key": "long enough"})");
  EXPECT_EQ(Told(hub.config, "mode"), "server");
  EXPECT_EQ(Told(hub.config, "local_addr"), "0.0.0.0:9000");
  EXPECT_EQ(Told(hub.config, "tunnel_addr"), "10.0.0.1/24");
  const Converted client = Of(
      R"({"mode": "client", "remote_addr": "h:9000", "key": "long enough",
          "tunnel_addr": "10.0.0.1/24", "local_addr": "0.0.0.0:9000"})");
  EXPECT_EQ(Told(client.config, "tunnel_addr"), "10.0.0.2/24");
  EXPECT_THAT(client.changed, ElementsAre(StartsWith("tunnel_addr: ")));
  EXPECT_THAT(client.gone, ElementsAre(StartsWith("local_addr: ")));
}

TEST(ConvertTest, AnEmptyKeyBecomesAFreshOne) {
  const Converted one = Of(R"({"key": ""})");
  EXPECT_GE(one.config.key.text.size(), 32u);
  EXPECT_THAT(one.changed, ElementsAre(StartsWith("key: it was empty")));
}

TEST(ConvertTest, AnMtuThatWasNeverReachedIsLeftToTheGateway) {
  for (const char* mtu : {"0", "1400", "1372", "9000", "500"}) {
    const Converted one =
        Of(std::string(R"({"key": "long enough", "mtu": )") + mtu + "}");
    EXPECT_EQ(Told(one.config, "mtu"), "0") << mtu;
    EXPECT_THAT(one.changed, ElementsAre(StartsWith("mtu: "))) << mtu;
  }
}

TEST(ConvertTest, ACodeOfYourOwnStays) {
  const Converted usual =
      Of(R"({"key": "long enough", "fec_data": 10, "fec_parity": 3})");
  EXPECT_EQ(usual.config.fec.Settings().mode, fec::Mode::kAuto);
  const Converted own =
      Of(R"({"key": "long enough", "fec_data": 20, "fec_parity": 2})");
  EXPECT_EQ(own.config.fec.Settings().mode, fec::Mode::kFixed);
  EXPECT_EQ(own.config.fec.Settings().fixed.data, 20);
  const Converted none = Of(R"({"key": "long enough", "fec_parity": 0})");
  EXPECT_EQ(none.config.fec.Settings().mode, fec::Mode::kOff);
  const Converted absurd = Of(R"({"key": "long enough", "fec_data": 500})");
  EXPECT_EQ(absurd.config.fec.Settings().mode, fec::Mode::kAuto);
}

// They mean what they meant.
TEST(ConvertTest, RoutesAreKept) {
  const Converted hub = Of(R"({"key": "long enough",
             "routes": ["192.168.1.0/24", "fd01::/64"]})");
  EXPECT_THAT(hub.config.routing.own,
              ElementsAre(*ParseIpPrefix("192.168.1.0/24"),
                          *ParseIpPrefix("fd01::/64")));
  EXPECT_THAT(hub.changed, IsEmpty());
}

// Nobody may believe that they still hold.
TEST(ConvertTest, WhatCannotBeKeptIsNotKeptInSilence) {
  const Converted hub =
      Of(R"({"key": "long enough", "routes": ["192.168.1.0/24", "0.0.0.0/0"],
             "client_isolation": true})");
  EXPECT_THAT(hub.changed,
              ElementsAre(AllOf(HasSubstr("NOT KEPT"),
                                HasSubstr("\"192.168.1.0/24,0.0.0.0/0\""))));
  EXPECT_TRUE(hub.config.hub.client_isolation);
  EXPECT_THAT(hub.config.routing.own, IsEmpty());
}

TEST(ConvertTest, EachKeyThatIsGivenIsAnswered) {
  std::string json = R"({"mode": "client", "remote_addr": "h:9000",
                         "key": "long enough", "colour": 1)";
  for (const OldKey& key : OldKeys()) {
    if (json.find('"' + std::string(key.key) + '"') != std::string::npos) {
      continue;
    }
    const char* const value = key.type == OldType::kNumber    ? "7"
                              : key.type == OldType::kBoolean ? "true"
                              : key.type == OldType::kList    ? "[\"a\"]"
                              : key.key == "tunnel_addr" ? "\"10.0.0.7/24\""
                                                         : "\"x\"";
    json += ", \"" + std::string(key.key) + "\": " + value;
  }
  const Converted all = Of(json + "}");
  const std::string report = Report(all);
  for (const OldKey& key : OldKeys()) {
    EXPECT_THAT(report, HasSubstr(std::string(key.key))) << key.key;
  }
  EXPECT_THAT(report, HasSubstr("passed over, as it was there: \"colour\"\n"));
}

TEST(ConvertTest, SaysWhatDoesNotDo) {
  EXPECT_THAT(ErrorOf(R"({"mode": "relay", "key": "long enough"})"),
              HasSubstr("mode: "));
  EXPECT_THAT(ErrorOf(R"({"mode": "client", "key": "long enough"})"),
              HasSubstr("remote_addr: a client needs its hub's"));
  EXPECT_THAT(ErrorOf(R"({"key": "short"})"), HasSubstr("8"));
  const std::string two = ErrorOf(
      R"({"key": "long enough", "tunnel_addr": "x", "tun_name": "a/b"})");
  EXPECT_THAT(two, AllOf(HasSubstr("tunnel_addr: "), HasSubstr("tun_name: ")));
}

}  // namespace
}  // namespace lwt::migrate
