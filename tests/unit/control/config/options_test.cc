// Every setting through its flag and through its key, hints, and the page.
#include "control/config/options.h"

#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <map>
#include <set>
#include <sstream>

#include "control/base/text.h"
#include "control/config/command_line.h"
#include "control/config/diff.h"
#include "control/config/load.h"
#include "control/config/nearest_name.h"
#include "control/config/networks.h"
#include "control/config/reference.h"
#include "control/config/values.h"
#include "tests/unit/control/config/samples.h"

namespace lwt::config {
namespace {

std::string TomlLine(const Option& option, const std::string& text) {
  std::string key(option.toml);
  const bool bare = option.field.type == ValueType::kInteger ||
                    option.field.type == ValueType::kBoolean;
  return key + " = " + (bare ? text : "\"" + text + "\"") + "\n";
}

TEST(OptionsTest, EveryOptionArrivesThroughItsFlag) {
  for (const Option& option : Options()) {
    SCOPED_TRACE(option.toml);
    if (option.flag.empty()) continue;  // networks_test.cc
    ASSERT_TRUE(Samples().contains(std::string(option.toml)));
    const Sample& sample = Samples().at(std::string(option.toml));
    for (std::string dashes : {"-", "--"}) {
      std::string argument =
          dashes + std::string(option.flag) + "=" + sample.text;
      const char* arguments[] = {argument.c_str()};
      auto line = ParseCommandLine(arguments);
      ASSERT_TRUE(line.ok()) << line.status();
      auto loaded = LoadConfig(*line, false);
      ASSERT_TRUE(loaded.ok()) << loaded.status();
      EXPECT_FALSE(sample.arrived(Config{}));
      EXPECT_TRUE(sample.arrived(loaded->config));
    }
  }
}

TEST(OptionsTest, EveryOptionArrivesThroughToml) {
  for (const Option& option : Options()) {
    SCOPED_TRACE(option.toml);
    if (option.flag.empty()) continue;
    const Sample& sample = Samples().at(std::string(option.toml));
    Config config;
    absl::Status status =
        ApplyToml(TomlLine(option, sample.text), "file.toml", config);
    ASSERT_TRUE(status.ok()) << status;
    EXPECT_TRUE(sample.arrived(config));
  }
}

// What was set can be told again, as a flag and as TOML, and makes the same.
TEST(OptionsTest, EveryValueIsWrittenAsItIsRead) {
  for (const Option& option : Options()) {
    SCOPED_TRACE(option.toml);
    if (option.flag.empty()) continue;
    const Sample& sample = Samples().at(std::string(option.toml));
    Config config;
    ASSERT_TRUE(ApplyText(option, sample.text, config).ok());
    const Value value = ValueOf(option, config);
    EXPECT_FALSE(IsUnset(option, value));
    EXPECT_EQ(FlagText(option, value), sample.text);
    Config again;
    ASSERT_TRUE(ApplyToml(Concat(option.toml, " = ", TomlText(option, value)),
                          "f", again)
                    .ok());
    EXPECT_TRUE(sample.arrived(again));
  }
}

// Each setting by itself, over every row of the table.
TEST(DiffTest, NamesTheOneThatChanged) {
  for (const Option& option : Options()) {
    SCOPED_TRACE(option.toml);
    if (option.flag.empty()) continue;
    Config config;
    ASSERT_TRUE(
        ApplyText(option, Samples().at(std::string(option.toml)).text, config)
            .ok());
    for (const auto& changes :
         {Diff(Config{}, config), Diff(config, Config{})}) {
      ASSERT_EQ(changes.size(), 1u);
      EXPECT_EQ(changes[0].option, &option);
      EXPECT_EQ(NameOf(changes[0]), option.toml);
    }
    EXPECT_TRUE(Diff(config, config).empty());
  }
}

// Over every key of the page: what a change of it waits for.
TEST(DiffTest, EveryKeyOfThePageSaysWhatAChangeWaitsFor) {
  const std::map<std::string, std::string> others = {
      {"mtu", "next connection"},
      {"key", "next connection"},
      {"key_file", "next connection"},
      {"key_grace", "live"},
      {"config_push_interval", "live"},
      {"log_level", "live"},
      {"routes", "live"},
      {"accept_routes", "live"},
      {"default_route", "live"},
      {"enable_nat_detection", "live"},
      {"accept_dns", "live"},
      {"dns", "live"},
      {"dns_search", "live"},
      {"default_route_when_down", "live"},
      {"peer.public_key", "live"},
      {"address_pool", "live"},
      {"client_isolation", "live"},
      {"peer.allowed_ips", "live"},
      {"peer.name", "live"},
      {"peer.addresses", "live"},
      {"peer.isolated", "live"},
      {"peer.fec", "live"},
      {"peer.rate", "live"},
      {"peer.rate_in", "live"},
      {"fallback", "live"},
      {"multi_client", "live"},
      {"max_clients", "live"},
      {"remote_addr", "next connection"},
      {"hub.address", "next connection"},
      {"hub.public_key", "next connection"},
      {"server_public_key", "next connection"},
      {"sni", "next connection"},
      {"fec", "live"},
      {"fec_data", "live"},
      {"fec_parity", "live"},
      {"fec_flush_us", "live"},
      {"fec_interleave_us", "live"},
      {"rate", "live"},
      {"rate_in", "live"},
      {"uplink.rate", "live"},
      {"dataplane.rekey_records", "live"},
      {"dataplane.rekey_seconds", "live"}};
  std::ifstream page(LWT_SOURCE_ROOT "/docs/configuration.md");
  std::set<std::string> keys;
  for (std::string line; std::getline(page, line);) {
    constexpr std::string_view kBegin = "| `";
    if (!line.starts_with(kBegin) || line[kBegin.size()] == '-') continue;
    keys.insert(line.substr(kBegin.size(),
                            line.find('`', kBegin.size()) - kBegin.size()));
  }
  for (const CommandFlag& word : CommandWords()) {
    keys.erase(std::string(word.flag));
  }
  EXPECT_EQ(keys.size(), Options().size());
  for (const std::string& key : keys) {
    SCOPED_TRACE(key);
    const Option* option = FindByToml(key);
    ASSERT_NE(option, nullptr);
    const auto other = others.find(key);
    EXPECT_EQ(NameOf(option->takes),
              other == others.end() ? "restart" : other->second);
  }
}

TEST(DiffTest, EntriesAreToldApartByTheirKey) {
  const std::string a = kPublicKey;
  const std::string b = "vD1t5yk9uMJvVJdTgNVbLRRfAMO3WlMKqkjXQUUuNWc=";
  const auto with = [](std::vector<PeerEntry> peers) {
    Config config;
    config.hub.peers = std::move(peers);
    return config;
  };
  const auto names = [&](const Config& before, const Config& after) {
    std::vector<std::string> list;
    for (const Change& change : Diff(before, after)) {
      list.push_back(NameOf(change));
    }
    return list;
  };
  const IpPrefix seven = ParseIpPrefix("192.168.7.0/24").value();
  const IpPrefix eight = ParseIpPrefix("192.168.8.0/24").value();
  using Names = std::vector<std::string>;
  EXPECT_EQ(names(with({{a, {seven}}, {b, {eight}}}),
                  with({{b, {eight}}, {a, {seven}}})),
            Names{});
  EXPECT_EQ(names(with({{a, {seven}}}), with({{a, {eight}}})),
            Names{"peer " + a + ": allowed_ips"});
  const Names whole = {"peer " + b + ": public_key",
                       "peer " + b + ": allowed_ips"};
  EXPECT_EQ(names(with({{a, {seven}}}), with({{a, {seven}}, {b, {eight}}})),
            whole);
  EXPECT_EQ(names(with({{b, {eight}}, {a, {seven}}}), with({{a, {seven}}})),
            whole);
}

// The order of hubs is that in which they are tried.
TEST(DiffTest, EntriesOfAnOrderedTableMayChangePlaces) {
  const std::vector<HubEntry> hubs = {{{"a.example", 1}, kPublicKey},
                                      {{"b.example", 2}, kPublicKey},
                                      {{"c.example", 3}, kPublicKey}};
  const auto names = [&](const std::vector<size_t>& before,
                         const std::vector<size_t>& after) {
    Config one;
    Config other;
    for (const size_t i : before) one.client.hubs.push_back(hubs[i]);
    for (const size_t i : after) other.client.hubs.push_back(hubs[i]);
    std::vector<std::string> list;
    for (const Change& change : Diff(one, other)) {
      list.push_back(NameOf(change));
    }
    return list;
  };
  using Names = std::vector<std::string>;
  EXPECT_EQ(names({0, 1, 2}, {0, 1, 2}), Names{});
  EXPECT_EQ(names({0, 1, 2}, {1, 0, 2}),
            (Names{"hub b.example:2: address", "hub a.example:1: address"}));
  // Those behind one that goes keep their order.
  EXPECT_EQ(names({0, 1, 2}, {1, 2}),
            (Names{"hub a.example:1: address", "hub a.example:1: public_key"}));
  EXPECT_EQ(names({1}, {0, 1}),
            (Names{"hub a.example:1: address", "hub a.example:1: public_key"}));
}

// A default that is not the member's own only tells what stands for it.
TEST(OptionsTest, DefaultsAreTheMembers) {
  const std::pair<const char*, const char*> defaults[] = {
      {"mode", ""},
      {"local_addr", "0.0.0.0:9000"},
      {"tunnel_addr", ""},
      {"mtu", "0"},
      {"tun_name", "lwt0"},
      {"max_clients", "100"},
      {"multi_client", "true"},
      {"log_level", "info"},
      {"fec", "auto"},
      {"persona", "auto"},
      {"dataplane.rekey_records", "268435456"},
      {"state_dir", "/var/lib/lightweight-tunnel/MODE-ADDRESS"},
      {"peer.public_key", ""}};
  for (auto [key, text] : defaults) {
    EXPECT_EQ(DefaultText(*FindByToml(key)), text) << key;
  }
  for (const Option& option : Options()) {
    if (DefaultText(option).empty() || !option.default_text.empty()) continue;
    Config config;
    ASSERT_TRUE(ApplyText(option, DefaultText(option), config).ok());
    EXPECT_TRUE(Diff(config, Config{}).empty()) << option.toml;
  }
}

TEST(OptionsTest, NamesAreUnique) {
  std::set<std::string_view> flags;
  std::set<std::string_view> keys;
  for (const Option& option : Options()) {
    const bool of_entry = FindEntryTable(TableOf(option)) != nullptr;
    EXPECT_EQ(option.flag.empty(), of_entry) << option.toml;
    EXPECT_TRUE(of_entry || flags.insert(option.flag).second) << option.flag;
    EXPECT_TRUE(keys.insert(option.toml).second) << option.toml;
  }
  for (const CommandFlag& command : CommandFlags()) {
    EXPECT_TRUE(flags.insert(command.flag).second) << command.flag;
  }
}

TEST(OptionsTest, BadValuesAreRefused) {
  const std::pair<const char*, const char*> bad[] = {
      {"m", "hub"},
      {"r", "host"},
      {"r", "host:0"},
      {"r", "host:65536"},
      {"r", "a..b:1"},
      {"r", "1.2.3:1"},
      {"r", "0.0.0.0:1"},
      {"r", "[::]:1"},
      {"r", "224.0.0.1:1"},
      {"r", "a b:1"},
      {"r", ":1"},
      {"t", ""},
      {"t", "10.0.0.1"},
      {"t", "10.0.0.0/24"},
      {"t", "10.0.0.255/24"},
      {"t", "10.0.0.1/33"},
      {"t", "127.0.0.1/8"},
      {"t", "224.0.0.1/24"},
      {"t", "::1/128"},
      {"t", "0.0.0.0/0"},
      {"t", "10.0.0.1/24,10.1.0.1/24"},
      {"t", "10.0.0.1/24,"},
      {"mtu", "-1"},
      {"mtu", "9001"},
      {"mtu", "1e3"},
      {"mtu", ""},
      {"mtu", "99999999999999999999"},
      {"tun-name", ""},
      {"tun-name", "sixteen-letters-"},
      {"tun-name", "a/b"},
      {"tun-name", ".."},
      {"sni", "a b"},
      {"sni", ""},
      {"k", ""},
      {"key-file", ""},
      {"network", ""},
      {"network", "a b"},
      {"encryption", "off"},
      {"server-public-key", "AAAA"},
      {"max-clients", "0"},
      {"max-clients", "10001"},
      {"state-dir", "s"},
      {"control-socket", "c"},
      {"log-level", "trace"},
      {"uplink", "pci"},
      {"retransmit", "no"},
      {"rekey-records", "1023"},
      {"rekey-seconds", "4"},
      {"arena-mib", "1025"}};
  for (auto [flag, text] : bad) {
    Config config;
    const Option* option = FindByFlag(flag);
    ASSERT_NE(option, nullptr) << flag;
    EXPECT_FALSE(ApplyText(*option, text, config).ok()) << flag << " " << text;
  }
  Config config;
  std::string long_path = "/" + std::string(107, 'x');
  EXPECT_FALSE(
      ApplyText(*FindByFlag("control-socket"), long_path, config).ok());
}

TEST(OptionsTest, FecIsReadStrictly) {
  for (const char* text : {"on", "10", "0:3", "65:3", "10:33", "10:3x", ":"}) {
    Config config;
    EXPECT_FALSE(ApplyText(*FindByFlag("fec"), text, config).ok()) << text;
  }
  const std::pair<const char*, const char*> bad[] = {
      {"fec-data", "65"},
      {"fec-parity", "33"},
      {"fec-flush-us", "49"},
      {"fec-interleave-us", "1000001"}};
  for (auto [flag, text] : bad) {
    Config config;
    EXPECT_FALSE(ApplyText(*FindByFlag(flag), text, config).ok()) << flag;
  }
}

TEST(OptionsTest, FecIsAutomaticUnlessToldOtherwise) {
  Config config;
  EXPECT_EQ(config.fec.Settings().mode, fec::Mode::kAuto);
  config.fec.data = 20;
  EXPECT_EQ(config.fec.Settings().mode, fec::Mode::kFixed);
  EXPECT_EQ(config.fec.Settings().fixed, (fec::Parameters{20, 3, 1}));
  ASSERT_TRUE(ApplyText(*FindByFlag("fec"), "off", config).ok());
  EXPECT_EQ(config.fec.Settings().mode, fec::Mode::kOff);
  ASSERT_TRUE(ApplyText(*FindByFlag("fec"), "10:0", config).ok());
  EXPECT_FALSE(config.fec.Settings().fixed.on());
}

TEST(OptionsTest, AListenAddressHasShortForms) {
  const std::pair<const char*, const char*> forms[] = {
      {"9000", "0.0.0.0:9000"},
      {":9000", "0.0.0.0:9000"},
      {"localhost:9000", "127.0.0.1:9000"},
      {"[::]:9000", "[::]:9000"}};
  for (auto [text, means] : forms) {
    Config config;
    ASSERT_TRUE(ApplyText(*FindByFlag("l"), text, config).ok()) << text;
    EXPECT_EQ(config.hub.local, std::vector{*ParseEndpoint(means)}) << text;
  }
}

TEST(OptionsTest, AHubListensAtSeveralPlaces) {
  const std::pair<const char*, const char*> cases[] = {
      {"192.0.2.1:9000,[2001:db8::1]:9000", ""},
      {"0.0.0.0:9000,[::]:9000", ""},
      {"[::]:9000,192.0.2.1:443", ""},
      {"9000,9001,9002,9003,9004,9005,9006,9007", ""},
      {"9000,9001,9002,9003,9004,9005,9006,9007,9008", "9 places"},
      {"192.0.2.1:9000,192.0.2.1:9000", "192.0.2.1:9000 is given twice"},
      {"0.0.0.0:9000,192.0.2.1:9000", "192.0.2.1:9000 is part of 0.0.0.0:9000"},
      {"192.0.2.1:9000,[::]:9000", "192.0.2.1:9000 is part of [::]:9000"},
      {"192.0.2.1:9000,192.0.2.2", "192.0.2.2\" is not"}};
  for (auto [text, fault] : cases) {
    Config config;
    const absl::Status status = ApplyText(*FindByFlag("l"), text, config);
    EXPECT_EQ(status.ok(), *fault == '\0') << text << ": " << status;
    EXPECT_NE(std::string(status.message()).find(fault), std::string::npos)
        << status;
  }
}

TEST(OptionsTest, BadListenAddressesAreRefused) {
  for (const char* text :
       {"", ":", "0", ":0", "65536", "0.0.0.0", "localhost",
        "localhost:", "::1:9000", "9000:9000", "0.0.0.0:0", "host:9000"}) {
    Config config;
    EXPECT_FALSE(ApplyText(*FindByFlag("l"), text, config).ok()) << text;
  }
}

TEST(OptionsTest, PointToPointAndSlash31AddressesAreHosts) {
  for (const char* text : {"10.0.0.0/31", "10.0.0.1/32", "fd00::/64"}) {
    Config config;
    EXPECT_TRUE(ApplyText(*FindByFlag("t"), text, config).ok()) << text;
  }
}

TEST(OptionsTest, ErrorsNeverRepeatAKey) {
  std::string secret("hush\0hush", 9);
  Config config;
  absl::Status status = ApplyText(*FindByFlag("k"), secret, config);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.message().find("hush"), absl::string_view::npos);
}

TEST(OptionsTest, HintsNameTheNearest) {
  EXPECT_EQ(NearestFlagHint("mut"), " (did you mean -mtu?)");
  EXPECT_EQ(NearestFlagHint("key-flie"), " (did you mean -key-file?)");
  EXPECT_EQ(NearestFlagHint("mode"), " (did you mean -m?)");
  EXPECT_EQ(NearestFlagHint("tunnel-addr"), " (did you mean -t?)");
  EXPECT_EQ(NearestFlagHint("prefligth"), " (did you mean -preflight?)");
  EXPECT_EQ(NearestFlagHint("x"), "");
  EXPECT_EQ(NearestFlagHint("entirely-different"), "");
  EXPECT_EQ(NearestTomlHint("tunel_addr"), " (did you mean \"tunnel_addr\"?)");
  EXPECT_EQ(NearestTomlHint("retransmit"),
            " (did you mean \"dataplane.retransmit\"?)");
  EXPECT_EQ(NearestTomlHint("uplink.divers"),
            " (did you mean \"uplink.driver\"?)");
  EXPECT_EQ(NearestTomlHint("quux_and_more"), "");
}

TEST(NearestNameTest, DistancesCountSwapsOnce) {
  EXPECT_EQ(EditDistance("", ""), 0u);
  EXPECT_EQ(EditDistance("", "abc"), 3u);
  EXPECT_EQ(EditDistance("abc", ""), 3u);
  EXPECT_EQ(EditDistance("abc", "abc"), 0u);
  EXPECT_EQ(EditDistance("abc", "acb"), 1u);
  EXPECT_EQ(EditDistance("kitten", "sitting"), 3u);
  EXPECT_EQ(EditDistance("ca", "abc"), 3u);
}

TEST(NearestNameTest, TakesTheFirstOfTheNearest) {
  const std::string_view names[] = {"alpha", "bravo", "brave"};
  EXPECT_EQ(NearestName("bravx", names), "bravo");
  EXPECT_EQ(NearestName("brave", names), "brave");
  EXPECT_EQ(NearestName("", names), "");
  EXPECT_EQ(NearestName(std::string(65, 'a'), names), "");
}

TEST(ReferenceTest, ThePageIsTheOneInDocs) {
  std::ifstream file(LWT_SOURCE_ROOT "/docs/configuration.md");
  std::stringstream page;
  page << file.rdbuf();
  EXPECT_EQ(page.str(), ReferencePage())
      << "build config-reference, run it, and keep its output as the page";
}

TEST(ReferenceTest, WrapKeepsWordsAndWidth) {
  EXPECT_EQ(Wrap("aa bb cc", "  ", 7), "  aa bb\n  cc\n");
  EXPECT_EQ(Wrap("overlong aa", "", 4), "overlong\naa\n");
}

}  // namespace
}  // namespace lwt::config
