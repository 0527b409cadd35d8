// What a client does with a shared key that its hub gives: where it is kept, by
// which key it goes then, what it answers, and of what it warns.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <vector>

#include "control/key_receiver.h"
#include "control/session/session.h"
#include "tests/unit/control/stand.h"

namespace lwt {
namespace {

using handshake::IdOfKey;
using handshake::KeyKept;
using handshake::NewKey;
using Where = KeyKept::Where;

constexpr uint64_t kHourUs = 3600 * uint64_t{1'000'000};

class KeyReceiverTest : public OnStand, public peer::FlowOwner {
 protected:
  void SetUp() override {
    OnStand::SetUp();
    settings_ = state_dir() + "/client.toml";
    std::ofstream(settings_) << "key = \"" << configured_ << "\"\n";
    *secrets_.key_source = {.settings = settings_,
                            .key_file = "",
                            .state_dir = state_dir(),
                            .configured = IdOfKey(configured_)};
    secrets_.keys = handshake::KeyRing(PskOf(configured_));
    receiver_.emplace(Parts(), [this](const KeyKept& kept) {
      // What is answered is in force.
      EXPECT_TRUE(secrets_.keys.IsNow(PskOf(last_)));
      answers_.push_back(kept);
    });
    receiver_->Register(messages_);
    context_.emplace(peer::Session::Context{*road_,
                                            *outer_,
                                            log_,
                                            handshake::RekeyRole::kInitiator,
                                            {},
                                            messages_});
    session_.emplace(*context_, *this, *road_->peers.Add({}), "hub",
                     handshake::SessionSecrets(), NowUs());
  }
  void TearDown() override {
    session_.reset();
    receiver_.reset();
    OnStand::TearDown();
  }
  // As it comes from the hub. False: it breaks the protocol.
  bool Give(const std::string& key) {
    last_ = key;
    const auto body = NewKey{.grace_s = 60, .key = key}.Build();
    return messages_.Find(NewKey::kType)->take(*session_, body, NowUs());
  }
  void Written() {
    bool done = false;
    background_->Run([] {}, [&] { done = true; });
    const uint64_t end_us = NowUs() + 10 * kSecond;
    while (!done && NowUs() < end_us) event_loop_->Turn(kSecond);
    EXPECT_TRUE(done);
  }
  void NoPlaceOnDisk() {
    secrets_.key_source->settings.clear();
    secrets_.key_source->state_dir = state_dir() + "/gone";
  }
  std::string Settings() const {
    std::ifstream file(settings_);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  static SecretKey PskOf(const std::string& key) {
    return *handshake::DerivePsk(key, "");
  }

  const std::string configured_ = handshake::GenerateKey();
  std::string settings_;
  std::string last_;
  std::vector<KeyKept> answers_;
  loop::RemoteLog log_{lines_.log(), [] { return NowUs(); }};
  peer::MessageTable messages_;
  std::optional<KeyReceiver> receiver_;
  std::optional<peer::Session::Context> context_;
  std::optional<peer::Session> session_;
};

TEST_F(KeyReceiverTest, AKeyCountsAndIsAnsweredOnceItIsInTheSettings) {
  const std::string key = handshake::GenerateKey();
  EXPECT_TRUE(Give(key));
  EXPECT_TRUE(answers_.empty()) << "the disk has yet to do its part";
  EXPECT_TRUE(secrets_.keys.IsNow(PskOf(configured_)));
  Written();
  ASSERT_EQ(answers_.size(), 1u);
  EXPECT_EQ(answers_[0].id, IdOfKey(key));
  EXPECT_EQ(answers_[0].where, Where::kFile);
  EXPECT_EQ(Settings(), "key = \"" + key + "\"\n");
  ASSERT_EQ(secrets_.keys.keys().size(), 2u);
  EXPECT_TRUE(secrets_.keys.keys()[1].psk == PskOf(configured_))
      << "a hub that dies now may know that alone";
  EXPECT_EQ(receiver_->NextDeadline(), UINT64_MAX);
  const std::string log = lines_.Take();
  EXPECT_NE(log.find("a new shared key; it is in " + settings_ + "\n"),
            std::string::npos)
      << log;
  EXPECT_EQ(log.find(key), std::string::npos) << "a log has no keys";
}

TEST_F(KeyReceiverTest, WithoutAFileItIsInTheStateDirectoryAndSaidWhy) {
  std::ofstream(settings_) << "key = \"edited by hand\"\n";
  const std::string key = handshake::GenerateKey();
  EXPECT_TRUE(Give(key));
  Written();
  ASSERT_EQ(answers_.size(), 1u);
  EXPECT_EQ(answers_[0].where, Where::kStateDirectory);
  EXPECT_EQ(*rotation::KeyInPlaceOf(configured_, state_dir()), key);
  EXPECT_EQ(Settings(), "key = \"edited by hand\"\n");
  const std::string log = lines_.Take();
  EXPECT_NE(log.find("it is in " + state_dir() + "/shared_key, for " +
                     settings_ + ": the key in it is not the one"),
            std::string::npos)
      << log;
}

TEST_F(KeyReceiverTest, InMemoryItWarnsEachHourUntilAnotherIsKept) {
  NoPlaceOnDisk();
  const uint64_t begun_us = NowUs();
  EXPECT_TRUE(Give(handshake::GenerateKey()));
  Written();
  ASSERT_EQ(answers_.size(), 1u);
  EXPECT_EQ(answers_[0].where, Where::kMemory);
  constexpr std::string_view kWarning = " warn  the hub gave a new shared key";
  EXPECT_NE(lines_.Take().find(kWarning), std::string::npos);
  for (int hour = 1; hour <= 3; ++hour) {
    const uint64_t due_us = receiver_->NextDeadline();
    EXPECT_GE(due_us, begun_us + static_cast<uint64_t>(hour) * kHourUs);
    receiver_->OnTimer(due_us - 1);
    EXPECT_EQ(lines_.TakeCount(), 0u);
    receiver_->OnTimer(due_us);
    EXPECT_EQ(lines_.TakeCount(), 1u);
    EXPECT_EQ(receiver_->NextDeadline(), due_us + kHourUs);
  }
  secrets_.key_source->settings = settings_;
  secrets_.key_source->state_dir = state_dir();
  EXPECT_TRUE(Give(handshake::GenerateKey()));
  Written();
  EXPECT_EQ(answers_.back().where, Where::kFile);
  EXPECT_EQ(receiver_->NextDeadline(), UINT64_MAX);
  lines_.Take();
  receiver_->OnTimer(NowUs() + 100 * kHourUs);
  EXPECT_EQ(lines_.TakeCount(), 0u);
}

// The hub's answer may be lost, so it offers again.
TEST_F(KeyReceiverTest, OneThatIsOfferedAgainIsAnsweredAsBefore) {
  NoPlaceOnDisk();
  const std::string key = handshake::GenerateKey();
  Give(key);
  Written();
  lines_.Take();
  const uint64_t due_us = receiver_->NextDeadline();
  EXPECT_TRUE(Give(key));
  ASSERT_EQ(answers_.size(), 2u) << "at once";
  EXPECT_EQ(answers_[1].id, IdOfKey(key));
  EXPECT_EQ(answers_[1].where, Where::kMemory);
  EXPECT_EQ(lines_.TakeCount(), 0u);
  EXPECT_EQ(receiver_->NextDeadline(), due_us);
}

TEST_F(KeyReceiverTest, TwoInARowEndWithTheLast) {
  const std::string first = handshake::GenerateKey();
  Give(first);
  Written();
  const std::string second = handshake::GenerateKey();
  Give(second);
  Give(second);  // before the disk is done
  Written();
  ASSERT_EQ(answers_.size(), 3u);
  EXPECT_EQ(answers_[2].id, IdOfKey(second));
  EXPECT_EQ(answers_[2].where, Where::kFile);
  EXPECT_EQ(Settings(), "key = \"" + second + "\"\n");
  EXPECT_FALSE(std::filesystem::exists(state_dir() + "/shared_key"));
  ASSERT_EQ(secrets_.keys.keys().size(), 3u);
  EXPECT_TRUE(secrets_.keys.keys()[1].psk == PskOf(first));
}

TEST_F(KeyReceiverTest, WhatIsNoKeyChangesNothing) {
  const auto take = [&](handshake::ByteSpan body) {
    return messages_.Find(NewKey::kType)->take(*session_, body, NowUs());
  };
  EXPECT_FALSE(take({}));
  auto body = NewKey{.grace_s = 1, .key = handshake::GenerateKey()}.Build();
  body.back() ^= 1;  // its check sum is wrong
  EXPECT_FALSE(take(body));
  body.pop_back();
  EXPECT_FALSE(take(body));
  Written();
  EXPECT_TRUE(answers_.empty());
  EXPECT_EQ(secrets_.keys.keys().size(), 1u);
  EXPECT_EQ(Settings(), "key = \"" + configured_ + "\"\n");
}

}  // namespace
}  // namespace lwt
