#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/control/handshake/exchange_fixture.h"

namespace lwt::handshake {
namespace {

bool EndsWithAlert(const ByteVector& bytes) {
  return bytes.size() >= kHandshakeFailureRecord.size() &&
         std::equal(kHandshakeFailureRecord.rbegin(),
                    kHandshakeFailureRecord.rend(), bytes.rbegin());
}

// The exchange up to the verdict, keeping what was sent.
struct Transcript {
  ByteVector hello, flight, third, verdict;
};

Transcript RunAll(Exchange& x, const Verdict& decision) {
  Transcript t;
  t.hello = x.client->Start(kNow);
  FirstFlight first = x.Inspect(t.hello, kNow);
  EXPECT_EQ(first.kind, FirstFlightKind::kProven);
  EXPECT_EQ(first.hello_size, t.hello.size());
  EXPECT_EQ(first.handshake->Start(&t.flight), HubProgress::kReading);
  EXPECT_EQ(x.client->Feed(t.flight, kNow, &t.third), ClientProgress::kReading);
  ByteVector none;
  EXPECT_EQ(first.handshake->Feed(t.third, &none), HubProgress::kAwaitVerdict);
  EXPECT_TRUE(none.empty());
  EXPECT_EQ(first.handshake->peer_key(), x.client_key.public_key);
  first.handshake->Finish(decision, &t.verdict);
  return t;
}

TEST(Handshake, BothEndsAgree) {
  Exchange x;
  ByteVector hello = x.client->Start(kNow);
  EXPECT_LE(hello.size(), kMaxClientHello);
  FirstFlight first = x.Inspect(hello, kNow + 5000);
  ASSERT_EQ(first.kind, FirstFlightKind::kProven);
  EXPECT_EQ(first.clock_off_ms, -5000);
  HubHandshake& hub = *first.handshake;
  ByteVector flight;
  ASSERT_EQ(hub.Start(&flight), HubProgress::kReading);
  EXPECT_GE(flight.size(), 2048u);
  EXPECT_LE(flight.size(), 4096u + 200);
  ByteVector third;
  ASSERT_EQ(x.client->Feed(flight, kNow, &third), ClientProgress::kReading);
  ByteVector out;
  ASSERT_EQ(hub.Feed(third, &out), HubProgress::kAwaitVerdict);
  EXPECT_EQ(hub.peer().mtu, 1409);
  EXPECT_EQ(hub.peer().addresses, x.client_config.offer.addresses);
  ASSERT_EQ(hub.Finish({}, &out), HubProgress::kDone);
  const uint8_t sealed_record[] = {0x17, 3, 3, 0};
  out.insert(out.end(), std::begin(sealed_record), std::end(sealed_record));
  ByteVector none;
  ASSERT_EQ(x.client->Feed(out, kNow, &none), ClientProgress::kDone);
  EXPECT_TRUE(none.empty());
  EXPECT_TRUE(std::ranges::equal(x.client->leftover(), sealed_record));
  const SessionSecrets a = x.client->TakeSession();
  const SessionSecrets b = hub.TakeSession();
  EXPECT_EQ(a.session_id, b.session_id);
  EXPECT_TRUE(a.roots.from_initiator == b.roots.from_initiator);
  EXPECT_TRUE(a.roots.from_responder == b.roots.from_responder);
  EXPECT_FALSE(a.roots.from_initiator == a.roots.from_responder);
  EXPECT_TRUE(a.join_keys.from_initiator == b.join_keys.from_initiator);
  EXPECT_TRUE(a.join_keys.from_responder == b.join_keys.from_responder);
  EXPECT_EQ(a.lane0.initiator, b.lane0.initiator);
  EXPECT_EQ(a.lane0.responder, b.lane0.responder);
  EXPECT_EQ(a.mtu, 1389);
  EXPECT_EQ(b.mtu, 1389);
  EXPECT_EQ(a.lanes, 3);
  EXPECT_EQ(b.lanes, 3);
  EXPECT_EQ(a.peer.lanes, 8);
  EXPECT_EQ(a.peer_key, x.hub_key.public_key);
  EXPECT_EQ(a.peer.addresses, x.hub_config.offer.addresses);
}

TEST(Handshake, OneByteAtATime) {
  Exchange x;
  const ByteVector hello = x.client->Start(kNow);
  for (size_t size = 0; size < hello.size(); ++size) {
    EXPECT_EQ(x.Inspect(ByteSpan(hello).first(size), kNow).kind,
              FirstFlightKind::kIncomplete);
  }
  FirstFlight first = x.Inspect(hello, kNow);
  ASSERT_EQ(first.kind, FirstFlightKind::kProven);
  ByteVector flight;
  ByteVector third;
  first.handshake->Start(&flight);
  for (const uint8_t& byte : flight) {
    ASSERT_EQ(x.client->Feed(ByteSpan(&byte, 1), kNow, &third),
              ClientProgress::kReading);
  }
  ByteVector verdict;
  for (size_t i = 0; i < third.size(); ++i) {
    ASSERT_EQ(first.handshake->Feed(ByteSpan(third).subspan(i, 1), &verdict),
              i + 1 == third.size() ? HubProgress::kAwaitVerdict
                                    : HubProgress::kReading);
  }
  EXPECT_EQ(first.handshake->Finish({}, &verdict), HubProgress::kDone);
  EXPECT_EQ(x.client->Feed(verdict, kNow, &flight), ClientProgress::kDone);
}

TEST(Handshake, EveryBitOfTheHelloThatCarriesUsIsProven) {
  Exchange x;
  const ByteVector hello = x.client->Start(kNow);
  size_t unproven = 0;
  for (size_t bit = 0; bit < 8 * hello.size(); ++bit) {
    ByteVector bad = hello;
    bad[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    const FirstFlightKind kind = x.Inspect(bad, kNow).kind;
    if (kind != FirstFlightKind::kProven) {
      ++unproven;
      continue;
    }
    // Not ours: another browser's extension. The tag is used up by it.
    EXPECT_EQ(x.Inspect(hello, kNow).kind, FirstFlightKind::kReplay);
    x.door.emplace(x.hub_config);
  }
  // e 32, sealed clock 24, and at the least the lengths around them.
  EXPECT_GE(unproven, 8u * (32 + 24) + 40);
  EXPECT_EQ(x.Inspect(hello, kNow).kind, FirstFlightKind::kProven);
}

TEST(Handshake, WrongKeyMeetsAnAlertAndASentence) {
  Exchange x;
  const SecretKey other = FixedSecret(0x11);
  x.client_config.psk = &other;
  x.Rebuild();
  const ByteVector hello = x.client->Start(kNow);
  const FirstFlight first = x.Inspect(hello, kNow);
  EXPECT_EQ(first.kind, FirstFlightKind::kUnproven);
  EXPECT_TRUE(first.hello.has_value());
  EXPECT_FALSE(first.handshake.has_value());
  ByteVector out;
  ASSERT_EQ(x.client->Feed(kHandshakeFailureRecord, kNow, &out),
            ClientProgress::kFailed);
  EXPECT_TRUE(absl::IsUnauthenticated(x.client->status()));
  EXPECT_EQ(x.client->status().message(),
            "the hub refused the first message: wrong key, or clocks "
            "differ; local time is 2023-11-14 22:13:20 UTC");
  EXPECT_TRUE(out.empty());
}

TEST(Handshake, ReplayIsRefused) {
  Exchange x;
  const ByteVector hello = x.client->Start(kNow);
  EXPECT_EQ(x.Inspect(hello, kNow).kind, FirstFlightKind::kProven);
  EXPECT_EQ(x.Inspect(hello, kNow).kind, FirstFlightKind::kReplay);
  EXPECT_EQ(x.Inspect(hello, kNow + 599'000).kind, FirstFlightKind::kReplay);
}

TEST(Handshake, ClockSkewIsToldFromAWrongKey) {
  Exchange x;
  const ByteVector hello = x.client->Start(kNow);
  FirstFlight flight = x.Inspect(hello, kNow + 600'001);
  EXPECT_EQ(flight.kind, FirstFlightKind::kClockOff);
  EXPECT_EQ(flight.clock_off_ms, -600'001);
  flight = x.Inspect(hello, kNow - 600'001);
  EXPECT_EQ(flight.kind, FirstFlightKind::kClockOff);
  EXPECT_EQ(flight.clock_off_ms, 600'001);
  EXPECT_EQ(x.Inspect(hello, kNow - 600'000).kind, FirstFlightKind::kProven);
}

TEST(Handshake, GarbageOfEveryLengthIsUnproven) {
  Exchange x;
  for (size_t size = 1; size <= 1500; ++size) {
    ByteVector garbage(size);
    CountedRandom::Fill(garbage);
    garbage[0] = 'G';
    EXPECT_EQ(x.Inspect(garbage, kNow).kind, FirstFlightKind::kUnproven);
  }
  ByteVector endless(kMaxClientHello, 0);
  endless[0] = 0x16;
  endless[1] = 3;
  endless[2] = 1;
  endless[3] = 0x30;
  EXPECT_EQ(x.Inspect(endless, kNow).kind, FirstFlightKind::kUnproven);
  endless.resize(100);
  EXPECT_EQ(x.Inspect(endless, kNow).kind, FirstFlightKind::kIncomplete);
}

// Flips each bit of `bytes` (every `step`-th of long ones) and hands it on.
template <typename Try>
void ForEachFlip(const ByteVector& bytes, size_t step, Try attempt) {
  for (size_t bit = 0; bit < 8 * bytes.size(); bit += step) {
    ByteVector bad = bytes;
    bad[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    attempt(bad, bit / 8);
  }
}

TEST(Handshake, HubsFlightIsProvenBitByBit) {
  Exchange x;
  const ByteVector hello = x.client->Start(kNow);
  FirstFlight first = x.Inspect(hello, kNow);
  ByteVector flight;
  first.handshake->Start(&flight);
  const ClientHandshake before = *x.client;
  // Random bytes of the ServerHello (5 + 4 + 2 … + 32) mean nothing.
  const auto is_random = [](size_t at) { return at >= 11 && at < 43; };
  ForEachFlip(flight, 7, [&](const ByteVector& bad, size_t at) {
    ClientHandshake client = before;
    ByteVector out;
    const ClientProgress progress = client.Feed(bad, kNow, &out);
    if (is_random(at)) {
      EXPECT_FALSE(out.empty()) << at;
    } else {
      EXPECT_TRUE(out.empty()) << at;
      EXPECT_NE(progress, ClientProgress::kDone);
    }
  });
  for (size_t size = 0; size < flight.size(); ++size) {
    ClientHandshake client = before;
    ByteVector out;
    EXPECT_EQ(client.Feed(ByteSpan(flight).first(size), kNow, &out),
              ClientProgress::kReading);
    EXPECT_TRUE(out.empty());
  }
}

TEST(Handshake, ThirdMessageIsProvenBitByBit) {
  Exchange x;
  const ByteVector hello = x.client->Start(kNow);
  FirstFlight first = x.Inspect(hello, kNow);
  ByteVector flight;
  ByteVector third;
  first.handshake->Start(&flight);
  x.client->Feed(flight, kNow, &third);
  const HubHandshake before = *first.handshake;
  ForEachFlip(third, 1, [&](const ByteVector& bad, size_t at) {
    HubHandshake hub = before;
    ByteVector out;
    const HubProgress progress = hub.Feed(bad, &out);
    // A longer length waits for more; all else fails with an alert.
    if (progress == HubProgress::kReading) {
      EXPECT_TRUE(out.empty()) << at;
    } else {
      EXPECT_EQ(progress, HubProgress::kFailed) << at;
      EXPECT_TRUE(EndsWithAlert(out)) << at;
    }
  });
  for (size_t size = 0; size < third.size(); ++size) {
    HubHandshake hub = before;
    ByteVector out;
    EXPECT_EQ(hub.Feed(ByteSpan(third).first(size), &out),
              HubProgress::kReading);
  }
}

TEST(Handshake, VerdictIsProvenBitByBit) {
  Exchange x;
  const ByteVector hello = x.client->Start(kNow);
  FirstFlight first = x.Inspect(hello, kNow);
  ByteVector flight;
  ByteVector third;
  ByteVector verdict;
  first.handshake->Start(&flight);
  x.client->Feed(flight, kNow, &third);
  first.handshake->Feed(third, &verdict);
  first.handshake->Finish({}, &verdict);
  const ClientHandshake before = *x.client;
  ForEachFlip(verdict, 1, [&](const ByteVector& bad, size_t at) {
    ClientHandshake client = before;
    ByteVector out;
    EXPECT_NE(client.Feed(bad, kNow, &out), ClientProgress::kDone) << at;
  });
}

TEST(Handshake, ReflectedMessagesAreRefused) {
  Exchange x;
  const ByteVector hello = x.client->Start(kNow);
  ByteVector out;
  EXPECT_EQ(x.client->Feed(hello, kNow, &out), ClientProgress::kFailed);
  EXPECT_TRUE(absl::IsDataLoss(x.client->status()));
  FirstFlight first = x.Inspect(hello, kNow);
  ByteVector flight;
  first.handshake->Start(&flight);
  ByteVector alert;
  EXPECT_EQ(first.handshake->Feed(flight, &alert), HubProgress::kFailed);
  EXPECT_TRUE(EndsWithAlert(alert));
}

// What a client says that the hub answers so.
std::string Refusal(const Verdict& verdict) {
  Exchange x;
  const Transcript t = RunAll(x, verdict);
  ByteVector out;
  EXPECT_EQ(x.client->Feed(t.verdict, kNow, &out), ClientProgress::kFailed);
  EXPECT_TRUE(absl::IsPermissionDenied(x.client->status()));
  return std::string(x.client->status().message());
}

TEST(Handshake, RefusalsReachTheOperator) {
  const std::pair<VerdictCode, std::string_view> cases[] = {
      {VerdictCode::kAddressTaken, "belongs to another client"},
      {VerdictCode::kAddressOutsideNetwork, "outside the hub's network"},
      {VerdictCode::kFull, "as many clients"},
      {VerdictCode::kSecondKeyRefused, "serves one client"},
      {VerdictCode::kVersion, "another version"},
      {static_cast<VerdictCode>(77), "no reason this version knows"}};
  for (const auto& [code, words] : cases) {
    EXPECT_NE(Refusal({.code = code}).find(words), std::string::npos);
    // The hub's own words say it already, and more.
    EXPECT_EQ(Refusal({.code = code, .text = "see\x1b[2J"}),
              "the hub refused this client: see?[2J");
  }
}

TEST(Handshake, TheKeeperIsAskedBeforeItCosts) {
  Exchange x;
  const ByteVector hello = x.client->Start(kNow);
  x.keeper.may_try = false;
  const FirstFlight untried = x.Inspect(hello, kNow);
  EXPECT_EQ(untried.kind, FirstFlightKind::kUnproven);
  EXPECT_TRUE(untried.hello) << "it may be a lane join all the same";
  x.keeper.may_try = true;
  x.keeper.may_enter = false;
  EXPECT_EQ(x.Inspect(hello, kNow).kind, FirstFlightKind::kTooMany);
  EXPECT_EQ(x.Inspect(hello, kNow).kind, FirstFlightKind::kTooMany)
      << "it is not remembered, so that a flood pushes out nothing";
  x.keeper.may_enter = true;
  EXPECT_EQ(x.Inspect(hello, kNow).kind, FirstFlightKind::kProven);
}

// Whoever overheard a hello could use up what those with the key have.
TEST(Handshake, ARepeatedHelloCostsNoEntry) {
  Exchange x;
  const ByteVector hello = x.client->Start(kNow);
  EXPECT_EQ(x.Inspect(hello, kNow).kind, FirstFlightKind::kProven);
  x.keeper.may_enter = false;
  EXPECT_EQ(x.Inspect(hello, kNow).kind, FirstFlightKind::kReplay);
}

TEST(Handshake, AnotherHubsKeyIsRefusedBeforeOursIsShown) {
  Exchange x;
  x.client_config.expected_hub_key = FixedStaticKey(9).public_key;
  x.Rebuild();
  FirstFlight first = x.Inspect(x.client->Start(kNow), kNow);
  ByteVector flight;
  ByteVector out;
  first.handshake->Start(&flight);
  EXPECT_EQ(x.client->Feed(flight, kNow, &out), ClientProgress::kFailed);
  EXPECT_EQ(x.client->changed_key(), x.hub_key.public_key);
  EXPECT_TRUE(out.empty());
}

TEST(Handshake, VersionsAreNamed) {
  Exchange x;
  x.hub_config.offer.version = 2;
  x.Rebuild();
  FirstFlight first = x.Inspect(x.client->Start(kNow), kNow);
  ByteVector flight;
  ByteVector out;
  first.handshake->Start(&flight);
  EXPECT_EQ(x.client->Feed(flight, kNow, &out), ClientProgress::kFailed);
  EXPECT_EQ(x.client->status().message(),
            "the hub speaks version 2 of the protocol, this gateway "
            "version 1");
  Exchange y;
  y.client_config.offer.version = 3;
  y.Rebuild();
  const Transcript t = RunAll(y, {});
  EXPECT_EQ(y.client->Feed(t.verdict, kNow, &out), ClientProgress::kFailed);
  EXPECT_TRUE(absl::IsPermissionDenied(y.client->status()));
}

TEST(Handshake, NullPskIsAKeyLikeAnyOther) {
  Exchange x;
  x.psk = NullPsk();
  x.keys = KeyRing(x.psk);
  x.Rebuild();
  const Transcript t = RunAll(x, {});
  ByteVector out;
  EXPECT_EQ(x.client->Feed(t.verdict, kNow, &out), ClientProgress::kDone);
}

// Bytes as they were made before there were features: ended or padded there.
TEST(Handshake, WhoHasNoFeaturesIsOfVersion1) {
  const PeerOffer offer = {.mtu = 1400, .addresses = {Prefix("10.0.0.2/24")}};
  ByteVector client = BuildClientPayload({.offer = offer});
  ByteVector hub = BuildHubPayload({.offer = offer}, 0);
  EXPECT_EQ(ParseClientPayload(client)->offer.features, kOwnFeatures);
  EXPECT_EQ(ParseHubPayload(hub)->offer.features, kOwnFeatures);
  client.resize(client.size() - 4);
  hub.resize(hub.size() - 4);
  for (int i = 0; i < 6; ++i) {
    EXPECT_EQ(ParseClientPayload(client)->offer.features, 0u);
    EXPECT_EQ(ParseHubPayload(hub)->offer.features, 0u);
    client.push_back(0);
    hub.push_back(0);
  }
  EXPECT_EQ(ParseClientPayload(client)->offer.addresses, offer.addresses);
}

TEST(Handshake, OffersAreBounded) {
  const ByteVector good = BuildClientPayload(
      {.offer = {.mtu = 1400, .addresses = {Prefix("10.0.0.2/24")}}});
  ASSERT_TRUE(ParseClientPayload(good));
  const size_t before_features = good.size() - 4;
  for (size_t size = 0; size < before_features; ++size) {
    EXPECT_FALSE(ParseClientPayload(ByteSpan(good).first(size)));
  }
  const std::pair<size_t, uint8_t> edits[] = {
      {19, 0}, {19, 17}, {20, 3}, {21, 5}, {22, 33}};
  for (const auto& [at, value] : edits) {
    ByteVector bad = good;
    bad[at] = value;
    EXPECT_FALSE(ParseClientPayload(bad)) << at;
  }
  ByteVector padded = good;
  padded.resize(300);
  EXPECT_TRUE(ParseClientPayload(padded));
  for (const uint16_t mtu : {0, 575, 576}) {
    const PeerOffer offer = {.mtu = mtu, .addresses = {Prefix("10.0.0.2/24")}};
    const bool well = mtu >= kLeastInnerMtu;
    EXPECT_EQ(ParseClientPayload(BuildClientPayload({.offer = offer})) !=
                  std::nullopt,
              well);
    EXPECT_EQ(
        ParseHubPayload(BuildHubPayload({.offer = offer}, 200)) != std::nullopt,
        well);
  }
}

}  // namespace
}  // namespace lwt::handshake
