// What a hub remembers of networks behind its clients: the text, the file, the
// book that is filled from it, and a hub that starts again.
#include "control/hub/held_routes.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "control/base/files.h"
#include "tests/unit/control/host/scratch_dir.h"
#include "tests/unit/control/session/sessions_fixture.h"

namespace lwt::peer {
namespace {

using handshake::PublicKey;
using routing::HeldRoute;
using routing::RouteBook;
using HeldList = std::vector<HeldRoute>;

constexpr uint64_t kUnixMsThen = 1'750'000'000'000;
constexpr uint64_t kDay = 24 * 3600 * kSecond;
// The key of 32 bytes 0x01 … in base64.
constexpr std::string_view kRoutesText =
    "lightweight-tunnel routes 1\n"
    "10.20.0.0/16 AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= connected\n"
    "fd20::/64 AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= 1750000001000\n";

HeldList GoldenRoutes() {
  return {{Prefix("10.20.0.0/16"), PublicKey{1}, HeldRoute::kConnected},
          {Prefix("fd20::/64"), PublicKey{2}, kUnixMsThen + 1000}};
}

std::string RouteLine(std::string_view line) {
  return "lightweight-tunnel routes 1\n" + std::string(line);
}

TEST(HeldRoutesTest, TextIsGolden) {
  EXPECT_EQ(FormatHeldRoutes(GoldenRoutes()), kRoutesText);
  EXPECT_EQ(ParseHeldRoutes(kRoutesText), GoldenRoutes());
  EXPECT_EQ(ParseHeldRoutes(RouteLine("")), HeldList());
}

TEST(HeldRoutesTest, RefusesWhatItWouldNotWrite) {
  const std::string key = "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
  EXPECT_TRUE(ParseHeldRoutes(RouteLine("10.20.0.0/16 " + key + " 7\n")));
  for (const std::string& text :
       {std::string(), std::string("lightweight-tunnel routes 2\n"),
        std::string("lightweight-tunnel addresses 1\n"), RouteLine("\n"),
        RouteLine("10.20.0.0/16\n"), RouteLine("10.20.0.0/16 " + key + "\n"),
        RouteLine("10.20.0.1/16 " + key + " 7\n"),
        RouteLine("10.20.0.0/33 " + key + " 7\n"),
        RouteLine("10.20.0.0/16 " + key + " 0\n"),
        RouteLine("10.20.0.0/16 " + key + " -1\n"),
        RouteLine("10.20.0.0/16 " + key + " connected now\n"),
        RouteLine("10.20.0.0/16 AQ== 7\n"),
        RouteLine("10.20.0.0/16  " + key + " 7\n")}) {
    EXPECT_FALSE(ParseHeldRoutes(text)) << text;
  }
}

TEST(HeldRoutesTest, NoMoreAreWrittenThanAreRead) {
  const HeldList many(kMaxHeldRoutes + 7, GoldenRoutes()[0]);
  const auto read = ParseHeldRoutes(FormatHeldRoutes(many));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->size(), kMaxHeldRoutes);
  const std::string text = FormatHeldRoutes(many);
  const size_t last = text.rfind('\n', text.size() - 2) + 1;
  EXPECT_FALSE(ParseHeldRoutes(text + text.substr(last)));
}

TEST(HeldRoutesTest, AFileIsReadBackRubbishMovedAsideALaterOneRefused) {
  host::ScratchDir dir;
  const std::string path = HeldRoutesPath(dir.path());
  const auto none = LoadHeldRoutes(dir.path());
  ASSERT_TRUE(none.ok()) << none.status();
  EXPECT_TRUE(none->empty());
  ASSERT_TRUE(host::ReplaceFile(path, kRoutesText).ok());
  struct stat status;
  ASSERT_EQ(stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  const auto again = LoadHeldRoutes(dir.path());
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(*again, GoldenRoutes());
  ASSERT_TRUE(host::ReplaceFile(path, "rubbish").ok());
  const absl::Status bad = LoadHeldRoutes(dir.path()).status();
  EXPECT_TRUE(absl::IsDataLoss(bad)) << bad;
  EXPECT_EQ(*host::ReadFile(path + ".bad"), "rubbish");
  EXPECT_TRUE(LoadHeldRoutes(dir.path()).ok());
  constexpr std::string_view kLater = "lightweight-tunnel routes 2\nmore\n";
  ASSERT_TRUE(host::ReplaceFile(path, kLater).ok());
  const absl::Status later = LoadHeldRoutes(dir.path()).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(later)) << later;
  EXPECT_EQ(*host::ReadFile(path), kLater);
}

class RestoredBookTest : public testing::Test {
 protected:
  void Restore(const HeldList& held, routing::Surroundings around) {
    book_.Restore(held, {{}}, around, kSecond, kUnixMsThen);
  }
  void Restore(const HeldList& held) { Restore(held, {{}, nowhere_, {}, {}}); }
  std::vector<IpPrefix> Of(uint8_t key) { return book_.Of(PublicKey{key}); }

  const routing::Underlay nowhere_;
  RouteBook book_;
};

TEST_F(RestoredBookTest, EachIsHeldForTheRestOfItsTimeADayAtMost) {
  Restore({{Prefix("10.1.0.0/16"), PublicKey{1}, kUnixMsThen + 60'000},
           {Prefix("10.2.0.0/16"), PublicKey{2}, HeldRoute::kConnected},
           {Prefix("10.3.0.0/16"), PublicKey{3}, kUnixMsThen},
           {Prefix("10.4.0.0/16"), PublicKey{4}, UINT64_MAX}});
  EXPECT_EQ(Of(1).size() + Of(2).size() + Of(4).size(), 3u);
  EXPECT_TRUE(Of(3).empty()) << "its time is over";
  for (const auto& each : book_.All()) EXPECT_TRUE(each.away);
  const HeldList held = book_.Held(kSecond, kUnixMsThen);
  ASSERT_EQ(held.size(), 3u);
  EXPECT_EQ(held[0].until_unix_ms, kUnixMsThen + 60'000);
  EXPECT_EQ(held[2].until_unix_ms, kUnixMsThen + kDay / 1000);
  book_.Expire(kSecond + 60 * kSecond);
  EXPECT_TRUE(Of(1).empty());
  book_.Expire(kSecond + kDay);
  EXPECT_TRUE(book_.All().empty());
}

// A network within another's was there first; the file has it behind that.
TEST_F(RestoredBookTest, OneWithinAnothersIsRestoredToo) {
  Restore({{Prefix("10.20.0.0/16"), PublicKey{1}},
           {Prefix("10.20.1.0/24"), PublicKey{2}},
           {Prefix("10.20.1.0/24"), PublicKey{3}}});
  EXPECT_EQ(Of(1).size(), 1u);
  EXPECT_EQ(Of(2).size(), 1u);
  EXPECT_TRUE(Of(3).empty()) << "one network, one key";
}

TEST_F(RestoredBookTest, WhatNobodyMayHaveNowIsNot) {
  book_.SetGranted({{PublicKey{9}, {Prefix("10.9.0.0/16")}},
                    {PublicKey{8}, {Prefix("198.51.100.0/24")}}});
  const std::vector<IpPrefix> here = {Prefix("10.5.0.7/24")};
  const std::vector<IpPrefix> own = {Prefix("10.6.0.0/16")};
  Restore({{Prefix("10.5.0.0/24"), PublicKey{1}},
           {Prefix("10.6.1.0/24"), PublicKey{1}},
           {Prefix("10.9.1.0/24"), PublicKey{1}},
           {Prefix("0.0.0.0/0"), PublicKey{1}},
           {Prefix("192.0.2.0/24"), PublicKey{1}},
           {Prefix("198.51.100.0/24"), PublicKey{8}},
           {Prefix("10.7.0.0/16"), PublicKey{1}}},
          {{}, nowhere_, here, own});
  EXPECT_EQ(Of(1), std::vector<IpPrefix>{Prefix("10.7.0.0/16")});
  EXPECT_EQ(Of(8).size(), 1u) << "granted";
}

TEST_F(RestoredBookTest, AHostileFileIsBounded) {
  HeldList many;
  for (size_t key = 0; key < RouteBook::kMostAway + 10; ++key) {
    PublicKey name{};
    name[0] = static_cast<uint8_t>(key);
    name[1] = static_cast<uint8_t>(key >> 8);
    IpPrefix network = Prefix("10.0.0.0/24");
    network.address.bytes[1] = name[1];
    network.address.bytes[2] = name[0];
    many.push_back({network, name});
  }
  Restore(many);
  EXPECT_EQ(book_.All().size(), RouteBook::kMostAway);
  RouteBook other;
  HeldList one;
  for (uint8_t i = 0; i < 40; ++i) {
    IpPrefix network = Prefix("10.0.0.0/16");
    network.address.bytes[1] = i;
    one.push_back({network, PublicKey{1}});
  }
  other.Restore(one, {{}}, {{}, nowhere_, {}, {}}, 0, kUnixMsThen);
  EXPECT_EQ(other.All().size(), routing::kMostRoutes);
}

class HubRestartTest : public SessionsTest {
 protected:
  TestClient& Site(const char* address, const char* behind) {
    TestClient& client = AddClient(address);
    client.routing.own = {Prefix(behind)};
    client.Make();
    return client;
  }
  void Connect(TestClient& client) {
    ASSERT_TRUE(Until(60 * kSecond, [&] { return client.up(); }));
    Run(3 * kSecond);
  }
};

// By a kill, or by an orderly end.
TEST_F(HubRestartTest, WhoIsAwayMeanwhileLosesNothingToAnother) {
  hub_.Make();
  TestClient& site = Site("10.0.0.2/24", "10.20.0.0/16");
  Connect(site);
  Run(60 * kSecond);
  site.session->Close("a night");
  Run(3 * kSecond);
  ASSERT_EQ(hub_.held_routes.size(), 1u);
  EXPECT_NE(hub_.held_routes[0].until_unix_ms, HeldRoute::kConnected);
  hub_.Kill();
  hub_.Make();
  EXPECT_EQ(hub_.sessions->routes().All().size(), 1u);
  TestClient& thief = Site("10.0.0.3/24", "10.20.1.0/24");
  Connect(thief);
  const auto& told = thief.session->routes().exchange();
  ASSERT_TRUE(told.answered());
  EXPECT_EQ(told.RefusedBy(0), handshake::RouteCode::kAnothers);
  EXPECT_EQ(PeerAt(hub_.worker, "10.20.1.7"), RouteTable::kAbsent);
  // It comes back, and has it at once.
  site.Make();
  Connect(site);
  EXPECT_EQ(PeerAt(hub_.worker, "10.20.1.7"), PeerAt(hub_.worker, "10.0.0.2"));
  EXPECT_EQ(hub_.held_routes[0].until_unix_ms, HeldRoute::kConnected);
  hub_.sessions->Close("an upgrade", net_.now_us);
  ASSERT_EQ(hub_.held_routes.size(), 1u);
  EXPECT_EQ(hub_.held_routes[0].key, site.identity.public_key);
}

}  // namespace
}  // namespace lwt::peer
