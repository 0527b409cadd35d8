// Answers without end: who follows is told, who does not read is dropped.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "control/base/events.h"
#include "control/host/instance/control_socket.h"
#include "control/loop/api_server.h"
#include "control/loop/event_loop.h"

namespace lwt::loop {
namespace {

class ApiStreamTest : public testing::Test {
 protected:
  ApiStreamTest() {
    std::string name = testing::TempDir() + "stream-XXXXXX";
    folder_ = mkdtemp(name.data());
    loop_ = *EventLoop::Create();
    socket_.emplace(*host::ControlSocket::Listen(folder_ + "/s"));
    server_ = *ApiServer::Serve(
        socket_->fd(), *loop_,
        [](const api::Request&, const ApiServer::Reply& reply) {
          reply(api::OkResponse("well\n"));
        },
        [](const api::Request& request) -> std::optional<std::string> {
          if (request.kind != api::RequestKind::kEventsFollow) return {};
          return "before\n";
        });
  }
  ~ApiStreamTest() override {
    server_.reset();
    socket_.reset();
    std::filesystem::remove_all(folder_);
  }

  void Turns() {
    for (int i = 0; i < 6; ++i) {
      loop_->Turn(0);
      server_->OnTimer(++now_us_);
    }
  }
  int Ask(const std::string& request) {
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, (folder_ + "/s").c_str());
    EXPECT_EQ(
        connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    EXPECT_EQ(send(fd, request.data(), request.size(), 0),
              static_cast<ssize_t>(request.size()));
    Turns();
    return fd;
  }
  // What there is; `ended` tells whether the server has closed.
  static std::string Read(int fd, bool* ended = nullptr) {
    std::string all;
    char bytes[65536];
    ssize_t n = 0;
    while ((n = read(fd, bytes, sizeof(bytes))) > 0) {
      all.append(bytes, static_cast<size_t>(n));
    }
    if (ended != nullptr) *ended = n == 0;
    return all;
  }

  std::string folder_;
  std::unique_ptr<EventLoop> loop_;
  std::optional<host::ControlSocket> socket_;
  std::unique_ptr<ApiServer> server_;
  uint64_t now_us_ = 0;
};

TEST_F(ApiStreamTest, WhoFollowsIsToldWhatWasAndWhatComes) {
  const int fd = Ask("events f\n");
  EXPECT_EQ(Read(fd), "ok stream\nbefore\n");
  server_->Tell("one\n");
  server_->Tell("two\n");
  Turns();
  EXPECT_EQ(Read(fd), "one\ntwo\n");
  // However long nothing happens.
  now_us_ += 1000 * ApiServer::kAnswerUs;
  Turns();
  server_->Tell("three\n");
  Turns();
  bool ended = true;
  EXPECT_EQ(Read(fd, &ended), "three\n");
  EXPECT_FALSE(ended);
  EXPECT_EQ(loop_->Turn(0), 0) << "who was told all keeps nobody awake";
  close(fd);
  EXPECT_EQ(loop_->Turn(0), 1);
  EXPECT_EQ(loop_->Turn(0), 0) << "who has gone is forgotten";
  server_->Tell("four\n");
}

// Who begins to follow has time to read what was.
TEST(ApiStreamSizeTest, AllThatIsKeptMayWait) {
  EventRing ring;
  for (size_t i = 0; i < EventRing::kEvents; ++i) {
    ring.Add({.kind = EventKind::kPeerRefused,
              .text = std::string(2 * EventRing::kMaxText, 'x')});
  }
  EXPECT_LT(ring.Text().size(), ApiServer::kMostWaiting * 9 / 10);
}

TEST_F(ApiStreamTest, OthersAreAnsweredAsEver) {
  const int follows = Ask("events f\n");
  const int asks = Ask("status\n");
  bool ended = false;
  EXPECT_EQ(Read(asks, &ended), "ok 5\nwell\n");
  EXPECT_TRUE(ended);
  server_->Tell("one\n");
  Turns();
  EXPECT_EQ(Read(follows), "ok stream\nbefore\none\n");
  close(follows);
  close(asks);
}

TEST_F(ApiStreamTest, TenWhoDoNotReadAreDroppedAndNobodyWaitsForThem) {
  std::vector<int> silent;
  for (int i = 0; i < 10; ++i) silent.push_back(Ask("events f\n"));
  const int reads = Ask("events f\n");
  std::string got = Read(reads);
  const std::string line = std::string(999, 'x') + "\n";
  // More than the kernel's buffers and what may wait.
  constexpr size_t kLines = 3000;
  for (size_t i = 0; i < kLines; ++i) {
    server_->Tell(line);
    if (i % 50 == 0) {
      Turns();
      got += Read(reads);
    }
    if (i % 1000 == 0) {
      const int asks = Ask("status\n");
      EXPECT_EQ(Read(asks), "ok 5\nwell\n") << i;
      close(asks);
    }
  }
  for (int i = 0; i < 20; ++i) {
    Turns();
    got += Read(reads);
  }
  EXPECT_EQ(got.size(),
            std::strlen("ok stream\nbefore\n") + kLines * line.size());
  for (const int fd : silent) {
    bool ended = false;
    const std::string some = Read(fd, &ended);
    EXPECT_TRUE(ended);
    EXPECT_LT(some.size(), ApiServer::kMostWaiting + (1 << 20));
    close(fd);
  }
  close(reads);
}

}  // namespace
}  // namespace lwt::loop
