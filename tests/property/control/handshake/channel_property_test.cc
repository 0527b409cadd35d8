// The control channel and re-keying over a link that loses, repeats and
// reorders: whatever the seed, all arrives once and in order.
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "control/handshake/control_channel.h"
#include "control/handshake/rekey.h"
#include "tests/unit/control/handshake/give_rekey.h"

namespace lwt::handshake {
namespace {

// One direction, in fake time.
class BadLink {
 public:
  BadLink(std::mt19937_64* random, double loss)
      : random_(random), loss_(loss) {}

  void Put(ByteVector bytes, uint64_t now_us) {
    const int copies = Chance(loss_) ? 0 : Chance(0.1) ? 2 : 1;
    for (int i = 0; i < copies; ++i) {
      flying_.emplace(now_us + 1000 + (*random_)() % 400'000, bytes);
    }
  }
  std::optional<ByteVector> Get(uint64_t now_us) {
    if (flying_.empty() || flying_.begin()->first > now_us) return {};
    ByteVector bytes = std::move(flying_.begin()->second);
    flying_.erase(flying_.begin());
    return bytes;
  }

 private:
  bool Chance(double probability) {
    return std::uniform_real_distribution<>(0, 1)(*random_) < probability;
  }

  std::mt19937_64* random_;
  double loss_;
  std::multimap<uint64_t, ByteVector> flying_;
};

TEST(ControlChannelProperty, AllArriveOnceAndInOrder) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    BadLink links[2] = {{&random, 0.3}, {&random, 0.3}};
    ControlChannel ends[2];
    uint32_t sent[2] = {0, 0};
    uint32_t received[2] = {0, 0};
    constexpr uint32_t kMessages = 100;
    uint64_t now_us = 0;
    const auto finished = [&](int i) {
      return sent[i] == kMessages && ends[i].AllAcknowledged();
    };
    for (; !finished(0) || !finished(1); now_us += 10'000) {
      ASSERT_LT(now_us, 1'000'000'000u) << "no progress";
      for (int i = 0; i < 2; ++i) {
        if (sent[i] < kMessages && random() % 3 == 0 &&
            ends[i].Send(ControlType::kNotice,
                         RekeyDone{sent[i] + 1}.Build())) {
          ++sent[i];
        }
        while (auto bytes = ends[i].Poll(now_us)) links[i].Put(*bytes, now_us);
        while (auto bytes = links[1 - i].Get(now_us)) {
          std::vector<ControlMessage> messages;
          ASSERT_TRUE(ends[i].Receive(*bytes, &messages));
          for (const ControlMessage& message : messages) {
            ASSERT_EQ(RekeyDone::Parse(message.body)->epoch, ++received[i]);
          }
        }
      }
    }
    EXPECT_EQ(received[0], kMessages);
    EXPECT_EQ(received[1], kMessages);
  }
}

// One side of a session whose records are sent at random moments.
struct Side {
  explicit Side(RekeyRole role)
      : rekey(role, {.interval_us = 3'000'000, .max_records = 200}, SomeRoots(),
              0) {}

  static KeyPair SomeRoots() {
    KeyPair roots;
    roots.from_initiator.bytes()[0] = 1;
    return roots;
  }
  void Apply(const std::vector<RekeyAction>& actions) {
    for (const RekeyAction& action : actions) {
      if (action.kind == RekeyAction::Kind::kSend) {
        ASSERT_TRUE(channel.Send(action.type, action.body));
      } else if (action.kind == RekeyAction::Kind::kSwitchSend) {
        records = 0;
      }
    }
  }

  Rekey rekey;
  ControlChannel channel;
  uint64_t records = 0;
};

TEST(RekeyProperty, NoRecordMeetsAClosedEpoch) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    BadLink links[2] = {{&random, 0.2}, {&random, 0.2}};
    Side sides[2] = {Side(RekeyRole::kInitiator), Side(RekeyRole::kResponder)};
    for (uint64_t now_us = 0; now_us < 120'000'000; now_us += 20'000) {
      for (int i = 0; i < 2; ++i) {
        Side& side = sides[i];
        const Side& other = sides[1 - i];
        // What is sealed now is opened now by the other side.
        ASSERT_NE(other.rekey.Roots(side.rekey.send_epoch()), nullptr);
        side.records += random() % 10;
        std::vector<RekeyAction> actions;
        side.rekey.Tick(now_us, side.records, &actions);
        while (auto bytes = links[1 - i].Get(now_us)) {
          std::vector<ControlMessage> messages;
          ASSERT_TRUE(side.channel.Receive(*bytes, &messages));
          for (const ControlMessage& message : messages) {
            ASSERT_TRUE(GiveRekey(side.rekey, message, now_us, &actions));
          }
        }
        side.Apply(actions);
        while (auto bytes = side.channel.Poll(now_us)) {
          links[i].Put(*bytes, now_us);
        }
      }
    }
    EXPECT_GE(sides[0].rekey.send_epoch(), 20u);
  }
}

}  // namespace
}  // namespace lwt::handshake
