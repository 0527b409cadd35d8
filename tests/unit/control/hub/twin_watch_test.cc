// Two hosts with one static key: known for that, said, and kept from pushing
// each other out without end.
#include "control/hub/twin_watch.h"

#include <gtest/gtest.h>

#include <string>

#include "control/hub/hub_report.h"
#include "tests/unit/control/base/log_lines.h"
#include "tests/unit/control/session/world.h"

namespace lwt::peer {
namespace {

const IpAddress kHere = *ParseIpAddress("192.0.2.10");
const IpAddress kThere = *ParseIpAddress("192.0.2.20");
constexpr uint64_t kNow = 10'000'000'000;

TEST(TwinWatchTest, TwoChangesOfPlaceAreTwins) {
  TwinWatch watch;
  EXPECT_FALSE(watch.seen(kNow));
  watch.OnReplaced(kHere, kThere, kSecond, kNow);
  EXPECT_FALSE(watch.seen(kNow)) << "it may have moved";
  watch.OnReplaced(kThere, kHere, kSecond, kNow + 20 * kSecond);
  EXPECT_TRUE(watch.seen(kNow + 20 * kSecond));
  EXPECT_TRUE(watch.seen(kNow + 20 * kSecond + TwinWatch::kWithinUs));
  EXPECT_FALSE(watch.seen(kNow + 21 * kSecond + TwinWatch::kWithinUs));
}

TEST(TwinWatchTest, WhoStartsAgainIsNone) {
  TwinWatch watch;
  for (uint64_t i = 0; i < 100; ++i) {
    watch.OnReplaced(kHere, kHere, 0, kNow + i * kSecond);
    // Its session of before had long been dead.
    watch.OnReplaced(kHere, kThere, TwinWatch::kAliveUs + 1,
                     kNow + i * kSecond);
    EXPECT_FALSE(watch.seen(kNow + i * kSecond));
  }
}

TEST(TwinWatchTest, WhoMovesNowAndThenIsNone) {
  TwinWatch watch;
  for (uint64_t i = 0; i < 100; ++i) {
    const uint64_t now_us = kNow + i * (TwinWatch::kWithinUs + 1);
    watch.OnReplaced(i % 2 ? kHere : kThere, i % 2 ? kThere : kHere, 0, now_us);
    EXPECT_FALSE(watch.seen(now_us));
  }
}

class TwinsTest : public testing::Test {
 protected:
  TwinsTest() {
    copy_.identity.secret = client_.identity.secret;
    copy_.identity.public_key = client_.identity.public_key;
    copy_.host.next_port = 50'000;
  }
  void Part() { copy_.host.MoveTo(kThere); }
  template <typename Done>
  bool Until(uint64_t for_us, Done done) {
    return RunWorld(net_, hub_, {&client_, &copy_}, for_us, done);
  }
  // How often the hub has a session that it had not.
  size_t Changes() { return Lines("it came back and is replaced"); }
  std::string Reason() const {
    telemetry::Status status;
    ReportClients(*hub_.sessions, net_.now_us, status);
    return status.peers.empty() ? "" : status.peers.front().reason;
  }

  size_t Lines(std::string_view words) { return lines_.Count(words); }

  loop::LogLines lines_;
  FakeNet net_;
  TestHub hub_{net_, lines_.log()};
  TestClient client_{net_, hub_.worker, lines_.log(), "10.0.0.2/24"};
  TestClient copy_{net_, hub_.worker, lines_.log(), "10.0.0.2/24"};
};

// Without the wait they would change places dozens of times a second.
TEST_F(TwinsTest, TheyAreSaidAndKeptApart) {
  Part();
  ASSERT_TRUE(Until(5 * kSecond, [&] { return Changes() == 1; }));
  Until(60 * kSecond, [] { return false; });
  EXPECT_GE(Changes(), 2u) << "each has its turn";
  EXPECT_LE(Changes(), 7u);
  EXPECT_EQ(Lines("two hosts have its static key, at "), 1u);
  EXPECT_GE(Lines("another host has this one's static key"), 1u);
  EXPECT_EQ(Reason(), "another host has its static key, and they take turns");
  const TestClient& away = client_.up() ? copy_ : client_;
  EXPECT_NE(away.session->reason().find("delete static.key"), std::string::npos)
      << away.session->reason();
  Until(600 * kSecond, [] { return false; });
  EXPECT_LE(Changes(), 14u) << "ever more seldom";
}

// The hub sees one address; what tells it is the one that lost its place.
TEST_F(TwinsTest, BehindOneAddressTheLoserTells) {
  copy_.session->Close("not yet");
  ASSERT_TRUE(RunWorld(net_, hub_, {&client_}, 5 * kSecond,
                       [&] { return client_.up(); }));
  RunFor(net_, hub_, {&client_}, kSecond);
  copy_.Make();
  ASSERT_TRUE(Until(5 * kSecond, [&] { return Changes() == 1; }));
  ASSERT_TRUE(Until(40 * kSecond, [&] { return Changes() == 2; }));
  Until(2 * kSecond, [] { return false; });
  EXPECT_EQ(Reason(), "another host has its static key, and they take turns");
  EXPECT_GE(Lines("says: another host has the same static key"), 1u);
}

TEST_F(TwinsTest, WhoTakesItsOwnPlaceIsNoTwin) {
  copy_.session->Close("not this time");
  ASSERT_TRUE(RunWorld(net_, hub_, {&client_}, 5 * kSecond,
                       [&] { return client_.up(); }));
  for (int restart = 0; restart < 3; ++restart) {
    client_.worker.Crash();
    client_.Make();
    ASSERT_TRUE(RunWorld(net_, hub_, {&client_}, 5 * kSecond,
                         [&] { return client_.up(); }));
  }
  EXPECT_EQ(Changes(), 3u);
  EXPECT_EQ(Reason(), "");
  EXPECT_EQ(Lines("another host"), 0u);
}

}  // namespace
}  // namespace lwt::peer
