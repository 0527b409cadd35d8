#include "control/handshake/lane_join.h"

#include <gtest/gtest.h>

#include "tests/unit/control/handshake/exchange_fixture.h"

namespace lwt::handshake {
namespace {

constexpr uint64_t kSession = 0x0123456789abcdef;
// Lanes of other slots have joined since: that is no reason to refuse one.
constexpr LaneId kNewest[] = {{9}, {0}, {4}};
constexpr LaneId kNone[3] = {};

class LaneJoin : public testing::Test {
 protected:
  LaneJoin() {
    InitCrypto();
    CountedRandom::Reset();
    join_keys = DeriveJoinKeys({FixedSecret(1), FixedSecret(2)});
    mask = DeriveJoinMaskKey(FixedSecret(3));
    request = MakeLaneJoin(mask, join_keys, kSession, {5}, {2}, kNow,
                           CountedRandom::Fill);
  }

  KeyPair join_keys;
  SecretKey mask;
  LaneJoinRequest request;
};

TEST_F(LaneJoin, BothEndsAgree) {
  const ByteVector hello = BuildClientHello(request.hello, "www.example.com");
  TlsRecord record;
  size_t size = 0;
  ASSERT_EQ(TlsReader::Peek(hello, &record, &size), TlsReader::Result::kRecord);
  const auto fields = ParseClientHello(record.body);
  ASSERT_TRUE(fields);
  EXPECT_EQ(LaneJoinSessionId(mask, *fields), kSession);
  const auto blob = OpenLaneJoin(join_keys, *fields, kNewest, kNow);
  ASSERT_TRUE(blob);
  EXPECT_EQ(blob->lane_id, LaneId{5});
  EXPECT_EQ(blob->slot, LaneSlot{2});
  LaneJoinAnswer answer =
      AnswerLaneJoin(join_keys, *fields, *blob, 77, CountedRandom::Fill);
  const size_t answer_size = answer.bytes.size();
  answer.bytes.push_back(0x17);  // the first sealed record
  JoinedLane lane;
  size_t consumed = 0;
  for (size_t part = 0; part < answer_size; ++part) {
    EXPECT_EQ(ReadLaneJoinAnswer(join_keys, request,
                                 ByteSpan(answer.bytes).first(part), &lane,
                                 &consumed),
              LaneJoinProgress::kReading);
  }
  ASSERT_EQ(
      ReadLaneJoinAnswer(join_keys, request, answer.bytes, &lane, &consumed),
      LaneJoinProgress::kDone);
  EXPECT_EQ(consumed, answer_size);
  EXPECT_EQ(lane.lane_id, answer.lane.lane_id);
  EXPECT_EQ(lane.slot, LaneSlot{2});
  EXPECT_EQ(answer.lane.slot, LaneSlot{2});
  EXPECT_EQ(lane.nonces.initiator, answer.lane.nonces.initiator);
  EXPECT_EQ(lane.nonces.responder, answer.lane.nonces.responder);
  EXPECT_EQ(lane.epoch, 77u);
}

TEST_F(LaneJoin, EveryBitIsProven) {
  for (size_t bit = 0; bit < 8 * 96; ++bit) {
    HelloFields bad = request.hello;
    uint8_t& byte = bit < 512 ? bad.random_and_session_id[bit / 8]
                              : bad.key_share[bit / 8 - 64];
    byte ^= static_cast<uint8_t>(1 << bit % 8);
    EXPECT_FALSE(OpenLaneJoin(join_keys, bad, kNewest, kNow)) << bit;
  }
}

TEST_F(LaneJoin, RepeatsOldClocksAndOtherKeysAreRefused) {
  EXPECT_TRUE(OpenLaneJoin(join_keys, request.hello, kNewest, kNow));
  constexpr LaneId kUsed[] = {{0}, {0}, {5}};
  EXPECT_FALSE(OpenLaneJoin(join_keys, request.hello, kUsed, kNow));
  EXPECT_FALSE(OpenLaneJoin(join_keys, request.hello, kNewest, kNow + 600'001));
  EXPECT_FALSE(OpenLaneJoin(join_keys, request.hello, kNewest, kNow - 600'001));
  EXPECT_FALSE(
      OpenLaneJoin(join_keys, request.hello, std::span(kNewest).first(2), kNow))
      << "a slot that the session does not have";
  const KeyPair swapped{join_keys.from_responder, join_keys.from_initiator};
  EXPECT_FALSE(OpenLaneJoin(swapped, request.hello, kNewest, kNow));
}

TEST_F(LaneJoin, EveryBitOfTheAnswerIsProven) {
  const LaneJoinBlob blob =
      *OpenLaneJoin(join_keys, request.hello, kNewest, kNow);
  const ByteVector answer =
      AnswerLaneJoin(join_keys, request.hello, blob, 1, CountedRandom::Fill)
          .bytes;
  for (size_t bit = 0; bit < 8 * answer.size(); ++bit) {
    if (bit == 17) continue;  // a hello's record may say 3.1 for 3.3
    ByteVector bad = answer;
    bad[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    JoinedLane lane;
    size_t consumed = 0;
    EXPECT_NE(ReadLaneJoinAnswer(join_keys, request, bad, &lane, &consumed),
              LaneJoinProgress::kDone)
        << bit;
  }
}

TEST_F(LaneJoin, AFirstMessageIsNoJoinAndAJoinNoFirstMessage) {
  Exchange x;
  const ByteVector join = BuildClientHello(request.hello, "a");
  const FirstFlight flight = x.Inspect(join, kNow);
  EXPECT_EQ(flight.kind, FirstFlightKind::kUnproven);
  ASSERT_TRUE(flight.hello);
  EXPECT_EQ(LaneJoinSessionId(mask, *flight.hello), kSession);
  const FirstFlight first = x.Inspect(x.client->Start(kNow), kNow);
  EXPECT_FALSE(OpenLaneJoin(join_keys, *first.hello, kNone, kNow));
}

}  // namespace
}  // namespace lwt::handshake
