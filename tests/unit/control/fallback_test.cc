#include "control/fallback.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <string>

#include "tests/unit/control/peer/recording_link.h"

namespace lwt {
namespace {

constexpr FlowId kFlow = FlowId::Of(7, 3);
constexpr uint64_t kNow = 1'000'000;

std::span<const uint8_t> AsBytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

// A service on loopback that the test plays.
class Service {
 public:
  Service() : listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(bind(listener_.get(), generic, size), 0);
    EXPECT_EQ(listen(listener_.get(), 16), 0);
    EXPECT_EQ(getsockname(listener_.get(), generic, &size), 0);
    port_ = ntohs(address.sin_port);
  }
  Endpoint endpoint() const {
    return *ParseEndpoint("127.0.0.1:" + std::to_string(port_));
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
  void TurnUntilGone() {
    for (int i = 0; i < 1000 && fallback_.visitors() > 0; ++i) {
      loop_->Turn(10'000);
    }
  }

  Service service_;
  peer::RecordingLink link_;
  loop::Log log_{config::LogLevel::kError};
  std::unique_ptr<loop::EventLoop> loop_;
  Fallback fallback_{*loop_, link_, log_};
};

TEST_F(FallbackTest, AVisitorTalksWithTheService) {
  const PuntedStream first = link_.Punt(kFlow, AsBytes("GET "), 0);
  ASSERT_TRUE(fallback_.Take(kFlow, {&first, 1}, kNow));
  EXPECT_TRUE(fallback_.OnStream(link_.Punt(kFlow, AsBytes("/\r\n"), 4), kNow));
  ScopedFd service(service_.Accept());
  loop_->Turn(100'000);
  std::string request;
  while (request.size() < 7) request += ReadFrom(service.get());
  EXPECT_EQ(request, "GET /\r\n");

  EXPECT_EQ(send(service.get(), "200", 3, 0), 3);
  EXPECT_TRUE(fallback_.OnEvent(Told(EventKind::kStreamRoom, 1000), kNow));
  EXPECT_EQ(Answer(), "200");
  // His end reaches the service, and the service's ends the flow.
  EXPECT_TRUE(fallback_.OnEvent(Told(EventKind::kStreamEnded), kNow));
  EXPECT_EQ(ReadFrom(service.get()), "");
  shutdown(service.get(), SHUT_WR);
  TurnUntilGone();
  EXPECT_EQ(fallback_.visitors(), 0u);
  EXPECT_EQ(link_.Sent<CloseFlowCommand>().size(), 1u);
}

TEST_F(FallbackTest, AVisitorWhoLeavesEndsTheConnection) {
  ASSERT_TRUE(fallback_.Take(kFlow, {}, kNow));
  ScopedFd service(service_.Accept());
  EXPECT_TRUE(fallback_.OnEvent(Told(EventKind::kFlowDown), kNow));
  EXPECT_EQ(ReadFrom(service.get()), "");
  EXPECT_EQ(fallback_.visitors(), 0u);
  EXPECT_TRUE(link_.Sent<CloseFlowCommand>().empty());
}

// Events are lost when their ring is full; a download would stand still.
TEST_F(FallbackTest, AsksAgainForRoomOfWhichItWasNotTold) {
  constexpr uint64_t kSecond = 1'000'000;
  ASSERT_TRUE(fallback_.Take(kFlow, {}, kNow));
  EXPECT_EQ(link_.Sent<SpliceCommand>().size(), 1u);
  fallback_.OnTimer(kNow + kSecond);
  EXPECT_EQ(link_.Sent<SpliceCommand>().size(), 2u);
  // Where there is room it does not.
  EXPECT_TRUE(fallback_.OnEvent(Told(EventKind::kStreamRoom, 1000), kNow));
  fallback_.OnTimer(kNow + 3 * kSecond);
  EXPECT_EQ(link_.Sent<SpliceCommand>().size(), 2u);
}

TEST_F(FallbackTest, OthersFlowsAreNotItsBusiness) {
  EXPECT_FALSE(fallback_.OnEvent(Told(EventKind::kFlowDown), kNow));
  const PuntedStream stream = link_.Punt(kFlow, AsBytes("x"), 0);
  EXPECT_FALSE(fallback_.OnStream(stream, kNow));
}

TEST_F(FallbackTest, NobodyIsTakenWithoutAService) {
  Fallback none(*loop_, link_, log_);
  EXPECT_FALSE(none.Take(kFlow, {}, kNow));
}

TEST_F(FallbackTest, TakesSoManyAndNoMore) {
  for (uint32_t i = 0; i < Fallback::kMaxVisitors; ++i) {
    ASSERT_TRUE(fallback_.Take(FlowId::Of(100 + i, 1), {}, kNow));
  }
  EXPECT_FALSE(fallback_.Take(kFlow, {}, kNow));
  // None of them moves: all are let go.
  fallback_.OnTimer(kNow + Fallback::kIdleUs - 1);
  EXPECT_EQ(fallback_.visitors(), Fallback::kMaxVisitors);
  fallback_.OnTimer(kNow + Fallback::kIdleUs + 1'000'000);
  EXPECT_EQ(fallback_.visitors(), 0u);
}

}  // namespace
}  // namespace lwt
