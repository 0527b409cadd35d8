// The bytes of name servers and domains, at the ends of what they may be.
#include <gtest/gtest.h>

#include <string>

#include "control/base/domain_name.h"
#include "control/handshake/messages.h"

namespace lwt::handshake {
namespace {

std::string LongDomain(char letter) {
  const std::string label(kLongestLabel, letter);
  return label + "." + label + "." + label + "." + std::string(61, letter);
}

DnsMessage Fullest() {
  DnsMessage message;
  message.servers.assign(DnsMessage::kMostServers, *ParseIpAddress("fd00::1"));
  for (size_t i = 0; i < DnsMessage::kMostDomains; ++i) {
    message.domains.push_back(LongDomain(static_cast<char>('a' + i)));
  }
  return message;
}

TEST(DnsMessages, TheFullestFitsAndComesBack) {
  const ByteVector body = Fullest().Build();
  EXPECT_LE(body.size(), kMaxControlBody);
  EXPECT_EQ(DnsMessage::Parse(body), Fullest());
  EXPECT_EQ(DnsMessage::Parse(DnsMessage{}.Build()), DnsMessage());
}

TEST(DnsMessages, MoreThanTheBoundIsNotBuiltAndNotRead) {
  DnsMessage message = Fullest();
  message.servers.push_back(*ParseIpAddress("10.0.0.1"));
  message.domains.push_back("corp.example");
  EXPECT_EQ(DnsMessage::Parse(message.Build()), Fullest());
  ByteVector servers = {DnsMessage::kMostServers + 1};
  for (size_t i = 0; i <= DnsMessage::kMostServers; ++i) {
    for (const uint8_t byte : {4, 10, 0, 0, 1}) servers.push_back(byte);
  }
  servers.push_back(0);
  EXPECT_FALSE(DnsMessage::Parse(servers));
  ByteVector domains = {0, DnsMessage::kMostDomains + 1};
  for (size_t i = 0; i <= DnsMessage::kMostDomains; ++i) {
    domains.insert(domains.end(), {1, 'a'});
  }
  EXPECT_FALSE(DnsMessage::Parse(domains));
}

TEST(DnsMessages, NoPartOfOneIsOne) {
  const ByteVector whole = DnsMessage{
      .servers = {*ParseIpAddress("10.0.0.1"), *ParseIpAddress("fd00::1")},
      .domains = {"corp.example",
                  "b"}}.Build();
  ASSERT_TRUE(DnsMessage::Parse(whole));
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(DnsMessage::Parse(ByteSpan(whole).first(size))) << size;
  }
  ByteVector more = whole;
  more.push_back(0);
  EXPECT_FALSE(DnsMessage::Parse(more));
}

// They end up in files that programs read line by line.
TEST(DnsMessages, ADomainIsNothingElse) {
  for (const std::string text :
       {"", "corp.", "a b", "a\nnameserver 6.6.6.6", "~.", "-x", "10.0.0.1"}) {
    ByteVector body = {0, 1, static_cast<uint8_t>(text.size())};
    body.insert(body.end(), text.begin(), text.end());
    EXPECT_FALSE(DnsMessage::Parse(body)) << text;
  }
}

TEST(DnsMessages, OfFamiliesThereAreTwo) {
  for (int family = 0; family <= UINT8_MAX; ++family) {
    ByteVector body = {1, static_cast<uint8_t>(family)};
    body.resize(2 + (family == 6 ? 16 : 4) + 1);
    EXPECT_EQ(DnsMessage::Parse(body).has_value(), family == 4 || family == 6)
        << family;
  }
}

}  // namespace
}  // namespace lwt::handshake
