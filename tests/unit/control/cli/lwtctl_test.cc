// lwtctl against a socket that answers what the test says.
#include "control/cli/lwtctl.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <optional>
#include <thread>
#include <vector>

#include "control/api/client.h"

namespace lwt::cli {
namespace {

// Listens on a path; Serve answers one question on a thread of its own.
class Daemon {
 public:
  explicit Daemon(const std::string& path) : path_(path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
    fd_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)),
              0);
    EXPECT_EQ(listen(fd_, 4), 0);
  }
  ~Daemon() {
    // Ends the wait for a question that does not come.
    shutdown(fd_, SHUT_RDWR);
    if (thread_.joinable()) thread_.join();
    close(fd_);
    unlink(path_.c_str());
  }

  void Serve(const std::string& answer) {
    thread_ = std::thread([this, answer] {
      int peer = -1;
      // A connection without a word only looks whether somebody listens.
      while (request_.empty()) {
        close(peer);
        peer = accept(fd_, nullptr, nullptr);
        if (peer < 0) return;
        char c = 0;
        while (c != '\n' && recv(peer, &c, 1, 0) == 1) request_ += c;
      }
      send(peer, answer.data(), answer.size(), MSG_NOSIGNAL);
      close(peer);
    });
  }
  std::string Request() {
    thread_.join();
    return request_;
  }

 private:
  std::string path_;
  int fd_ = -1;
  std::thread thread_;
  std::string request_;
};

struct LwtctlRun {
  int exit_code;
  std::string out;
  std::string err;
};

std::string Take(FILE* file) {
  std::string text(static_cast<size_t>(ftell(file)), '\0');
  rewind(file);
  EXPECT_EQ(fread(text.data(), 1, text.size(), file), text.size());
  fclose(file);
  return text;
}

class LwtctlTest : public testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/lwtctl-XXXXXX";
    ASSERT_NE(mkdtemp(pattern), nullptr);
    run_ = pattern;
    mkdir((run_ + "/server-a").c_str(), 0700);
    mkdir((run_ + "/server-b").c_str(), 0700);
    a_ = run_ + "/server-a/control.sock";
    b_ = run_ + "/server-b/control.sock";
  }
  void TearDown() override {
    rmdir((run_ + "/server-a").c_str());
    rmdir((run_ + "/server-b").c_str());
    rmdir(run_.c_str());
  }

  LwtctlRun Run(std::vector<const char*> arguments) {
    FILE* out = tmpfile();
    FILE* err = tmpfile();
    int exit_code = RunControl(arguments, run_, out, err);
    return {exit_code, Take(out), Take(err)};
  }

  std::string run_;
  std::string a_;
  std::string b_;
};

TEST_F(LwtctlTest, PrintsTheBodyOfTheAnswer) {
  Daemon daemon(a_);
  daemon.Serve("ok 5\nbody\n");
  LwtctlRun outcome = Run({"-socket", a_.c_str(), "status", "-json"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "body\n");
  EXPECT_EQ(daemon.Request(), "status json\n");
}

std::string Body(const std::string& body) {
  return "ok " + std::to_string(body.size()) + "\n" + body;
}

TEST_F(LwtctlTest, AStatusTellsByItsExitWhetherAnyPeerIsUp) {
  const struct {
    const char* body;
    int exit_code;
  } rows[] = {
      {"lightweight-tunnel 0.2.0, server\n\npeers: none\n", 0},
      {"head\n\npeer 10.0.0.2: up\n  reason\n", 0},
      {"head\n\npeer 10.0.0.2: down\n", 5},
      {"head\n\npeer a: suspect\n\npeer b: connecting\n", 5},
      {"head\n\npeer a: down\n\npeer b: up\n", 0},
      // Elsewhere in the text it is no state.
      {"head\n\npeer a: down\n  reason  b: up\n  peer c: up\n", 5},
  };
  for (const auto& row : rows) {
    Daemon daemon(a_);
    daemon.Serve(Body(row.body));
    const LwtctlRun outcome = Run({"status"});
    EXPECT_EQ(outcome.exit_code, row.exit_code) << row.body;
    EXPECT_EQ(outcome.out, row.body);
  }
  Daemon daemon(a_);
  daemon.Serve(Body("{\"peers\":[{\"state\":\"down\"}]}\n"));
  EXPECT_EQ(Run({"status", "-json"}).exit_code, 0);
}

TEST_F(LwtctlTest, WaitEndsOnceItIsAnswered) {
  Daemon daemon(a_);
  daemon.Serve(Body("\npeer a: down\n"));
  const LwtctlRun outcome = Run({"wait", "-t", "5"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "");
  EXPECT_EQ(daemon.Request(), "status\n");
}

TEST_F(LwtctlTest, WaitUpEndsOnceAPeerIs) {
  Daemon daemon(a_);
  daemon.Serve(Body("\npeer a: up\n"));
  EXPECT_EQ(Run({"wait", "-up"}).exit_code, 0);
}

TEST_F(LwtctlTest, WaitGivesUpWithTheReason) {
  LwtctlRun outcome = Run({"wait", "-t=0"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_NE(outcome.err.find("no gateway runs here"), std::string::npos);
  Daemon daemon(a_);
  daemon.Serve(Body("\npeer a: down\n"));
  outcome = Run({"wait", "-up", "-t", "0"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_EQ(outcome.err,
            "lwtctl: no peer is up after 0 s; lwtctl status says why\n");
}

TEST_F(LwtctlTest, WaitSeesTheGatewayThatComesMeanwhile) {
  std::optional<Daemon> daemon;
  std::thread later([&] {
    poll(nullptr, 0, 300);
    daemon.emplace(a_);
    daemon->Serve(Body("\npeer a: up\n"));
  });
  const LwtctlRun outcome = Run({"wait", "-up", "-t", "30"});
  later.join();
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
}

TEST_F(LwtctlTest, SecondsAreForWaitAndAreSeconds) {
  for (const char* seconds : {"x", "-1", "", "1.5", "86401", "1s"}) {
    EXPECT_EQ(Run({"wait", "-t", seconds}).exit_code, 2) << seconds;
  }
  EXPECT_EQ(Run({"status", "-t", "3"}).exit_code, 2);
  EXPECT_EQ(Run({"status", "-up"}).exit_code, 2);
  EXPECT_EQ(Run({"wait", "-json"}).exit_code, 2);
}

TEST_F(LwtctlTest, EventsArePrintedAsTheyComeUntilTheGatewayEndsThem) {
  Daemon daemon(a_);
  daemon.Serve("ok stream\none\ntwo\n");
  const LwtctlRun outcome = Run({"events", "-f"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_EQ(outcome.out, "one\ntwo\n");
  EXPECT_NE(outcome.err.find("the gateway ended it"), std::string::npos);
  EXPECT_EQ(daemon.Request(), "events f\n");
}

TEST_F(LwtctlTest, AStreamThatDoesNotBeginIsAnError) {
  {
    Daemon daemon(a_);
    daemon.Serve("error the request is not understood\n");
    const LwtctlRun outcome = Run({"events", "-f"});
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_EQ(outcome.err, "lwtctl: the request is not understood\n");
  }
  for (const char* answer : {"", "ok str", "ok 4\nfour"}) {
    Daemon daemon(a_);
    daemon.Serve(answer);
    const LwtctlRun outcome = Run({"events", "-f"});
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_NE(outcome.err.find("is cut"), std::string::npos) << answer;
    EXPECT_EQ(outcome.out, "");
  }
}

TEST_F(LwtctlTest, FindsTheOnlySocket) {
  Daemon daemon(a_);
  daemon.Serve("ok 1\n\n");
  EXPECT_EQ(Run({"peer", "forget", "10.0.0.2"}).exit_code, 0);
  EXPECT_EQ(daemon.Request(), "peer forget 10.0.0.2\n");
}

TEST_F(LwtctlTest, AsksWhatAPeerCommandSays) {
  const char* const key = "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
  const std::vector<std::vector<const char*>> commands = {
      {"peer", "forget", "10.0.0.0/24"},
      {"peer", "forget", key},
      {"peer", "forget", "office-2"},
      {"peer", "ban", key},
      {"peer", "ban", "office-2"},
      {"peer", "unban", key},
      {"peer", "banned"},
      {"routes"},
      {"route", "forget", "10.20.0.0/16"},
      {"route", "forget", key}};
  for (const auto& words : commands) {
    Daemon daemon(a_);
    daemon.Serve("ok 0\n");
    EXPECT_EQ(Run(words).exit_code, 0);
    std::string line;
    for (const char* word : words)
      line += (line.empty() ? "" : " ") + std::string(word);
    EXPECT_EQ(daemon.Request(), line + "\n");
  }
}

TEST_F(LwtctlTest, AReloadTellsByItsStatusWhetherSomethingWaits) {
  const auto exit_code = [&](const std::string& body) {
    Daemon daemon(a_);
    daemon.Serve("ok " + std::to_string(body.size()) + "\n" + body);
    const LwtctlRun outcome = Run({"reload"});
    EXPECT_EQ(outcome.out, body);
    EXPECT_EQ(daemon.Request(), "reload\n");
    return outcome.exit_code;
  };
  EXPECT_EQ(exit_code("nothing has changed\n"), 0);
  EXPECT_EQ(exit_code("applied: log_level\n"), 0);
  EXPECT_EQ(exit_code("waits for the next connection: sni\n"), 0);
  EXPECT_EQ(exit_code("waits for a restart: mode\n"), 3);
  EXPECT_EQ(exit_code("applied: fec\nwaits for a restart: persona\n"), 3);
  EXPECT_EQ(exit_code("nothing has changed\nnot done: why\n"), 4);
  EXPECT_EQ(exit_code("waits for a restart: mode\nnot done: why\n"), 4);
}

TEST_F(LwtctlTest, ListsSeveralSockets) {
  Daemon a(a_);
  Daemon b(b_);
  LwtctlRun outcome = Run({"status"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_EQ(outcome.err,
            "lwtctl: several gateways run here; choose one with -socket:\n  " +
                a_ + "\n  " + b_ + "\n");
}

TEST_F(LwtctlTest, SaysWhatTheDaemonRefuses) {
  Daemon daemon(a_);
  daemon.Serve("error no peer has that address\n");
  LwtctlRun outcome = Run({"peer", "forget", "10.0.0.9"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_EQ(outcome.err, "lwtctl: no peer has that address\n");
}

TEST_F(LwtctlTest, ACutAnswerIsAnError) {
  Daemon daemon(a_);
  daemon.Serve("ok 50\nshort");
  LwtctlRun outcome = Run({"status"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_EQ(outcome.out, "");
  EXPECT_NE(outcome.err.find("the answer is cut"), std::string::npos);
}

TEST_F(LwtctlTest, SaysThatNobodyRuns) {
  EXPECT_NE(Run({"status"}).err.find("no gateway runs here"),
            std::string::npos);
  LwtctlRun outcome = Run({"-socket", a_.c_str(), "status"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_NE(outcome.err.find("does not exist"), std::string::npos);
}

// As a daemon that was killed leaves it.
void LeaveDeadSocket(const std::string& path) {
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
  ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)),
            0);
  close(fd);
}

TEST_F(LwtctlTest, TheOneThatAnswersIsTakenBesideDeadSockets) {
  LeaveDeadSocket(a_);
  LeaveDeadSocket(b_);
  EXPECT_NE(Run({"status"}).err.find("no gateway runs here"),
            std::string::npos);
  unlink(b_.c_str());
  Daemon daemon(b_);
  daemon.Serve("ok 5\nalive");
  LwtctlRun outcome = Run({"status"});
  EXPECT_EQ(outcome.out, "alive") << outcome.err;
  unlink(a_.c_str());
}

TEST_F(LwtctlTest, AFileOfAnotherKindIsNoGateway) {
  fclose(fopen(a_.c_str(), "w"));
  LwtctlRun outcome = Run({"-socket", a_.c_str(), "status"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_EQ(outcome.err, "lwtctl: " + a_ + " is not a socket\n");
  unlink(a_.c_str());
}

TEST_F(LwtctlTest, ADeadSocketIsNamed) {
  LeaveDeadSocket(a_);
  LwtctlRun outcome = Run({"status"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_NE(outcome.err.find("nobody answers"), std::string::npos);
  unlink(a_.c_str());
}

TEST_F(LwtctlTest, ASilentDaemonTimesOut) {
  Daemon daemon(a_);  // listens and never accepts
  constexpr int kTimeoutMs = 20;
  absl::Status status = api::Ask(a_, "status", kTimeoutMs).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
}

TEST_F(LwtctlTest, AFullQueueTimesOut) {
  Daemon daemon(a_);
  std::vector<int> waiting;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  strncpy(address.sun_path, a_.c_str(), sizeof(address.sun_path) - 1);
  for (;;) {
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    waiting.push_back(fd);
    if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) !=
        0) {
      break;
    }
  }
  constexpr int kTimeoutMs = 20;
  EXPECT_EQ(api::Ask(a_, "status", kTimeoutMs).status().code(),
            absl::StatusCode::kDeadlineExceeded);
  for (int fd : waiting) close(fd);
}

TEST_F(LwtctlTest, ALongPathIsRefused) {
  EXPECT_EQ(api::Ask(std::string(200, 'x'), "status", 1).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(LwtctlTest, WrongUsageExitsWith2) {
  const std::vector<std::vector<const char*>> wrong = {{},
                                                       {"stat"},
                                                       {"status", "now"},
                                                       {"peer", "forget"},
                                                       {"help", "me"},
                                                       {"-jso", "status"},
                                                       {"-json=true", "status"},
                                                       {"version", "-json"},
                                                       {"-socket"},
                                                       {"-socket=", "status"}};
  for (const auto& arguments : wrong) {
    LwtctlRun outcome = Run(arguments);
    EXPECT_EQ(outcome.exit_code, 2);
    EXPECT_NE(outcome.err.find("lwtctl: -h lists all commands"),
              std::string::npos);
  }
}

TEST_F(LwtctlTest, HelpAndVersionNeedNoDaemon) {
  EXPECT_EQ(Run({"-h"}).out, ControlHelpText());
  EXPECT_EQ(Run({"--help", "status"}).exit_code, 0);
  EXPECT_EQ(Run({"help"}).out, ControlHelpText());
  for (const char* flag : {"-v", "-version", "--version"}) {
    EXPECT_EQ(Run({flag}).out.rfind("lwtctl ", 0), 0u) << flag;
  }
}

// Said here, not by a daemon that does not understand the request.
TEST_F(LwtctlTest, PeerCommandsSayWhatTheyTake) {
  const auto error = [&](std::vector<const char*> words) {
    const LwtctlRun outcome = Run(std::move(words));
    EXPECT_EQ(outcome.exit_code, 2);
    return outcome.err;
  };
  EXPECT_NE(error({"peer", "forget"})
                .find("usage: lwtctl peer forget ADDRESS|RANGE|CLIENT"),
            std::string::npos);
  EXPECT_NE(error({"peer", "ban"}).find("usage: lwtctl peer ban CLIENT"),
            std::string::npos);
  EXPECT_NE(error({"peer", "banned", "all"}).find("usage: lwtctl peer banned"),
            std::string::npos);
  EXPECT_NE(error({"route", "forget"}).find("lwtctl route forget RANGE|CLIENT"),
            std::string::npos);
  EXPECT_NE(error({"route", "forget", "10.20.0.1/16"}).find("is not a network"),
            std::string::npos);
  error({"route", "add", "10.20.0.0/16"});
  EXPECT_NE(error({"peer"}).find("usage: lwtctl peer forget|ban|unban|banned"),
            std::string::npos);
  EXPECT_NE(error({"peer", "forget", "ten\x1b"})
                .find("\"ten\\x1b\" is not a tunnel address"),
            std::string::npos);
  error({"peer", "forget", "10.0.0.256"});
  EXPECT_NE(error({"peer", "forget", "10.0.0.2/24"})
                .find("take the address 10.0.0.2 alone, or the range "
                      "10.0.0.0/24"),
            std::string::npos);
  EXPECT_NE(error({"peer", "ban", "10.0.0.2"}).find("is not a client's name"),
            std::string::npos);
}

}  // namespace
}  // namespace lwt::cli
