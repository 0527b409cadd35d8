#include "control/client/client_dns.h"

#include <gtest/gtest.h>

namespace lwt::peer {
namespace {

using handshake::DnsMessage;
using Addresses = std::vector<IpAddress>;

IpAddress Ip(const char* text) { return *ParseIpAddress(text); }

const DnsMessage kNames{.servers = {Ip("10.0.0.1"), Ip("fd00::1")},
                        .domains = {"corp.example"}};

TEST(ClientDnsTest, WhatTheHubNamesIsTakenWhereTheSettingsSaySo) {
  ClientDns dns(false);
  dns.OnUp();
  dns.OnMessage(kNames);
  EXPECT_EQ(dns.Wanted(false), DnsMessage());
  EXPECT_EQ(dns.offered(), kNames) << "to be shown";
  dns.Apply(true);
  EXPECT_EQ(dns.Wanted(false), kNames);
  dns.OnMessage({});
  EXPECT_EQ(dns.Wanted(false), DnsMessage());
}

// The hub's own name is looked up then, too.
TEST(ClientDnsTest, WhileNoHubAnswersTheHostAsksAsWithoutTheTunnel) {
  ClientDns dns(true);
  dns.OnMessage(kNames);
  EXPECT_EQ(dns.Wanted(false), DnsMessage()) << "none has answered";
  dns.OnUp();
  EXPECT_EQ(dns.Wanted(false), kNames);
  dns.OnDown();
  EXPECT_EQ(dns.Wanted(false), DnsMessage());
  EXPECT_EQ(dns.Wanted(true), kNames) << "nothing goes beside the tunnel";
  dns.OnUp();
  EXPECT_EQ(dns.Wanted(false), kNames);
  dns.OnNoneTold();
  EXPECT_EQ(dns.Wanted(false), DnsMessage());
}

TEST(ClientDnsTest, ServersThatAreNoHostsAreLeftOut) {
  ClientDns dns(true);
  dns.OnUp();
  dns.OnMessage(
      {.servers = {Ip("127.0.0.1"), Ip("10.0.0.1"), Ip("::1"), Ip("10.0.0.1")},
       .domains = {"corp.example"}});
  EXPECT_EQ(dns.Wanted(false).servers, Addresses{Ip("10.0.0.1")});
  EXPECT_EQ(dns.Wanted(false).domains.size(), 1u);
  dns.OnMessage({.servers = {Ip("224.0.0.251"), Ip("169.254.1.1"),
                             Ip("fe80::1"), Ip("0.0.0.0")},
                 .domains = {"corp.example"}});
  EXPECT_EQ(dns.Wanted(false), DnsMessage()) << "and the domains with them";
}

}  // namespace
}  // namespace lwt::peer
