// The asking half of the control socket, against daemons of every kind: those
// that answer, those that answer badly, and those that do not.
#include "control/api/client.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "control/api/request.h"
#include "drivers/scoped_fd.h"
#include "tests/unit/control/host/scratch_dir.h"

namespace lwt::api {
namespace {

constexpr int kBoundMs = 10'000;  // never reached by what answers

sockaddr_un AddressOf(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  EXPECT_LT(path.size(), sizeof(address.sun_path));
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

int ListenAt(const std::string& path, int backlog) {
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_un address = AddressOf(path);
  EXPECT_EQ(
      bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)),
      0);
  EXPECT_EQ(listen(fd, backlog), 0);
  return fd;
}

// One connection, with a thread that does as the test says.
class Daemon {
 public:
  using Behaviour = std::function<void(int fd)>;

  Daemon(const std::string& path, Behaviour behaviour)
      : listener_(ListenAt(path, 4)),
        thread_([this, behaviour = std::move(behaviour)] {
          const ScopedFd fd(
              accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
          if (fd.get() >= 0) behaviour(fd.get());
        }) {}
  ~Daemon() {
    shutdown(listener_.get(), SHUT_RDWR);  // wakes an accept
    thread_.join();
  }

 private:
  const ScopedFd listener_;
  std::thread thread_;
};

std::string ReadLine(int fd) {
  std::string line;
  for (char byte = 0; byte != '\n' && read(fd, &byte, 1) == 1;) line += byte;
  return line;
}

void Write(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t size = send(fd, text.data(), text.size(), MSG_NOSIGNAL);
    if (size <= 0) return;
    text.remove_prefix(static_cast<size_t>(size));
  }
}

Daemon::Behaviour Answering(std::string answer) {
  return [answer = std::move(answer)](int fd) {
    ReadLine(fd);
    Write(fd, answer);
  };
}

class ClientTest : public testing::Test {
 protected:
  absl::StatusOr<std::string> AskDaemon(Daemon::Behaviour behaviour,
                                        const std::string& request = "status",
                                        int timeout_ms = kBoundMs) {
    const Daemon daemon(path_, std::move(behaviour));
    auto answer = Ask(path_, request, timeout_ms);
    std::filesystem::remove(path_);
    return answer;
  }
  // Of a failure: the words, which begin with the socket's path.
  std::string WordsOf(const absl::Status& status) {
    const std::string words(status.message());
    EXPECT_TRUE(words.starts_with(path_)) << words;
    return words;
  }

  host::ScratchDir scratch_;
  const std::string path_ = scratch_.path() + "/control.sock";
};

TEST_F(ClientTest, TheRequestIsOneLineAndTheBodyIsTheAnswer) {
  std::string asked;
  const auto answer = AskDaemon(
      [&](int fd) {
        asked = ReadLine(fd);
        Write(fd, OkResponse("a body\nof two lines\n"));
      },
      "peer forget 10.0.0.7");
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(*answer, "a body\nof two lines\n");
  EXPECT_EQ(asked, "peer forget 10.0.0.7\n");
}

TEST_F(ClientTest, TheDaemonsOwnSentenceIsHandedOn) {
  const auto answer = AskDaemon(Answering(ErrorResponse("no such client")));
  EXPECT_TRUE(absl::IsFailedPrecondition(answer.status()));
  EXPECT_EQ(answer.status().message(), "no such client");
}

TEST_F(ClientTest, AnAnswerMayComeByteByByteAndBeLarge) {
  const auto slow = AskDaemon([](int fd) {
    ReadLine(fd);
    for (const char byte : OkResponse("slow")) Write(fd, {&byte, 1});
  });
  ASSERT_TRUE(slow.ok()) << slow.status();
  EXPECT_EQ(*slow, "slow");
  // Far more than the socket's buffer.
  const std::string body(4 << 20, 'x');
  const auto large = AskDaemon(Answering(OkResponse(body)));
  ASSERT_TRUE(large.ok()) << large.status();
  EXPECT_EQ(large->size(), body.size());
}

// A daemon that sends the answer before it has read all of the question.
TEST_F(ClientTest, ALongRequestIsSentWhole) {
  size_t read_size = 0;
  const std::string request(1 << 20, 'r');
  const auto answer = AskDaemon(
      [&](int fd) {
        read_size = ReadLine(fd).size();
        Write(fd, OkResponse(""));
      },
      request);
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(read_size, request.size() + 1);
}

TEST_F(ClientTest, ACutOrForeignAnswerIsNone) {
  const std::string whole = OkResponse("some body\n");
  for (const std::string& bytes :
       {std::string(), whole.substr(0, 2), whole.substr(0, whole.size() - 1),
        whole + "x", std::string("HTTP/1.1 200 OK\r\n\r\n"),
        std::string("ok 18446744073709551616\n"), std::string(5000, '\0')}) {
    const auto answer = AskDaemon(Answering(bytes));
    EXPECT_TRUE(absl::IsDataLoss(answer.status())) << answer.status();
    EXPECT_NE(WordsOf(answer.status())
                  .find("are lwtctl and the gateway of one version?"),
              std::string::npos);
  }
}

TEST_F(ClientTest, AnAnswerWithoutAnEndIsGivenUp) {
  const auto answer = AskDaemon([](int fd) {
    ReadLine(fd);
    const std::string some(1 << 20, 'x');
    for (int megabytes = 0; megabytes < 80; ++megabytes) Write(fd, some);
  });
  EXPECT_TRUE(absl::IsDataLoss(answer.status())) << answer.status();
  EXPECT_NE(WordsOf(answer.status()).find("does not end"), std::string::npos);
}

TEST_F(ClientTest, ADaemonThatSaysNothingIsNotWaitedForLonger) {
  const auto until_gone = [](int fd) {
    pollfd gone{fd, POLLHUP, 0};
    poll(&gone, 1, kBoundMs);
  };
  const auto answer = AskDaemon(until_gone, "status", 50);
  EXPECT_TRUE(absl::IsDeadlineExceeded(answer.status())) << answer.status();
  EXPECT_NE(WordsOf(answer.status()).find("does not answer"),
            std::string::npos);
  // Nor one that stops in the middle, or one that does not read.
  const auto half = AskDaemon(
      [&](int fd) {
        ReadLine(fd);
        Write(fd, "ok 100\nsome");
        until_gone(fd);
      },
      "status", 50);
  EXPECT_TRUE(absl::IsDeadlineExceeded(half.status())) << half.status();
  const auto unread = AskDaemon(until_gone, std::string(8 << 20, 'r'), 50);
  EXPECT_TRUE(absl::IsDeadlineExceeded(unread.status())) << unread.status();
}

TEST_F(ClientTest, ADaemonThatGoesAwayWhileItIsAskedIsNoSignal) {
  const auto answer = AskDaemon([](int) {}, std::string(8 << 20, 'r'));
  EXPECT_FALSE(answer.ok());  // and no SIGPIPE has ended us
}

TEST_F(ClientTest, WhoIsNotThereIsToldApart) {
  struct Row {
    std::function<void()> make;
    absl::StatusCode code;
    std::string_view words;
  };
  const auto leave_socket = [this] { close(ListenAt(path_, 1)); };
  const auto make_file = [this] { std::ofstream(path_) << "text"; };
  const auto make_folder = [this] { std::filesystem::create_directory(path_); };
  const Row rows[] = {
      {[] {}, absl::StatusCode::kNotFound, "another -control-socket"},
      {leave_socket, absl::StatusCode::kUnavailable,
       "nobody answers, the gateway is not running; start it with "
       "lightweight-tunnel"},
      {make_file, absl::StatusCode::kInvalidArgument, "is not a socket"},
      {make_folder, absl::StatusCode::kInvalidArgument, "is not a socket"},
  };
  for (const Row& row : rows) {
    row.make();
    const auto answer = Ask(path_, "status", kBoundMs);
    EXPECT_EQ(answer.status().code(), row.code) << answer.status();
    EXPECT_NE(WordsOf(answer.status()).find(row.words), std::string::npos)
        << answer.status();
    // Whether a gateway may take the place: not that of somebody's file.
    EXPECT_EQ(IsDeadSocket(path_),
              row.code != absl::StatusCode::kInvalidArgument);
    std::filesystem::remove(path_);
  }
}

TEST_F(ClientTest, APathThatFitsNoSocketIsSaidSo) {
  const std::string path = scratch_.path() + "/" + std::string(200, 'p');
  const auto answer = Ask(path, "status", kBoundMs);
  EXPECT_TRUE(absl::IsInvalidArgument(answer.status()));
  EXPECT_EQ(answer.status().message(), path + " is too long for a socket");
}

// unix(7): a connection to a full queue fails with EAGAIN, which says that
// somebody listens.
TEST_F(ClientTest, AFullQueueIsWaitedForAndIsNotDead) {
  const ScopedFd listener(ListenAt(path_, 0));
  const sockaddr_un address = AddressOf(path_);
  std::vector<ScopedFd> waiting;
  for (;;) {
    waiting.emplace_back(
        socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (connect(waiting.back().get(),
                reinterpret_cast<const sockaddr*>(&address),
                sizeof(address)) != 0) {
      break;
    }
    ASSERT_LT(waiting.size(), 100u);
  }
  ASSERT_EQ(errno, EAGAIN);
  EXPECT_FALSE(IsDeadSocket(path_));
  EXPECT_TRUE(absl::IsDeadlineExceeded(Ask(path_, "status", 30).status()));
  // Once there is room the question is asked.
  std::thread daemon([&] {
    std::vector<ScopedFd> accepted;
    for (size_t i = 0; i < waiting.size(); ++i) {
      accepted.emplace_back(
          accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    }
    EXPECT_EQ(ReadLine(accepted.back().get()), "status\n");
    Write(accepted.back().get(), OkResponse("at last"));
  });
  const auto answer = Ask(path_, "status", kBoundMs);
  daemon.join();
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(*answer, "at last");
}

TEST_F(ClientTest, SocketsAreFoundWhereGatewaysPutThem) {
  namespace fs = std::filesystem;
  EXPECT_TRUE(FindSockets(scratch_.path()).empty());
  EXPECT_TRUE(FindSockets(scratch_.path() + "/missing").empty());
  for (const char* folder : {"server-10.0.0.1", "client-10.0.0.2", "empty"}) {
    fs::create_directory(scratch_.path() + "/" + folder);
  }
  close(ListenAt(scratch_.path() + "/server-10.0.0.1/control.sock", 1));
  close(ListenAt(scratch_.path() + "/client-10.0.0.2/control.sock", 1));
  close(ListenAt(scratch_.path() + "/client-10.0.0.2/other.sock", 1));
  EXPECT_EQ(FindSockets(scratch_.path()),
            (std::vector<std::string>{
                scratch_.path() + "/client-10.0.0.2/control.sock",
                scratch_.path() + "/server-10.0.0.1/control.sock"}));
}

}  // namespace
}  // namespace lwt::api
