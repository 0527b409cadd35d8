#include "control/handshake/rekey.h"

#include <gtest/gtest.h>

#include <map>

#include "control/handshake/control_channel.h"
#include "tests/unit/control/handshake/give_rekey.h"

namespace lwt::handshake {
namespace {

using Kind = RekeyAction::Kind;

constexpr uint64_t kSecond = 1'000'000;

KeyPair StartRoots() {
  KeyPair roots;
  roots.from_initiator.bytes()[0] = 1;
  roots.from_responder.bytes()[0] = 2;
  return roots;
}

// One side with its channel and what a dataplane would hold.
struct Side {
  Side(RekeyRole role, const RekeyConfig& config)
      : rekey(role, config, StartRoots(), 0) {
    installed[0] = 0;
  }

  void Apply(std::vector<RekeyAction>& actions) {
    for (RekeyAction& action : actions) {
      switch (action.kind) {
        case Kind::kSend:
          ASSERT_TRUE(channel.Send(action.type, std::move(action.body)));
          break;
        case Kind::kInstallReceive:
          EXPECT_FALSE(installed.contains(action.epoch % 4))
              << "slot of epoch " << action.epoch << " not retired";
          EXPECT_NE(rekey.Roots(action.epoch), nullptr);
          installed[action.epoch % 4] = action.epoch;
          break;
        case Kind::kSwitchSend:
          EXPECT_TRUE(CanOpen(action.epoch));
          sending = action.epoch;
          break;
        case Kind::kRetire:
          EXPECT_TRUE(CanOpen(action.epoch));
          EXPECT_NE(action.epoch, sending);
          installed.erase(action.epoch % 4);
          break;
        case Kind::kGiveUp:
          gave_up = true;
          break;
      }
    }
    actions.clear();
  }
  void Tick(uint64_t now_us, uint64_t records) {
    std::vector<RekeyAction> actions;
    rekey.Tick(now_us, records, &actions);
    Apply(actions);
  }
  bool Take(ByteSpan bytes, uint64_t now_us) {
    std::vector<ControlMessage> messages;
    std::vector<RekeyAction> actions;
    bool good = channel.Receive(bytes, &messages);
    for (const ControlMessage& message : messages) {
      good &= GiveRekey(rekey, message, now_us, &actions);
      Apply(actions);
    }
    return good;
  }
  bool CanOpen(uint32_t epoch) const {
    const auto it = installed.find(epoch % 4);
    return it != installed.end() && it->second == epoch;
  }

  Rekey rekey;
  ControlChannel channel;
  std::map<uint32_t, uint32_t> installed;
  uint32_t sending = 0;
  bool gave_up = false;
};

struct Pair {
  explicit Pair(const RekeyConfig& config = {})
      : client(RekeyRole::kInitiator, config),
        hub(RekeyRole::kResponder, config) {}

  // Carries messages until both are silent.
  void Settle(uint64_t now_us) {
    for (bool moved = true; moved;) {
      moved = false;
      while (auto bytes = client.channel.Poll(now_us)) {
        EXPECT_TRUE(hub.Take(*bytes, now_us));
        moved = true;
      }
      while (auto bytes = hub.channel.Poll(now_us)) {
        EXPECT_TRUE(client.Take(*bytes, now_us));
        moved = true;
      }
    }
  }
  void ExpectSameRoots(uint32_t epoch) {
    const KeyPair* a = client.rekey.Roots(epoch);
    const KeyPair* b = hub.rekey.Roots(epoch);
    ASSERT_TRUE(a != nullptr && b != nullptr) << epoch;
    EXPECT_TRUE(a->from_initiator == b->from_initiator);
    EXPECT_TRUE(a->from_responder == b->from_responder);
    EXPECT_FALSE(a->from_initiator == a->from_responder);
  }

  Side client;
  Side hub;
};

TEST(Rekey, ByTime) {
  Pair pair;
  EXPECT_EQ(pair.client.rekey.NextDeadline(), 120 * kSecond);
  EXPECT_EQ(pair.hub.rekey.NextDeadline(), UINT64_MAX);
  pair.client.Tick(120 * kSecond - 1, 0);
  pair.Settle(120 * kSecond - 1);
  EXPECT_EQ(pair.client.sending, 0u);
  pair.client.Tick(120 * kSecond, 0);
  pair.Settle(120 * kSecond);
  EXPECT_EQ(pair.client.sending, 1u);
  EXPECT_EQ(pair.hub.sending, 1u);
  pair.ExpectSameRoots(1);
  EXPECT_EQ(pair.client.rekey.OpenEpochs(), (std::vector<uint32_t>{0, 1}));
  EXPECT_EQ(pair.client.rekey.NextDeadline(), 135 * kSecond);
  for (Side* side : {&pair.client, &pair.hub}) {
    side->Tick(135 * kSecond - 1, 0);
    EXPECT_TRUE(side->CanOpen(0));
    side->Tick(135 * kSecond, 0);
    EXPECT_FALSE(side->CanOpen(0));
    EXPECT_EQ(side->rekey.Roots(0), nullptr);
    EXPECT_EQ(side->rekey.OpenEpochs(), (std::vector<uint32_t>{1}));
  }
}

TEST(Rekey, ByRecordsOfEitherSide) {
  Pair pair({.max_records = 1 << 14});
  pair.client.Tick(kSecond, (1 << 14) - 1);
  pair.hub.Tick(kSecond, (1 << 14) - 1);
  pair.Settle(kSecond);
  EXPECT_EQ(pair.client.sending, 0u);
  pair.hub.Tick(kSecond, 1 << 14);
  pair.hub.Tick(kSecond, 1 << 15);  // asks once
  pair.Settle(kSecond);
  EXPECT_EQ(pair.hub.sending, 1u);
  EXPECT_EQ(pair.client.sending, 1u);
  // A request that crosses an offer makes no second epoch.
  pair.client.Tick(kSecond, 1 << 14);
  pair.hub.Tick(kSecond, 1 << 14);
  pair.Settle(kSecond);
  EXPECT_EQ(pair.hub.sending, 2u);
  EXPECT_EQ(pair.client.sending, 2u);
  pair.ExpectSameRoots(2);
}

TEST(Rekey, ManyEpochsInQuickSuccession) {
  Pair pair({.max_records = 1 << 14});
  uint64_t now = kSecond;
  for (uint32_t epoch = 1; epoch <= 300; ++epoch, now += kSecond / 5) {
    pair.client.Tick(now, 1 << 14);
    pair.hub.Tick(now, 1 << 14);
    pair.Settle(now);
    ASSERT_EQ(pair.client.sending, epoch);
    ASSERT_EQ(pair.hub.sending, epoch);
    ASSERT_TRUE(pair.client.CanOpen(epoch - 1));
    ASSERT_TRUE(pair.hub.CanOpen(epoch - 1));
    ASSERT_LE(pair.hub.rekey.OpenEpochs().size(), 4u);
    pair.ExpectSameRoots(epoch);
  }
}

TEST(Rekey, EachSideOpensWhatTheOtherSealsAtEveryStep) {
  Pair pair({.max_records = 1});
  pair.client.Tick(kSecond, 1);
  for (int step = 0; step < 8; ++step) {
    EXPECT_TRUE(pair.hub.CanOpen(pair.client.sending));
    EXPECT_TRUE(pair.client.CanOpen(pair.hub.sending));
    Side& from = step % 2 == 0 ? pair.client : pair.hub;
    Side& to = step % 2 == 0 ? pair.hub : pair.client;
    if (auto bytes = from.channel.Poll(kSecond)) {
      EXPECT_TRUE(to.Take(*bytes, kSecond));
    }
  }
  EXPECT_EQ(pair.hub.sending, 1u);
}

TEST(Rekey, GivesUpLongBeforeTheCipherDoes) {
  Pair pair;
  pair.hub.Tick(kSecond, Rekey::kHardLimit - 1);
  EXPECT_FALSE(pair.hub.gave_up);
  pair.hub.Tick(kSecond, Rekey::kHardLimit);
  EXPECT_TRUE(pair.hub.gave_up);
}

ControlMessage Message(ControlType type, ByteVector body) {
  return {.sequence = 1, .type = type, .body = std::move(body)};
}

TEST(Rekey, BrokenMessagesAreRefused) {
  std::vector<RekeyAction> actions;
  const std::array<uint8_t, 32> key =
      X25519Public(SecretKey(StartRoots().from_initiator).bytes());
  const auto refused = [&](RekeyRole role, ControlType type, ByteVector body) {
    Rekey rekey(role, {}, StartRoots(), 0);
    const bool good =
        GiveRekey(rekey, Message(type, std::move(body)), 1, &actions);
    return !good && actions.empty() &&
           rekey.OpenEpochs() == std::vector<uint32_t>{0};
  };
  using enum ControlType;
  const auto hub = RekeyRole::kResponder;
  const auto client = RekeyRole::kInitiator;
  const ByteVector offer = RekeyOffer{1, key}.Build();
  EXPECT_TRUE(refused(client, kRekeyOffer, offer));
  EXPECT_TRUE(refused(client, kRekeyAnswer, offer)) << "nothing was offered";
  EXPECT_TRUE(refused(client, kRekeyRequest, {1}));
  EXPECT_TRUE(refused(client, kRekeyDone, RekeyDone{1}.Build()));
  EXPECT_TRUE(refused(hub, kRekeyAnswer, offer));
  EXPECT_TRUE(refused(hub, kRekeyRequest, {}));
  EXPECT_TRUE(refused(hub, kRekeyDone, RekeyDone{1}.Build()))
      << "no answer yet";
  EXPECT_TRUE(refused(hub, kRekeyDone, {0}));
  EXPECT_TRUE(refused(hub, kNotice, offer));
  EXPECT_TRUE(refused(hub, kRekeyOffer, {offer.begin(), offer.end() - 1}));
  EXPECT_TRUE(refused(hub, kRekeyOffer, RekeyOffer{2, key}.Build()));
  EXPECT_TRUE(refused(hub, kRekeyOffer, RekeyOffer{1, {}}.Build()))
      << "small order";
}

TEST(Rekey, AnOfferTwiceIsRefused) {
  Pair pair({.max_records = 1});
  pair.client.Tick(kSecond, 1);
  const ByteVector offer = *pair.client.channel.Poll(kSecond);
  EXPECT_TRUE(pair.hub.Take(offer, kSecond));
  std::vector<RekeyAction> actions;
  EXPECT_FALSE(GiveRekey(pair.hub.rekey, *ParseControlMessage(offer), kSecond,
                         &actions));
  EXPECT_TRUE(actions.empty());
}

}  // namespace
}  // namespace lwt::handshake
