#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "control/host/instance/control_socket.h"
#include "control/loop/api_server.h"
#include "control/loop/event_loop.h"
#include "control/loop/signals.h"

namespace lwt::loop {
namespace {

constexpr uint64_t kWaitUs = 10'000'000;  // a bound, never reached

TEST(EventLoopTest, RunsWhatIsReadyAndForgets) {
  auto loop = EventLoop::Create();
  ASSERT_TRUE(loop.ok());
  int fd = eventfd(1, EFD_NONBLOCK);
  int runs = 0;
  ASSERT_TRUE((*loop)
                  ->Watch(fd, EPOLLIN,
                          [&](uint32_t) {
                            ++runs;
                            (*loop)->Forget(fd);
                          })
                  .ok());
  EXPECT_EQ((*loop)->Turn(kWaitUs), 1);
  EXPECT_EQ((*loop)->Turn(0), 0);
  EXPECT_EQ(runs, 1);
  close(fd);
}

TEST(EventLoopTest, AHandlerForgottenInTheSameTurnDoesNotRun) {
  auto loop = EventLoop::Create();
  ASSERT_TRUE(loop.ok());
  int fds[] = {eventfd(1, EFD_NONBLOCK), eventfd(1, EFD_NONBLOCK)};
  int runs = 0;
  for (int i : {0, 1}) {
    ASSERT_TRUE((*loop)
                    ->Watch(fds[i], EPOLLIN,
                            [&, i](uint32_t) {
                              ++runs;
                              (*loop)->Forget(fds[1 - i]);
                            })
                    .ok());
  }
  EXPECT_EQ((*loop)->Turn(kWaitUs), 1);
  EXPECT_EQ(runs, 1);
  for (int fd : fds) close(fd);
}

TEST(EventLoopTest, RefusesAClosedDescriptor) {
  auto loop = EventLoop::Create();
  ASSERT_TRUE(loop.ok());
  EXPECT_FALSE((*loop)->Watch(-1, EPOLLIN, [](uint32_t) {}).ok());
}

// Of two that are ready the first ends the second, and what it opens instead
// gets the same number from the kernel: the event was not for that one.
TEST(EventLoopTest, AnEventGoesToNobodyWhoTookTheDescriptorSince) {
  auto loop = EventLoop::Create();
  ASSERT_TRUE(loop.ok());
  std::array<int, 2> fds = {eventfd(1, EFD_NONBLOCK), eventfd(1, EFD_NONBLOCK)};
  int first_runs = 0;
  int later_runs = 0;
  const auto take_the_other = [&](int other) {
    if (++first_runs > 1) return;
    (*loop)->Forget(other);
    close(other);
    ASSERT_EQ(eventfd(0, EFD_NONBLOCK), other) << "the lowest that is free";
    ASSERT_TRUE(
        (*loop)->Watch(other, EPOLLIN, [&](uint32_t) { ++later_runs; }).ok());
  };
  for (const size_t i : {0, 1}) {
    ASSERT_TRUE((*loop)
                    ->Watch(fds[i], EPOLLIN,
                            [&, i](uint32_t) { take_the_other(fds[1 - i]); })
                    .ok());
  }
  EXPECT_EQ((*loop)->Turn(kWaitUs), 1);
  EXPECT_EQ(later_runs, 0);
  for (const int fd : fds) {
    const uint64_t one = 1;
    ASSERT_EQ(write(fd, &one, sizeof(one)), 8);
  }
  (*loop)->Turn(kWaitUs);
  EXPECT_EQ(later_runs, 1) << "its own event it gets";
  for (const int fd : fds) close(fd);
}

TEST(EventLoopTest, ATurnHandlesNoMoreThanItsShareAndThenTheOthers) {
  auto loop = EventLoop::Create();
  ASSERT_TRUE(loop.ok());
  constexpr size_t kReady = EventLoop::kMaxEvents + 8;
  std::array<int, kReady> runs{};
  std::array<int, kReady> fds;
  for (size_t i = 0; i < kReady; ++i) {
    fds[i] = eventfd(1, EFD_NONBLOCK);
    ASSERT_TRUE(
        (*loop)->Watch(fds[i], EPOLLIN, [&, i](uint32_t) { ++runs[i]; }).ok());
  }
  EXPECT_EQ((*loop)->Turn(kWaitUs), EventLoop::kMaxEvents);
  EXPECT_EQ((*loop)->Turn(kWaitUs), EventLoop::kMaxEvents);
  // All stay ready; in two turns each had at least one.
  EXPECT_EQ(std::count(runs.begin(), runs.end(), 0), 0);
  for (const int fd : fds) close(fd);
}

TEST(EventLoopTest, WhatIsWaitedForCanChange) {
  auto loop = EventLoop::Create();
  ASSERT_TRUE(loop.ok());
  std::array<int, 2> ends;
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends.data()),
            0);
  uint32_t seen = 0;
  ASSERT_TRUE(
      (*loop)
          ->Watch(ends[0], EPOLLIN, [&](uint32_t events) { seen = events; })
          .ok());
  EXPECT_EQ((*loop)->Turn(0), 0);
  (*loop)->Change(ends[0], EPOLLOUT);
  EXPECT_EQ((*loop)->Turn(kWaitUs), 1);
  EXPECT_EQ(seen, static_cast<uint32_t>(EPOLLOUT));
  (*loop)->Change(ends[0], EPOLLIN);
  EXPECT_EQ((*loop)->Turn(0), 0);
  close(ends[1]);
  EXPECT_EQ((*loop)->Turn(kWaitUs), 1);
  EXPECT_TRUE(seen & EPOLLHUP) << "asked for or not";
  (*loop)->Forget(ends[0]);
  (*loop)->Change(ends[0], EPOLLIN);  // of one that nobody watches
  (*loop)->Forget(ends[0]);
  EXPECT_EQ((*loop)->Turn(0), 0);
  close(ends[0]);
}

TEST(EventLoopTest, AHandlerMayWatchMore) {
  auto loop = EventLoop::Create();
  ASSERT_TRUE(loop.ok());
  std::vector<int> fds = {eventfd(1, EFD_NONBLOCK)};
  int runs = 0;
  const std::function<void(int)> watch = [&](int fd) {
    ASSERT_TRUE((*loop)
                    ->Watch(fd, EPOLLIN,
                            [&, fd](uint32_t) {
                              ++runs;
                              (*loop)->Forget(fd);
                              if (fds.size() == 50) return;
                              fds.push_back(eventfd(1, EFD_NONBLOCK));
                              watch(fds.back());
                            })
                    .ok());
  };
  watch(fds.front());
  for (int turn = 0; turn < 50; ++turn) (*loop)->Turn(0);
  EXPECT_EQ(runs, 50);
  for (const int fd : fds) close(fd);
}

TEST(EventLoopTest, OneDescriptorHasOneWatcher) {
  auto loop = EventLoop::Create();
  ASSERT_TRUE(loop.ok());
  const int fd = eventfd(1, EFD_NONBLOCK);
  int first = 0;
  int second = 0;
  ASSERT_TRUE((*loop)->Watch(fd, EPOLLIN, [&](uint32_t) { ++first; }).ok());
  const auto again = (*loop)->Watch(fd, EPOLLIN, [&](uint32_t) { ++second; });
  EXPECT_NE(again.message().find("cannot watch descriptor"),
            absl::string_view::npos)
      << again;
  EXPECT_EQ((*loop)->Turn(kWaitUs), 1);
  EXPECT_EQ(first, 1) << "the one before stays";
  EXPECT_EQ(second, 0);
  close(fd);
}

TEST(SignalsTest, ArriveByDescriptorAndLeaveRealTimeSignalsAlone) {
  auto signals = Signals::Create();
  ASSERT_TRUE(signals.ok());
  EXPECT_EQ((*signals)->Read(), 0);
  for (const int signal : {SIGTERM, SIGINT, SIGQUIT}) {
    raise(signal);
    EXPECT_EQ((*signals)->Read(), signal);
    EXPECT_TRUE(Signals::Ends(signal));
    EXPECT_FALSE(Signals::Reloads(signal));
  }
  // Each would end the process without a word to anybody.
  for (const int signal : {SIGHUP, SIGUSR1, SIGUSR2}) {
    raise(signal);
    EXPECT_EQ((*signals)->Read(), signal);
    EXPECT_FALSE(Signals::Ends(signal));
    EXPECT_EQ(Signals::Reloads(signal), signal == SIGHUP);
  }
  for (const int signal : {SIGPIPE, SIGIO, SIGXFSZ}) raise(signal);
  sigset_t blocked;
  sigprocmask(SIG_SETMASK, nullptr, &blocked);
  for (int signal = SIGRTMIN; signal <= SIGRTMAX; ++signal) {
    EXPECT_FALSE(sigismember(&blocked, signal)) << signal;
  }
}

class ApiServerTest : public testing::Test {
 protected:
  void SetUp() override {
    std::array<char, 32> name;
    std::strcpy(name.data(), "/tmp/lwt-api-XXXXXX");
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name.data();
    path_ = folder_ + "/control.sock";
    auto loop = EventLoop::Create();
    ASSERT_TRUE(loop.ok());
    loop_ = *std::move(loop);
    auto socket = host::ControlSocket::Listen(path_);
    ASSERT_TRUE(socket.ok()) << socket.status();
    socket_.emplace(*std::move(socket));
    auto server = ApiServer::Serve(
        socket_->fd(), *loop_,
        [this](const api::Request& request, const ApiServer::Reply& reply) {
          if (request.kind == api::RequestKind::kReload) {
            late_.push_back(reply);
            return;
          }
          reply(api::OkResponse(std::string(500'000, 'x')));
        });
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  void TearDown() override {
    server_.reset();
    socket_.reset();
    EXPECT_NE(access(path_.c_str(), F_OK), 0);
    rmdir(folder_.c_str());
  }
  int Connect() {
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, path_.c_str());
    EXPECT_EQ(
        connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    return fd;
  }
  // Turns until the server has closed `fd`; returns all it said.
  std::string Converse(int fd) {
    std::string text;
    std::array<char, 65536> bytes;
    for (int turns = 0; turns < 10000; ++turns) {
      loop_->Turn(0);
      ssize_t n = read(fd, bytes.data(), bytes.size());
      if (n == 0) return text;
      if (n > 0) text.append(bytes.data(), static_cast<size_t>(n));
    }
    ADD_FAILURE() << "the server does not close";
    return text;
  }
  void Say(int fd, const std::string& text) {
    ASSERT_EQ(write(fd, text.data(), text.size()),
              static_cast<ssize_t>(text.size()));
  }

  std::string folder_;
  std::string path_;
  std::unique_ptr<EventLoop> loop_;
  std::optional<host::ControlSocket> socket_;
  std::unique_ptr<ApiServer> server_;
  std::vector<ApiServer::Reply> late_;  // to those who asked for a reload
};

TEST_F(ApiServerTest, AnswersAWholeRequestAndCloses) {
  struct stat info;
  ASSERT_EQ(stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  int fd = Connect();
  Say(fd, "sta");
  loop_->Turn(0);
  loop_->Turn(0);
  Say(fd, "tus\n");
  std::string text = Converse(fd);
  EXPECT_EQ(text, api::OkResponse(std::string(500'000, 'x')));
  close(fd);
}

// Neither who waits nor who has gone keeps the loop awake.
TEST_F(ApiServerTest, AnswersLater) {
  const int waits = Connect();
  const int leaves = Connect();
  for (const int fd : {waits, leaves}) {
    Say(fd, "reload\n");
    loop_->Turn(0);
    loop_->Turn(0);
  }
  ASSERT_EQ(late_.size(), 2u);
  EXPECT_EQ(loop_->Turn(0), 0);
  server_->OnTimer(1000);
  EXPECT_EQ(server_->NextDeadline(), 1000 + ApiServer::kAnswerUs);
  server_->OnTimer(1000 + ApiServer::kTimeoutUs);
  close(leaves);
  loop_->Turn(0);
  EXPECT_EQ(loop_->Turn(0), 0);
  for (const ApiServer::Reply& reply : late_) reply(api::OkResponse("done\n"));
  EXPECT_EQ(Converse(waits), api::OkResponse("done\n"));
  late_[0](api::OkResponse("twice\n"));
  close(waits);
}

TEST_F(ApiServerTest, RefusesGarbageAndFloods) {
  int fd = Connect();
  Say(fd, "format disk\n");
  EXPECT_EQ(Converse(fd).rfind("error ", 0), 0u);
  close(fd);
  fd = Connect();
  Say(fd, std::string(api::kMaxRequestBytes + 100, 'a'));
  for (int turn = 0; turn < 3; ++turn) loop_->Turn(0);
  std::array<char, 256> bytes;
  ssize_t n = read(fd, bytes.data(), bytes.size());
  ASSERT_GT(n, 6);
  EXPECT_EQ(std::string(bytes.data(), 6), "error ");
  close(fd);
}

TEST_F(ApiServerTest, ARequestIsOneLineAndNoMore) {
  for (const std::string& said :
       {std::string("status\nstatus\n"), std::string("\n"),
        std::string("status\0\n", 8), std::string("\xff\xfe\n")}) {
    const int fd = Connect();
    Say(fd, said);
    EXPECT_EQ(Converse(fd).rfind("error the request is not understood", 0), 0u);
    close(fd);
  }
}

TEST_F(ApiServerTest, WhoLeavesInTheMiddleLeavesNothing) {
  const auto open_descriptors = [] {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"),
                         std::filesystem::directory_iterator());
  };
  const auto before = open_descriptors();
  for (const char* said : {"", "stat", "status\n"}) {
    const int fd = Connect();
    loop_->Turn(0);
    Say(fd, said);
    loop_->Turn(0);  // of an answer the half is sent
    close(fd);
    for (int turn = 0; turn < 4; ++turn) loop_->Turn(0);
  }
  EXPECT_EQ(open_descriptors(), before);
  server_->OnTimer(1000);
  EXPECT_EQ(server_->NextDeadline(), UINT64_MAX);
}

// Who sends no more has still to get its answer.
TEST_F(ApiServerTest, AHalfClosedAskerIsAnswered) {
  const int fd = Connect();
  Say(fd, "status\n");
  shutdown(fd, SHUT_WR);
  EXPECT_EQ(Converse(fd), api::OkResponse(std::string(500'000, 'x')));
  close(fd);
}

TEST_F(ApiServerTest, AServerThatGoesClosesItsClients) {
  const int fd = Connect();
  loop_->Turn(0);
  server_.reset();
  char byte;
  EXPECT_EQ(read(fd, &byte, 1), 0);
  EXPECT_EQ(loop_->Turn(0), 0) << "nothing is watched any more";
  close(fd);
}

TEST_F(ApiServerTest, DropsTheSlowAndTheTooMany) {
  std::array<int, ApiServer::kMaxClients + 4> fds;
  for (int& fd : fds) {
    fd = Connect();
    loop_->Turn(0);
  }
  std::array<char, 1> byte;
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(read(fds[i], byte.data(), 1), 0) << i;
  }
  EXPECT_EQ(read(fds.back(), byte.data(), 1), -1);
  server_->OnTimer(1000);
  EXPECT_EQ(server_->NextDeadline(), 1000 + ApiServer::kTimeoutUs);
  server_->OnTimer(1000 + ApiServer::kTimeoutUs);
  EXPECT_EQ(read(fds.back(), byte.data(), 1), 0);
  EXPECT_EQ(server_->NextDeadline(), UINT64_MAX);
  for (int fd : fds) close(fd);
}

// All descriptors of the process are in use while this lives.
class NoDescriptors {
 public:
  NoDescriptors() {
    int fd;
    while ((fd = dup(0)) >= 0) held_.push_back(fd);
  }
  ~NoDescriptors() {
    for (const int fd : held_) close(fd);
  }

 private:
  std::vector<int> held_;
};

TEST_F(ApiServerTest, AnswersOneAtATimeWhereDescriptorsHaveRunOut) {
  const std::array<int, 2> fds = {Connect(), Connect()};
  for (const int fd : fds) Say(fd, "status\n");
  const NoDescriptors none;
  uint64_t now_us = 1000;
  for (const int fd : fds) {
    std::string text;
    std::array<char, 65536> bytes;
    ssize_t n = -1;
    for (int turns = 0; n != 0 && turns < 10'000; ++turns) {
      loop_->Turn(0);
      server_->OnTimer(now_us);
      now_us += 1000;
      n = read(fd, bytes.data(), bytes.size());
      if (n > 0) text.append(bytes.data(), static_cast<size_t>(n));
    }
    EXPECT_EQ(n, 0);
    EXPECT_EQ(text, api::OkResponse(std::string(500'000, 'x')));
    close(fd);
  }
}

// Somebody is served by the spare one; others must not keep the loop awake.
TEST_F(ApiServerTest, DoesNotSpinWhereDescriptorsHaveRunOut) {
  const std::array<int, 2> fds = {Connect(), Connect()};
  std::optional<NoDescriptors> none(std::in_place);
  int woken = 0;
  for (int turn = 0; turn < 1000; ++turn) woken += loop_->Turn(0);
  EXPECT_LE(woken, 3);
  server_->OnTimer(1000);
  EXPECT_LE(server_->NextDeadline(), 1000 + ApiServer::kPauseUs);
  none.reset();
  server_->OnTimer(1000 + ApiServer::kPauseUs);
  for (const int fd : fds) {
    Say(fd, "status\n");
    EXPECT_EQ(Converse(fd), api::OkResponse(std::string(500'000, 'x')));
    close(fd);
  }
}

}  // namespace
}  // namespace lwt::loop
