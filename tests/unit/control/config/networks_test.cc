// The LAN port, routes and [[peer]] entries: values and contradictions.
#include "control/config/networks.h"

#include <gtest/gtest.h>

#include "control/config/load.h"
#include "control/config/options.h"

namespace lwt::config {
namespace {

constexpr char kKeyA[] = "vD1t5yk9uMJvVJdTgNVbLRRfAMO3WlMKqkjXQUUuNWc=";
constexpr char kKeyB[] = "D8esr3WMnvILVR+gSR7dUAcB6Gq3xPozzrvPnbrHtDs=";

IpPrefix Prefix(std::string_view text) { return ParseIpPrefix(text).value(); }

Config Client() {
  Config config;
  config.mode = Mode::kClient;
  config.tunnel.addresses = {Prefix("10.0.0.2/24"), Prefix("fd11::2/64")};
  return config;
}

Config Server() {
  Config config = Client();
  config.mode = Mode::kServer;
  return config;
}

std::string Faults(const Config& config) {
  std::vector<std::string> faults;
  CheckNetworks(config, faults);
  std::string all;
  for (const std::string& fault : faults) all += fault + "\n";
  return all;
}

// As the setting takes them: a list, or one text with commas.
absl::StatusOr<std::vector<IpPrefix>> ReadRoutes(std::string_view text) {
  Config config;
  const absl::Status status = ApplyText(*FindByFlag("routes"), text, config);
  if (!status.ok()) return status;
  return config.routing.own;
}

TEST(ReadNetworksTest, TakesNetworksOfBothFamilies) {
  const auto networks = ReadRoutes("192.168.7.0/24, fd07::/64,10.9.9.9");
  ASSERT_TRUE(networks.ok()) << networks.status();
  EXPECT_EQ(*networks,
            (std::vector<IpPrefix>{Prefix("192.168.7.0/24"),
                                   Prefix("fd07::/64"), Prefix("10.9.9.9")}));
}

TEST(ReadNetworksTest, RefusesWhatIsNoNetworkToRoute) {
  for (const char* text :
       {"", "x", "192.168.7.1/24", "0.0.0.0/0", "::/0", "224.0.0.0/4",
        "127.0.0.0/8", "169.254.0.0/16", "fe80::/64", "ff00::/8", "::1/128",
        "10.9.0.0/24,"}) {
    EXPECT_FALSE(ReadRoutes(text).ok()) << text;
  }
  EXPECT_NE(std::string(ReadNetwork("192.168.7.1/24").status().message())
                .find("192.168.7.0/24"),
            std::string::npos);
}

TEST(AcceptRoutesTest, TakesWordsAndNetworks) {
  const auto read = [](std::string_view text) {
    Config config;
    const absl::Status status =
        ApplyText(*FindByFlag("accept-routes"), text, config);
    std::string again;
    for (const Acceptance& each : config.routing.accept) {
      again += (again.empty() ? "" : ",") + ToText(each);
    }
    return status.ok() ? again : std::string("refused");
  };
  for (const char* text : {"private", "off", "all", "10.20.0.0/16",
                           "private,198.51.100.0/24,2001:db8::/32"}) {
    EXPECT_EQ(read(text), text);
  }
  for (const char* text :
       {"", "none", "private,off", "all,10.20.0.0/16", "10.20.0.1/16"}) {
    EXPECT_EQ(read(text), "refused") << text;
  }
  EXPECT_EQ(Config().routing.accept, std::vector<Acceptance>(1));
}

TEST(ReadLanPortTest, TakesAnInterfaceOrAMemif) {
  EXPECT_EQ(ReadLanPort("eth1")->interface, "eth1");
  EXPECT_EQ(ReadLanPort("eth1")->memif_socket, "");
  EXPECT_EQ(ReadLanPort("memif:/run/lan.sock")->memif_socket, "/run/lan.sock");
  for (const char* text :
       {"", "eth/1", "memif:", "memif:lan.sock", "memif:/run/a,role=client"}) {
    EXPECT_FALSE(ReadLanPort(text).ok()) << text;
  }
  EXPECT_FALSE(ReadLanPort("memif:/" + std::string(107, 'x')).ok());
}

TEST(CheckNetworksTest, TakesWhatFits) {
  Config client = Client();
  client.routing.own = {Prefix("192.168.7.0/24"), Prefix("192.168.0.0/16")};
  client.lan.port.interface = "eth1";
  EXPECT_EQ(Faults(client), "");
  Config server = Server();
  server.hub.peers = {{kKeyA, {Prefix("192.168.0.0/16")}},
                      {kKeyB, {Prefix("192.168.7.0/24")}}};
  server.lan.port.memif_socket = "/run/lan.sock";
  server.lan.addresses = {Prefix("10.1.0.1/24")};
  EXPECT_EQ(Faults(server), "");
}

TEST(CheckNetworksTest, NamesContradictions) {
  Config config = Client();
  config.routing.own = {Prefix("10.0.0.0/8")};
  EXPECT_NE(Faults(config).find("overlaps the tunnel's own network"),
            std::string::npos);
  config.routing.own = {Prefix("192.168.7.0/24"), Prefix("192.168.7.0/24")};
  EXPECT_NE(Faults(config).find("named twice as a network behind this side"),
            std::string::npos);
  config.routing.own.clear();
  config.hub.peers = {{kKeyA, {Prefix("192.168.7.0/24")}}};
  EXPECT_NE(Faults(config).find("[[peer]] is for hubs"), std::string::npos);

  config = Server();
  config.routing.own = {Prefix("192.168.7.0/24")};
  EXPECT_EQ(Faults(config), "");
  config.hub.peers = {{kKeyA, {Prefix("192.168.0.0/16")}}};
  EXPECT_NE(Faults(config).find("which an entry [[peer]] gives to a client"),
            std::string::npos);
  config.routing.own = {Prefix("10.0.0.0/25")};
  EXPECT_NE(Faults(config).find("a network behind this side lies outside"),
            std::string::npos);
  config.routing.own.clear();
  config.hub.peers = {{kKeyA, {Prefix("192.168.7.0/24")}},
                      {kKeyB, {Prefix("192.168.7.0/24")}}};
  EXPECT_NE(Faults(config).find("named twice"), std::string::npos);
  config.hub.peers = {{kKeyA, {Prefix("192.168.7.0/24")}},
                      {kKeyA, {Prefix("192.168.8.0/24")}}};
  EXPECT_NE(Faults(config).find("two entries"), std::string::npos);

  config = Client();
  config.lan.port.memif_socket = "/run/lan.sock";
  EXPECT_NE(Faults(config).find("needs lan_addr"), std::string::npos);
  config.lan.addresses = {Prefix("10.0.0.77/28")};
  EXPECT_NE(Faults(config).find("overlaps the tunnel's network"),
            std::string::npos);
  config = Server();
  config.lan.port.memif_socket = "/run/lan.sock";
  config.lan.addresses = {Prefix("192.168.7.1/24")};
  config.hub.peers = {{kKeyA, {Prefix("192.168.0.0/16")}}};
  EXPECT_NE(Faults(config).find("a network behind a peer"), std::string::npos);
  config = Client();
  config.lan.port.interface = "eth1";
  config.lan.addresses = {Prefix("192.168.7.1/24")};
  EXPECT_NE(Faults(config).find("lan_addr is for a memif"), std::string::npos);
}

// Frames to the other side may never be routed into the tunnel.
TEST(CheckNetworksTest, TheOtherSideLiesInNoNetworkOfTheTunnel) {
  Config config = Client();
  config.client.remote = HostPort{"192.168.7.9", 9000};
  EXPECT_EQ(Faults(config), "");
  config.client.remote = HostPort{"fd11::9", 9000};
  EXPECT_EQ(Faults(config),
            "remote_addr fd11::9 lies within the tunnel's own network "
            "fd11::/64: give tunnel_addr a network of its own\n");
  EXPECT_TRUE(WayOutIsInTunnel(config));
  config.client.remote = HostPort{"vpn.example.com", 9000};
  EXPECT_EQ(Faults(config), "");
  EXPECT_FALSE(WayOutIsInTunnel(config));

  config = Server();
  config.hub.local = {*ParseEndpoint("192.168.7.1:9000")};
  EXPECT_EQ(Faults(config), "");
  config.hub.peers = {{kKeyA, {Prefix("192.168.7.0/24")}}};
  EXPECT_NE(Faults(config).find("contains local_addr 192.168.7.1"),
            std::string::npos);
  config.hub.local = {*ParseEndpoint("0.0.0.0:9000")};
  EXPECT_EQ(Faults(config), "");
}

TEST(CheckNetworksTest, EachInterfaceHasOneUse) {
  Config config = Client();
  config.tunnel.device = "lwt7";
  config.lan.port.interface = "eth1";
  config.uplink.interface = "eth0";
  EXPECT_EQ(Faults(config), "");
  config.lan.port.interface = "lwt7";
  EXPECT_EQ(Faults(config),
            "tun_name and lan_port are both lwt7: name two interfaces\n");
  config.lan.port.interface = "eth0";
  EXPECT_NE(Faults(config).find("lan_port and uplink.interface are both eth0"),
            std::string::npos);
}

TEST(PeerEntriesTest, AreReadFromTheFile) {
  Config config;
  const absl::Status status = ApplyToml(
      std::string("tunnel_addr = \"10.0.0.1/24\"\n[[peer]]\npublic_key = \"") +
          kKeyA + "\"\nallowed_ips = \"192.168.7.0/24,fd07::/64\"\n" +
          "[[peer]]\npublic_key = \"" + kKeyB +
          "\"\nallowed_ips = \"192.168.8.0/24\"\n",
      "hub.toml", config);
  ASSERT_TRUE(status.ok()) << status;
  ASSERT_EQ(config.hub.peers.size(), 2u);
  EXPECT_EQ(config.hub.peers[0].public_key, kKeyA);
  EXPECT_EQ(config.hub.peers[0].allowed_ips.size(), 2u);
  EXPECT_EQ(config.PeerNetworks().size(), 3u);
}

TEST(PeerEntriesTest, NamesAndAddressesAreNobodyElses) {
  Config config = Server();
  const IpAddress address = *ParseIpAddress("10.0.0.7");
  config.hub.peers = {{.public_key = kKeyA, .name = "a"},
                      {.public_key = kKeyB, .name = "b"}};
  config.hub.peers[0].addresses = {address};
  EXPECT_EQ(Faults(config), "");
  const auto refused = [&config](std::string_view sentence) {
    const std::string message = Faults(config);
    EXPECT_NE(message.find(sentence), std::string::npos) << message;
  };
  config.hub.peers[1].name = "a";
  refused("two entries [[peer]] have the name a");
  config.hub.peers[1].name.clear();
  config.hub.peers[1].addresses = {address};
  refused("10.0.0.7 is reserved by two");
  config.hub.peers[1].addresses = {*ParseIpAddress("10.0.0.2")};
  refused("10.0.0.2 is the hub's own");
  for (const char* outside :
       {"10.1.0.7", "10.0.0.0", "10.0.0.255", "fd00::7"}) {
    config.hub.peers[1].addresses = {*ParseIpAddress(outside)};
    refused("is not a host's of the tunnel's network");
  }
}

TEST(LeasesTest, ThePoolIsAPartOfTheTunnelsNetworks) {
  Config config = Server();
  for (const char* good : {"10.0.0.0/24", "10.0.0.128/25", "fd11::8:0/112"}) {
    config.hub.address_pool = {Prefix(good)};
    EXPECT_EQ(Faults(config), "") << good;
  }
  for (const char* bad : {"10.0.0.0/23", "10.0.1.0/24", "fd12::/64"}) {
    config.hub.address_pool = {Prefix(bad)};
    EXPECT_NE(Faults(config).find("address_pool: "), std::string::npos) << bad;
  }
}

TEST(LeasesTest, AClientsAddressMayBeAWord) {
  const Option& option = *FindByToml("tunnel_addr");
  Config config;
  ASSERT_TRUE(ApplyText(option, "10.0.0.2/24", config).ok());
  ASSERT_TRUE(ApplyText(option, "auto", config).ok());
  EXPECT_TRUE(config.tunnel.leased);
  EXPECT_TRUE(config.tunnel.addresses.empty());
  EXPECT_EQ(FlagText(option, ValueOf(option, config)), "auto");
  EXPECT_EQ(config.LeastMtu(), kLeastMtuIpv6) << "the hub may have IPv6";
  Config other;
  option.field.copy(config, other, 0);
  EXPECT_TRUE(other.tunnel.leased);
  ASSERT_TRUE(ApplyText(option, "10.0.0.2/24", config).ok());
  EXPECT_FALSE(config.tunnel.leased);
  EXPECT_FALSE(ApplyText(option, "auto,10.0.0.2/24", config).ok());
  for (const char* text :
       {"tunnel_addr = \"auto\"\n", "tunnel_addr = [\"auto\"]\n"}) {
    Config from_file;
    EXPECT_TRUE(ApplyToml(text, "t", from_file).ok());
    EXPECT_TRUE(from_file.tunnel.leased);
  }
}

TEST(LeasesTest, AHubHasAnAddressOfItsOwn) {
  Config config;
  config.mode = Mode::kServer;
  config.hub.local = {*ParseEndpoint("0.0.0.0:9000")};
  config.tunnel.leased = true;
  EXPECT_NE(CheckAgreement(config).message().find("is for clients"),
            absl::string_view::npos);
  config.mode = Mode::kClient;
  config.hub.local.clear();
  config.client.remote = HostPort{"h", 9000};
  EXPECT_TRUE(CheckAgreement(config).ok()) << CheckAgreement(config);
  config.lan.port.interface = "eth1";
  EXPECT_NE(CheckAgreement(config).message().find("lan_port needs"),
            absl::string_view::npos);
}

TEST(MetricsTest, OtherHostsReadThemOnlyWhereThatIsSaid) {
  Config config;
  config.mode = Mode::kServer;
  config.tunnel.addresses = {*ParseIpPrefix("10.0.0.1/24")};
  const auto agree = [&config](std::string_view place) {
    config.metrics.listen = ReadMetricsPlace(place).value();
    return CheckAgreement(config);
  };
  for (const char* place : {"127.0.0.1:9464", "127.8.8.8:9464", "[::1]:9464",
                            "9464", "/run/m.sock"}) {
    EXPECT_TRUE(agree(place).ok()) << place;
  }
  for (const char* place :
       {":9464", "0.0.0.0:9464", "[::]:9464", "192.0.2.1:9464",
        "[2001:db8::1]:9464", "[::ffff:127.0.0.1]:9464"}) {
    config.metrics.allow_remote = false;
    // No start will do before the settings are others.
    EXPECT_TRUE(absl::IsInvalidArgument(agree(place))) << place;
    EXPECT_NE(agree(place).message().find("metrics.allow_remote = true"),
              absl::string_view::npos)
        << place;
    config.metrics.allow_remote = true;
    EXPECT_TRUE(agree(place).ok()) << place;
  }
}

TEST(PeerEntriesTest, FaultsHaveAPlace) {
  const auto fault = [](const std::string& text) {
    Config config;
    return std::string(ApplyToml(text, "hub.toml", config).message());
  };
  EXPECT_NE(
      fault("[[peer]]\npublic_key = \"x\"\nallowed_ips = \"10.9.0.0/24\"")
          .find("hub.toml:2:14: peer.public_key: \"x\" is not a public key"),
      std::string::npos);
  EXPECT_NE(fault("[[peer]]\nallowed_ips = \"10.9.0.0/24\"\n")
                .find("hub.toml:1:1: [[peer]] without public_key"),
            std::string::npos);
  EXPECT_EQ(fault(std::string("[[peer]]\npublic_key = \"") + kKeyA + "\"\n"),
            "");
  for (const char* key :
       {"name = \"Office\"", "name = \"10\"", "name = \"\"",
        "addresses = \"10.0.0.7/24\"", "addresses = \"224.0.0.1\"",
        "addresses = [\"10.0.0.7\", \"10.0.0.8\"]", "addresses = []",
        "isolated = \"yes\"", "fec = \"3\"", "rate = \"1k\"",
        "rate_in = \"\""}) {
    EXPECT_NE(
        fault(std::string("[[peer]]\n") + key + "\n").find("\nhub.toml:2:"),
        std::string::npos)
        << key;
  }
  EXPECT_NE(
      fault("[[peer]]\nallowed = 1\n")
          .find("hub.toml:2:1: unknown key \"peer.allowed\" (did you mean "
                "\"peer.allowed_ips\"?)"),
      std::string::npos);
  EXPECT_NE(
      fault("[[peer]]\nallowed_ips = 1\n").find("a list of texts in quotes"),
      std::string::npos);
  EXPECT_NE(fault(std::string("[[peer]]\npublic_key = \"") + kKeyA +
                  "\"\nallowed_ips = []\n")
                .find("hub.toml:3:15: peer.allowed_ips: an empty list"),
            std::string::npos);
  EXPECT_NE(fault(std::string("[[peer]]\npublic_key = \"") + kKeyA +
                  "\"\nallowed_ips = [\"10.9.0.0/24\",\n  \"10.9.1.1/24\"]\n")
                .find("hub.toml:4:3: peer.allowed_ips: \"10.9.1.1/24\" has "
                      "bits set"),
            std::string::npos);
  EXPECT_NE(fault("peer = 1\n").find("write [[peer]]"), std::string::npos);
  EXPECT_NE(fault("[peer]\n").find("write [[peer]]"), std::string::npos);
}

// The hub gives it to one client alone, beside which other networks stand.
TEST(NetworksTest, AGrantMayBeAllThatHasNoOtherWay) {
  for (const char* all : {"0.0.0.0/0", "::/0"}) {
    ASSERT_TRUE(ReadGrant(all).ok());
    EXPECT_FALSE(ReadNetwork(all).ok()) << "of what is announced";
  }
  EXPECT_FALSE(ReadGrant("10.0.0.0/0").ok());
  EXPECT_FALSE(ReadGrant("0.0.0.0/1").ok());
  Config config;
  config.mode = Mode::kServer;
  config.tunnel.addresses = {*ParseIpPrefix("10.0.0.1/24")};
  config.hub.local = {*ParseEndpoint("192.0.2.1:9000")};
  config.routing.own = {*ParseIpPrefix("192.168.1.0/24")};
  config.hub.peers = {
      {.public_key = "a", .allowed_ips = {*ReadGrant("0.0.0.0/0")}},
      {.public_key = "b", .allowed_ips = {*ParseIpPrefix("192.168.2.0/24")}}};
  std::vector<std::string> faults;
  CheckNetworks(config, faults);
  EXPECT_TRUE(faults.empty()) << faults.front();
  EXPECT_EQ(config.PeerNetworks(),
            std::vector<IpPrefix>{*ParseIpPrefix("192.168.2.0/24")});
  config.hub.peers[1].allowed_ips.push_back(*ReadGrant("0.0.0.0/0"));
  CheckNetworks(config, faults);
  ASSERT_EQ(faults.size(), 1u);
  EXPECT_NE(faults[0].find("0.0.0.0/0 is named twice"), std::string::npos)
      << faults[0];
}

TEST(NetworksTest, WhatIsNeverRoutedIsSoByItsNetworksToo) {
  for (const IpPrefix& network : NeverRouted()) {
    EXPECT_TRUE(IsNeverRouted(network.address)) << ToString(network);
  }
}

}  // namespace
}  // namespace lwt::config
