#include "control/nat/stun_server.h"

#include <gtest/gtest.h>

namespace lwt::nat {
namespace {

constexpr TransactionId kId = {9, 8, 7};

class StunServerTest : public ::testing::Test {
 protected:
  StunServerTest() {
    handshake::InitCrypto();
    keys_.SetNow(psk_, 0, 0);
  }

  static Endpoint At(const char* text) { return *ParseEndpoint(text); }
  static StunServer::Place Two() {
    return {At("198.51.100.1:9000"), 9001, At("198.51.100.2:9001")};
  }

  std::optional<StunServer::Answer> Ask(StunServer& server,
                                        const StunServer::Place& place,
                                        const StunMessage& request,
                                        const handshake::SecretKey* key) {
    return server.OnDatagram(place, source_, FormatStun(request, key), now_us_);
  }
  StunMessage Read(const StunServer::Answer& answer) {
    const auto read = ParseStun(answer.bytes);
    EXPECT_TRUE(read);
    return read.value_or(StunMessage());
  }

  uint64_t now_us_ = 1'000'000;
  const Endpoint source_ = At("203.0.113.9:4711");
  const handshake::SecretKey psk_{handshake::Sha256({})};
  const handshake::SecretKey member_ = StunKeyOf(psk_);
  handshake::KeyRing keys_;
  StunServer server_{{.keys = keys_}};
  StunServer open_{{.keys = keys_, .open = true}};
};

TEST_F(StunServerTest, TellsAMemberWhereItIs) {
  const auto answer = Ask(server_, Two(), {.id = kId}, &member_);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->from, Two().local);
  const StunMessage read = Read(*answer);
  EXPECT_EQ(read.kind, StunKind::kSuccess);
  EXPECT_EQ(read.id, kId);
  EXPECT_EQ(read.mapped, source_);
  EXPECT_EQ(read.origin, Two().local);
  EXPECT_EQ(read.other, Two().other_address);
  EXPECT_TRUE(IsProvenBy(member_, read, answer->bytes));
}

TEST_F(StunServerTest, AStrangerHearsNothing) {
  EXPECT_FALSE(Ask(server_, Two(), {.id = kId}, nullptr));
  const handshake::SecretKey other = StunKeyOf(member_);
  EXPECT_FALSE(Ask(server_, Two(), {.id = kId}, &other));
  EXPECT_FALSE(server_.OnDatagram(Two(), source_, {}, now_us_));
  // An answer is not answered, or two servers would talk for ever.
  EXPECT_FALSE(
      Ask(open_, Two(), {.kind = StunKind::kSuccess, .id = kId}, &member_));
}

TEST_F(StunServerTest, AnOpenOneAnswersEverybody) {
  const auto answer = Ask(open_, Two(), {.id = kId}, nullptr);
  ASSERT_TRUE(answer);
  EXPECT_EQ(Read(*answer).mapped, source_);
  EXPECT_FALSE(Read(*answer).integrity);
}

TEST_F(StunServerTest, AnswersFromElsewhereWhereItIsAsked) {
  const auto from = [this](bool address, bool port) {
    const auto answer = Ask(
        server_, Two(),
        {.id = kId, .change_address = address, .change_port = port}, &member_);
    return answer ? ToString(answer->from) : "";
  };
  EXPECT_EQ(from(true, true), "198.51.100.2:9001");
  EXPECT_EQ(from(true, false), "198.51.100.2:9000");
  EXPECT_EQ(from(false, true), "198.51.100.1:9001");
}

TEST_F(StunServerTest, SaysWhereItHasNoOtherPlace) {
  const auto answer = Ask(server_, {.local = At("198.51.100.1:9000")},
                          {.id = kId, .change_address = true}, &member_);
  ASSERT_TRUE(answer);
  EXPECT_EQ(Read(*answer).kind, StunKind::kError);
  EXPECT_EQ(Read(*answer).error, 420);
  EXPECT_EQ(answer->from, At("198.51.100.1:9000"));
}

// Of each of the keys that the hub takes.
TEST_F(StunServerTest, AKeyBeforeIsGoodWhileItIs) {
  const handshake::SecretKey next(member_.bytes());
  keys_.SetNow(next, now_us_, 60'000'000);
  EXPECT_TRUE(Ask(server_, Two(), {.id = kId}, &member_));
  keys_.Expire(now_us_ + 61'000'000);
  EXPECT_FALSE(Ask(server_, Two(), {.id = kId}, &member_));
}

// Who forges the source of its requests gets a victim's network no more.
TEST_F(StunServerTest, ANetworkHearsSoManyASecond) {
  int answers = 0;
  for (int i = 0; i < 10'000; ++i) {
    now_us_ += 100;  // one second in all
    answers += Ask(open_, Two(), {.id = kId}, nullptr).has_value();
  }
  const auto most =
      StunServer::kPerNetwork.burst + StunServer::kPerNetwork.per_second;
  EXPECT_LE(answers, static_cast<int>(most));
  EXPECT_GE(answers, static_cast<int>(most) - 2);
}

}  // namespace
}  // namespace lwt::nat
