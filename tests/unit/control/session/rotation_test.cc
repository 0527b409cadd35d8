// A whole hub and its clients that rotate their shared key by messages 9 and
// 10, in fake time.
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "control/rotation/hub_rotation.h"
#include "tests/unit/control/session/sessions_fixture.h"

namespace lwt::peer {
namespace {

using handshake::KeyKept;
using handshake::KeyRing;
using handshake::NewKey;
using rotation::HubRotation;

constexpr uint64_t kRotationGraceUs = 3600 * kSecond;

class RotationOfSessionsTest : public SessionsTest {
 protected:
  RotationOfSessionsTest() {
    hub_.messages.Add<KeyKept>(
        "", [this](Session& session, const KeyKept& message, uint64_t) {
          ++answers_;
          rotation_->OnKept(session.secrets().peer_key, message);
          return true;
        });
    StartHub();
  }
  ~RotationOfSessionsTest() override { hub_.sessions.reset(); }

  // From its file.
  void StartHub() {
    hub_.sessions.reset();
    rotation_.reset();
    hub_.keys.SetGrace(kRotationGraceUs);
    rotation_ = std::make_unique<HubRotation>(
        HubRotation::Config{
            .keys = hub_.keys,
            .grace_us = kRotationGraceUs,
            .interval_us = 0,
            .keep =
                [this](std::string file, std::string key, auto done) {
                  file_ = std::move(file);
                  own_ = std::move(key);
                  net_.At(net_.now_us + 1000,
                          [done = std::move(done)] { done(absl::OkStatus()); });
                },
            .save = [this](std::string file) { file_ = std::move(file); },
            .known =
                [this] {
                  return hub_.sessions ? hub_.sessions->KnownKeys()
                                       : std::vector<handshake::PublicKey>();
                },
            .knows =
                [this](const handshake::PublicKey& client) {
                  return hub_.sessions && hub_.sessions->Knows(client);
                },
            .offer =
                [this](const handshake::PublicKey& client,
                       const NewKey& message) {
                  Session* session = hub_.sessions->SessionOf(client);
                  if (session != nullptr) session->Send(message);
                },
            .log = [](const std::string&) {},
            .unix_ms = [this] { return hub_.host.UnixMs(); },
            .now_us = [this] { return net_.now_us; }},
        file_);
    hub_.rotation = rotation_.get();
    hub_.Make();
  }
  // One that takes what it is given.
  TestClient& AddTaker(const char* address) {
    TestClient& client = AddClient(address);
    client.keys.SetGrace(kRotationGraceUs);
    client.messages.Add<NewKey>(
        "no key", [this, &client](Session&, const NewKey& message, uint64_t) {
          ++given_;
          if (deaf_) return true;
          client.keys.SetNow(*handshake::DerivePsk(message.key, ""),
                             net_.now_us, uint64_t{message.grace_s} * kSecond);
          client.session->Tell(KeyKept{.id = handshake::IdOfKey(message.key),
                                       .where = KeyKept::Where::kFile});
          return true;
        });
    client.Make();
    return client;
  }
  template <typename Done>
  bool Wait(uint64_t for_us, Done done) {
    return Until(for_us, [&] {
      if (net_.now_us >= rotation_->NextDeadline()) rotation_->OnTimer();
      return done();
    });
  }
  void Pass(uint64_t us) {
    const uint64_t end_us = net_.now_us + us;
    for (uint64_t at = net_.now_us; at < end_us; at += kSecond) {
      net_.At(at, [] {});  // the rotation has its timer
    }
    Wait(us, [] { return false; });
  }
  SecretKey OwnPsk() const { return *handshake::DerivePsk(own_, ""); }
  bool Counts() const { return !own_.empty() && hub_.keys.IsNow(OwnPsk()); }

  std::unique_ptr<HubRotation> rotation_;
  std::string file_;
  std::string own_;
  int given_ = 0;
  int answers_ = 0;
  bool deaf_ = false;
};

TEST_F(RotationOfSessionsTest, ItIsGivenKeptAndCountsWithoutAnInterruption) {
  TestClient& one = AddTaker("10.0.0.2/24");
  TestClient& two = AddTaker("10.0.0.3/24");
  ASSERT_TRUE(Wait(10 * kSecond, [&] { return one.up() && two.up(); }));
  const Session* const before = one.session->session();
  ASSERT_TRUE(rotation_->Begin(false).ok());
  ASSERT_TRUE(Wait(10 * kSecond, [&] { return Counts(); }));
  EXPECT_EQ(given_, 2);
  EXPECT_EQ(answers_, 2);
  EXPECT_TRUE(one.keys.IsNow(OwnPsk()));
  EXPECT_TRUE(two.keys.IsNow(OwnPsk()));
  EXPECT_EQ(one.session->session(), before) << "the session goes on";
  EXPECT_TRUE(TrafficWithin(one, kSecond));
  EXPECT_TRUE(TrafficWithin(two, kSecond));
}

TEST_F(RotationOfSessionsTest, WhoWasAwayComesByTheOldKeyAndIsGivenTheNew) {
  TestClient& away = AddTaker("10.0.0.2/24");
  ASSERT_TRUE(Wait(10 * kSecond, [&] { return away.up(); }));
  Pass(AddressBook::kEarnUs);  // who was here for less has no address
  away.session->Close("it goes away");
  ASSERT_TRUE(Wait(10 * kSecond, [&] { return hub_.count() == 0; }));
  ASSERT_TRUE(rotation_->Begin(false).ok());
  ASSERT_TRUE(Wait(10 * kSecond, [&] { return Counts(); }));
  EXPECT_EQ(given_, 0);
  Pass(kRotationGraceUs / 2);
  away.Make();
  ASSERT_TRUE(Wait(30 * kSecond, [&] { return answers_ == 1; }));
  EXPECT_TRUE(away.up());
  EXPECT_TRUE(away.keys.IsNow(OwnPsk()));
  // Nobody needs the old one any more.
  Pass(60 * kSecond);
  EXPECT_EQ(hub_.keys.keys().size(), 1u);
}

TEST_F(RotationOfSessionsTest, OnceItIsProvedTheOldKeyIsTurnedAway) {
  TestClient& client = AddTaker("10.0.0.2/24");
  TestClient& other = AddTaker("10.0.0.3/24");
  ASSERT_TRUE(Wait(10 * kSecond, [&] { return client.up() && other.up(); }));
  Pass(AddressBook::kEarnUs);
  other.session->Close("it goes away");  // and needs the old key
  ASSERT_TRUE(Wait(10 * kSecond, [&] { return hub_.count() == 1; }));
  ASSERT_TRUE(rotation_->Begin(false).ok());
  ASSERT_TRUE(Wait(10 * kSecond, [&] { return answers_ == 1; }));
  client.Make();
  ASSERT_TRUE(Wait(60 * kSecond, [&] { return client.up(); }));
  Pass(2 * HubRotation::kOverlapUs);
  ASSERT_EQ(hub_.keys.keys().size(), 2u) << "it is still taken of others";
  client.keys = KeyRing(TestPsk(1));
  client.Make();
  EXPECT_FALSE(Wait(60 * kSecond, [&] { return client.up(); }));
  other.Make();
  EXPECT_TRUE(Wait(60 * kSecond, [&] { return other.up(); }));
}

TEST_F(RotationOfSessionsTest, AClientOfAnOldVersionIsNotTold) {
  TestClient& old = AddTaker("10.0.0.2/24");
  old.features &= ~handshake::kFeatureRotation;
  old.Make();
  ASSERT_TRUE(Wait(10 * kSecond, [&] { return old.up(); }));
  ASSERT_TRUE(rotation_->Begin(false).ok());
  EXPECT_FALSE(Wait(HubRotation::kOfferUs / 2, [&] { return Counts(); }));
  Pass(HubRotation::kOfferUs);
  EXPECT_TRUE(Counts()) << "it is not waited for any longer";
  EXPECT_EQ(given_, 0);
  EXPECT_TRUE(old.up());
  old.Make();
  EXPECT_TRUE(Wait(60 * kSecond, [&] { return old.up(); }));
}

// The offer is in the client's hands, the hub dies before the answer.
TEST_F(RotationOfSessionsTest, AHubThatDiesInTheMiddleGoesOnFromItsFile) {
  TestClient& client = AddTaker("10.0.0.2/24");
  ASSERT_TRUE(Wait(10 * kSecond, [&] { return client.up(); }));
  deaf_ = true;
  ASSERT_TRUE(rotation_->Begin(false).ok());
  ASSERT_TRUE(Wait(10 * kSecond, [&] { return given_ == 1; }));
  EXPECT_FALSE(Counts());
  deaf_ = false;
  hub_.Kill();
  hub_.keys = KeyRing(OwnPsk());  // as it is configured by now
  StartHub();
  EXPECT_EQ(hub_.keys.keys().size(), 2u);
  ASSERT_TRUE(Wait(120 * kSecond, [&] { return answers_ == 1; }));
  EXPECT_TRUE(client.keys.IsNow(OwnPsk()));
  EXPECT_EQ(rotation_->GetProgress()->have_it, 1u);
}

TEST_F(RotationOfSessionsTest, TenInARowEachReachAllThatAreThere) {
  TestClient& one = AddTaker("10.0.0.2/24");
  TestClient& two = AddTaker("10.0.0.3/24");
  ASSERT_TRUE(Wait(10 * kSecond, [&] { return one.up() && two.up(); }));
  for (int i = 1; i <= 10; ++i) {
    ASSERT_TRUE(rotation_->Begin(false).ok()) << i;
    ASSERT_TRUE(Wait(10 * kSecond, [&] { return answers_ == 2 * i; })) << i;
    ASSERT_TRUE(Counts());
    ASSERT_LE(hub_.keys.keys().size(), KeyRing::kMaxKeys);
    ASSERT_LE(one.keys.keys().size(), KeyRing::kMaxKeys);
    if (i % 3 == 0) two.Make();
    ASSERT_TRUE(Wait(60 * kSecond, [&] { return one.up() && two.up(); })) << i;
  }
}

}  // namespace
}  // namespace lwt::peer
