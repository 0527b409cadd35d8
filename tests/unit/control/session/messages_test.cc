// A type of control message of this test's own, carried between a hub and a
// client: all that a new type needs is a struct and a registration. It touches
// no session, channel or other type (docs/CONTRIBUTING.md, "A control
// message").
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include "control/session/message_table.h"
#include "control/session/session_report.h"
#include "drivers/scoped_fd.h"
#include "tests/unit/control/session/world.h"

namespace lwt::peer {
namespace {

// The struct: what a file of the handshake would say of it.
struct Greeting {
  static constexpr auto kType = static_cast<handshake::ControlType>(200);
  // Of a feature that a peer tells of in its offer; here the test tells.
  static inline bool feature = true;
  static bool kUnderstoodBy(const handshake::PeerOffer&) { return feature; }
  uint32_t number = 0;

  handshake::ByteVector Build() const {
    handshake::ByteWriter out;
    return out.U32(number).Take();
  }
  static std::optional<Greeting> Parse(handshake::ByteSpan body) {
    handshake::ByteReader reader(body);
    Greeting greeting;
    if (!reader.U32(&greeting.number) || !reader.empty()) return std::nullopt;
    return greeting;
  }
};

// The registration: what a component of a gateway would do at start.
class Greeter {
 public:
  explicit Greeter(bool answers) : answers_(answers) {}

  void Register(MessageTable& table) {
    table.Add<Greeting>(
        "the peer broke the protocol of greetings",
        [this](Session& session, const Greeting& greeting, uint64_t) {
          heard.push_back(session.name() + " " +
                          std::to_string(greeting.number));
          if (answers_) session.Send(Greeting{greeting.number + 1});
          return greeting.number != kRude;
        });
  }

  static constexpr uint32_t kRude = 666;
  std::vector<std::string> heard;

 private:
  const bool answers_;
};

class MessagesTest : public ::testing::Test {
 protected:
  MessagesTest() {
    Greeting::feature = true;
    at_hub_.Register(hub_.messages);
    at_client_.Register(client_.messages);
  }

  void Connect() {
    hub_.Make();
    client_.Make();
    ASSERT_TRUE(RunWorld(net_, hub_, {&client_}, 5 * kSecond,
                         [&] { return client_.up(); }));
  }
  Session& OfHub() { return *hub_.sessions->clients().front().session; }
  void Run(uint64_t for_us = kSecond) {
    RunFor(net_, hub_, {&client_}, for_us);
  }
  std::string Logged() {
    std::string text(4096, '\0');
    const ssize_t size = pread(file_.get(), text.data(), text.size(), 0);
    text.resize(size < 0 ? 0 : static_cast<size_t>(size));
    return text;
  }

  ScopedFd file_{memfd_create("log", MFD_CLOEXEC)};
  loop::Log log_{loop::LogLevel::kInfo, file_.get()};
  FakeNet net_;
  Greeter at_hub_{false};
  Greeter at_client_{true};
  TestHub hub_{net_, log_};
  TestClient client_{net_, hub_.worker, log_, "10.0.0.2/24"};
};

TEST_F(MessagesTest, AreCarriedBothWays) {
  Connect();
  EXPECT_TRUE(OfHub().Send(Greeting{7}));
  Run();
  EXPECT_EQ(at_client_.heard, (std::vector<std::string>{"hub 7"}));
  EXPECT_EQ(at_hub_.heard, (std::vector<std::string>{"client 10.0.0.2 8"}));
}

TEST_F(MessagesTest, AreNotSentToWhoDoesNotUnderstandThem) {
  Connect();
  Greeting::feature = false;
  EXPECT_FALSE(OfHub().Send(Greeting{7}));
  Run();
  EXPECT_TRUE(at_client_.heard.empty());
  EXPECT_TRUE(OfHub().Send(handshake::Notice{.text = "hello"}));
  Run();
  EXPECT_NE(Logged().find("hub says: hello"), std::string::npos);
}

TEST_F(MessagesTest, OfATypeThatNobodyTookAreAnsweredByANotice) {
  client_.messages = CommonMessages();
  Connect();
  EXPECT_TRUE(OfHub().Send(Greeting{7}));
  Run();
  const std::string log = Logged();
  EXPECT_NE(log.find("hub: a control message of unknown type 200"),
            std::string::npos)
      << log;
  EXPECT_NE(log.find("client 10.0.0.2 says: control message of unknown type "
                     "200"),
            std::string::npos)
      << log;
  EXPECT_TRUE(client_.up()) << "its session goes on";
}

TEST_F(MessagesTest, ABreachEndsTheSessionWithItsWords) {
  Connect();
  const uint64_t before = client_.session->session()->secrets().session_id;
  EXPECT_TRUE(OfHub().Send(Greeting{Greeter::kRude}));
  EXPECT_TRUE(RunWorld(net_, hub_, {&client_}, 60 * kSecond, [&] {
    return client_.up() &&
           client_.session->session()->secrets().session_id != before;
  }));
  EXPECT_NE(Logged().find("the peer broke the protocol of greetings"),
            std::string::npos)
      << Logged();
}

TEST_F(MessagesTest, EachEndTellsItsVersionOnce) {
  hub_.version = "1.2.3";
  client_.version = "1.2.4";
  Connect();
  Run();
  ASSERT_TRUE(client_.session->session()->about());
  ASSERT_TRUE(OfHub().about());
  EXPECT_EQ(client_.session->session()->about()->version, "1.2.3");
  EXPECT_EQ(OfHub().about()->version, "1.2.4");
  EXPECT_EQ(OfHub().about()->features, handshake::kOwnFeatures);
  telemetry::PeerStatus peer;
  ReportSession(OfHub(), net_.now_us, peer);
  EXPECT_EQ(peer.version, "1.2.4");
  EXPECT_EQ(peer.protocol, 1u);
  EXPECT_NE(std::find(peer.features.begin(), peer.features.end(), "about"),
            peer.features.end());
}

// As one from before there was the message: it is told nothing, says nothing,
// and the operator reads what its handshake named.
TEST_F(MessagesTest, AnEndWithoutTheFeatureIsToldNoVersion) {
  hub_.version = "1.2.3";
  client_.features = handshake::kFeatureMtu;
  Connect();
  Run();
  EXPECT_FALSE(client_.session->session()->about());
  EXPECT_FALSE(OfHub().about());
  EXPECT_EQ(Logged().find("unknown type"), std::string::npos) << Logged();
  telemetry::PeerStatus peer;
  ReportSession(OfHub(), net_.now_us, peer);
  EXPECT_EQ(peer.version, "");
  EXPECT_EQ(peer.features, std::vector<std::string>{"mtu"});
}

// The new key and name servers are the client's to take, and where the key is
// kept the hub's; routes are added by who has networks to lead.
constexpr bool IsOfOneSide(handshake::ControlType type) {
  return type == handshake::ControlType::kNewKey ||
         type == handshake::ControlType::kKeyKept ||
         type == handshake::ControlType::kDns ||
         type == handshake::ControlType::kRoutes ||
         type == handshake::ControlType::kRoutesAnswer;
}

TEST(MessageTableTest, FindsWhatWasAddedOnly) {
  MessageTable table = CommonMessages();
  handshake::ControlMessages::ForEach([&]<typename M>() {
    if (IsOfOneSide(M::kType)) {
      EXPECT_EQ(table.Find(M::kType), nullptr);
      return;
    }
    ASSERT_NE(table.Find(M::kType), nullptr) << static_cast<int>(M::kType);
    EXPECT_EQ(table.Find(M::kType)->type, M::kType);
  });
  EXPECT_EQ(table.Find(handshake::ControlType::kAck), nullptr);
  EXPECT_EQ(table.Find(Greeting::kType), nullptr);
  Greeter(false).Register(table);
  EXPECT_NE(table.Find(Greeting::kType), nullptr);
}

TEST(MessageTableDeathTest, OneTypeHasOneTaker) {
  MessageTable table = CommonMessages();
  EXPECT_DEATH(Greeter(false).Register((Greeter(false).Register(table), table)),
               "two take the same type");
}

}  // namespace
}  // namespace lwt::peer
