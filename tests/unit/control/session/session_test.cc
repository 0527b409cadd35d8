// One session by itself, over workers that only write down what they are told:
// which lane it sends on, what it tells of new lanes, and how it ends.
#include "control/session/session.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dataplane/wire/record.h"
#include "tests/unit/control/base/log_lines.h"
#include "tests/unit/control/handshake/exchange_fixture.h"
#include "tests/unit/control/session/world.h"
#include "tests/unit/control/workers/recording_link.h"

namespace lwt::peer {
namespace {

using handshake::RekeyRole;

constexpr uint64_t kOldLane = 2 * kSecond;

// Says of its lanes what the test wants.
class ReadableLink final : public RecordingLink {
 public:
  LaneReading ReadLane(LaneName lane) const override {
    const auto found = readings.find(lane);
    return found == readings.end() ? LaneReading{} : found->second;
  }
  std::map<LaneName, LaneReading> readings;
};

class SessionTest : public testing::Test, public FlowOwner {
 protected:
  void Make(RekeyRole role = RekeyRole::kInitiator, uint32_t workers = 1) {
    session_.reset();
    road_.emplace(link_, host_, 4, workers);
    peer_ = *road_->peers.Add({});
    road_->peers.PublishNow();
    handshake::SessionSecrets secrets;
    secrets.roots.from_initiator = handshake::FixedSecret(1);
    secrets.roots.from_responder = handshake::FixedSecret(2);
    context_.emplace(
        Session::Context{*road_, host_, log_, role, {}, messages_});
    session_.emplace(*context_, *this, peer_, "client x", std::move(secrets),
                     now_us_);
  }
  // A new lane of a slot, on a flow of the worker; its name.
  LaneName Install(uint8_t slot, uint32_t worker = 0) {
    SessionLane lane;
    lane.id = {next_id_++};
    lane.slot = {slot};
    lane.flow = FlowId::Of(next_id_, 1, {worker});
    lane.local = At("192.0.2.10:40000");
    lane.remote = At("192.0.2.1:9000");
    EXPECT_TRUE(session_->InstallLane(lane, 0, now_us_, kOldLane));
    return session_->lanes().back().name;
  }
  template <typename T>
  std::vector<T> Take() {
    std::vector<T> sent = link_.Sent<T>();
    link_.commands.clear();
    return sent;
  }
  void Hear(LaneName lane, uint64_t at_us) {
    link_.readings[lane].last_rx_us = at_us;
  }
  std::vector<LaneName> Sending() const {
    std::vector<LaneName> names;
    for (const SessionLane* lane : session_->SendingLanes()) {
      names.push_back(lane->name);
    }
    return names;
  }

  loop::LogLines lines_;
  FakeNet net_;
  ReadableLink link_;
  FakeHost host_{net_, At("192.0.2.10:1").address};
  uint64_t now_us_ = 100 * kSecond;
  loop::RemoteLog log_{lines_.log(), [this] { return now_us_; }};
  MessageTable messages_ = CommonMessages();
  std::optional<WorkerRoad> road_;
  PeerIndex peer_;
  std::optional<Session::Context> context_;
  std::optional<Session> session_;
  uint16_t next_id_ = 0;
};

TEST_F(SessionTest, ALaneIsGivenToItsWorkerWithItsKeys) {
  Make(RekeyRole::kInitiator, 2);
  const LaneName lane = Install(0, 1);
  EXPECT_EQ(lane.worker, WorkerIndex{1});
  const auto installs = Take<InstallLaneCommand>();
  ASSERT_EQ(installs.size(), 1u);
  EXPECT_EQ(installs[0].lane, lane.index);
  EXPECT_EQ(installs[0].peer, peer_);
  EXPECT_NE(std::vector(installs[0].send.key.bytes().begin(),
                        installs[0].send.key.bytes().end()),
            std::vector(installs[0].receive.key.bytes().begin(),
                        installs[0].receive.key.bytes().end()));
  EXPECT_EQ(host_.followed.size(), 1u);
  EXPECT_EQ(road_->owners.lanes(), 1u);
  session_.reset();
  EXPECT_EQ(Take<RemoveLaneCommand>().size(), 1u);
  EXPECT_TRUE(host_.followed.empty());
  EXPECT_EQ(road_->owners.lanes(), 0u);
  EXPECT_EQ(road_->owners.flows(), 0u);
}

// What one side seals with the other opens with.
TEST_F(SessionTest, BothRolesMakeTheSameKeysOfOpposedDirections) {
  Make(RekeyRole::kInitiator);
  Install(0);
  const auto initiator = Take<InstallLaneCommand>();
  next_id_ = 0;
  Make(RekeyRole::kResponder);
  Install(0);
  const auto responder = link_.Sent<InstallLaneCommand>();
  ASSERT_EQ(responder.size(), 1u);
  const auto same = [](const auto& a, const auto& b) {
    return std::ranges::equal(a.bytes(), b.bytes());
  };
  EXPECT_TRUE(same(initiator[0].send.key, responder[0].receive.key));
  EXPECT_TRUE(same(initiator[0].receive.key, responder[0].send.key));
  EXPECT_TRUE(same(initiator[0].send_mask, responder[0].receive_mask));
  EXPECT_TRUE(same(initiator[0].receive_mask, responder[0].send_mask));
  EXPECT_FALSE(same(initiator[0].send.key, initiator[0].receive.key));
}

TEST_F(SessionTest, AWorkerWithoutALaneAndAnEpochThatIsNotOpenAreRefused) {
  Make();
  SessionLane lane;
  lane.flow = FlowId::Of(1, 1, {0});
  EXPECT_FALSE(session_->InstallLane(lane, 7, now_us_, kOldLane));
  for (uint8_t slot = 0; slot < 4; ++slot) Install(slot);
  EXPECT_FALSE(session_->InstallLane(lane, 0, now_us_, kOldLane));
  EXPECT_EQ(session_->lanes().size(), 4u);
}

TEST_F(SessionTest, TheNewestLaneOfASlotIsSentOnAndTheOldOneGoes) {
  Make();
  const LaneName old = Install(0);
  now_us_ += kSecond;
  const LaneName fresh = Install(0);
  EXPECT_EQ(Sending(), std::vector{fresh});
  EXPECT_EQ(session_->lanes().size(), 2u) << "it still receives";
  EXPECT_EQ(session_->NextDeadline(), now_us_ + kOldLane);
  now_us_ += kOldLane - 1;
  session_->OnTimer(now_us_);
  EXPECT_EQ(session_->lanes().size(), 2u);
  Take<RemoveLaneCommand>();
  now_us_ += 1;
  session_->OnTimer(now_us_);
  ASSERT_EQ(session_->lanes().size(), 1u);
  const auto removed = Take<RemoveLaneCommand>();
  ASSERT_EQ(removed.size(), 1u);
  EXPECT_EQ(removed[0].lane, old.index);
  EXPECT_TRUE(removed[0].close_flow) << "by who opened it";
}

TEST_F(SessionTest, AHubLetsOldLanesGoWithoutAWord) {
  Make(RekeyRole::kResponder);
  Install(0);
  Install(0);
  link_.commands.clear();
  session_->OnTimer(now_us_ + kOldLane);
  const auto removed = Take<RemoveLaneCommand>();
  ASSERT_EQ(removed.size(), 1u);
  EXPECT_FALSE(removed[0].close_flow);
}

TEST_F(SessionTest, SuspectLanesAreUsedOnlyWhenThereAreNoOthers) {
  Make();
  const LaneName a = Install(0);
  const LaneName b = Install(1);
  EXPECT_EQ(Sending(), (std::vector{a, b}));
  session_->SetSuspect(a, true);
  EXPECT_EQ(Sending(), std::vector{b});
  session_->SetSuspect(b, true);
  EXPECT_EQ(Sending(), (std::vector{a, b})) << "better than none";
  session_->SetSuspect(a, false);
  EXPECT_EQ(Sending(), std::vector{a});
}

TEST_F(SessionTest, ControlMessagesTakeTheLaneThatWasHeardOfLast) {
  Make();
  const LaneName a = Install(0);
  const LaneName b = Install(1);
  Hear(a, now_us_ + 7);
  Hear(b, now_us_ + 3);
  EXPECT_EQ(session_->sending_lane()->name, a);
  Hear(b, now_us_ + 8);
  EXPECT_EQ(session_->sending_lane()->name, b);
  session_->SetSuspect(b, true);
  EXPECT_EQ(session_->sending_lane()->name, a);
  session_->RemoveLane(a);
  EXPECT_EQ(session_->sending_lane()->name, b);
  session_->RemoveLane(b);
  EXPECT_EQ(session_->sending_lane(), nullptr);
  session_->RemoveLane(b);  // of one that is gone
}

TEST_F(SessionTest, TotalsAreOfAllLanesThatEverWere) {
  Make();
  const LaneName a = Install(0);
  const LaneName b = Install(1);
  link_.readings[a].tx_packets = 5;
  link_.readings[a].last_rx_us = now_us_ + 1;
  link_.readings[b].tx_packets = 7;
  link_.readings[b].srtt_us = 900;
  EXPECT_EQ(session_->Totals().tx_packets, 12u);
  EXPECT_EQ(session_->Totals().srtt_us, 900u);
  session_->RemoveLane(a);
  link_.readings.erase(a);
  EXPECT_EQ(session_->Totals().tx_packets, 12u);
  EXPECT_EQ(session_->LastActivity().heard_us, now_us_ + 1);
}

TEST_F(SessionTest, TheRoundTripIsMeasuredWhileALaneIsUsedAndNotTooOften) {
  Make();
  const LaneName lane = Install(0);
  session_->Measure(now_us_);
  EXPECT_EQ(Take<ProbeLaneCommand>().size(), 1u) << "a new one";
  session_->Measure(now_us_ + Session::kMeasureUs - 1);
  EXPECT_TRUE(Take<ProbeLaneCommand>().empty());
  now_us_ += 2 * Session::kMeasureUs;
  session_->Measure(now_us_);
  EXPECT_TRUE(Take<ProbeLaneCommand>().empty()) << "nobody uses it";
  link_.readings[lane].last_data_tx_us = now_us_;
  session_->Measure(now_us_);
  EXPECT_EQ(Take<ProbeLaneCommand>().size(), 1u);
}

TEST_F(SessionTest, AGoodbyeIsSaidOnEveryLaneAndHeardWithItsWords) {
  Make();
  Install(0);
  Install(1);
  link_.commands.clear();
  session_->SendClose("maintenance");
  const auto said = Take<SendRecordCommand>();
  ASSERT_EQ(said.size(), 2u);
  const auto kind = static_cast<uint8_t>(wire::RecordKind::kClose);
  EXPECT_EQ(said[0].kind, kind);
  session_->OnRecord(kind, said[0].bytes, now_us_);
  EXPECT_EQ(session_->end_reason(), "the peer closed the session: maintenance");
  EXPECT_EQ(session_->NextDeadline(), 0u) << "to be dropped at once";

  Make();
  session_->OnRecord(kind, {}, now_us_);
  EXPECT_EQ(session_->end_reason(), "the peer closed the session");
  Make();
  session_->OnRecord(kind, std::vector<uint8_t>(60'000, 'x'), now_us_);
  EXPECT_LT(session_->end_reason().size(), 300u);
}

TEST_F(SessionTest, WordsThatCannotBeReadChangeNothingAndAreBounded) {
  Make();
  Install(0);
  const auto kind = static_cast<uint8_t>(wire::RecordKind::kControl);
  for (int record = 0; record < 1000; ++record) {
    session_->OnRecord(kind, std::vector<uint8_t>(record % 40, 0xff), now_us_);
  }
  EXPECT_EQ(session_->end_reason(), "");
  const std::string logged = lines_.Take();
  EXPECT_NE(logged.find("client x: a control message that cannot be read"),
            std::string::npos);
  EXPECT_LE(std::count(logged.begin(), logged.end(), '\n'),
            static_cast<long>(loop::RemoteLog::kBurst));
}

TEST_F(SessionTest, KeysThatAreNotRenewedEndTheSession) {
  Make();
  const LaneName lane = Install(0);
  Event spent;
  spent.kind = EventKind::kEpochSpent;
  spent.lane = lane.index;
  session_->OnEvent(spent, now_us_);
  EXPECT_EQ(session_->end_reason(),
            "the session's keys are used up and were not renewed");
}

TEST_F(SessionTest, ARecordOfANewerVersionIsToldToItsSender) {
  Make();
  const LaneName lane = Install(0);
  link_.commands.clear();
  Event unknown;
  unknown.kind = EventKind::kUnknownKind;
  unknown.detail = 99;
  unknown.lane = lane.index;
  session_->OnEvent(unknown, now_us_);
  EXPECT_EQ(Take<SendRecordCommand>().size(), 1u) << "a notice";
  EXPECT_NE(lines_.Take().find(
                "client x: a record of unknown kind 99; its version is newer "
                "than ours"),
            std::string::npos);
  EXPECT_EQ(session_->end_reason(), "");
}

}  // namespace
}  // namespace lwt::peer
