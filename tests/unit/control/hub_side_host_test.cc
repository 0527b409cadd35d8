// A hub by its settings: what it reads and keeps in its state directory, what
// an operator may ask of it, and the web site behind it.
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
using host::At;

class HubSideTest : public OnStand {
 protected:
  absl::Status Start() {
    auto hub = HubSide::Start(Parts(), NowUs());
    if (hub.ok()) hub_ = *std::move(hub);
    return hub.status();
  }
  void TearDown() override {
    hub_.reset();
    OnStand::TearDown();
  }
  std::string Ask(RequestKind kind, const handshake::PublicKey& key = {}) {
    return *hub_->Answer({.kind = kind, .key = key}, NowUs());
  }
  std::string ReadState(const char* name) const {
    std::ifstream file(state_dir() + "/" + name);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }
  void WriteState(const char* name, std::string_view text) const {
    std::ofstream(state_dir() + "/" + name) << text;
  }

  std::unique_ptr<HubSide> hub_;
};

TEST_F(HubSideTest, ItListensAndSaysWithWhichKey) {
  ASSERT_TRUE(Start().ok());
  EXPECT_TRUE(Guards("10.77.0.1 . 9000"));
  EXPECT_NE(lines_.Take().find(
                "listening at 0.0.0.0:9000, public key " +
                handshake::PublicKeyToText(secrets_.identity.public_key)),
            std::string::npos);
  EXPECT_LT(hub_->NextDeadline(), loop::Component::kNever);
}

TEST_F(HubSideTest, APortOfAnotherIsRefused) {
  const auto held = host::PortReservation::Hold(At("0.0.0.0:9000"));
  ASSERT_TRUE(held.ok()) << held.status();
  EXPECT_TRUE(absl::IsAlreadyExists(Start()));
}

TEST_F(HubSideTest, EachRequestHasItsAnswer) {
  ASSERT_TRUE(Start().ok());
  const handshake::PublicKey key = handshake::GenerateStaticKey().public_key;
  const std::string text = handshake::PublicKeyToText(key);
  const auto forget = [&](const char* range) {
    return *hub_->Answer(
        {RequestKind::kPeerForget, ParseIpPrefix(range).value()}, NowUs());
  };
  EXPECT_EQ(forget("10.0.0.7/32"),
            api::ErrorResponse("no client has 10.0.0.7"));
  EXPECT_EQ(forget("10.0.0.0/24"),
            api::ErrorResponse("no client has an address of 10.0.0.0/24"));
  EXPECT_EQ(Ask(RequestKind::kPeerForgetKey, key),
            api::ErrorResponse("no tunnel address is held for that key"));
  EXPECT_EQ(Ask(RequestKind::kPeerBanned),
            api::OkResponse("no key is banned\n"));
  EXPECT_EQ(Ask(RequestKind::kPeerUnban, key),
            api::ErrorResponse(text + " is not banned"));
  EXPECT_EQ(Ask(RequestKind::kPeerBan, key),
            api::OkResponse(text + " is banned\n"));
  EXPECT_EQ(Ask(RequestKind::kPeerBan, key),
            api::OkResponse(text + " is banned\n"))
      << "twice is once";
  EXPECT_EQ(Ask(RequestKind::kPeerBanned), api::OkResponse(text + "\n"));
  EXPECT_EQ(Ask(RequestKind::kPeerUnban, key),
            api::OkResponse(text + " may come again\n"));
  EXPECT_EQ(Ask(RequestKind::kPeerBanned),
            api::OkResponse("no key is banned\n"));
  for (const RequestKind kind : {RequestKind::kStatus, RequestKind::kStatusJson,
                                 RequestKind::kVersion}) {
    EXPECT_EQ(hub_->Answer({kind}, NowUs()), std::nullopt)
        << "the gateway's to answer";
  }
}

TEST_F(HubSideTest, ALaterVersionsStateIsRefusedWithASentence) {
  constexpr std::string_view kLater = "lightweight-tunnel addresses 9\n";
  WriteState("addresses", kLater);
  const absl::Status refused = Start();
  EXPECT_NE(refused.message().find("later version of lightweight-tunnel"),
            std::string::npos)
      << refused;
  hub_.reset();
  EXPECT_EQ(ReadState("addresses"), kLater);
}

TEST_F(HubSideTest, ABannedKeyIsBannedInTheNextRunToo) {
  ASSERT_TRUE(Start().ok());
  const handshake::PublicKey key = handshake::GenerateStaticKey().public_key;
  Ask(RequestKind::kPeerBan, key);
  hub_.reset();  // written before this returns
  const auto banned = peer::LoadBannedKeys(state_dir());
  ASSERT_TRUE(banned.ok()) << banned.status();
  EXPECT_EQ(*banned, peer::BannedKeys{key});
  Make();
  ASSERT_TRUE(Start().ok());
  EXPECT_EQ(Ask(RequestKind::kPeerBanned),
            api::OkResponse(handshake::PublicKeyToText(key) + "\n"));
  telemetry::Status status;
  hub_->Report(status, NowUs());
  EXPECT_EQ(status.banned,
            std::vector<std::string>{handshake::PublicKeyToText(key)});
  EXPECT_TRUE(status.peers.empty());
}

TEST_F(HubSideTest, KeysAreBannedUpToABound) {
  peer::BannedKeys keys;
  for (size_t i = 0; i < peer::kMaxBannedKeys; ++i) {
    handshake::PublicKey key{};
    key[0] = static_cast<uint8_t>(i);
    key[1] = static_cast<uint8_t>(i >> 8);
    keys.insert(key);
  }
  WriteState("banned", peer::FormatBannedKeys(keys));
  ASSERT_TRUE(Start().ok());
  const handshake::PublicKey more = handshake::GenerateStaticKey().public_key;
  EXPECT_EQ(
      Ask(RequestKind::kPeerBan, more),
      api::ErrorResponse("as many keys are banned as may be: unban one first"));
  EXPECT_TRUE(Ask(RequestKind::kPeerUnban, *keys.begin()).starts_with("ok "));
  EXPECT_TRUE(Ask(RequestKind::kPeerBan, more).starts_with("ok "));
}

// Who was banned must not come in because a file is damaged; an address that
// somebody held may go to another.
TEST_F(HubSideTest, ADamagedListOfBannedKeysKeepsTheHubFromStarting) {
  WriteState("banned", "lightweight-tunnel banned 1\nnot a key\n");
  const absl::Status status = Start();
  EXPECT_FALSE(status.ok());
  EXPECT_NE(status.message().find(state_dir() + "/banned"),
            absl::string_view::npos)
      << status;
  EXPECT_FALSE(Guards("9000")) << "it did not begin to listen";
}

TEST_F(HubSideTest, DamagedHeldAddressesAreSetAside) {
  WriteState("addresses", "what is this\n");
  ASSERT_TRUE(Start().ok());
  EXPECT_NE(lines_.Take().find("addresses.bad"), std::string::npos);
  EXPECT_EQ(ReadState("addresses.bad"), "what is this\n");
}

TEST_F(HubSideTest, AHeldAddressCanBeForgotten) {
  const peer::HeldAddress held{host::Ip("10.0.0.9"),
                               handshake::GenerateStaticKey().public_key};
  WriteState("addresses", peer::FormatHeldAddresses({held}));
  ASSERT_TRUE(Start().ok());
  const std::string answer = Ask(RequestKind::kPeerForgetKey, held.key);
  const auto response = api::ParseResponse(
      {reinterpret_cast<const uint8_t*>(answer.data()), answer.size()});
  ASSERT_TRUE(response && response->ok) << answer;
  EXPECT_EQ(response->text,
            "10.0.0.9 is free\na client that is alive asks for its address "
            "again; lwtctl peer ban KEY keeps it out\n");
  EXPECT_TRUE(Ask(RequestKind::kPeerForgetKey, held.key).starts_with("error"));
  hub_->Close("the gateway stops", NowUs());
  hub_.reset();
  EXPECT_EQ(ReadState("addresses").find("10.0.0.9"), std::string::npos);
}

TEST_F(HubSideTest, OnceItStopsItAnswersSo) {
  ASSERT_TRUE(Start().ok());
  EXPECT_EQ(hub_->Close("the gateway stops", NowUs()), 0u) << "nobody is there";
  EXPECT_EQ(hub_->NextDeadline(), loop::Component::kNever);
  EXPECT_EQ(Ask(RequestKind::kPeerBanned),
            api::ErrorResponse("the gateway stops"));
  hub_->OnTimer(NowUs() + 1000 * kSecond);
  hub_->OnHostChanges({.everything = true}, NowUs());
  telemetry::Status status;
  hub_->Report(status, NowUs());
  EXPECT_TRUE(status.peers.empty());
}

class FallbackOfHubTest : public HubSideTest {
 protected:
  void SetUp() override {
    OnStand::SetUp();
    config_.hub.fallback = {{.host = "web.test", .port = 443}};
  }
};

TEST_F(FallbackOfHubTest, AWebSiteThatIsNotFoundIsLookedForEveryMinute) {
  const uint64_t begun_us = NowUs();
  ASSERT_TRUE(Start().ok());
  std::string said;
  const auto says_so = [&] {
    said += lines_.Take();
    return said.find("fallback: web.test") != std::string::npos;
  };
  EXPECT_TRUE(Until(says_so, hub_.get())) << said;
  // No more often than once a minute, whatever else goes on.
  EXPECT_FALSE(resolver_->Drain().size());
  said.clear();
  hub_->OnTimer(begun_us + 59 * kSecond);
  hub_->OnTimer(NowUs() + 61 * kSecond);
  EXPECT_TRUE(Until(says_so, nullptr)) << said;
}

TEST_F(FallbackOfHubTest, AWebSiteThatIsFoundIsNotSpokenOf) {
  hosts_["web.test"] = host::Ip("10.77.0.2");
  ASSERT_TRUE(Start().ok());
  pollfd ready{resolver_->event_fd(), POLLIN, 0};
  ASSERT_EQ(poll(&ready, 1, 10'000), 1);
  names_->OnReady();
  EXPECT_EQ(lines_.Take().find("fallback"), std::string::npos);
}

TEST_F(FallbackOfHubTest, AWebSiteComesGoesAndMovesWithTheSettings) {
  config_.hub.fallback.reset();
  ASSERT_TRUE(Start().ok());
  EXPECT_EQ(names_->open(), 0u);
  config::Config changed = config_;
  changed.hub.fallback = {{.host = "192.0.2.80", .port = 443}};
  ASSERT_TRUE(hub_->Apply(changed, NowUs()).ok());
  EXPECT_EQ(names_->open(), 1u) << "asked at once";
  ASSERT_TRUE(hub_->Apply(changed, NowUs()).ok());
  EXPECT_EQ(names_->open(), 1u) << "it is the same";
  changed.hub.fallback->host = "192.0.2.81";
  ASSERT_TRUE(hub_->Apply(changed, NowUs()).ok());
  EXPECT_EQ(names_->open(), 1u) << "the question before is taken back";
  changed.hub.fallback.reset();
  ASSERT_TRUE(hub_->Apply(changed, NowUs()).ok());
  EXPECT_EQ(names_->open(), 0u);
  names_->OnReady();
  hub_->OnTimer(NowUs() + 100 * kSecond);
  EXPECT_EQ(names_->open(), 0u) << "nobody asks any more";
}

TEST_F(FallbackOfHubTest, AHubThatStopsTakesNoSettings) {
  config_.hub.fallback.reset();
  ASSERT_TRUE(Start().ok());
  hub_->Close("the gateway stops", NowUs());
  config::Config changed = config_;
  changed.hub.fallback = {{.host = "192.0.2.80", .port = 443}};
  EXPECT_TRUE(hub_->Apply(changed, NowUs()).ok());
  EXPECT_EQ(names_->open(), 0u);
  EXPECT_EQ(hub_->NextDeadline(), loop::Component::kNever);
}

// The answer must come to no hub that stops, or is no more.
TEST_F(FallbackOfHubTest, AHubThatStopsTakesItsQuestionBack) {
  config_.hub.fallback->host = "192.0.2.80";  // ready at once
  ASSERT_TRUE(Start().ok());
  ASSERT_EQ(names_->open(), 1u);
  hub_->Close("the gateway stops", NowUs());
  EXPECT_EQ(names_->open(), 0u);
  names_->OnReady();
  hub_.reset();
  Make();
  ASSERT_TRUE(Start().ok());
  hub_.reset();
  EXPECT_EQ(names_->open(), 0u);
  names_->OnReady();
}

}  // namespace
}  // namespace lwt
