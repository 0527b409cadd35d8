// The server over real sockets in a real loop.
#include "control/web/http_server.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "control/web/listener.h"
#include "dataplane/clock.h"

namespace lwt::web {
namespace {

constexpr uint64_t kPatienceUs = 30'000'000;  // a bound, never reached
constexpr unsigned kTimeoutS = 1;
constexpr size_t kBigBytes = 8 << 20;  // no socket's buffers take it

class HttpServerTest : public testing::Test {
 protected:
  HttpServerTest() {
    std::string name = testing::TempDir() + "web-XXXXXX";
    folder_ = mkdtemp(name.data());
    loop_ = *loop::EventLoop::Create();
    listener_.emplace(*Listener::Listen({.socket = Path()}));
    Serve(Hosts::kAny);
  }
  ~HttpServerTest() override {
    server_.reset();
    listener_.reset();
    std::filesystem::remove_all(folder_);
  }

  std::string Path() const { return folder_ + "/s"; }

  void Serve(Hosts hosts) {
    server_.reset();
    auto server = HttpServer::Serve(
        listener_->fd(), hosts,
        {{"/count", "text/plain",
          [this] { return "made " + std::to_string(++made_) + "\n"; }},
         {"/big", "text/plain", [] { return std::string(kBigBytes, 'x'); }}},
        *loop_, kTimeoutS);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }

  // A turn of the gateway's. How long the loop slept is its own business.
  void Turn() {
    ++turns_;
    server_->OnTimer(MonotonicUs() + ahead_us_);
    const uint64_t next = server_->NextDeadline();
    const uint64_t now_us = MonotonicUs() + ahead_us_;
    loop_->Turn(std::min<uint64_t>(next > now_us ? next - now_us : 0, 20'000));
  }

  int Connect() const {
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, Path().c_str());
    EXPECT_EQ(
        connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0)
        << strerror(errno);
    return fd;
  }
  static void Send(int fd, const std::string& text) {
    EXPECT_EQ(send(fd, text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
  }
  // All that comes until the server closes.
  std::string ReadAll(int fd) {
    std::string all;
    const uint64_t until_us = MonotonicUs() + kPatienceUs;
    while (MonotonicUs() < until_us) {
      Turn();
      char bytes[65536];
      const ssize_t n = read(fd, bytes, sizeof(bytes));
      if (n == 0 || (n < 0 && errno != EAGAIN)) break;
      if (n > 0) all.append(bytes, static_cast<size_t>(n));
    }
    close(fd);
    return all;
  }
  std::string Ask(const std::string& line, const std::string& headers = "") {
    const int fd = Connect();
    Send(fd, line + " HTTP/1.1\r\nConnection: close\r\n" + headers + "\r\n");
    return ReadAll(fd);
  }
  std::string Get(const std::string& path, const std::string& host = "x") {
    return Ask("GET " + path, "Host: " + host + "\r\n");
  }

  std::string folder_;
  std::unique_ptr<loop::EventLoop> loop_;
  std::optional<Listener> listener_;
  std::unique_ptr<HttpServer> server_;
  uint64_t ahead_us_ = 0;
  int made_ = 0;
  int turns_ = 0;
};

bool Begins(const std::string& answer, int status) {
  return answer.starts_with("HTTP/1.1 " + std::to_string(status) + " ");
}

TEST_F(HttpServerTest, GivesAPageToGetAndItsHeadToHead) {
  const std::string got = Get("/count");
  EXPECT_TRUE(Begins(got, 200)) << got;
  EXPECT_NE(got.find("Content-Type: text/plain\r\n"), std::string::npos);
  EXPECT_NE(got.find("Cache-Control: no-store\r\n"), std::string::npos);
  EXPECT_TRUE(got.ends_with("\r\n\r\nmade 1\n")) << got;
  const std::string head = Ask("HEAD /count", "Host: x\r\n");
  EXPECT_TRUE(Begins(head, 200)) << head;
  EXPECT_NE(head.find("Content-Length: 7\r\n"), std::string::npos) << head;
  EXPECT_TRUE(head.ends_with("\r\n\r\n")) << head;
}

TEST_F(HttpServerTest, AQueryBehindThePathIsNotLookedAt) {
  EXPECT_TRUE(Begins(Get("/count?x=1"), 200));
}

TEST_F(HttpServerTest, SaysWhichPagesThereAre) {
  for (const char* path : {"/", "/counts", "/count/", "//count", "/../count"}) {
    const std::string got = Get(path);
    EXPECT_TRUE(Begins(got, 404)) << got;
    EXPECT_TRUE(got.ends_with("there is /count, /big\n")) << got;
  }
}

TEST_F(HttpServerTest, TakesNoCommand) {
  for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS", "NONSENSE"}) {
    const std::string got = Ask(std::string(method) + " /count", "Host: x\r\n");
    EXPECT_TRUE(Begins(got, 405)) << got;
    EXPECT_NE(got.find("Allow: GET, HEAD\r\n"), std::string::npos) << got;
  }
  const std::string got =
      Ask("POST /count", "Host: x\r\nContent-Length: 5\r\n");
  EXPECT_TRUE(Begins(got, 405)) << got;
  EXPECT_EQ(made_, 0);
}

TEST_F(HttpServerTest, APageIsMadeOnceASecondHoweverManyAsk) {
  for (int i = 0; i < 5; ++i) {
    EXPECT_TRUE(Get("/count").ends_with("made 1\n"));
  }
  ahead_us_ += HttpServer::kFreshUs;
  EXPECT_TRUE(Get("/count").ends_with("made 2\n"));
}

TEST_F(HttpServerTest, ASiteOfAnotherNameIsNotServedWhereNamesCount) {
  Serve(Hosts::kOwn);
  for (const char* host : {"127.0.0.1:9464", "127.0.0.1", "localhost:9464",
                           "LOCALHOST", "[::1]:9464", "[::1]", "192.0.2.1"}) {
    EXPECT_TRUE(IsOwnHost(host)) << host;
    EXPECT_TRUE(Begins(Get("/count", host), 200)) << host;
  }
  for (const char* host :
       {"evil.example", "evil.example:9464", "localhost.evil.example",
        "127.0.0.1.evil.example", "[::1", "xlocalhost:1", "127.0.0.1:1:2"}) {
    EXPECT_FALSE(IsOwnHost(host)) << host;
    const std::string got = Get("/count", host);
    EXPECT_TRUE(Begins(got, 421)) << host << ": " << got;
    EXPECT_EQ(got.find("made"), std::string::npos);
  }
}

TEST_F(HttpServerTest, NonsenseIsRefusedAndCostsNothing) {
  for (const char* text :
       {"\r\n\r\n\r\n", "GET\r\n\r\n", "GET /count\r\n\r\n",
        "GET /count HTTP/9.9\r\nHost: x\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"}) {
    const int fd = Connect();
    Send(fd, text);
    shutdown(fd, SHUT_WR);
    EXPECT_FALSE(Begins(ReadAll(fd), 200)) << text;
  }
  const int fd = Connect();
  Send(fd, "GET /count HTTP/1.1\r\nHost: x\r\nA: " +
               std::string(HttpServer::kRequestBytes, 'a') + "\r\n\r\n");
  EXPECT_FALSE(Begins(ReadAll(fd), 200));
  EXPECT_TRUE(Begins(Get("/count"), 200));
}

// As many as may be connected ask for much and read nothing: the loop sleeps,
// and when their time is over, the next one has its turn.
TEST_F(HttpServerTest, WhoDoesNotReadGoesAndCostsNothingMeanwhile) {
  std::vector<int> silent;
  for (unsigned i = 0; i < HttpServer::kMaxClients; ++i) {
    silent.push_back(Connect());
    Send(silent.back(), "GET /big HTTP/1.1\r\nHost: x\r\n\r\n");
  }
  const int next = Connect();
  Send(next, "GET /count HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  const uint64_t begun_us = MonotonicUs();
  turns_ = 0;
  EXPECT_TRUE(Begins(ReadAll(next), 200));
  const uint64_t took_us = MonotonicUs() - begun_us;
  EXPECT_GE(took_us + 1'100'000, kTimeoutS * 1'000'000ull);
  // The test's own turns of 20 ms, and as many again; who spins has thousands.
  EXPECT_LT(static_cast<uint64_t>(turns_), took_us / 20'000 * 2 + 200);
  for (const int fd : silent) close(fd);
}

// Without a descriptor to accept by, the listener stays ready.
TEST_F(HttpServerTest, ALackOfDescriptorsDoesNotKeepTheLoopAwake) {
  Turn();
  const int waiting = Connect();
  Send(waiting, "GET /count HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit none = before;
  none.rlim_cur = static_cast<rlim_t>(waiting) + 1;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  turns_ = 0;
  const uint64_t begun_us = MonotonicUs();
  while (MonotonicUs() < begun_us + 200'000) Turn();
  const uint64_t took_us = MonotonicUs() - begun_us;
  char byte;
  EXPECT_EQ(read(waiting, &byte, 1), -1) << "it was accepted";
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_LT(static_cast<uint64_t>(turns_),
            took_us / HttpServer::kPauseUs * 3 + 50);
  EXPECT_TRUE(Begins(ReadAll(waiting), 200));
}

}  // namespace
}  // namespace lwt::web
