// A client's life where things go wrong that two good gateways never do to each
// other: names, several addresses of a hub, timing, and what it says of itself
// meanwhile. What passes between the two is in ../session.
#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tests/unit/control/base/log_lines.h"
#include "tests/unit/control/session/world.h"

namespace lwt::peer {
namespace {

class LifeTest : public testing::Test {
 protected:
  ClientSession& session() { return *client_.session; }
  template <typename Done>
  bool Until(uint64_t for_us, Done done) {
    return RunWorld(net_, hub_, {&client_}, for_us, done);
  }
  void Run(uint64_t for_us) { RunFor(net_, hub_, {&client_}, for_us); }
  bool ComesUp(uint64_t for_us = 5 * kSecond) {
    return Until(for_us, [&] { return client_.up(); });
  }
  // One turn of the client, with names left to the test.
  void Tick() {
    net_.RunDue();
    const bool asked = std::exchange(client_.host.resolve_pending, false);
    client_.Pump();
    client_.host.resolve_pending = client_.host.resolve_pending || asked;
  }
  void TickAt(uint64_t when_us) {
    net_.now_us = when_us;
    Tick();
  }
  // Until it waits for its next try, with names left to the test.
  void RunAttempts() {
    while (session().state() == "connecting") {
      TickAt(std::min(session().NextDeadline(), net_.next_us()));
    }
  }
  void Found(std::vector<Endpoint> endpoints) {
    client_.host.resolve_pending = false;
    session().OnResolved(std::move(endpoints), net_.now_us);
  }
  // Where it is calling, of the calls since the last time.
  std::vector<Endpoint> TakeCalls() { return std::exchange(calls_, {}); }
  void RecordCalls() {
    client_.worker.on_send = [this](const Command& command) {
      if (const auto* call = std::get_if<ConnectCommand>(&command)) {
        calls_.push_back(call->remote);
      }
    };
  }

  loop::LogLines lines_{LogLevel::kDebug};
  FakeNet net_;
  TestHub hub_{net_, lines_.log()};
  TestClient client_{net_, hub_.worker, lines_.log(), "10.0.0.2/24"};
  std::vector<Endpoint> calls_;
};

TEST_F(LifeTest, ItSaysWhereItStands) {
  EXPECT_EQ(session().state(), "down");
  EXPECT_EQ(session().reason(), "starting");
  EXPECT_FALSE(session().remote());
  Tick();
  EXPECT_EQ(session().state(), "connecting");
  EXPECT_TRUE(client_.host.resolve_pending);
  ASSERT_TRUE(ComesUp());
  EXPECT_EQ(session().reason(), "");
  EXPECT_EQ(session().remote(), At("192.0.2.1:9000"));
  Run(kSecond);
  net_.path_up = false;
  client_.worker.SendData();
  ASSERT_TRUE(Until(20 * kSecond, [&] { return !client_.up(); }));
  EXPECT_EQ(session().state(), "suspect") << "its lane may still live";
  EXPECT_EQ(session().reason(), "no answer through the tunnel");
}

TEST_F(LifeTest, ANameThatIsNotFoundIsAskedAgainEverMoreSeldom) {
  Tick();
  uint64_t before_us = 0;
  for (int failure = 0; failure < 9; ++failure) {
    ASSERT_TRUE(client_.host.resolve_pending);
    client_.host.resolve_pending = false;
    session().OnResolved(absl::NotFoundError("hub.test: no such name"),
                         net_.now_us);
    EXPECT_EQ(session().state(), "down");
    EXPECT_EQ(session().reason(), "hub.test: no such name");
    const uint64_t wait_us = session().NextDeadline() - net_.now_us;
    const uint64_t full_us = kSecond << std::min(failure, 5);
    EXPECT_GE(wait_us, full_us - full_us / 4);
    EXPECT_LE(wait_us, full_us);
    if (failure < 6) {
      EXPECT_GT(wait_us, before_us);
    }
    before_us = wait_us;
    TickAt(net_.now_us + wait_us - 1);
    EXPECT_FALSE(client_.host.resolve_pending) << "too soon";
    TickAt(net_.now_us + 1);
  }
  EXPECT_TRUE(client_.host.resolve_pending);
  EXPECT_NE(lines_.Take().find("hub.test: no such name; next attempt in "),
            std::string::npos);
}

TEST_F(LifeTest, ALookUpThatNeverEndsIsGivenUp) {
  Tick();
  const uint64_t begun_us = net_.now_us;
  EXPECT_EQ(session().NextDeadline(),
            begun_us + ClientSession::kResolveTimeoutUs);
  TickAt(begun_us + ClientSession::kResolveTimeoutUs);
  EXPECT_EQ(session().reason(),
            "the name hub.test could not be looked up in time");
  // What is found later is of no use any more, and does no harm.
  RecordCalls();
  Found({At("192.0.2.1:9000")});
  EXPECT_TRUE(TakeCalls().empty());
  EXPECT_EQ(session().state(), "down");
}

TEST_F(LifeTest, AllAddressesOfAHubAreTriedBeforeItWaits) {
  RecordCalls();
  hub_.worker.listening = false;  // a RST from each
  Tick();
  const std::vector<Endpoint> three = {
      At("192.0.2.1:9000"), At("192.0.2.2:9000"), At("192.0.2.3:9000")};
  Found(three);
  RunAttempts();
  EXPECT_EQ(TakeCalls(), three);
  EXPECT_NE(session().reason().find("192.0.2.3:9000 refuses the connection"),
            std::string::npos)
      << session().reason();
  EXPECT_TRUE(client_.host.locals.empty());
  // Next time it begins where it stopped, which is at the first one again.
  TickAt(session().NextDeadline());
  Found(three);
  EXPECT_EQ(TakeCalls(), std::vector<Endpoint>{three[0]});
}

// ---- Addresses that race (RFC 8305 §5).

TEST_F(LifeTest, AnAddressThatSwallowsEverythingCostsAMoment) {
  RecordCalls();
  net_.dead_address = At("192.0.2.1:9000").address;
  Tick();
  const uint64_t begun_us = net_.now_us;
  Found({At("192.0.2.1:9000"), At("192.0.2.2:9000")});
  ASSERT_TRUE(ComesUp());
  // A round trip for the connection, two for the handshake, and a little.
  EXPECT_LE(net_.now_us - begun_us,
            ClientSession::kRaceUs + 7 * FakeNet::kDelayUs);
  EXPECT_EQ(TakeCalls(),
            (std::vector{At("192.0.2.1:9000"), At("192.0.2.2:9000")}));
  EXPECT_EQ(session().remote(), At("192.0.2.2:9000"));
  EXPECT_EQ(hub_.count(), 1u);
  EXPECT_EQ(client_.host.locals.size(), 1u) << "the loser's port is free";
  EXPECT_EQ(client_.road.owners.tokens(), 0u);
}

// One that is slow but there may come in first after all.
TEST_F(LifeTest, TheFirstConnectionHasTheCall) {
  RecordCalls();
  net_.slow_port = client_.host.next_port;  // the first call's
  net_.slow_us = ClientSession::kRaceUs;
  Tick();
  Found({At("192.0.2.1:9000"), At("192.0.2.2:9000"), At("192.0.2.3:9000")});
  ASSERT_TRUE(ComesUp());
  EXPECT_EQ(TakeCalls().size(), 2u) << "the third was not needed";
  Run(2 * kSecond);
  EXPECT_EQ(hub_.count(), 1u) << "of one session";
  EXPECT_EQ(client_.host.locals.size(), 1u);
  EXPECT_EQ(lines_.Take().find("another host"), std::string::npos);
}

TEST_F(LifeTest, AddressesJoinOneByOneAndAllFailInTheEnd) {
  RecordCalls();
  net_.path_up = false;
  Tick();
  const uint64_t begun_us = net_.now_us;
  const std::vector<Endpoint> three = {
      At("192.0.2.1:9000"), At("192.0.2.2:9000"), At("192.0.2.3:9000")};
  Found(three);
  RunAttempts();
  EXPECT_EQ(TakeCalls(), three);
  EXPECT_LE(net_.now_us - begun_us,
            ClientAttempt::kTimeoutUs + 2 * ClientSession::kRaceUs);
  EXPECT_EQ(session().state(), "down");
  EXPECT_TRUE(client_.host.locals.empty());
  EXPECT_EQ(client_.road.owners.tokens(), 0u);
}

// Such as one of the other family, whose route goes by another interface while
// the first holds the uplink.
TEST_F(LifeTest, AnAddressThatCannotBeCalledBesideIsCalledAlone) {
  RecordCalls();
  net_.dead_address = At("192.0.2.1:9000").address;
  Tick();
  Found({At("192.0.2.1:9000"), At("192.0.2.2:9000")});
  client_.host.route = absl::FailedPreconditionError("not beside the first");
  TickAt(net_.now_us + ClientSession::kRaceUs);
  EXPECT_EQ(session().state(), "connecting");
  client_.host.route = absl::OkStatus();
  ASSERT_TRUE(ComesUp(ClientAttempt::kTimeoutUs + kSecond));
  EXPECT_EQ(TakeCalls(),
            (std::vector{At("192.0.2.1:9000"), At("192.0.2.2:9000")}));
}

TEST_F(LifeTest, AHubThatIsFoundElsewhereIsTriedFromItsFirstAddress) {
  RecordCalls();
  hub_.worker.listening = false;
  Tick();
  Found({At("192.0.2.1:9000")});
  RunAttempts();
  TickAt(session().NextDeadline());
  TakeCalls();
  Found({At("192.0.2.7:9000"), At("192.0.2.8:9000")});
  EXPECT_EQ(TakeCalls(), std::vector<Endpoint>{At("192.0.2.7:9000")});
}

// The name is asked for again before each round: a hub may have moved.
TEST_F(LifeTest, AHubThatMovedIsFoundUnderItsName) {
  ASSERT_TRUE(ComesUp());
  const int asked = client_.host.resolved;
  hub_.Kill();
  hub_.Make();
  client_.worker.SendData();
  ASSERT_TRUE(
      Until(30 * kSecond, [&] { return client_.up() && hub_.count() == 1; }));
  EXPECT_GT(client_.host.resolved, asked);
}

TEST_F(LifeTest, ClosingSaysGoodbyeAndBeginsNothing) {
  ASSERT_TRUE(ComesUp());
  EXPECT_EQ(session().Close("the gateway stops"), 1u) << "a FIN to wait for";
  EXPECT_EQ(session().session(), nullptr);
  EXPECT_EQ(session().NextDeadline(), UINT64_MAX);
  const int asked = client_.host.resolved;
  Run(60 * kSecond);
  EXPECT_EQ(client_.host.resolved, asked);
  EXPECT_EQ(hub_.count(), 0u);
  session().OnResumed(net_.now_us);
  session().OnSourceChanged(At("192.0.2.99:1").address, net_.now_us);
  Run(kSecond);
  EXPECT_EQ(client_.host.resolved, asked);
  EXPECT_EQ(session().Close("twice"), 0u);
}

TEST_F(LifeTest, ClosingInTheMiddleOfAnAttemptLeavesNothing) {
  Tick();
  Found({At("192.0.2.1:9000")});
  ASSERT_EQ(client_.host.locals.size(), 1u);
  EXPECT_EQ(session().Close("the gateway stops"), 0u);
  EXPECT_TRUE(client_.host.locals.empty());
  EXPECT_EQ(client_.road.owners.tokens(), 0u);
}

TEST_F(LifeTest, AClientThatGoesTakesItsRoutesAlong) {
  ASSERT_TRUE(ComesUp());
  const auto leads = [&] {
    const IpAddress address = *ParseIpAddress("10.0.0.77");
    return client_.worker.published->routes.Lookup(address.family,
                                                   address.bytes.data());
  };
  const PeerIndex to_hub = leads();
  client_.session.reset();
  client_.road.peers.PublishNow();
  EXPECT_NE(leads(), to_hub);
  EXPECT_EQ(client_.road.owners.flows(), 0u);
  EXPECT_EQ(client_.road.owners.lanes(), 0u);
  EXPECT_TRUE(client_.host.followed.empty());
}

// The pin is written before anything of the session is used.
TEST_F(LifeTest, AKeyThatCannotBePinnedIsNoSession) {
  ClientSession::Config config{
      .keys = client_.keys,
      .attempt = {client_.road, client_.host, {}},
      .hubs = {{{"hub.test", 9000}, std::nullopt}},
      .tunnel_addresses = {client_.address},
      .on_hub_key = [](const handshake::PublicKey&) {
        return absl::PermissionDeniedError("server.pub: read-only");
      }};
  config.attempt.handshake.identity = &client_.identity;
  config.attempt.handshake.offer.mtu = 1400;
  config.attempt.handshake.offer.addresses = {client_.address};
  client_.session.reset();
  client_.road.peers.PublishNow();
  client_.session = std::make_unique<ClientSession>(std::move(config),
                                                    lines_.log(), net_.now_us);
  ASSERT_TRUE(Until(5 * kSecond, [&] {
    return session().reason() == "server.pub: read-only";
  }));
  EXPECT_EQ(session().session(), nullptr);
  EXPECT_TRUE(client_.host.locals.empty());
  Run(kSecond / 2);
  ASSERT_EQ(hub_.count(), 1u);
  EXPECT_EQ(hub_.sessions->clients()[0].session->sending_lane(), nullptr)
      << "the hub hears the FIN";
}

TEST_F(LifeTest, AfterTheFirstContactOnlyThatHubWillDo) {
  ASSERT_TRUE(ComesUp());
  hub_.Kill();
  hub_.identity = handshake::GenerateStaticKey();
  hub_.Make();
  client_.worker.SendData();
  ASSERT_TRUE(
      Until(60 * kSecond, [&] { return !client_.changed_keys.empty(); }));
  EXPECT_EQ(client_.changed_keys.front(), hub_.identity.public_key);
  ASSERT_TRUE(
      Until(10 * kSecond, [&] { return session().reason() == "another key"; }));
}

// Services of every length, and how soon it calls again after each.
TEST_F(LifeTest, OnlyAGoodServiceIsFollowedByACallAtOnce) {
  for (const bool good : {false, true, false}) {
    ASSERT_TRUE(ComesUp(40 * kSecond));
    Run(good ? ClientSession::kGoodServiceUs : kSecond);
    ASSERT_TRUE(client_.up());
    const int asked = client_.host.resolved;
    hub_.sessions->Close("maintenance", net_.now_us);
    ASSERT_TRUE(Until(kSecond, [&] { return !client_.up(); }));
    EXPECT_EQ(client_.host.resolved > asked, good);
    hub_.Kill();
    hub_.Make();
    client_.worker.Crash();
  }
}

TEST_F(LifeTest, MovingToTheAddressItHasIsNoMove) {
  ASSERT_TRUE(ComesUp());
  const IpAddress own = client_.host.locals.front().address;
  session().OnSourceChanged(own, net_.now_us);
  EXPECT_TRUE(client_.up());
  const IpAddress other = At("192.0.2.66:1").address;
  client_.host.MoveTo(other);
  session().OnSourceChanged(other, net_.now_us);
  EXPECT_EQ(session().state(), "suspect");
  EXPECT_EQ(session().reason(), "our address changed to 192.0.2.66");
  const uint64_t id = session().session()->secrets().session_id;
  ASSERT_TRUE(ComesUp());
  EXPECT_EQ(session().session()->secrets().session_id, id)
      << "the session goes on";
  EXPECT_EQ(session().session()->sending_lane()->local.address, other);
  // The old flow's port is given back when its time is over.
  Run(ClientSession::kOldLaneUs + kSecond);
  EXPECT_EQ(client_.host.locals.size(), 1u);
}

// A laptop that changes its network again and again, faster than it can call.
TEST_F(LifeTest, RoamingWithoutRestEndsWellAndLeavesNoPort) {
  ASSERT_TRUE(ComesUp());
  std::set<uint64_t> sessions;
  for (int move = 1; move <= 20; ++move) {
    IpAddress source = At("192.0.2.66:1").address;
    source.bytes[3] = static_cast<uint8_t>(100 + move);
    client_.host.MoveTo(source);
    session().OnSourceChanged(source, net_.now_us);
    Run(static_cast<uint64_t>(move) * 7'000);
  }
  ASSERT_TRUE(ComesUp(60 * kSecond));
  Run(ClientSession::kOldLaneUs + kSecond);
  EXPECT_EQ(client_.host.locals.size(), 1u);
  EXPECT_EQ(session().session()->lanes().size(), 1u);
  EXPECT_EQ(client_.road.owners.lanes(), 1u);
  EXPECT_EQ(client_.host.followed.size(), 1u);
  EXPECT_EQ(hub_.count(), 1u);
}

TEST_F(LifeTest, EventsOfNobodyAreLeftAlone) {
  ASSERT_TRUE(ComesUp());
  const FlowId strange = FlowId::Of(999, 1, {0});
  for (const EventKind kind :
       {EventKind::kFlowUp, EventKind::kFlowDown, EventKind::kResetHint,
        EventKind::kStreamRoom, EventKind::kStreamEnded}) {
    Event event;
    event.kind = kind;
    event.flow = strange;
    session().OnEvent(event, net_.now_us);
  }
  session().OnStream({strange, 0, {1, 2, 3}}, net_.now_us);
  session().OnLaneEvent({WorkerIndex{0}, {77}},
                        {.kind = EventKind::kReportAnswer, .value = 5},
                        net_.now_us);
  EXPECT_TRUE(client_.up());
  EXPECT_EQ(session().rtt_us(), 0u) << "no lane of ours was measured";
}

// ---- Several hubs, of which the test answers for the names. How a client is
// moved by gateways that die is in tests/support/world/hubs_test.cc.

class SeveralHubsTest : public LifeTest {
 protected:
  SeveralHubsTest() {
    client_.hub_names = {"a.test", "b.test"};
    client_.Make();
  }
  std::string AskedLast() const {
    return client_.host.names.empty() ? "" : client_.host.names.back();
  }
};

TEST_F(SeveralHubsTest, ALookUpThatHangsIsLeftForTheNextHub) {
  Tick();
  EXPECT_EQ(AskedLast(), "a.test");
  EXPECT_EQ(session().hub().address.host, "a.test");
  TickAt(net_.now_us + ClientSession::kResolveTimeoutUs);
  EXPECT_EQ(AskedLast(), "b.test");
  EXPECT_EQ(session().state(), "connecting") << "it does not wait";
  EXPECT_EQ(session().reason(),
            "a.test:9000: the name a.test could not be looked up in time");
  Found({At("192.0.2.1:9000")});
  ASSERT_TRUE(ComesUp());
  EXPECT_EQ(session().reason(), "");
  EXPECT_EQ(session().hub().address.host, "b.test");
}

// All addresses of one name are those of one hub.
TEST_F(SeveralHubsTest, AHubFailsWithTheLastOfItsAddresses) {
  RecordCalls();
  hub_.worker.listening = false;
  Tick();
  const std::vector<Endpoint> two = {At("192.0.2.1:9000"),
                                     At("192.0.2.2:9000")};
  Found(two);
  while (!client_.host.resolve_pending) {
    TickAt(std::min(session().NextDeadline(), net_.next_us()));
  }
  EXPECT_EQ(TakeCalls(), two);
  EXPECT_EQ(AskedLast(), "b.test");
  Found({At("192.0.2.3:9000")});
  RunAttempts();
  EXPECT_EQ(TakeCalls(), std::vector<Endpoint>{At("192.0.2.3:9000")});
  EXPECT_EQ(session().state(), "down");
  EXPECT_TRUE(client_.host.locals.empty());
}

// A hub that takes the client and soon sends it away is no service: the next
// one has its turn at once, and both have had theirs before there is a pause.
TEST_F(SeveralHubsTest, AShortServiceIsFollowedByTheNextHub) {
  ASSERT_TRUE(ComesUp());
  for (const char* const next : {"b.test", "a.test"}) {
    Run(kSecond);
    const size_t asked = client_.host.names.size();
    hub_.sessions->Close("maintenance", net_.now_us);
    ASSERT_TRUE(Until(kSecond / 10, [&] { return !client_.up(); }));
    hub_.Kill();
    client_.worker.Crash();
    hub_.Make();
    if (std::string_view(next) == "b.test") {
      ASSERT_EQ(client_.host.names.size(), asked + 1);
      EXPECT_EQ(AskedLast(), next);
    } else {
      EXPECT_EQ(client_.host.names.size(), asked) << "the round is over";
      EXPECT_EQ(session().state(), "down");
    }
    ASSERT_TRUE(ComesUp());
  }
}

TEST_F(SeveralHubsTest, AGoodServiceIsFollowedByACallToTheSameHub) {
  Tick();
  TickAt(net_.now_us + ClientSession::kResolveTimeoutUs);
  ASSERT_EQ(AskedLast(), "b.test");
  ASSERT_TRUE(ComesUp());
  Run(ClientSession::kGoodServiceUs);
  hub_.sessions->Close("maintenance", net_.now_us);
  ASSERT_TRUE(Until(kSecond / 10, [&] { return !client_.up(); }));
  EXPECT_EQ(AskedLast(), "b.test");
}

TEST_F(SeveralHubsTest, AHubThatIsTakenOutMeanwhileIsCalledNoMore) {
  ClientSession::Settings settings{.hubs = client_.Hubs(), .offered_mtu = 1400};
  Tick();
  const size_t asked = client_.host.names.size();
  session().Apply(settings, net_.now_us);
  EXPECT_EQ(client_.host.names.size(), asked) << "nothing has changed";
  hub_.worker.listening = true;
  Found({At("192.0.2.1:9000")});
  EXPECT_EQ(client_.host.locals.size(), 1u);
  settings.hubs.erase(settings.hubs.begin());
  session().Apply(settings, net_.now_us);
  EXPECT_TRUE(client_.host.locals.empty()) << "the call to it is given up";
  EXPECT_EQ(AskedLast(), "b.test");
  ASSERT_TRUE(ComesUp());
  EXPECT_EQ(session().hub().address.host, "b.test");
  // The session that is up goes on at a hub that is taken out.
  settings.hubs = {{{"c.test", 9000}, std::nullopt}};
  session().Apply(settings, net_.now_us);
  Run(kSecond);
  EXPECT_TRUE(client_.up());
  EXPECT_EQ(session().hub().address.host, "b.test");
  EXPECT_EQ(AskedLast(), "b.test");
  hub_.sessions->Close("maintenance", net_.now_us);
  ASSERT_TRUE(Until(5 * kSecond, [&] { return AskedLast() == "c.test"; }));
}

}  // namespace
}  // namespace lwt::peer
