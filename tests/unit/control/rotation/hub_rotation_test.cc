// The rotation of the shared key at a hub, in fake time: who is told, who may
// still come by which key, and what a restart finds.
#include "control/rotation/hub_rotation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "control/handshake/psk.h"

namespace lwt::rotation {
namespace {

using handshake::KeyKept;
using handshake::KeyRing;
using handshake::NewKey;
using handshake::PublicKey;
using Where = KeyKept::Where;

constexpr uint64_t kSecond = 1'000'000;
constexpr uint64_t kHour = 3600 * kSecond;
constexpr uint64_t kDay = 24 * kHour;

PublicKey Client(uint8_t number) {
  PublicKey key{};
  key.fill(number);
  return key;
}

SecretKey ConfiguredPsk() {
  SecretKey psk;
  std::ranges::fill(psk.bytes(), 7);
  return psk;
}

class HubRotationTest : public ::testing::Test {
 protected:
  HubRotationTest() { Start(ConfiguredPsk()); }

  void Start(const SecretKey& configured) {
    rotation_.reset();
    ring_ = KeyRing(configured);
    ring_.SetGrace(grace_us_);
    pending_ = {};
    rotation_ = std::make_unique<HubRotation>(
        HubRotation::Config{
            .keys = ring_,
            .grace_us = grace_us_,
            .interval_us = interval_us_,
            .keep =
                [this](std::string file, std::string key,
                       std::function<void(absl::Status)> done) {
                  file_to_be_ = std::move(file);
                  own_to_be_ = std::move(key);
                  pending_ = std::move(done);
                },
            .save = [this](std::string file) { file_ = std::move(file); },
            .known = [this] { return known_; },
            .knows = [this](const PublicKey& key) { return Knows(key); },
            .offer =
                [this](const PublicKey& client, const NewKey& message) {
                  offered_[client] = message.key;
                },
            .log = [this](std::string text) { log_ += text + "\n"; },
            .unix_ms = [this] { return 1'750'000'000'000 + now_us_ / 1000; },
            .now_us = [this] { return now_us_; }},
        file_);
  }
  // The disk has done its part.
  void Written(absl::Status status = absl::OkStatus()) {
    if (status.ok()) {
      file_ = file_to_be_;
      own_ = own_to_be_;
    }
    auto done = std::move(pending_);
    pending_ = {};
    done(status);
  }
  absl::Status Rotate(bool force = false) {
    absl::Status begun = rotation_->Begin(force);
    if (begun.ok()) Written();
    return begun;
  }
  void Connect(uint8_t client, bool newest = true, bool understands = true) {
    if (!Knows(Client(client))) known_.push_back(Client(client));
    rotation_->OnConnected(Client(client), {newest, understands});
  }
  void Leave(uint8_t client) { rotation_->OnGone(Client(client)); }
  bool Knows(const PublicKey& key) const {
    return std::ranges::find(known_, key) != known_.end();
  }
  void Keep(uint8_t client, Where where = Where::kFile) {
    rotation_->OnKept(
        Client(client),
        {.id = handshake::IdOfKey(offered_[Client(client)]), .where = where});
  }
  void Pass(uint64_t us) {
    const uint64_t end = now_us_ + us;
    while (rotation_->NextDeadline() <= end) {
      now_us_ = std::max(now_us_, rotation_->NextDeadline());
      rotation_->OnTimer();
    }
    now_us_ = end;
    ring_.Expire(now_us_);
  }
  bool MayComeByOldKey(uint8_t client) const {
    return rotation_->Refusal(Client(client)).empty();
  }
  SecretKey PskOf(const std::string& key) const {
    return *handshake::DerivePsk(key, "");
  }

  uint64_t now_us_ = kDay;
  uint64_t grace_us_ = 7 * kDay;
  uint64_t interval_us_ = 0;
  KeyRing ring_;
  std::vector<PublicKey> known_;
  std::map<PublicKey, std::string> offered_;
  std::string log_;
  std::string file_;  // as the disk has it
  std::string own_;   // the hub's own key, the same
  std::string file_to_be_;
  std::string own_to_be_;
  std::function<void(absl::Status)> pending_;
  std::unique_ptr<HubRotation> rotation_;
};

TEST_F(HubRotationTest, NobodyHearsOfAKeyThatIsNotWritten) {
  Connect(1);
  ASSERT_TRUE(rotation_->Begin(false).ok());
  EXPECT_TRUE(offered_.empty());
  EXPECT_EQ(ring_.keys().size(), 1u);
  EXPECT_FALSE(rotation_->Begin(true).ok());
  Written(absl::UnavailableError("the disk is full"));
  EXPECT_TRUE(offered_.empty());
  EXPECT_EQ(ring_.keys().size(), 1u);
  EXPECT_NE(log_.find("not rotated: the disk is full"), std::string::npos);
  // And it may be tried again.
  EXPECT_TRUE(Rotate().ok());
  EXPECT_EQ(offered_.size(), 1u);
}

TEST_F(HubRotationTest, TheNewKeyCountsOnceAllThatAreThereHaveIt) {
  Connect(1);
  Connect(2);
  ASSERT_TRUE(Rotate().ok());
  EXPECT_EQ(offered_[Client(1)], own_);
  EXPECT_EQ(offered_[Client(2)], own_);
  const SecretKey psk = PskOf(own_);
  EXPECT_TRUE(ring_.IsNow(ConfiguredPsk()));
  EXPECT_TRUE(ring_.IsNewest(psk));
  Keep(1);
  EXPECT_FALSE(ring_.IsNow(psk));
  EXPECT_FALSE(rotation_->Begin(false).ok()) << "one has yet to answer";
  Keep(2);
  EXPECT_TRUE(ring_.IsNow(psk));
  const auto progress = rotation_->GetProgress();
  EXPECT_EQ(progress->have_it, 2u);
  EXPECT_EQ(progress->connected, 2u);
  EXPECT_EQ(progress->away, 0u);
}

TEST_F(HubRotationTest, OneThatDoesNotAnswerHoldsNobodyUp) {
  Connect(1, true, /*understands=*/false);
  ASSERT_TRUE(Rotate().ok());
  EXPECT_NE(log_.find("1 are of a version without rotation"),
            std::string::npos);
  Pass(HubRotation::kOfferUs - 1);
  EXPECT_FALSE(ring_.IsNow(PskOf(own_)));
  Pass(2);
  EXPECT_TRUE(ring_.IsNow(PskOf(own_)));
  // It comes by the old one for as long as it lasts, and longer than that while
  // it is connected.
  Pass(10 * kDay);
  EXPECT_EQ(ring_.keys().size(), 2u);
  Leave(1);
  EXPECT_TRUE(MayComeByOldKey(1));
  Pass(8 * kDay);
  EXPECT_EQ(ring_.keys().size(), 1u);
}

TEST_F(HubRotationTest, WhoeverLeavesIsNotWaitedFor) {
  Connect(1);
  Connect(2);
  ASSERT_TRUE(Rotate().ok());
  Keep(1);
  Leave(2);
  EXPECT_TRUE(ring_.IsNow(PskOf(own_)));
  EXPECT_EQ(rotation_->GetProgress()->away, 1u);
}

TEST_F(HubRotationTest, TheOldKeyIsRefusedAfterAProofOfTheNewOne) {
  Connect(1);
  ASSERT_TRUE(Rotate().ok());
  Pass(kHour);
  EXPECT_TRUE(MayComeByOldKey(1));
  Keep(1);
  Pass(kHour);
  EXPECT_TRUE(MayComeByOldKey(1)) << "kept, but never used";
  Leave(1);
  Connect(1, /*newest=*/true);
  Pass(HubRotation::kOverlapUs - 1);
  EXPECT_TRUE(MayComeByOldKey(1));
  Pass(1);
  EXPECT_FALSE(MayComeByOldKey(1));
  EXPECT_NE(rotation_->Refusal(Client(1)).find("rotated on 2025-06-16"),
            std::string::npos)
      << rotation_->Refusal(Client(1));
}

TEST_F(HubRotationTest, AKeyInMemoryDoesNotRetireTheOldOne) {
  Connect(1);
  ASSERT_TRUE(Rotate().ok());
  Keep(1, Where::kMemory);
  Leave(1);
  Connect(1);
  Keep(1, Where::kMemory);
  Pass(6 * kDay);
  EXPECT_TRUE(MayComeByOldKey(1));
  EXPECT_EQ(ring_.keys().size(), 2u);
}

TEST_F(HubRotationTest, AStrangerHasTheOldKeyForTheOverlapOnly) {
  Connect(1);
  ASSERT_TRUE(Rotate().ok());
  EXPECT_TRUE(MayComeByOldKey(9));
  Pass(HubRotation::kOverlapUs);
  EXPECT_FALSE(MayComeByOldKey(9));
  EXPECT_TRUE(MayComeByOldKey(1));
}

TEST_F(HubRotationTest, WhoWasAwayIsToldWhenItComes) {
  Connect(1);
  Connect(2);
  Leave(2);
  ASSERT_TRUE(Rotate().ok());
  Keep(1);
  EXPECT_FALSE(offered_.contains(Client(2)));
  Pass(5 * kDay);
  EXPECT_TRUE(MayComeByOldKey(2));
  Connect(2, /*newest=*/false);
  EXPECT_EQ(offered_[Client(2)], own_);
  Keep(2);
  EXPECT_EQ(rotation_->GetProgress()->away, 0u);
  // Nobody needs the old one now.
  Pass(kHour);
  EXPECT_EQ(ring_.keys().size(), 1u);
}

TEST_F(HubRotationTest, WhoIsAwayForLongerThanTheGraceIsOut) {
  Connect(1);
  Leave(1);
  ASSERT_TRUE(Rotate().ok());
  Pass(grace_us_ - kHour);
  EXPECT_EQ(ring_.keys().size(), 2u);
  Pass(2 * kHour);
  EXPECT_EQ(ring_.keys().size(), 1u);
  EXPECT_TRUE(ring_.IsNow(PskOf(own_)));
}

TEST_F(HubRotationTest, FiftyInARowAreNoMoreThanThreeKeys) {
  Connect(1);
  Connect(2);
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(Rotate().ok()) << i;
    Keep(1);
    Keep(2, Where::kStateDirectory);
    EXPECT_LE(ring_.keys().size(), KeyRing::kMaxKeys);
    Pass(kSecond);
  }
  EXPECT_TRUE(ring_.IsNow(PskOf(own_)));
}

TEST_F(HubRotationTest, AKeyThatSomebodyMayNeedIsPushedOutByForceOnly) {
  Connect(1);
  Connect(2);
  Leave(2);
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(Rotate().ok());
    Keep(1);
    Pass(kHour);
  }
  EXPECT_EQ(ring_.keys().size(), 3u);
  const absl::Status refused = Rotate();
  EXPECT_NE(refused.message().find("1 clients may still have only"),
            absl::string_view::npos)
      << refused;
  EXPECT_TRUE(MayComeByOldKey(2));
  EXPECT_TRUE(Rotate(/*force=*/true).ok());
  EXPECT_EQ(ring_.keys().size(), 3u);
}

TEST_F(HubRotationTest, ByTheClockItIsPutOffAndSaidOnce) {
  interval_us_ = kHour;
  Start(ConfiguredPsk());
  Connect(1);
  Connect(2);
  Leave(2);
  for (int hour = 0; hour < 10; ++hour) {
    Pass(kHour);
    if (pending_) Written();
    Keep(1);
  }
  EXPECT_EQ(ring_.keys().size(), 3u);
  const size_t first = log_.find("put off");
  ASSERT_NE(first, std::string::npos);
  EXPECT_EQ(log_.find("put off", first + 1), std::string::npos);
  // It goes on once nobody needs the oldest.
  Connect(2, false);
  Keep(2);
  Pass(2 * kHour);
  EXPECT_TRUE(static_cast<bool>(pending_));
}

// A hub that dies: what the disk has is what its clients may have, or less.
TEST_F(HubRotationTest, ARestartGoesOnWhereverItWas) {
  Connect(1);
  Connect(2);
  Leave(2);
  // Before anything was written.
  ASSERT_TRUE(rotation_->Begin(false).ok());
  Start(ConfiguredPsk());
  EXPECT_EQ(ring_.keys().size(), 1u);
  EXPECT_FALSE(rotation_->GetProgress());
  // The file is there, the hub's own key is the old one.
  ASSERT_TRUE(rotation_->Begin(false).ok());
  file_ = file_to_be_;
  const std::string key = own_to_be_;
  Start(ConfiguredPsk());
  EXPECT_TRUE(ring_.IsNow(PskOf(key)));
  EXPECT_EQ(ring_.keys().size(), 2u);
  EXPECT_EQ(own_to_be_, key) << "it is written again";
  Written();
  EXPECT_TRUE(MayComeByOldKey(1));
  EXPECT_TRUE(MayComeByOldKey(2));
  Connect(1, /*newest=*/false);
  EXPECT_EQ(offered_[Client(1)], key);
  Keep(1);
  Pass(2 * kSecond);
  // All written, and some answers.
  Start(PskOf(key));
  EXPECT_TRUE(ring_.IsNow(PskOf(key)));
  EXPECT_EQ(ring_.keys().size(), 2u);
  Connect(1);
  EXPECT_EQ(rotation_->GetProgress()->have_it, 1u);
  EXPECT_EQ(rotation_->GetProgress()->away, 1u);
  // How long the old one is good counts from its end, whatever the restarts.
  Pass(grace_us_ + kDay);
  EXPECT_EQ(ring_.keys().size(), 1u);
}

TEST_F(HubRotationTest, AnotherKeyOfTheOperatorEndsIt) {
  Connect(1);
  ASSERT_TRUE(Rotate().ok());
  Keep(1);
  SecretKey other;
  std::ranges::fill(other.bytes(), 9);
  ring_.SetNow(other, now_us_, grace_us_);
  EXPECT_FALSE(rotation_->GetProgress());
  EXPECT_TRUE(MayComeByOldKey(9)) << "as long as key_grace has it";
  Pass(kHour);
  EXPECT_EQ(file_, "");
  // A restart with it knows nothing of the one before.
  ASSERT_TRUE(Rotate().ok());
  Start(ConfiguredPsk());
  EXPECT_FALSE(rotation_->GetProgress());
}

TEST_F(HubRotationTest, AnAnswerOfAnotherKeyIsNone) {
  Connect(1);
  ASSERT_TRUE(Rotate().ok());
  rotation_->OnKept(Client(1),
                    {.id = handshake::IdOfKey("x"), .where = Where::kFile});
  EXPECT_EQ(rotation_->GetProgress()->have_it, 0u);
  Keep(1);
  EXPECT_EQ(rotation_->GetProgress()->have_it, 1u);
}

// An answer can be lost, with its flow or with a run before: the client is
// asked again, for it may have the key in memory only.
TEST_F(HubRotationTest, WhoComesByTheNewKeyUntoldIsAskedWhereItHasIt) {
  Connect(1);
  ASSERT_TRUE(Rotate().ok());
  Leave(1);  // its answer did not come
  offered_.clear();
  Connect(1, /*newest=*/true);
  EXPECT_EQ(offered_[Client(1)], own_);
  EXPECT_EQ(rotation_->GetProgress()->have_it, 0u);
  Pass(kHour);
  EXPECT_TRUE(MayComeByOldKey(1));
  Keep(1, Where::kMemory);
  EXPECT_EQ(rotation_->GetProgress()->have_it, 1u);
  Leave(1);
  Connect(1, /*newest=*/true);
  Pass(kHour);
  EXPECT_TRUE(MayComeByOldKey(1)) << "which it has after a restart";
  // One that can not tell was given it by hand.
  offered_.clear();
  Connect(2, /*newest=*/true, /*understands=*/false);
  EXPECT_FALSE(offered_.contains(Client(2)));
  EXPECT_EQ(rotation_->GetProgress()->have_it, 2u);
}

TEST_F(HubRotationTest, WhatIsBeingWrittenIsNotWrittenOver) {
  Connect(1);
  ASSERT_TRUE(Rotate().ok());
  Keep(1);
  ASSERT_TRUE(rotation_->Begin(false).ok());
  file_ = file_to_be_;  // the disk has it, and has yet to say so
  own_ = own_to_be_;
  Pass(60 * kSecond);
  EXPECT_EQ(file_, file_to_be_);
  EXPECT_GT(rotation_->NextDeadline(), now_us_) << "it does not spin";
  const std::string key = own_to_be_;
  Start(PskOf(key));
  EXPECT_EQ(ring_.keys().size(), 3u) << "the run that died had them all";
}

TEST_F(HubRotationTest, WhoComesWhileItIsWrittenIsNoStranger) {
  Connect(1);
  ASSERT_TRUE(rotation_->Begin(false).ok());
  Connect(2);
  Leave(2);
  Written();
  Keep(1);
  Pass(kHour);
  EXPECT_TRUE(MayComeByOldKey(2));
  EXPECT_EQ(ring_.keys().size(), 2u);
  EXPECT_EQ(rotation_->GetProgress()->away, 1u);
}

TEST_F(HubRotationTest, WhatIsLearnedWhileTheNextIsWrittenIsKept) {
  Connect(1);
  Connect(2);
  ASSERT_TRUE(Rotate().ok());
  Keep(1);
  Pass(HubRotation::kOfferUs);
  ASSERT_TRUE(rotation_->Begin(false).ok());
  Keep(2);  // the one before, late
  Written();
  Keep(1);
  Leave(2);
  Pass(HubRotation::kOfferUs);
  EXPECT_EQ(ring_.keys().size(), 2u) << "nobody needs the first any more";
  EXPECT_TRUE(MayComeByOldKey(2));
}

// In memory for longer than the grace, and here all the time.
TEST_F(HubRotationTest, ARestartKeepsAnOldKeyThatAClientThereNeeds) {
  Connect(1);
  ASSERT_TRUE(Rotate().ok());
  Keep(1, Where::kMemory);
  Pass(grace_us_ + kDay);
  ASSERT_EQ(ring_.keys().size(), 2u);
  Start(PskOf(own_));
  ring_.Expire(now_us_);
  EXPECT_EQ(ring_.keys().size(), 2u);
  EXPECT_TRUE(MayComeByOldKey(1));
  Pass(grace_us_ + kDay);
  EXPECT_EQ(ring_.keys().size(), 1u) << "it never came again";
}

TEST_F(HubRotationTest, WhoHasATunnelAddressIsKnownThoughTheFileIsBehind) {
  Connect(1);
  ASSERT_TRUE(Rotate().ok());
  const std::string behind = file_;
  Connect(2, /*newest=*/false);
  Leave(2);
  file_ = behind;  // it died before it saved
  Start(PskOf(own_));
  Pass(kHour);
  EXPECT_TRUE(MayComeByOldKey(2));
  EXPECT_FALSE(MayComeByOldKey(9));
  EXPECT_EQ(ring_.keys().size(), 2u);
}

TEST_F(HubRotationTest, AnArrivalByAnOldKeyIsSavedWithinASecond) {
  Connect(1);
  Leave(1);
  ASSERT_TRUE(Rotate().ok());
  Pass(20 * kSecond);
  const std::string before = file_;
  Connect(1, /*newest=*/false);
  Pass(kSecond);
  EXPECT_NE(file_, before);
}

// A crowd must not hold up all else that the control thread does.
TEST_F(HubRotationTest, NoTurnLooksAtACrowd) {
  Connect(1);
  ASSERT_TRUE(Rotate().ok());
  Pass(2 * kSecond);
  PublicKey key = Client(2);
  for (size_t i = 0; i < 5 * HubRotation::kPortion; ++i) {
    key[0] = static_cast<uint8_t>(i);
    key[1] = static_cast<uint8_t>(i >> 8);
    rotation_->OnConnected(key, {.newest_key = true, .understands = true});
  }
  const std::string before = file_;
  now_us_ += kSecond;
  int turns = 0;
  while (file_ == before) {
    ASSERT_LE(rotation_->NextDeadline(), now_us_) << "it forgets the rest";
    rotation_->OnTimer();
    ++turns;
  }
  EXPECT_GT(turns, 5);
  EXPECT_EQ(ParseRotation(file_)->clients.size(),
            5 * HubRotation::kPortion + 1);
}

// Another rotation, or its end, may come between two of them.
TEST_F(HubRotationTest, ARotationInTheMiddleOfALookIsTheOneThatIsSaved) {
  Connect(1);
  ASSERT_TRUE(Rotate().ok());
  Keep(1);
  PublicKey key = Client(2);
  for (size_t i = 0; i < 3 * HubRotation::kPortion; ++i) {
    key[0] = static_cast<uint8_t>(i);
    key[1] = static_cast<uint8_t>(i >> 8);
    rotation_->OnConnected(key, {.newest_key = true, .understands = true});
  }
  now_us_ += kSecond;
  rotation_->OnTimer();  // a part of it
  ASSERT_TRUE(rotation_->Begin(/*force=*/true).ok());
  rotation_->OnTimer();
  Written();
  const std::string own = own_;
  Pass(20 * kSecond);
  const auto kept = ParseRotation(file_);
  ASSERT_TRUE(kept);
  EXPECT_EQ(kept->key, own);
  EXPECT_EQ(kept->before.size(), 2u);
}

// What cannot be written takes no key from anybody.
TEST_F(HubRotationTest, AFileThatFailsLeavesAllKeys) {
  Connect(1);
  ASSERT_TRUE(Rotate().ok());
  Keep(1, Where::kMemory);
  ASSERT_TRUE(Rotate(/*force=*/true).ok());
  const auto keys = ring_.keys().size();
  ASSERT_EQ(keys, KeyRing::kMaxKeys);
  ASSERT_TRUE(rotation_->Begin(/*force=*/true).ok());
  Written(absl::UnavailableError("the disk is full"));
  EXPECT_EQ(ring_.keys().size(), keys);
}

// Whoever has the shared key can make static keys without end: a file of more
// than it may have would not be read again.
TEST_F(HubRotationTest, RemembersNoMoreThanAFileMayHave) {
  Connect(1);
  ASSERT_TRUE(Rotate().ok());
  Keep(1);
  PublicKey key = Client(2);
  for (uint32_t i = 0; i < RotationState::kMaxClients + 10; ++i) {
    key[0] = static_cast<uint8_t>(i);
    key[1] = static_cast<uint8_t>(i >> 8);
    key[2] = static_cast<uint8_t>(i >> 16);
    rotation_->OnConnected(key, {.newest_key = true, .understands = true});
    rotation_->OnKept(key,
                      {.id = handshake::IdOfKey(own_), .where = Where::kFile});
  }
  Pass(2 * kSecond);
  const auto kept = ParseRotation(file_);
  ASSERT_TRUE(kept);
  EXPECT_EQ(kept->clients.size(), RotationState::kMaxClients);
  EXPECT_TRUE(kept->clients.contains(Client(1)));
}

}  // namespace
}  // namespace lwt::rotation
