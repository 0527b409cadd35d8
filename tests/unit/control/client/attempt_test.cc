// One attempt of a client, against a hub whose words the test puts in: what it
// asks of worker and host, when it gives up and with which sentence, and what
// it leaves behind.
#include <gtest/gtest.h>

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "control/client/client_attempt.h"
#include "tests/unit/control/handshake/exchange_fixture.h"
#include "tests/unit/control/session/world.h"
#include "tests/unit/control/workers/recording_link.h"

namespace lwt::peer {
namespace {

using State = ClientAttempt::State;
using handshake::ByteVector;

const Endpoint kHubAt = At("192.0.2.1:9000");
const FlowId kFlow = FlowId::Of(7, 1, {0});

class AttemptTest : public testing::Test, public FlowOwner {
 protected:
  ClientAttempt& Make(std::optional<JoinTicket> ticket = std::nullopt) {
    attempt_.emplace(ClientAttempt::Context{road_, host_, x_.client_config},
                     *this, kHubAt, std::move(ticket), PortWish{}, net_.now_us);
    return *attempt_;
  }
  JoinTicket Ticket() const {
    JoinTicket ticket;
    ticket.join_mask = handshake::DeriveJoinMaskKey(x_.psk);
    ticket.session_id = 0x1122334455667788;
    ticket.lane_id = {5};
    ticket.join_keys.from_initiator = handshake::FixedSecret(3);
    ticket.join_keys.from_responder = handshake::FixedSecret(4);
    return ticket;
  }
  // To a flow that is up; what was sent on it so far is taken.
  ClientAttempt& Connected(std::optional<JoinTicket> ticket = std::nullopt) {
    ClientAttempt& attempt = Make(std::move(ticket));
    attempt.OnFlowUp(kFlow, 0, net_.now_us);
    EXPECT_EQ(attempt.state(), State::kExchange);
    hello_ = TakeSent();
    EXPECT_FALSE(hello_.empty());
    return attempt;
  }
  // The bytes that the attempt sent on its flow since the last call.
  ByteVector TakeSent() {
    ByteVector bytes;
    for (const auto& command : link_.Sent<SendStreamCommand>()) {
      EXPECT_EQ(command.flow, kFlow);
      bytes.insert(bytes.end(), command.bytes.begin(), command.bytes.end());
    }
    link_.commands.clear();
    return bytes;
  }
  void Feed(const ByteVector& bytes) {
    attempt_->OnStream(RecordingLink::Punt(kFlow, bytes, fed_), net_.now_us);
    fed_ += bytes.size();
  }
  // The true hub's half of a handshake, up to its verdict.
  ByteVector HubAccepts(const handshake::Verdict& verdict = {}) {
    auto flight = x_.Inspect(hello_, host_.UnixMs());
    EXPECT_EQ(flight.kind, handshake::FirstFlightKind::kProven);
    ByteVector words;
    flight.handshake->Start(&words);
    Feed(words);
    ByteVector last;
    EXPECT_EQ(flight.handshake->Feed(TakeSent(), &last),
              handshake::HubProgress::kAwaitVerdict);
    flight.handshake->Finish(verdict, &last);
    return last;
  }
  ByteVector HubJoins(const JoinTicket& ticket, uint32_t epoch) {
    auto flight = x_.Inspect(hello_, host_.UnixMs());
    EXPECT_TRUE(flight.hello.has_value());
    const std::array<handshake::LaneId, handshake::kMaxLanes> newest{};
    const auto blob = handshake::OpenLaneJoin(ticket.join_keys, *flight.hello,
                                              newest, host_.UnixMs());
    EXPECT_TRUE(blob.has_value());
    return handshake::AnswerLaneJoin(ticket.join_keys, *flight.hello, *blob,
                                     epoch)
        .bytes;
  }
  std::string Why() const { return std::string(attempt_->status().message()); }
  // What an attempt holds of its gateway.
  void ExpectNothingLeft() {
    EXPECT_TRUE(host_.locals.empty());
    EXPECT_EQ(road_.owners.tokens(), 0u);
    EXPECT_EQ(road_.owners.flows(), 0u);
  }

  FakeNet net_;
  RecordingLink link_;
  FakeHost host_{net_, At("192.0.2.10:1").address};
  WorkerRoad road_{link_, host_, 4, 1};
  handshake::Exchange x_;
  ByteVector hello_;
  uint64_t fed_ = 0;  // stream bytes of the hub
  std::optional<ClientAttempt> attempt_;
};

TEST_F(AttemptTest, ItConnectsFromAPortOfItsOwn) {
  road_.peers.PublishNow();
  const ClientAttempt& attempt = Make();
  EXPECT_EQ(attempt.state(), State::kConnecting);
  const auto connects = link_.Sent<ConnectCommand>();
  ASSERT_EQ(connects.size(), 1u);
  EXPECT_EQ(connects[0].remote, kHubAt);
  EXPECT_EQ(connects[0].local, host_.locals.front());
  EXPECT_EQ(connects[0].token, attempt.token());
  EXPECT_EQ(attempt.local(), host_.locals.front());
  EXPECT_FALSE(attempt.is_join());
  attempt_.reset();
  ExpectNothingLeft();
}

TEST_F(AttemptTest, WithoutALocalPortItHasFailedAtOnce) {
  host_.route = absl::UnavailableError("no route to 192.0.2.1");
  const ClientAttempt& attempt = Make();
  EXPECT_EQ(attempt.state(), State::kFailed);
  EXPECT_EQ(Why(), "no route to 192.0.2.1");
  EXPECT_FALSE(attempt.has_local());
  EXPECT_EQ(attempt.NextDeadline(), UINT64_MAX);
  EXPECT_TRUE(link_.Sent<ConnectCommand>().empty());
  attempt_.reset();
  ExpectNothingLeft();
}

TEST_F(AttemptTest, ItAsksForTheNextHopUntilThereIsOne) {
  road_.peers.PublishNow();
  host_.link_known = false;
  ClientAttempt& attempt = Make();
  EXPECT_EQ(attempt.state(), State::kNextHop);
  EXPECT_EQ(attempt.NextDeadline(), net_.now_us + ClientAttempt::kLinkPollUs);
  net_.now_us += ClientAttempt::kLinkPollUs - 1;
  host_.link_known = true;
  attempt.OnTimer(net_.now_us);
  EXPECT_EQ(attempt.state(), State::kNextHop) << "it is not time yet";
  net_.now_us += 1;
  attempt.OnTimer(net_.now_us);
  EXPECT_EQ(attempt.state(), State::kConnecting);
  EXPECT_EQ(link_.Sent<ConnectCommand>().size(), 1u);
}

// Where it stands when its time is over decides what the operator reads.
TEST_F(AttemptTest, EachStageHasItsSentenceWhenTimeIsOver) {
  struct Row {
    bool link_known;
    bool connected;
    uint64_t after_us;
    std::string_view why;
  };
  const Row rows[] = {
      {false, false, ClientAttempt::kTimeoutUs,
       "no way to 192.0.2.1:9000: no neighbour"},
      {true, false, ClientAttempt::kTimeoutUs,
       "no answer from 192.0.2.1:9000: the hub does not run there, or a "
       "firewall does not let TCP port 9000 through"},
      {true, true, ClientAttempt::kQuietUs,
       "192.0.2.1:9000 took the connection but did not finish the handshake"},
  };
  for (const Row& row : rows) {
    host_.link_known = row.link_known;
    ClientAttempt& attempt = Make();
    const uint64_t end_us = net_.now_us + row.after_us;
    if (row.connected) attempt.OnFlowUp(kFlow, 0, net_.now_us);
    while (net_.now_us < end_us - 1) {
      ASSERT_NE(attempt.state(), State::kFailed) << row.why;
      net_.now_us = std::min(attempt.NextDeadline(), end_us - 1);
      attempt.OnTimer(net_.now_us);
    }
    EXPECT_NE(attempt.state(), State::kFailed) << row.why;
    net_.now_us = end_us;
    attempt.OnTimer(net_.now_us);
    EXPECT_EQ(attempt.state(), State::kFailed);
    EXPECT_EQ(Why(), row.why);
    attempt_.reset();
    ExpectNothingLeft();
    link_.commands.clear();
  }
}

TEST_F(AttemptTest, AFlowThatGoesDownSaysWhyInItsWords) {
  const struct {
    FlowDownReason reason;
    std::string_view why;
  } rows[] = {
      {FlowDownReason::kTimedOut,
       "192.0.2.1:9000 does not answer: the hub does not run there, or a "
       "firewall does not let its TCP port through"},
      {FlowDownReason::kRefused,
       "192.0.2.1:9000 refuses the connection: the hub does not run there, or "
       "a firewall answers for it"},
      {FlowDownReason::kClosedByPeer,
       "192.0.2.1:9000 closed the connection before the handshake was done"},
      {FlowDownReason::kClosed,
       "192.0.2.1:9000 lost the connection before the handshake was done"},
  };
  for (const auto& row : rows) {
    ClientAttempt& attempt = Connected();
    attempt.OnFlowDown(row.reason);
    EXPECT_EQ(attempt.state(), State::kFailed);
    EXPECT_EQ(Why(), row.why);
    EXPECT_FALSE(attempt.session_unknown());
    attempt_.reset();
    // The flow is gone: there is nothing to close.
    EXPECT_TRUE(link_.Sent<CloseFlowCommand>().empty());
    ExpectNothingLeft();
    link_.commands.clear();
  }
}

TEST_F(AttemptTest, AHandshakeMakesASession) {
  ClientAttempt& attempt = Connected();
  EXPECT_EQ(road_.owners.tokens(), 0u) << "the flow is known by its id now";
  EXPECT_EQ(road_.owners.flows(), 1u);
  Feed(HubAccepts());
  ASSERT_EQ(attempt.state(), State::kDone) << Why();
  EXPECT_EQ(attempt.NextDeadline(), UINT64_MAX);
  const handshake::SessionSecrets secrets = attempt.TakeSession();
  EXPECT_EQ(secrets.peer_key, x_.hub_key.public_key);
  EXPECT_EQ(secrets.mtu, 1389) << "the smaller of both offers";
  attempt.TakeFlow();
  attempt_.reset();
  EXPECT_TRUE(link_.Sent<CloseFlowCommand>().empty());
  EXPECT_EQ(host_.locals.size(), 1u) << "the session's from now on";
}

TEST_F(AttemptTest, ItOffersNoMoreThanThePathCarries) {
  host_.path_mtu = 1300;
  ClientAttempt& attempt = Connected();
  Feed(HubAccepts());
  ASSERT_EQ(attempt.state(), State::kDone) << Why();
  EXPECT_EQ(attempt.TakeSession().mtu, 1300);
}

TEST_F(AttemptTest, ASessionThatNobodyTakesIsClosed) {
  Connected();
  Feed(HubAccepts());
  attempt_.reset();
  const auto closed = link_.Sent<CloseFlowCommand>();
  ASSERT_EQ(closed.size(), 1u);
  EXPECT_EQ(closed[0].flow, kFlow);
  ExpectNothingLeft();
}

TEST_F(AttemptTest, AVerdictAgainstUsIsTheHubsSentence) {
  const ClientAttempt& attempt = Connected();
  Feed(HubAccepts({handshake::VerdictCode::kFull, "20 clients are here"}));
  EXPECT_EQ(attempt.state(), State::kFailed);
  EXPECT_NE(Why().find("20 clients are here"), std::string::npos) << Why();
  EXPECT_FALSE(attempt.changed_hub_key());
}

TEST_F(AttemptTest, AnotherKeyThanTheExpectedIsToldWithIt) {
  x_.client_config.expected_hub_key = handshake::FixedStaticKey(9).public_key;
  const ClientAttempt& attempt = Connected();
  auto flight = x_.Inspect(hello_, host_.UnixMs());
  ByteVector words;
  flight.handshake->Start(&words);
  Feed(words);
  EXPECT_EQ(attempt.state(), State::kFailed);
  EXPECT_EQ(attempt.changed_hub_key(), x_.hub_key.public_key);
  EXPECT_TRUE(TakeSent().empty()) << "our own key is shown to nobody else";
}

// Records that come right behind the verdict are for the lane to open.
TEST_F(AttemptTest, WhatComesEarlyIsGivenToTheWorker) {
  ClientAttempt& attempt = Connected();
  ByteVector last = HubAccepts();
  const uint64_t records_at = fed_ + last.size();
  const ByteVector sealed = {0x17, 3, 3, 0, 2, 0xaa, 0xbb};
  last.insert(last.end(), sealed.begin(), sealed.end());
  Feed(last);
  ASSERT_EQ(attempt.state(), State::kDone) << Why();
  Feed({0x17, 3, 3});  // and the start of another
  attempt.TakeFlow();
  attempt.Reinject();
  road_.peers.PublishNow();
  ByteVector given;
  for (const auto& piece : link_.Sent<ReinjectCommand>()) {
    EXPECT_EQ(piece.stream_offset, records_at + given.size());
    given.insert(given.end(), piece.bytes.begin(), piece.bytes.end());
  }
  ByteVector expected = sealed;
  expected.insert(expected.end(), {0x17, 3, 3});
  EXPECT_EQ(given, expected);
}

TEST_F(AttemptTest, WordsOfTheHubPutTheEndOff) {
  ClientAttempt& attempt = Connected();
  const uint64_t begun_us = net_.now_us;
  auto flight = x_.Inspect(hello_, host_.UnixMs());
  ByteVector words;
  flight.handshake->Start(&words);
  net_.now_us += ClientAttempt::kQuietUs - 1;
  Feed({words.begin(), words.begin() + 10});
  net_.now_us += ClientAttempt::kQuietUs - 1;
  attempt.OnTimer(net_.now_us);
  EXPECT_EQ(attempt.state(), State::kExchange);
  // Yet not beyond what an attempt may take in all.
  Feed({words.begin() + 10, words.begin() + 20});
  EXPECT_EQ(attempt.NextDeadline(), begun_us + ClientAttempt::kTimeoutUs);
  net_.now_us = begun_us + ClientAttempt::kTimeoutUs;
  attempt.OnTimer(net_.now_us);
  EXPECT_EQ(attempt.state(), State::kFailed);
}

// The words of a hub behind two satellites, of which one is lost.
TEST_F(AttemptTest, ALongWayIsWaitedForByItsRoundTrip) {
  constexpr uint64_t kRtt = 3 * kSecond;
  ClientAttempt& attempt = Make();
  const uint64_t begun_us = net_.now_us;
  net_.now_us += kRtt;
  attempt.OnFlowUp(kFlow, kRtt, net_.now_us);
  EXPECT_EQ(attempt.NextDeadline(), net_.now_us + 3 * kRtt);
  net_.now_us += 3 * kRtt - 1;
  attempt.OnTimer(net_.now_us);
  EXPECT_EQ(attempt.state(), State::kExchange)
      << (net_.now_us - begun_us) << " us after it began";
  net_.now_us += 1;
  attempt.OnTimer(net_.now_us);
  EXPECT_EQ(attempt.state(), State::kFailed);
}

TEST_F(AttemptTest, ForeignWordsEndIt) {
  const std::string_view http = "HTTP/1.1 400 Bad Request\r\n\r\n";
  const ByteVector alert(handshake::kHandshakeFailureRecord.begin(),
                         handshake::kHandshakeFailureRecord.end());
  for (const ByteVector& words :
       {ByteVector(http.begin(), http.end()), alert, ByteVector(5000, 0),
        ByteVector(70'000, 0x16)}) {
    fed_ = 0;
    const ClientAttempt& attempt = Connected();
    Feed(words);
    EXPECT_EQ(attempt.state(), State::kFailed);
    EXPECT_FALSE(Why().empty());
    EXPECT_FALSE(attempt.session_unknown());
    const std::string why = Why();
    // Once it has failed nothing changes the reason.
    Feed(words);
    attempt_->OnFlowDown(FlowDownReason::kClosedByPeer);
    EXPECT_EQ(Why(), why);
    attempt_.reset();
    ExpectNothingLeft();
    link_.commands.clear();
  }
}

TEST_F(AttemptTest, AFlowThatComesTwiceIsTakenOnce) {
  ClientAttempt& attempt = Connected();
  attempt.OnFlowUp(FlowId::Of(8, 1, {0}), 0, net_.now_us);
  EXPECT_EQ(attempt.flow(), kFlow);
  EXPECT_TRUE(TakeSent().empty());
}

TEST_F(AttemptTest, AJoinIsAnsweredInOneRound) {
  const JoinTicket ticket = Ticket();
  ClientAttempt& attempt = Connected(ticket);
  EXPECT_TRUE(attempt.is_join());
  Feed(HubJoins(ticket, 3));
  ASSERT_EQ(attempt.state(), State::kDone) << Why();
  EXPECT_EQ(attempt.joined().lane_id, ticket.lane_id);
  EXPECT_EQ(attempt.joined().slot, ticket.slot);
  EXPECT_EQ(attempt.joined().epoch, 3u);
  const auto& ccs = handshake::kChangeCipherSpecRecord;
  EXPECT_EQ(TakeSent(), ByteVector(ccs.begin(), ccs.end()));
}

TEST_F(AttemptTest, AnAnswerToAJoinMayComeByteByByte) {
  const JoinTicket ticket = Ticket();
  ClientAttempt& attempt = Connected(ticket);
  const ByteVector answer = HubJoins(ticket, 0);
  for (const uint8_t byte : answer) {
    ASSERT_EQ(attempt.state(), State::kExchange);
    Feed({byte});
  }
  EXPECT_EQ(attempt.state(), State::kDone) << Why();
}

// Only a hub's own refusal means that it lost the session.
TEST_F(AttemptTest, AJoinIsRefusedByWordsOrByAFinAlone) {
  const ByteVector alert(handshake::kHandshakeFailureRecord.begin(),
                         handshake::kHandshakeFailureRecord.end());
  Connected(Ticket());
  Feed(alert);
  EXPECT_EQ(attempt_->state(), State::kFailed);
  EXPECT_TRUE(attempt_->session_unknown());
  EXPECT_EQ(Why(), "192.0.2.1:9000 does not know our session any more");
  for (const auto reason :
       {FlowDownReason::kClosedByPeer, FlowDownReason::kTimedOut,
        FlowDownReason::kRefused, FlowDownReason::kClosed}) {
    Connected(Ticket());
    attempt_->OnFlowDown(reason);
    EXPECT_EQ(attempt_->state(), State::kFailed);
    EXPECT_EQ(attempt_->session_unknown(),
              reason == FlowDownReason::kClosedByPeer);
  }
  Connected(Ticket());
  net_.now_us += ClientAttempt::kQuietUs;
  attempt_->OnTimer(net_.now_us);
  EXPECT_EQ(attempt_->state(), State::kFailed);
  EXPECT_FALSE(attempt_->session_unknown()) << "silence says nothing";
}

TEST_F(AttemptTest, AnAnswerUnderOtherKeysIsARefusal) {
  const JoinTicket ticket = Ticket();
  Connected(ticket);
  ByteVector answer = HubJoins(ticket, 0);
  answer[60] ^= 1;
  Feed(answer);
  EXPECT_EQ(attempt_->state(), State::kFailed);
}

TEST_F(AttemptTest, AJoinGoesToTheWorkerOfItsSlot) {
  WorkerRoad road(link_, host_, 4, 3);
  road.peers.PublishNow();
  JoinTicket ticket = Ticket();
  ticket.slot = {2};
  ClientAttempt attempt(ClientAttempt::Context{road, host_, x_.client_config},
                        *this, kHubAt, ticket,
                        PortWish{.workers = 3, .worker = {2}}, net_.now_us);
  EXPECT_TRUE(link_.Sent<ConnectCommand>().empty())
      << "all workers are to know first whose the flow is";
  road.peers.PublishNow();
  const auto connects = link_.Sent<ConnectCommand>();
  ASSERT_EQ(connects.size(), 1u);
  EXPECT_EQ(connects[0].worker, WorkerIndex{2});
  EXPECT_EQ((connects[0].local.port + kHubAt.port) % 3u, 2u);
}

}  // namespace
}  // namespace lwt::peer
