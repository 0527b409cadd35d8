#include "control/fallback/fallback.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "tests/unit/control/workers/recording_link.h"

namespace lwt {
namespace {

constexpr FlowId kFlow = FlowId::Of(7, 3);
constexpr uint64_t kNow = 1'000'000;
constexpr uint64_t kSecond = 1'000'000;
const Endpoint kProber = *ParseEndpoint("198.51.100.7:5000");

FlowId Flow(uint32_t number) { return FlowId::Of(100 + number, 1); }
// Each of a network of its own.
Endpoint Prober(uint32_t number) {
  return *ParseEndpoint("10." + std::to_string(number / 250) + "." +
                        std::to_string(number % 250) + ".1:5000");
}

std::span<const uint8_t> AsBytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

// A service on loopback that the test plays.
class Service {
 public:
  explicit Service(int backlog = 1024)
      : listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(bind(listener_.get(), generic, size), 0);
    EXPECT_EQ(listen(listener_.get(), backlog), 0);
    EXPECT_EQ(getsockname(listener_.get(), generic, &size), 0);
    port_ = ntohs(address.sin_port);
  }
  Endpoint endpoint() const {
    return *ParseEndpoint("127.0.0.1:" + std::to_string(port_));
  }
  // A client's end, that has connected or is about to.
  ScopedFd Connect() const {
    ScopedFd fd(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port_);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    static_cast<void>(connect(fd.get(), reinterpret_cast<sockaddr*>(&address),
                              sizeof(address)));
    return fd;
  }
  int Accept() const { return accept4(listener_.get(), nullptr, nullptr, 0); }

 private:
  ScopedFd listener_;
  uint16_t port_ = 0;
};

std::string ReadFrom(int fd) {
  std::array<char, 65536> bytes;
  const ssize_t got = recv(fd, bytes.data(), bytes.size(), 0);
  return got <= 0 ? "" : std::string(bytes.data(), static_cast<size_t>(got));
}

// What was logged.
class LogFile {
 public:
  LogFile() : fd_(memfd_create("log", MFD_CLOEXEC)) {}
  int fd() const { return fd_.get(); }
  std::string Text() const {
    std::string text(static_cast<size_t>(lseek(fd_.get(), 0, SEEK_END)), ' ');
    EXPECT_EQ(pread(fd_.get(), text.data(), text.size(), 0),
              static_cast<ssize_t>(text.size()));
    return text;
  }

 private:
  ScopedFd fd_;
};

class FallbackTest : public testing::Test {
 protected:
  FallbackTest() : loop_(*loop::EventLoop::Create()) {
    fallback_.SetService(service_.endpoint());
  }
  Event Told(EventKind kind, uint64_t value = 0) {
    Event event;
    event.kind = kind;
    event.flow = kFlow;
    event.value = value;
    return event;
  }
  // Runs the loop until the service's bytes are commands.
  std::string Answer() {
    for (int i = 0; i < 1000; ++i) {
      const auto sent = link_.Sent<SendStreamCommand>();
      if (!sent.empty()) {
        return {sent[0].bytes.begin(), sent[0].bytes.end()};
      }
      loop_->Turn(10'000);
    }
    return "";
  }
  // Lets all learn that the service has accepted them.
  void Connected() {
    while (loop_->Turn(0) > 0) {
    }
  }
  void TurnUntilGone() {
    for (int i = 0; i < 1000 && fallback_.probers() > 0; ++i) {
      loop_->Turn(10'000);
    }
  }

  Service service_;
  peer::RecordingLink link_;
  LogFile log_file_;
  loop::Log log_{LogLevel::kInfo, log_file_.fd()};
  std::unique_ptr<loop::EventLoop> loop_;
  peer::FlowOwners owners_{link_};
  Fallback fallback_{*loop_, link_, owners_, log_};
};

TEST_F(FallbackTest, AProberTalksWithTheService) {
  const PuntedStream first = link_.Punt(kFlow, AsBytes("GET "), 0);
  ASSERT_TRUE(fallback_.Take(kFlow, kProber, {&first, 1}, kNow));
  owners_.OnStream(link_.Punt(kFlow, AsBytes("/\r\n"), 4), kNow);
  ScopedFd service(service_.Accept());
  loop_->Turn(100'000);
  std::string request;
  while (request.size() < 7) request += ReadFrom(service.get());
  EXPECT_EQ(request, "GET /\r\n");

  EXPECT_EQ(send(service.get(), "200", 3, 0), 3);
  owners_.OnEvent({0}, Told(EventKind::kStreamRoom, 1000), kNow);
  EXPECT_EQ(Answer(), "200");
  // Its end reaches the service, and the service's ends the flow.
  owners_.OnEvent({0}, Told(EventKind::kStreamEnded), kNow);
  EXPECT_EQ(ReadFrom(service.get()), "");
  shutdown(service.get(), SHUT_WR);
  TurnUntilGone();
  EXPECT_EQ(fallback_.probers(), 0u);
  EXPECT_EQ(link_.Sent<CloseFlowCommand>().size(), 1u);
}

TEST_F(FallbackTest, AProberWhoLeavesEndsTheConnection) {
  ASSERT_TRUE(fallback_.Take(kFlow, kProber, {}, kNow));
  ScopedFd service(service_.Accept());
  owners_.OnEvent({0}, Told(EventKind::kFlowDown), kNow);
  EXPECT_EQ(ReadFrom(service.get()), "");
  EXPECT_EQ(fallback_.probers(), 0u);
  EXPECT_TRUE(link_.Sent<CloseFlowCommand>().empty());
}

// Events are lost when their ring is full; a download would stand still.
TEST_F(FallbackTest, AsksAgainForRoomOfWhichItWasNotTold) {
  ASSERT_TRUE(fallback_.Take(kFlow, kProber, {}, kNow));
  EXPECT_EQ(link_.Sent<SpliceCommand>().size(), 1u);
  fallback_.OnTimer(kNow + kSecond);
  EXPECT_EQ(link_.Sent<SpliceCommand>().size(), 2u);
  // Where there is room it does not.
  owners_.OnEvent({0}, Told(EventKind::kStreamRoom, 1000), kNow);
  fallback_.OnTimer(kNow + 3 * kSecond);
  EXPECT_EQ(link_.Sent<SpliceCommand>().size(), 2u);
}

TEST_F(FallbackTest, OwnsAFlowFromTakeUntilItsEnd) {
  EXPECT_EQ(owners_.flows(), 0u);
  ASSERT_TRUE(fallback_.Take(kFlow, kProber, {}, kNow));
  EXPECT_EQ(owners_.flows(), 1u);
  // Another's end is not its business.
  Event other = Told(EventKind::kFlowDown);
  other.flow = Flow(9);
  owners_.OnEvent({0}, other, kNow);
  EXPECT_EQ(fallback_.probers(), 1u);
  owners_.OnEvent({0}, Told(EventKind::kFlowDown), kNow);
  EXPECT_EQ(fallback_.probers(), 0u);
  EXPECT_EQ(owners_.flows(), 0u);
}

TEST_F(FallbackTest, ATakenFlowStaysItsOwnWhenWhoGaveItForgetsIt) {
  peer::FlowOwner hub;
  owners_.OwnFlow(kFlow, hub);
  ASSERT_TRUE(fallback_.Take(kFlow, kProber, {}, kNow));
  owners_.ForgetFlow(kFlow, hub);
  EXPECT_EQ(owners_.flows(), 1u);
}

TEST_F(FallbackTest, NobodyIsTakenWithoutAService) {
  Fallback none(*loop_, link_, owners_, log_);
  EXPECT_FALSE(none.Take(kFlow, kProber, {}, kNow));
}

TEST_F(FallbackTest, TakesSoManyAtOnceAndLetsTheIdleGo) {
  for (uint32_t i = 0; i < Fallback::kMaxProbers; ++i) {
    ASSERT_TRUE(fallback_.Take(Flow(i), Prober(i), {}, kNow));
  }
  EXPECT_TRUE(fallback_.Take(kFlow, kProber, {}, kNow));
  EXPECT_EQ(fallback_.probers(), Fallback::kMaxProbers);
  Connected();
  fallback_.OnTimer(kNow + Fallback::kIdleUs - 1);
  EXPECT_EQ(fallback_.probers(), Fallback::kMaxProbers);
  fallback_.OnTimer(kNow + Fallback::kIdleUs + kSecond);
  EXPECT_EQ(fallback_.probers(), 0u);
}

// The greedy one's own connections make room, for others and for its own.
TEST_F(FallbackTest, OneNetworkTakesNoPlaceFromOthers) {
  for (uint32_t i = 0; i < 300; ++i) {
    Endpoint greedy = kProber;
    greedy.address.bytes[3] = static_cast<uint8_t>(i);
    ASSERT_TRUE(fallback_.Take(Flow(i), greedy, {}, kNow + i));
  }
  EXPECT_EQ(fallback_.probers(), Fallback::kMaxOfNetwork);
  EXPECT_FALSE(fallback_.Serves(Flow(0)));
  EXPECT_TRUE(fallback_.Serves(Flow(299)));
  for (uint32_t i = 300; i < 300 + Fallback::kMaxProbers; ++i) {
    ASSERT_TRUE(fallback_.Take(Flow(i), Prober(i), {}, kNow + i));
  }
  // All but one of the greedy network had to go before anybody else.
  EXPECT_EQ(fallback_.probers(), Fallback::kMaxProbers);
  for (uint32_t i = 301; i < 300 + Fallback::kMaxProbers; ++i) {
    EXPECT_TRUE(fallback_.Serves(Flow(i))) << i;
  }
}

// Full of others: who makes no progress goes, not who does.
TEST_F(FallbackTest, TheSlowestMakesRoom) {
  for (uint32_t i = 0; i < Fallback::kMaxProbers; ++i) {
    ASSERT_TRUE(fallback_.Take(Flow(i), Prober(i), {}, kNow));
  }
  Connected();
  const std::string request(Fallback::kProgressBytes, 'x');
  for (uint32_t i = 0; i < Fallback::kMaxProbers; ++i) {
    if (i == 77) continue;
    owners_.OnStream(link_.Punt(Flow(i), AsBytes(request), 0), kNow + kSecond);
  }
  ASSERT_TRUE(fallback_.Take(kFlow, kProber, {}, kNow + kSecond));
  EXPECT_FALSE(fallback_.Serves(Flow(77)));
  EXPECT_EQ(fallback_.probers(), Fallback::kMaxProbers);
}

TEST_F(FallbackTest, AByteNowAndThenIsNoProgress) {
  ASSERT_TRUE(fallback_.Take(kFlow, kProber, {}, kNow));
  Connected();
  uint64_t now_us = kNow;
  for (uint64_t i = 0; fallback_.probers() > 0 && i < 300; ++i) {
    now_us += kSecond;
    owners_.OnStream(link_.Punt(kFlow, AsBytes("x"), i), now_us);
    fallback_.OnTimer(now_us);
  }
  EXPECT_EQ(fallback_.probers(), 0u);
  EXPECT_LE(now_us, kNow + Fallback::kIdleUs + kSecond);
}

// The service has more for it than it lets us send.
TEST_F(FallbackTest, WhoReadsNothingIsLetGoSooner) {
  ASSERT_TRUE(fallback_.Take(kFlow, kProber, {}, kNow));
  ScopedFd service(service_.Accept());
  Connected();
  owners_.OnEvent({0}, Told(EventKind::kStreamRoom, 1000), kNow);
  const std::string page(100'000, 'x');
  ASSERT_GT(send(service.get(), page.data(), page.size(), 0), 1000);
  ASSERT_EQ(Answer().size(), 1000u);
  fallback_.OnTimer(kNow + Fallback::kStallUs - 1);
  EXPECT_EQ(fallback_.probers(), 1u);
  fallback_.OnTimer(kNow + Fallback::kStallUs + kSecond);
  EXPECT_EQ(fallback_.probers(), 0u);
}

TEST_F(FallbackTest, SaysThatTheServiceIsDown) {
  const Endpoint gone = Service().endpoint();  // nobody listens any more
  fallback_.SetService(gone);
  for (uint32_t i = 0; i < 100; ++i) {
    fallback_.Take(Flow(i), Prober(i), {}, kNow);
  }
  TurnUntilGone();
  EXPECT_EQ(fallback_.probers(), 0u);
  const std::string text = log_file_.Text();
  EXPECT_NE(text.find("the fallback " + ToString(gone) +
                      " cannot be reached: Connection refused"),
            std::string::npos)
      << text;
  EXPECT_LE(std::count(text.begin(), text.end(), '\n'), 10);
}

TEST_F(FallbackTest, AServiceThatDoesNotAnswerIsGivenUp) {
  // A full backlog: the kernel answers no SYN.
  Service silent(0);
  std::vector<ScopedFd> fillers;
  for (int i = 0; i < 4; ++i) fillers.push_back(silent.Connect());
  fallback_.SetService(silent.endpoint());
  ASSERT_TRUE(fallback_.Take(kFlow, kProber, {}, kNow));
  fallback_.OnTimer(kNow + Fallback::kConnectUs - 1);
  EXPECT_EQ(fallback_.probers(), 1u);
  fallback_.OnTimer(kNow + Fallback::kConnectUs + kSecond);
  EXPECT_EQ(fallback_.probers(), 0u);
  EXPECT_NE(log_file_.Text().find("it does not answer"), std::string::npos);
}

// The process has no descriptor left: one prober makes room for another.
TEST_F(FallbackTest, GoesOnWhereDescriptorsHaveRunOut) {
  ASSERT_TRUE(fallback_.Take(Flow(1), Prober(1), {}, kNow));
  std::vector<ScopedFd> all;
  for (int fd; (fd = dup(0)) >= 0;) all.emplace_back(fd);
  EXPECT_TRUE(fallback_.Take(Flow(2), Prober(2), {}, kNow + 1));
  EXPECT_FALSE(fallback_.Serves(Flow(1)));
  EXPECT_TRUE(fallback_.Serves(Flow(2)));
}

TEST_F(FallbackTest, AStreamThatCannotGoOnEndsTheConnection) {
  ASSERT_TRUE(fallback_.Take(kFlow, kProber, {}, kNow));
  for (size_t i = 0; i <= peer::Relay::kMaxRanges; ++i) {
    owners_.OnStream(link_.Punt(kFlow, AsBytes("x"), 1 + 2 * i), kNow);
  }
  EXPECT_EQ(fallback_.probers(), 0u);
  EXPECT_EQ(link_.Sent<CloseFlowCommand>().size(), 1u);
}

}  // namespace
}  // namespace lwt
