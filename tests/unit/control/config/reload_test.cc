// What a reload takes of each setting, over every row of the table.
#include "control/config/reload.h"

#include <gtest/gtest.h>

#include "control/base/text.h"
#include "control/config/options.h"
#include "tests/unit/control/config/samples.h"

namespace lwt::config {
namespace {

Config AHub() {
  Config config;
  config.mode = Mode::kServer;
  config.hub.local = {*ParseEndpoint("192.0.2.1:9000")};
  config.tunnel.addresses = {*ParseIpPrefix("10.0.0.1/24")};
  return config;
}

Config AClient() {
  Config config;
  config.mode = Mode::kClient;
  config.client.remote = HostPort{"192.0.2.1", 9000};
  config.tunnel.addresses = {*ParseIpPrefix("10.0.0.2/24")};
  return config;
}

std::vector<std::string> Names(const std::vector<Change>& changes) {
  std::vector<std::string> names;
  for (const Change& change : changes) names.push_back(NameOf(change));
  return names;
}

using NameList = std::vector<std::string>;

TEST(ReloadTest, OtherHubsAndAnotherOrderAreForTheNextConnection) {
  Config before = AClient();
  before.client.hubs = {{{"b.example", 9000}, kPublicKey},
                        {{"c.example", 9000}, kPublicKey}};
  Config wanted = before;
  std::swap(wanted.client.hubs[0], wanted.client.hubs[1]);
  auto reloaded = Reload(before, before, wanted);
  ASSERT_TRUE(reloaded.ok()) << reloaded.status();
  EXPECT_EQ(
      Names(reloaded->next_connection),
      (NameList{"hub c.example:9000: address", "hub b.example:9000: address"}));
  EXPECT_EQ(reloaded->config.client.hubs[0].address.host, "c.example");
  wanted.client.remote.reset();
  wanted.client.hubs.pop_back();
  reloaded = Reload(before, before, wanted);
  ASSERT_TRUE(reloaded.ok()) << reloaded.status();
  EXPECT_EQ(Names(reloaded->next_connection),
            (NameList{"remote_addr", "hub b.example:9000: address",
                      "hub b.example:9000: public_key"}));
  EXPECT_EQ(reloaded->config.client.HubAddresses(),
            (std::vector<HostPort>{{"c.example", 9000}}));
  EXPECT_TRUE(reloaded->live.empty() && reloaded->restart.empty());
}

TEST(ReloadTest, EachSettingIsTakenAsItsRowSays) {
  for (const Option& option : Options()) {
    SCOPED_TRACE(option.toml);
    if (option.flag.empty()) continue;
    const Sample& sample = Samples().at(std::string(option.toml));
    const Config before =
        option.applies_to == AppliesTo::kServer ? AHub() : AClient();
    Config wanted = before;
    ASSERT_TRUE(ApplyText(option, sample.text, wanted).ok());
    if (ValueOf(option, wanted) == ValueOf(option, before)) {
      continue;  // mode, which a restart alone can change: see below
    }
    const auto reloaded = Reload(before, before, wanted);
    ASSERT_TRUE(reloaded.ok()) << reloaded.status();
    const NameList just_it = {std::string(option.toml)};
    const bool restart = option.takes == Takes::kRestart;
    EXPECT_EQ(Names(reloaded->live),
              option.takes == Takes::kLive ? just_it : NameList());
    EXPECT_EQ(Names(reloaded->next_connection),
              option.takes == Takes::kNextConnection ? just_it : NameList());
    EXPECT_EQ(Names(reloaded->restart), restart ? just_it : NameList());
    EXPECT_EQ(ValueOf(option, reloaded->config),
              ValueOf(option, restart ? before : wanted));
    // What waits is said each time, what counts once; and back again.
    const auto again = Reload(before, reloaded->config, wanted);
    ASSERT_TRUE(again.ok());
    EXPECT_EQ(Sentences(*again),
              restart ? Concat("waits for a restart: ", option.toml, "\n")
                      : "nothing has changed\n");
    const auto back = Reload(before, reloaded->config, before);
    ASSERT_TRUE(back.ok()) << back.status();
    EXPECT_TRUE(Diff(back->config, before).empty());
  }
}

TEST(ReloadTest, AnotherModeWaits) {
  Config wanted = AClient();
  wanted.host.log_level = LogLevel::kDebug;
  const auto reloaded = Reload(AHub(), AHub(), wanted);
  ASSERT_TRUE(reloaded.ok());
  EXPECT_EQ(Sentences(*reloaded), "waits for a restart: mode\n");
  EXPECT_TRUE(Diff(reloaded->config, AHub()).empty());
}

TEST(ReloadTest, EntriesComeAndGo) {
  Config one = AHub();
  one.hub.peers = {{kPublicKey, {*ParseIpPrefix("192.168.7.0/24")}}};
  const auto added = Reload(AHub(), AHub(), one);
  ASSERT_TRUE(added.ok());
  EXPECT_TRUE(Diff(added->config, one).empty());
  EXPECT_EQ(added->live.size(), 2u);
  const auto removed = Reload(AHub(), one, AHub());
  ASSERT_TRUE(removed.ok());
  EXPECT_TRUE(removed->config.hub.peers.empty());
}

// There are places for so many.
TEST(ReloadTest, MoreClientsThanAtTheStartWait) {
  Config wanted = AHub();
  wanted.hub.max_clients = 101;
  const auto more = Reload(AHub(), AHub(), wanted);
  ASSERT_TRUE(more.ok());
  EXPECT_EQ(Names(more->restart), NameList{"max_clients"});
  EXPECT_EQ(more->config.hub.max_clients, 100u);
  Config fewer = AHub();
  fewer.hub.max_clients = 7;
  wanted.hub.max_clients = 100;
  const auto back = Reload(AHub(), fewer, wanted);
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(Names(back->live), NameList{"max_clients"});
  EXPECT_EQ(back->config.hub.max_clients, 100u);
}

// The routes lie in the tunnel's old network, which only a restart moves.
TEST(ReloadTest, WhatCountsNowHasToAgreeWithWhatWaits) {
  Config wanted = AClient();
  wanted.tunnel.addresses = {*ParseIpPrefix("10.9.0.2/24")};
  wanted.routing.own = {*ParseIpPrefix("10.0.0.128/25")};
  ASSERT_TRUE(CheckAgreement(wanted).ok());
  const auto reloaded = Reload(AClient(), AClient(), wanted);
  EXPECT_EQ(reloaded.status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST(ReloadTest, WhatIsForTheOtherSideIsNothing) {
  Config wanted = AClient();
  wanted.hub.max_clients = 7;
  const auto reloaded = Reload(AClient(), AClient(), wanted);
  ASSERT_TRUE(reloaded.ok());
  EXPECT_EQ(Sentences(*reloaded), "nothing has changed\n");
}

TEST(ReloadTest, SaysWhatWaitsForWhat) {
  Config wanted = AClient();
  wanted.host.log_level = LogLevel::kDebug;
  wanted.client.sni = "cdn.example.net";
  wanted.workers.count = 2;
  wanted.uplink.persona = PersonaChoice::kLinux61;
  const auto reloaded = Reload(AClient(), AClient(), wanted);
  ASSERT_TRUE(reloaded.ok());
  EXPECT_EQ(Sentences(*reloaded),
            "applied: log_level\n"
            "waits for the next connection: sni\n"
            "waits for a restart: persona, dataplane.workers\n");
}

}  // namespace
}  // namespace lwt::config
