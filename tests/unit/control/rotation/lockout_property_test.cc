// Whatever order clients come, go, restart and lose answers in, and wherever a
// hub dies in the middle of a rotation: who was here within key_grace comes in
// by a key that it has, and no more than three keys are ever taken.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "control/handshake/psk.h"
#include "control/rotation/hub_rotation.h"

namespace lwt::rotation {
namespace {

using handshake::KeyKept;
using handshake::KeyRing;
using handshake::NewKey;
using handshake::PublicKey;

constexpr uint64_t kSecondUs = 1'000'000;
constexpr uint64_t kGraceUs = 3600 * kSecondUs;
// What the file may be behind when a hub dies: a look around, and a save.
constexpr uint64_t kBehindUs = 20 * kSecondUs;

SecretKey PskOfText(const std::string& key) {
  return *handshake::DerivePsk(key, "");
}

// One that is given a key: `disk` is what a restart finds.
struct Party {
  PublicKey key{};
  bool writes = true;  // else the key is in memory only
  std::string disk;
  KeyRing ring;
  bool connected = false;
  bool ever = false;
  bool saved = false;  // that it was here, as seen_us has it
  bool sure = false;   // the hub that died last knew that
  uint64_t seen_us = 0;
  std::optional<std::string> given;  // on its way to the client
  std::optional<KeyKept> answer;     // on its way to the hub
};

class Town {
 public:
  explicit Town(uint32_t seed) : random_(seed) {
    for (size_t i = 0; i < parties_.size(); ++i) {
      Party& party = parties_[i];
      party.key.fill(static_cast<uint8_t>(i + 1));
      party.writes = i % 3 != 0;
      ByHand(party);
    }
    StartHub();
  }

  void Step() {
    Party& party = parties_[Below(parties_.size())];
    switch (Below(12)) {
      case 0:
      case 1:
      case 2:
        party.connected ? Leave(party) : Come(party);
        break;
      case 3:
        Restart(party);
        break;
      case 4:
      case 5:
        Deliver(party);
        break;
      case 6:
        if (rotation_->Begin(false).ok()) ++begun;
        break;
      case 7:
      case 8:
        WriteMore();
        break;
      case 9:
        Pass(Below(20) == 0 ? kGraceUs / 3 : Below(90 * kSecondUs));
        break;
      case 10:
        Pass(Below(3 * kSecondUs));
        break;
      default:
        if (Below(8) == 0) Die();
    }
    ASSERT_LE(ring_.keys().size(), KeyRing::kMaxKeys);
    ASSERT_EQ(std::ranges::count_if(ring_.keys(),
                                    [](const auto& key) {
                                      return key.place == KeyRing::Place::kNow;
                                    }),
              1);
  }
  // All come home: who may, has to get in.
  void Gather() {
    for (Party& party : parties_) {
      if (!party.connected) Come(party);
    }
  }

  int begun = 0;
  int finished = 0;
  int deaths = 0;
  int comings = 0;

 private:
  uint64_t Below(uint64_t bound) { return random_() % bound; }

  void ByHand(Party& party) {
    party.disk = own_;
    party.ring = KeyRing(PskOfText(own_));
    party.ring.SetGrace(kGraceUs);
  }

  void StartHub() {
    rotation_.reset();
    stage_ = 0;
    done_ = {};
    ring_ = KeyRing(PskOfText(own_));
    ring_.SetGrace(kGraceUs);
    rotation_ = std::make_unique<HubRotation>(Config(), file_);
  }
  HubRotation::Config Config() {
    return {.keys = ring_,
            .grace_us = kGraceUs,
            .interval_us = 0,
            .keep =
                [this](std::string file, std::string key, auto done) {
                  file_to_be_ = std::move(file);
                  own_to_be_ = std::move(key);
                  done_ = std::move(done);
                  stage_ = 1;
                },
            .save =
                [this](std::string file) {
                  EXPECT_EQ(stage_, 0) << "a newer one is being written";
                  file_ = std::move(file);
                  for (Party& party : parties_) party.saved = true;
                },
            .known =
                [this] {
                  std::vector<PublicKey> known;
                  for (const Party& party : parties_) {
                    if (party.ever) known.push_back(party.key);
                  }
                  return known;
                },
            .knows =
                [this](const PublicKey& client) {
                  return parties_[client[0] - 1].ever;
                },
            .offer =
                [this](const PublicKey& client, const NewKey& message) {
                  parties_[client[0] - 1].given = message.key;
                },
            .log = [](const std::string&) {},
            .unix_ms = [this] { return 1'750'000'000'000 + now_us_ / 1000; },
            .now_us = [this] { return now_us_; }};
  }
  // The disk takes its time: first the file, then the hub's own key.
  void WriteMore() {
    if (stage_ == 1) file_ = file_to_be_;
    if (stage_ == 2) own_ = own_to_be_;
    if (stage_ == 3) {
      if (Below(10) == 0) Die();
      if (stage_ == 0) return;
      ++finished;
      stage_ = 0;
      std::exchange(done_, {})(absl::OkStatus());
      return;
    }
    if (stage_ > 0) ++stage_;
  }
  void Die() {
    ++deaths;
    for (Party& party : parties_) {
      if (party.connected) party.seen_us = now_us_;
      Drop(party);
      const bool in_rotation = rotation_->GetProgress() || stage_ > 0;
      if (in_rotation && !party.saved) party.sure = false;
      party.saved = true;  // nobody is left who would
    }
    StartHub();
  }
  static void Drop(Party& party) {
    party.connected = false;
    party.given.reset();
    party.answer.reset();
  }

  void Come(Party& party) {
    ++comings;
    party.ring.Expire(now_us_);
    const bool known =
        party.ever && now_us_ < party.seen_us + kGraceUs - kBehindUs;
    for (const KeyRing::Key& own : party.ring.keys()) {
      const bool taken = std::ranges::any_of(
          ring_.keys(), [&](const auto& key) { return key.psk == own.psk; });
      const bool newest = ring_.IsNewest(own.psk);
      if (!taken || (!newest && !rotation_->Refusal(party.key).empty())) {
        continue;
      }
      party.connected = party.ever = party.sure = true;
      party.saved = false;
      rotation_->OnConnected(party.key,
                             {.newest_key = newest, .understands = true});
      return;
    }
    EXPECT_FALSE(known) << "client " << int{party.key[0]} << " is locked out "
                        << (now_us_ - party.seen_us) / kSecondUs
                        << " s after it was here: "
                        << rotation_->Refusal(party.key);
    while (stage_ > 0) WriteMore();  // what the hub goes by is there to copy
    ByHand(party);
  }
  void Leave(Party& party) {
    Drop(party);
    party.seen_us = now_us_;
    party.saved = false;
    rotation_->OnGone(party.key);
  }
  // What was in memory is forgotten.
  void Restart(Party& party) {
    if (party.connected) Leave(party);
    party.ring = KeyRing(PskOfText(party.disk));
    party.ring.SetGrace(kGraceUs);
  }
  // As KeyReceiver: kept, then used, then answered.
  void Deliver(Party& party) {
    if (party.answer) {
      const KeyKept answer = *std::exchange(party.answer, std::nullopt);
      rotation_->OnKept(party.key, answer);
    }
    if (!party.given) return;
    const std::string key = *std::exchange(party.given, std::nullopt);
    if (party.writes) party.disk = key;
    party.ring.SetNow(PskOfText(key), now_us_, kGraceUs);
    party.answer = KeyKept{.id = handshake::IdOfKey(key),
                           .where = party.writes ? KeyKept::Where::kFile
                                                 : KeyKept::Where::kMemory};
  }
  void Pass(uint64_t us) {
    const uint64_t end_us = now_us_ + us;
    while (rotation_->NextDeadline() <= end_us) {
      now_us_ = std::max(now_us_, rotation_->NextDeadline());
      rotation_->OnTimer();
    }
    now_us_ = end_us;
    ring_.Expire(now_us_);
    if (us < 2 * kSecondUs || stage_ > 0 || !rotation_->GetProgress()) return;
    EXPECT_TRUE(std::ranges::all_of(parties_, [](const Party& party) {
      return !party.ever || party.saved;
    })) << "who was here is written down soon";
  }

  std::mt19937 random_;
  uint64_t now_us_ = 24 * kGraceUs;
  std::string own_ =
      handshake::GenerateKey();  // the hub's own key, as its disk has it
  std::string file_;             // the same
  std::string file_to_be_;
  std::string own_to_be_;
  int stage_ = 0;  // of what is being written; 0: nothing
  std::function<void(absl::Status)> done_;
  KeyRing ring_;
  std::array<Party, 6> parties_;
  std::unique_ptr<HubRotation> rotation_;
};

class Lockout : public ::testing::TestWithParam<uint32_t> {};

TEST_P(Lockout, NobodyWhoWasHereWithinTheGraceIsLockedOut) {
  int finished = 0;
  int deaths = 0;
  for (uint32_t i = 0; i < 25; ++i) {
    const uint32_t seed = 1000 * GetParam() + i;
    SCOPED_TRACE("seed " + std::to_string(seed));
    Town town(seed);
    for (int step = 0; step < 600; ++step) {
      town.Step();
      if (HasFailure()) FAIL() << "step " << step;
    }
    town.Gather();
    if (HasFailure()) return;
    finished += town.finished;
    deaths += town.deaths;
  }
  // It was no idle walk.
  EXPECT_GT(finished, 25);
  EXPECT_GT(deaths, 25);
}

INSTANTIATE_TEST_SUITE_P(Seeds, Lockout, ::testing::Range(1u, 5u));

}  // namespace
}  // namespace lwt::rotation
