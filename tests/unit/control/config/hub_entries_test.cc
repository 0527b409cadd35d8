// [[hub]]: what an entry may be, and what is said where it may not.
#include "control/config/hub_entries.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "control/base/text.h"
#include "control/config/load.h"
#include "control/config/write_toml.h"

namespace lwt::config {
namespace {

constexpr char kHubKey[] = "vD1t5yk9uMJvVJdTgNVbLRRfAMO3WlMKqkjXQUUuNWc=";
constexpr char kOtherKey[] = "D8esr3WMnvILVR+gSR7dUAcB6Gq3xPozzrvPnbrHtDs=";
// Four lines.
constexpr char kClientHead[] =
    "mode = \"client\"\ntunnel_addr = \"10.0.0.2/24\"\nkey = \"some key of "
    "ours\"\nmtu = 1400\n";
constexpr char kRemote[] = "remote_addr = \"a.example:9000\"\n";

std::string HubText(std::string_view address, std::string_view key = kHubKey) {
  return Concat("[[hub]]\naddress = \"", address, "\"\npublic_key = \"", key,
                "\"\n");
}

// What the daemon would run on, or why it would not.
absl::StatusOr<LoadedConfig> LoadClient(const std::string& text) {
  LoadedConfig loaded;
  absl::Status status =
      ApplyToml(text, "c.toml", loaded.config, &loaded.origins);
  if (status.ok()) {
    status = Finish(loaded.config, loaded.warnings, &loaded.origins);
  }
  if (!status.ok()) return status;
  return loaded;
}

std::string FaultOf(const std::string& text) {
  return std::string(LoadClient(text).status().message());
}

TEST(HubEntriesTest, AreReadInTheirOrderBehindRemoteAddr) {
  const auto loaded = LoadClient(std::string(kClientHead) + kRemote +
                                 HubText("b.example:9000", kOtherKey) +
                                 HubText("[2001:db8::1]:443"));
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  const ClientConfig& client = loaded->config.client;
  ASSERT_EQ(client.hubs.size(), 2u);
  EXPECT_EQ(client.hubs[0].address, (HostPort{"b.example", 9000}));
  EXPECT_EQ(client.hubs[0].public_key, kOtherKey);
  EXPECT_EQ(client.hubs[1].address, (HostPort{"2001:db8::1", 443}));
  EXPECT_EQ(
      client.HubAddresses(),
      (std::vector<HostPort>{
          {"a.example", 9000}, {"b.example", 9000}, {"2001:db8::1", 443}}));
}

TEST(HubEntriesTest, NeedNoRemoteAddr) {
  const auto loaded =
      LoadClient(std::string(kClientHead) + HubText("b.example:9000"));
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_FALSE(loaded->config.client.remote);
  EXPECT_EQ(loaded->config.client.HubAddresses().size(), 1u);
  EXPECT_EQ(FaultOf(kClientHead),
            "a client needs remote_addr, its hub: -r vpn.example.com:9000; or "
            "entries [[hub]] in its file");
}

// One hub may be reached by two addresses, of whatever keys are pinned.
TEST(HubEntriesTest, MayShareAKey) {
  EXPECT_EQ(FaultOf(std::string(kClientHead) + kRemote +
                    HubText("b.example:9000") + HubText("b.example:9001")),
            "");
}

TEST(HubEntriesTest, ABadOneIsRefusedAtItsPlace) {
  const std::string head(kClientHead);
  const struct {
    std::string text;
    std::string_view fault;
  } rows[] = {
      {"[[hub]]\naddress = \"b.example:9000\"\n",
       "c.toml:5:1: [[hub]] without public_key: public_key = \"KEY\""},
      {Concat("[[hub]]\npublic_key = \"", kHubKey, "\"\n"),
       "c.toml:5:1: [[hub]] without address: address = \"HOST:PORT\""},
      {HubText("b.example"),
       "c.toml:6:11: hub.address: \"b.example\" is not a hub's address and "
       "port, such as 192.0.2.1:9000, [2001:db8::1]:9000 or "
       "vpn.example.com:9000"},
      {HubText("b.example:9000", "c2hvcnQ="),
       "c.toml:7:14: hub.public_key: \"c2hvcnQ=\" is not a public key: 44 "
       "characters of base64, as `lwtctl status` prints them on the hub"},
      {"[[hub]]\nadress = \"b.example:9000\"\n",
       "c.toml:6:1: unknown key \"hub.adress\" (did you mean "
       "\"hub.address\"?)"},
      {"[hub]\naddress = \"b.example:9000\"\n",
       "c.toml:5:2: hub stands once for each: write [[hub]] on a line of its "
       "own and its keys below"},
      {HubText("b.example:9000") + HubText("b.example:9000", kOtherKey),
       "c.toml:9: [[hub]] b.example:9000 has two entries: remove one of them"},
  };
  for (const auto& row : rows) {
    const std::string fault = FaultOf(head + row.text);
    EXPECT_NE(fault.find(row.fault), std::string::npos) << row.text << fault;
  }
}

TEST(HubEntriesTest, HaveToAgreeWithTheRest) {
  EXPECT_EQ(
      FaultOf(std::string(kClientHead) + kRemote + HubText("a.example:9000")),
      "c.toml:7: [[hub]] a.example:9000 is remote_addr as well: remove "
      "one of the two");
  EXPECT_EQ(FaultOf(Concat(kClientHead, "server_public_key = \"", kHubKey,
                           "\"\n", HubText("b.example:9000"))),
            "server_public_key is that of remote_addr, which is not given: "
            "write public_key into its entry [[hub]] instead");
  EXPECT_EQ(FaultOf(std::string(kClientHead) + HubText("10.0.0.9:9000")),
            "hub.address 10.0.0.9 lies within the tunnel's own network "
            "10.0.0.0/24: give tunnel_addr a network of its own");
  EXPECT_EQ(FaultOf("mode = \"server\"\nlocal_addr = \"0.0.0.0:9000\"\n"
                    "tunnel_addr = \"10.0.0.1/24\"\nkey = \"some key of "
                    "ours\"\n" +
                    HubText("b.example:9000")),
            "[[hub]] is for clients: remove the entries, or run with -m "
            "client");
}

TEST(HubEntriesTest, AreEightAtMost) {
  std::string text = std::string(kClientHead) + kRemote;
  for (size_t i = 0; i < kMaxHubEntries; ++i) {
    text += HubText(Concat("b", i, ".example:9000"));
  }
  EXPECT_EQ(FaultOf(text), "");
  EXPECT_EQ(FaultOf(text + HubText("last.example:9000")),
            "c.toml:31: [[hub]] last.example:9000 is entry 9 of 9: keep at "
            "most 8");
}

TEST(HubEntriesTest, NoneIsTheClientItself) {
  const auto loaded = LoadClient(std::string(kClientHead) + kRemote +
                                 HubText("b.example:9000", kOtherKey) +
                                 HubText("c.example:9000"));
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_TRUE(CheckNotOwnKey(loaded->config, "another", &loaded->origins).ok());
  EXPECT_EQ(CheckNotOwnKey(loaded->config, kHubKey, &loaded->origins).message(),
            "c.toml:11: [[hub]] c.example:9000 has this client's own public "
            "key: write the one that `lwtctl status` prints on that hub");
  EXPECT_EQ(CheckNotOwnKey(loaded->config, kHubKey, nullptr)
                .message()
                .find("[[hub]] c.example:9000 has"),
            0u);
}

TEST(HubEntriesTest, AreToldWithWhatIsInForce) {
  const auto loaded =
      LoadClient(std::string(kClientHead) + HubText("b.example:9000"));
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  const std::string text = SettingsInForce(loaded->config, loaded->origins);
  EXPECT_NE(text.find(Concat("\n[[hub]]\naddress = \"b.example:9000\"  # "
                             "c.toml:6\npublic_key = \"",
                             kHubKey, "\"  # c.toml:7\n")),
            std::string::npos)
      << text;
}

}  // namespace
}  // namespace lwt::config
