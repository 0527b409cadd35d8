// The rotation of the shared key as an operator asks a hub for it: what is
// answered and written down meanwhile, and what a start finds of it.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "control/api/request.h"
#include "control/hub_side.h"
#include "tests/unit/control/stand.h"

namespace lwt {
namespace {

using api::RequestKind;
using handshake::IdOfKey;

constexpr const char* kAlreadyOn =
    "a new shared key is given to all clients; lwtctl rotation shows how far "
    "it is\n";

class HubRotationSideTest : public OnStand {
 protected:
  void SetUp() override {
    OnStand::SetUp();
    settings_ = state_dir() + "/hub.toml";
    std::ofstream(settings_) << "# ours\nkey = \"" << configured_ << "\"\n";
    *secrets_.key_source = {.settings = settings_,
                            .key_file = "",
                            .state_dir = state_dir(),
                            .configured = IdOfKey(configured_)};
    secrets_.keys = handshake::KeyRing(PskOf(configured_));
  }
  void TearDown() override {
    hub_.reset();
    OnStand::TearDown();
  }
  absl::Status Start() {
    hub_.reset();
    Make();
    auto hub = HubSide::Start(Parts(), NowUs());
    if (hub.ok()) hub_ = *std::move(hub);
    return hub.status();
  }
  std::string Ask(RequestKind kind) {
    return *hub_->Answer({.kind = kind, .key = {}}, NowUs());
  }
  // What is in the background, and what comes of it.
  void Written() {
    bool done = false;
    background_->Run([] {}, [&] { done = true; });
    const uint64_t end_us = NowUs() + 10 * kSecond;
    while (!done && NowUs() < end_us) event_loop_->Turn(kSecond);
    EXPECT_TRUE(done);
  }
  static std::string Read(const std::string& path) {
    std::ifstream file(path);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }
  std::string RotationFile() const { return Read(state_dir() + "/rotation"); }
  // Of the file.
  std::string NewKeyText() const {
    const auto state = rotation::ParseRotation(RotationFile());
    return state ? state->key : "";
  }
  static SecretKey PskOf(const std::string& key) {
    return *handshake::DerivePsk(key, "");
  }

  const std::string configured_ = handshake::GenerateKey();
  std::string settings_;
  std::unique_ptr<HubSide> hub_;
};

TEST_F(HubRotationSideTest, ARotationIsAnsweredWrittenAndTold) {
  ASSERT_TRUE(Start().ok());
  EXPECT_EQ(Ask(RequestKind::kRotation),
            api::OkResponse("the shared key was never rotated\n"));
  EXPECT_EQ(Ask(RequestKind::kRotateKey), api::OkResponse(kAlreadyOn));
  EXPECT_EQ(Ask(RequestKind::kRotation),
            api::OkResponse("a new shared key is being written down\n"));
  for (const RequestKind kind :
       {RequestKind::kRotateKey, RequestKind::kRotateKeyForce}) {
    EXPECT_EQ(Ask(kind),
              api::ErrorResponse("a rotation is just being written"));
  }
  EXPECT_TRUE(secrets_.keys.IsNow(PskOf(configured_)));
  Written();
  const std::string key = NewKeyText();
  ASSERT_NE(key, "");
  EXPECT_EQ(Read(settings_), "# ours\nkey = \"" + key + "\"\n");
  // Nobody is there to be waited for.
  EXPECT_TRUE(secrets_.keys.IsNow(PskOf(key)));
  EXPECT_EQ(secrets_.keys.keys().size(), 2u);
  const std::string answer = Ask(RequestKind::kRotation);
  EXPECT_NE(answer.find("rotated on 20"), std::string::npos) << answer;
  EXPECT_NE(answer.find("0 of 0 connected clients have the new shared key\n"
                        "0 that are away may come by one before\n"),
            std::string::npos)
      << answer;
  const std::string log = lines_.Take();
  EXPECT_NE(log.find("the new shared key is in " + settings_),
            std::string::npos)
      << log;
  EXPECT_EQ(log.find(key), std::string::npos) << "a log has no keys";
  const auto mode = std::filesystem::status(state_dir() + "/rotation");
  EXPECT_EQ(static_cast<unsigned>(mode.permissions()), 0600u);
}

TEST_F(HubRotationSideTest, WithoutEncryptionThereIsNoKey) {
  config_.key.encryption = config::Encryption::kNone;
  ASSERT_TRUE(Start().ok());
  const std::string none = api::ErrorResponse(
      "encryption = \"none\": there is no shared key to rotate");
  EXPECT_EQ(Ask(RequestKind::kRotateKey), none);
  EXPECT_EQ(Ask(RequestKind::kRotateKeyForce), none);
  EXPECT_EQ(Ask(RequestKind::kRotation),
            api::OkResponse("the shared key was never rotated\n"));
  EXPECT_TRUE(hub_->Apply(config_, NowUs()).ok());
}

TEST_F(HubRotationSideTest, AKeyOfAFlagIsKeptInTheStateDirectory) {
  secrets_.key_source->settings.clear();
  ASSERT_TRUE(Start().ok());
  Ask(RequestKind::kRotateKey);
  Written();
  const std::string key = NewKeyText();
  EXPECT_EQ(*rotation::KeyInPlaceOf(configured_, state_dir()), key);
  const std::string log = lines_.Take();
  EXPECT_NE(log.find("could not be put in its place: it was given by a flag; "
                     "this hub finds it in its state directory"),
            std::string::npos)
      << log;
}

TEST_F(HubRotationSideTest, SettingsThatWereEditedSinceAreLeftAlone) {
  std::ofstream(settings_) << "key = \"another one by hand\"\n";
  ASSERT_TRUE(Start().ok());
  Ask(RequestKind::kRotateKey);
  Written();
  EXPECT_EQ(Read(settings_), "key = \"another one by hand\"\n");
  EXPECT_EQ(*rotation::KeyInPlaceOf(configured_, state_dir()), NewKeyText());
  const std::string log = lines_.Take();
  EXPECT_NE(log.find("is not the one that was read at the start"),
            std::string::npos)
      << log;
}

// Nobody is told of a key that a restart would know nothing of.
TEST_F(HubRotationSideTest, AFileThatCannotBeWrittenStopsIt) {
  ASSERT_TRUE(Start().ok());
  std::filesystem::create_directory(state_dir() + "/rotation");
  lines_.Take();
  EXPECT_EQ(Ask(RequestKind::kRotateKey), api::OkResponse(kAlreadyOn));
  Written();
  EXPECT_TRUE(secrets_.keys.IsNow(PskOf(configured_)));
  EXPECT_EQ(secrets_.keys.keys().size(), 1u);
  EXPECT_EQ(Read(settings_), "# ours\nkey = \"" + configured_ + "\"\n");
  const std::string log = lines_.Take();
  EXPECT_NE(log.find("the shared key was not rotated: "), std::string::npos)
      << log;
  EXPECT_EQ(Ask(RequestKind::kRotation),
            api::OkResponse("the shared key was never rotated\n"));
  std::filesystem::remove(state_dir() + "/rotation");
  EXPECT_EQ(Ask(RequestKind::kRotateKey), api::OkResponse(kAlreadyOn));
  Written();
  EXPECT_TRUE(secrets_.keys.IsNow(PskOf(NewKeyText())));
}

TEST_F(HubRotationSideTest, TheNextRunKnowsOfIt) {
  ASSERT_TRUE(Start().ok());
  Ask(RequestKind::kRotateKey);
  Written();
  const std::string key = NewKeyText();
  secrets_.keys = handshake::KeyRing(PskOf(key));  // as it is configured now
  ASSERT_TRUE(Start().ok());
  EXPECT_NE(Ask(RequestKind::kRotation).find("rotated on 20"),
            std::string::npos);
  EXPECT_EQ(secrets_.keys.keys().size(), 2u);
  EXPECT_TRUE(secrets_.keys.keys()[1].psk == PskOf(configured_));
}

// It died between the two files.
TEST_F(HubRotationSideTest, OneThatWasCutShortIsFinishedByTheNextRun) {
  ASSERT_TRUE(Start().ok());
  Ask(RequestKind::kRotateKey);
  Written();
  const std::string key = NewKeyText();
  std::ofstream(settings_) << "key = \"" << configured_ << "\"\n";
  secrets_.key_source->configured = IdOfKey(configured_);
  secrets_.keys = handshake::KeyRing(PskOf(configured_));
  ASSERT_TRUE(Start().ok());
  EXPECT_TRUE(secrets_.keys.IsNow(PskOf(key)));
  EXPECT_TRUE(secrets_.keys.keys()[1].psk == PskOf(configured_));
  Written();
  EXPECT_EQ(Read(settings_), "key = \"" + key + "\"\n");
  EXPECT_EQ(NewKeyText(), key);
}

TEST_F(HubRotationSideTest, ADamagedFileIsSaidAndBeginsAnew) {
  std::ofstream(state_dir() + "/rotation") << "lightweight-tunnel rotation 1\n";
  ASSERT_TRUE(Start().ok());
  const std::string log = lines_.Take();
  EXPECT_NE(log.find(state_dir() + "/rotation cannot be understood"),
            std::string::npos)
      << log;
  EXPECT_EQ(Ask(RequestKind::kRotation),
            api::OkResponse("the shared key was never rotated\n"));
  EXPECT_EQ(Ask(RequestKind::kRotateKey), api::OkResponse(kAlreadyOn));
  Written();
  EXPECT_NE(NewKeyText(), "");
}

TEST_F(HubRotationSideTest, ALaterVersionsFileIsRefusedAndStays) {
  const std::string later = "lightweight-tunnel rotation 2\nof another form\n";
  std::ofstream(state_dir() + "/rotation") << later;
  const absl::Status refused = Start();
  EXPECT_TRUE(absl::IsFailedPrecondition(refused));
  EXPECT_NE(refused.message().find(state_dir() + "/rotation was written by a "
                                                 "later version"),
            absl::string_view::npos)
      << refused;
  EXPECT_EQ(RotationFile(), later);
}

// What was begun is written, and is told to nobody that is gone.
TEST_F(HubRotationSideTest, AHubThatStopsInTheMiddleLeavesBothFiles) {
  ASSERT_TRUE(Start().ok());
  Ask(RequestKind::kRotateKey);
  hub_->Close("the gateway stops", NowUs());
  Written();
  const std::string key = NewKeyText();
  ASSERT_NE(key, "");
  EXPECT_EQ(Read(settings_), "# ours\nkey = \"" + key + "\"\n");
  EXPECT_TRUE(secrets_.keys.IsNow(PskOf(configured_)));
  EXPECT_EQ(Ask(RequestKind::kRotateKey),
            api::ErrorResponse("the gateway stops"));
}

TEST_F(HubRotationSideTest, ByTheSettingsItRotatesOfItself) {
  ASSERT_TRUE(Start().ok());
  config::Config changed = config_;
  changed.hub.push_interval_s = 3600;
  ASSERT_TRUE(hub_->Apply(changed, NowUs()).ok());
  EXPECT_LE(hub_->NextDeadline(), NowUs() + 3600 * kSecond);
  hub_->OnTimer(NowUs());
  EXPECT_EQ(Ask(RequestKind::kRotation),
            api::OkResponse("the shared key was never rotated\n"));
}

}  // namespace
}  // namespace lwt
