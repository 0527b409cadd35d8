// A session over several workers: as many lanes, each on its own.

#include <gtest/gtest.h>

#include <set>

#include "tests/unit/control/session/world.h"

namespace lwt::peer {
namespace {

class LanesTest : public testing::Test {
 protected:
  void Start(uint32_t client_workers, uint32_t hub_workers) {
    hub_.emplace(net_, log_, true, 4, hub_workers);
    client_.emplace(net_, hub_->worker, log_, "10.0.0.2/24", 1, 1 << 20,
                    client_workers);
  }
  template <typename Done>
  bool Until(uint64_t for_us, Done done) {
    return RunWorld(net_, *hub_, {&*client_}, for_us, done);
  }
  void Run(uint64_t for_us) { RunFor(net_, *hub_, {&*client_}, for_us); }
  // Both ends send 10 packets a second by each worker that has a lane.
  template <typename Done>
  bool UntilWithTraffic(uint64_t for_us, Done done) {
    uint64_t next = net_.now_us;
    return Until(for_us, [&] {
      if (net_.now_us >= next) {
        next = net_.now_us + kSecond / 10;
        for (uint32_t worker = 0; worker < kMaxWorkers; ++worker) {
          client_->worker.SendData(0, worker);
          hub_->worker.SendData(hub_peer(), worker);
        }
        net_.At(next, [] {});
      }
      return done();
    });
  }

  Session& client_session() {
    return const_cast<Session&>(*client_->session->session());
  }
  const Session& hub_session() { return *hub_->sessions->clients()[0].session; }
  size_t lanes() {
    const Session* session = client_->session->session();
    return session == nullptr ? 0 : session->lanes().size();
  }
  uint32_t client_workers() {
    return client_->worker.published->peers[0].workers;
  }
  uint32_t hub_peer() { return hub_->sessions->clients()[0].peer.value; }
  uint32_t hub_workers() {
    const auto& peers = hub_->worker.published->peers;
    return hub_peer() < peers.size() ? peers[hub_peer()].workers : 0u;
  }
  uint16_t PortOf(uint8_t slot) {
    return client_session().LaneOfSlot({slot})->local.port;
  }

  loop::Log log_{loop::LogLevel::kError};
  FakeNet net_;
  std::optional<TestHub> hub_;
  std::optional<TestClient> client_;
};

TEST_F(LanesTest, EachWorkerGetsALaneOfItsOwnOnBothSides) {
  Start(4, 4);
  ASSERT_TRUE(Until(kSecond, [&] { return lanes() == 4; }));
  Run(kSecond);
  EXPECT_EQ(lanes(), 4u);
  EXPECT_EQ(client_workers(), 0b1111u);
  EXPECT_EQ(hub_workers(), 0b1111u);
  for (const SessionLane& lane : client_session().lanes()) {
    EXPECT_EQ(lane.name.worker, WorkerIndex{lane.slot.value});
    EXPECT_EQ(lane.flow.worker(), WorkerIndex{lane.slot.value});
  }
  std::set<handshake::LaneId> ids;
  for (const SessionLane& lane : hub_session().lanes()) ids.insert(lane.id);
  EXPECT_EQ(ids.size(), 4u);
  for (uint32_t worker = 0; worker < 4; ++worker) {
    EXPECT_TRUE(client_->worker.SendData(0, worker));
    EXPECT_TRUE(hub_->worker.SendData(0, worker));
  }
  Run(kSecond);
  EXPECT_EQ(hub_->worker.data_received, 4u);
  EXPECT_EQ(client_->worker.data_received, 4u);
  EXPECT_EQ(hub_->worker.bad_tags + client_->worker.bad_tags, 0u);
}

TEST_F(LanesTest, TheSmallerNumberOfWorkersIsTheNumberOfLanes) {
  for (const auto& [client, hub] :
       {std::pair<uint32_t, uint32_t>{1, 8}, {8, 1}, {3, 2}, {2, 3}, {4, 8}}) {
    Start(client, hub);
    const size_t want = std::min(client, hub);
    ASSERT_TRUE(Until(kSecond, [&] { return lanes() == want; }));
    Run(3 * kSecond);
    EXPECT_EQ(lanes(), want) << client << " " << hub;
    EXPECT_EQ(static_cast<size_t>(std::popcount(hub_workers())), want)
        << "on workers of their own at the hub";
    client_.reset();
    hub_.reset();
  }
}

TEST_F(LanesTest, TheWorkersKnowWhoseEveryFlowIs) {
  Start(2, 2);
  ASSERT_TRUE(Until(kSecond, [&] { return lanes() == 2; }));
  Run(kSecond);
  for (const SessionLane& lane : client_session().lanes()) {
    EXPECT_EQ(client_->worker.published->flows.Find(
                  FlowKey::Of(lane.local, lane.remote)),
              lane.flow.worker());
  }
  EXPECT_EQ(hub_->worker.published->flows.size(), 2u);
}

TEST_F(LanesTest, ADeadLaneHealsWhileTheOthersCarryOn) {
  Start(2, 2);
  ASSERT_TRUE(Until(kSecond, [&] { return lanes() == 2; }));
  Run(20 * kSecond);
  const uint64_t id = client_session().secrets().session_id;
  const FlowId first = client_session().LaneOfSlot({0})->flow;
  const uint16_t dead = PortOf(1);
  net_.dead_ports.insert(dead);
  // The client's worker without a lane in good health hands over to the other.
  EXPECT_TRUE(
      UntilWithTraffic(5 * kSecond, [&] { return client_workers() == 0b01; }));
  EXPECT_EQ(client_->session->state(), "up");
  EXPECT_TRUE(UntilWithTraffic(2 * kSecond, [&] {
    return client_workers() == 0b11 && PortOf(1) != dead;
  }));
  EXPECT_EQ(client_->session->state(), "up");
  EXPECT_EQ(client_session().secrets().session_id, id);
  EXPECT_EQ(client_session().LaneOfSlot({0})->flow, first) << "was not touched";
  Run(kSecond);
  const uint64_t before = client_->worker.data_received;
  EXPECT_TRUE(hub_->worker.SendData(0, 1));
  Run(kSecond);
  EXPECT_EQ(client_->worker.data_received, before + 1);
  Run(40 * kSecond);
  EXPECT_EQ(lanes(), 2u);
  EXPECT_EQ(hub_session().lanes().size(), 2u);
  EXPECT_EQ(client_->host.locals.size(), 2u);
  EXPECT_EQ(hub_->worker.bad_tags + client_->worker.bad_tags, 0u);
}

TEST_F(LanesTest, AClosedLaneIsReplacedAtOnceIfItServedLong) {
  Start(2, 2);
  ASSERT_TRUE(Until(kSecond, [&] { return lanes() == 2; }));
  Run(20 * kSecond);
  const uint16_t old = PortOf(1);
  Event down;
  down.kind = EventKind::kFlowDown;
  down.flow = client_session().LaneOfSlot({1})->flow;
  client_->worker.events.push_back(down);
  EXPECT_TRUE(
      Until(kSecond / 10, [&] { return lanes() == 2 && PortOf(1) != old; }));
  EXPECT_EQ(client_->session->state(), "up");
  // Once more, and this one waits.
  down.flow = client_session().LaneOfSlot({1})->flow;
  client_->worker.events.push_back(down);
  EXPECT_FALSE(Until(kSecond / 2, [&] { return lanes() == 2; }));
  EXPECT_TRUE(Until(kSecond, [&] { return lanes() == 2; }));
}

TEST_F(LanesTest, AHubThatLostTheSessionIsNoticedByItsRefusalOfOneLane) {
  Start(2, 2);
  ASSERT_TRUE(Until(kSecond, [&] { return lanes() == 2; }));
  Run(20 * kSecond);
  const uint64_t id = client_session().secrets().session_id;
  hub_->Kill();
  hub_->Make();
  EXPECT_TRUE(UntilWithTraffic(6 * kSecond, [&] {
    return client_->session->session() != nullptr &&
           client_session().secrets().session_id != id && lanes() == 2;
  }));
}

TEST_F(LanesTest, ADeadPathIsFoundAsFastAsWithOneLane) {
  Start(4, 4);
  ASSERT_TRUE(Until(kSecond, [&] { return lanes() == 4; }));
  Run(20 * kSecond);
  net_.path_up = false;
  // The other lanes are idle, and idle ones are probed seldom.
  uint64_t next = net_.now_us;
  const auto send = [&] {
    if (net_.now_us < next) return;
    next = net_.now_us + kSecond / 10;
    client_->worker.SendData(0, 2);
    net_.At(next, [] {});
  };
  EXPECT_TRUE(Until(4 * kSecond, [&] {
    send();
    return client_->session->state() != "up";
  }));
  EXPECT_TRUE(Until(6 * kSecond, [&] {
    send();
    return lanes() == 0;
  }));
}

TEST_F(LanesTest, WhenAllPathsDieAllLanesComeBack) {
  Start(3, 3);
  ASSERT_TRUE(Until(kSecond, [&] { return lanes() == 3; }));
  Run(20 * kSecond);
  net_.path_up = false;
  EXPECT_TRUE(UntilWithTraffic(
      10 * kSecond, [&] { return client_->session->state() != "up"; }));
  EXPECT_FALSE(UntilWithTraffic(20 * kSecond, [&] { return false; }));
  net_.path_up = true;
  EXPECT_TRUE(UntilWithTraffic(80 * kSecond, [&] {
    return client_->session->state() == "up" && client_workers() == 0b111 &&
           hub_workers() == 0b111;
  }));
  EXPECT_EQ(hub_->count(), 1u);
}

TEST_F(LanesTest, RoamingTakesAllLanesAlong) {
  Start(2, 2);
  ASSERT_TRUE(Until(kSecond, [&] { return lanes() == 2; }));
  const IpAddress moved = Prefix("203.0.113.7").address;
  client_->host.MoveTo(moved);
  client_->session->OnSourceChanged(moved, net_.now_us);
  EXPECT_TRUE(Until(kSecond, [&] {
    return client_session().LaneOfSlot({0})->local.address == moved &&
           client_session().LaneOfSlot({1})->local.address == moved;
  }));
  Run(5 * kSecond);
  EXPECT_EQ(lanes(), 2u);
}

// Each worker sends what its lane begins with when its turn comes, so that a
// lane may prove itself at the hub before one that joined earlier.
TEST_F(LanesTest, LanesMayProveThemselvesInAnyOrder) {
  Start(2, 2);
  ASSERT_TRUE(Until(kSecond, [&] { return lanes() == 2; }));
  Run(kSecond);
  const IpAddress moved = Prefix("203.0.113.7").address;
  net_.tap = [&](const Endpoint& from, const Endpoint&,
                 const handshake::ByteVector&) {
    if (from.address == moved && net_.slow_port == 0) {
      net_.slow_port = from.port;
      net_.slow_us = 20 * FakeNet::kDelayUs;
    }
  };
  client_->host.MoveTo(moved);
  client_->session->OnSourceChanged(moved, net_.now_us);
  ASSERT_TRUE(Until(kSecond, [&] {
    return hub_session().LaneOfSlot({1})->remote.address == moved;
  }));
  const handshake::LaneId first_id = client_session().LaneOfSlot({0})->id;
  ASSERT_NE(hub_session().LaneOfSlot({0})->id, first_id) << "is on its way";
  EXPECT_TRUE(Until(
      kSecond, [&] { return hub_session().LaneOfSlot({0})->id == first_id; }));
  Run(kSecond);
  EXPECT_EQ(client_session().LaneOfSlot({0})->id, first_id)
      << "not built again";
}

TEST_F(LanesTest, ALaneThatCannotBeHadIsTriedSeldom) {
  Start(2, 2);
  // The hub's second worker has no lane left: its joins are refused.
  while (hub_->road->lanes.Take({1})) {
  }
  ASSERT_TRUE(Until(kSecond, [&] { return client_->up(); }));
  const uint16_t first = client_->host.next_port;
  Run(100 * kSecond);
  EXPECT_TRUE(client_->up());
  EXPECT_EQ(lanes(), 1u);
  EXPECT_GE(client_->host.next_port - first, 8);
  EXPECT_LE(client_->host.next_port - first, 30) << "two ports an attempt";
  EXPECT_EQ(hub_->count(), 1u);
}

// A NAT chose the ports: two lanes on one worker of the hub, none on another.
TEST_F(LanesTest, LanesOfOneWorkerAreUsedOneAtATime) {
  Start(2, 2);
  hub_->worker.workers = 1;  // every SYN comes to worker 0
  ASSERT_TRUE(Until(kSecond, [&] { return lanes() == 2; }));
  Run(kSecond);
  EXPECT_EQ(hub_session().lanes().size(), 2u);
  EXPECT_EQ(hub_workers(), 0b01u);
  EXPECT_EQ(client_workers(), 0b11u);
  EXPECT_TRUE(hub_->worker.SendData(0, 0));
  EXPECT_TRUE(client_->worker.SendData(0, 0));
  EXPECT_TRUE(client_->worker.SendData(0, 1));
  Run(kSecond);
  EXPECT_EQ(hub_->worker.data_received, 2u);
  EXPECT_EQ(client_->worker.data_received, 1u);
}

TEST_F(LanesTest, AllLanesAreReKeyedAndNoneSealsWhatNobodyCanOpen) {
  Start(3, 3);
  ASSERT_TRUE(Until(kSecond, [&] { return lanes() == 3; }));
  for (uint32_t round = 1; round <= 5; ++round) {
    Event due;
    due.kind = EventKind::kEpochDue;
    client_->worker.events.push_back(
        {client_session().lanes().back().name, due});
    EXPECT_TRUE(UntilWithTraffic(kSecond, [&] {
      return client_session().send_epoch() == round &&
             hub_session().send_epoch() == round;
    }));
    UntilWithTraffic(kSecond, [] { return false; });
  }
  EXPECT_EQ(hub_->worker.bad_tags + client_->worker.bad_tags, 0u);
}

TEST_F(LanesTest, AnAnswerWaitsUntilAllWorkersCanOpenTheNewEpoch) {
  Start(2, 2);
  ASSERT_TRUE(Until(kSecond, [&] { return lanes() == 2; }));
  Run(kSecond);
  hub_->worker.passed = false;
  Event due;
  due.kind = EventKind::kEpochDue;
  client_->worker.events.push_back({client_session().lanes().back().name, due});
  Run(kSecond);
  EXPECT_EQ(client_session().send_epoch(), 0u);
  hub_->worker.passed = true;
  EXPECT_TRUE(Until(kSecond, [&] {
    return client_session().send_epoch() == 1 &&
           hub_session().send_epoch() == 1;
  }));
}

TEST(PortWishTest, AsksForAWorkerHereAndAFreeOneThere) {
  PortWish wish{
      .workers = 4, .worker = {1}, .hub_workers = 2, .hub_taken = 0b01};
  std::set<uint32_t> met;
  for (uint32_t sum = 50000; sum < 50008; ++sum) {
    if (wish.IsMet(sum)) met.insert(sum);
  }
  EXPECT_EQ(met, (std::set<uint32_t>{50001, 50005}));
  wish.hub_taken = 0b10;
  EXPECT_FALSE(wish.IsMet(50001));
  EXPECT_TRUE(PortWish{}.IsMet(50001));
}

TEST(LaneSlotsTest, EachWorkerHasItsOwn) {
  LaneSlots slots(2, 3);
  const LaneName lane = *slots.Take({2});
  EXPECT_EQ(lane, (LaneName{{2}, {0}}));
  EXPECT_EQ(*slots.Take({2}), (LaneName{{2}, {1}}));
  EXPECT_FALSE(slots.Take({2}));
  EXPECT_TRUE(slots.empty({2}));
  EXPECT_FALSE(slots.empty({1}));
  EXPECT_TRUE(slots.empty({3})) << "no such worker";
  EXPECT_TRUE(slots.empty(WorkerIndex::kNone));
  slots.Give(lane);
  slots.Give(LaneName::kNone);
  EXPECT_EQ(slots.Take({2}), lane);
}

// Of each lane, what was told it of the loss of all.
TEST_F(LanesTest, WhatOneLaneLosesIsToldToAll) {
  Start(2, 2);
  ASSERT_TRUE(Until(kSecond, [&] { return lanes() == 2; }));
  Run(2 * kSecond);
  for (FakeWorker* side : {&client_->worker, &hub_->worker}) {
    ASSERT_EQ(side->lanes.size(), 2u);
    auto& [index, busy] = *side->lanes.begin();
    auto& [other, idle] = *std::next(side->lanes.begin());
    EXPECT_EQ(idle.told_loss, 0);
    busy.reading.records_sealed += 1000;
    busy.reading.peer_lost += 30;
    Run(2 * Session::kShareUs);
    EXPECT_NEAR(idle.told_loss, 0.03, 0.003);
    EXPECT_EQ(busy.told_loss, idle.told_loss);
  }
}

TEST_F(LanesTest, ALoneLaneIsToldNothing) {
  Start(1, 1);
  ASSERT_TRUE(Until(kSecond, [&] { return lanes() == 1; }));
  auto& lane = client_->worker.lanes.begin()->second;
  lane.reading.records_sealed += 1000;
  lane.reading.peer_lost += 30;
  Run(2 * Session::kShareUs);
  EXPECT_EQ(lane.told_loss, 0);
}

constexpr LaneName kLostLane{{0}, {7}};

// A lane takes the place of another, whose counters stand there until its
// worker has it.
TEST(LossPoolTest, CountersThatBeginAnewAreNoLoss) {
  LossPool pool;
  LaneReading reading;
  reading.records_sealed = 5000;
  reading.peer_lost = 900;
  pool.Add(kLostLane, reading);
  EXPECT_EQ(pool.loss(), std::nullopt);
  reading.records_sealed = 10;
  reading.peer_lost = 0;
  pool.Add(kLostLane, reading);
  EXPECT_EQ(pool.loss(), std::nullopt);
  reading.records_sealed = 110;
  reading.peer_lost = 5;
  pool.Add(kLostLane, reading);
  EXPECT_EQ(pool.loss(), 0.05);
  pool.Age(100 * kSecond);
  EXPECT_EQ(pool.loss(), std::nullopt);
}

TEST_F(LanesTest, OneLostRecordIsNoLossToTell) {
  Start(2, 2);
  ASSERT_TRUE(Until(kSecond, [&] { return lanes() == 2; }));
  Run(2 * kSecond);
  auto& lane = client_->worker.lanes.begin()->second;
  lane.reading.records_sealed += 20;
  lane.reading.peer_lost += 1;
  Run(2 * Session::kShareUs);
  EXPECT_EQ(lane.told_loss, 0);
}

}  // namespace
}  // namespace lwt::peer
