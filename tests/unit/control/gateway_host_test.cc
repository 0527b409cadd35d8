// A whole gateway in this process: what keeps it from starting, what it answers
// while it runs, how signals end it and that nothing of it is left.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "control/api/client.h"
#include "control/cli/version.h"
#include "control/config/load.h"
#include "control/gateway.h"
#include "control/host/guard/port_reservation.h"
#include "tests/unit/control/base/log_lines.h"
#include "tests/unit/control/host/netns.h"
#include "tests/unit/control/host/scratch_dir.h"

namespace lwt {
namespace {

using host::At;
using host::OutputOf;

constexpr int kBoundMs = 10'000;

std::string OwnVersion() {
  return std::string(cli::Version()) + "\nprotocol 1, features: ";
}

class GatewayTest : public host::TwoHosts {
 protected:
  void SetUp() override {
    TwoHosts::SetUp();
    in_.emplace(left_);
    auto signals = loop::Signals::Create();
    ASSERT_TRUE(signals.ok()) << signals.status();
    signals_ = *std::move(signals);
    line_.config_file = scratch_.path() + "/hub.toml";
  }
  // Writes the file of settings: all that a gateway needs, and `more`.
  void Write(const std::string& more = "") {
    std::ofstream(line_.config_file)
        << "mode = \"server\"\nlocal_addr = \"0.0.0.0:9000\"\n"
           "tunnel_addr = \"10.0.0.1/24\"\ntun_name = \"lwt7\"\n"
           "key = \"a passphrase of the tests\"\nmax_clients = "
        << max_clients_ << "\nstate_dir = \"" << scratch_.path()
        << "/state\"\ncontrol_socket = \"" << socket_ << "\"\n"
        << more
        << "\n[uplink]\ninterface = \"wire\"\n[dataplane]\nworkers = "
           "1\narena_mib = 1\n";
    chmod(line_.config_file.c_str(), 0600);
  }
  absl::StatusOr<std::unique_ptr<Gateway>> Start() {
    Write();
    auto loaded = config::LoadConfig(line_);
    if (!loaded.ok()) return loaded.status();
    config_ = std::move(loaded->config);
    return Gateway::Start(config_, line_, *signals_, lines_.log());
  }
  std::string Refusal() {
    const absl::Status status = Start().status();
    EXPECT_FALSE(status.ok());
    return std::string(status.message());
  }
  // All of the host that a gateway changes.
  static std::string HostState() {
    return OutputOf("ip -br link") + OutputOf("ip address") +
           OutputOf("ip route") + OutputOf("ip rule") +
           OutputOf("nft list ruleset");
  }
  std::string Ask(const std::string& request) const {
    const auto answer = api::Ask(socket_, request, kBoundMs);
    return answer.ok() ? *answer : std::string(answer.status().message());
  }
  // Runs the gateway while another thread does `while_it_runs`, which ends it.
  static void Run(Gateway& gateway,
                  const std::function<void()>& while_it_runs) {
    std::thread operator_thread(while_it_runs);
    EXPECT_TRUE(gateway.Run().ok());
    operator_thread.join();
  }

  void LiveAGatewaysLife();

  loop::LogLines lines_;
  host::ScratchDir scratch_;
  std::optional<host::InNetns> in_;
  std::unique_ptr<loop::Signals> signals_;
  config::CommandLine line_;
  config::Config config_;
  // Of the file.
  std::string socket_ = scratch_.path() + "/control.sock";
  int max_clients_ = 2;
};

// EAL starts once in a process, so what fails before it comes first, and all
// that needs it is one test.
TEST_F(GatewayTest, WhatIsMissingIsSaidBeforeAnythingIsChanged) {
  const std::string before = HostState();
  socket_ = scratch_.path() + "/no/folder/c.sock";
  EXPECT_NE(Refusal().find("/no/folder/c.sock"), std::string::npos);
  EXPECT_EQ(HostState(), before);
}

void GatewayTest::LiveAGatewaysLife() {
  auto signals = loop::Signals::Create();
  ASSERT_TRUE(signals.ok()) << signals.status();
  signals_ = *std::move(signals);
  auto gateway = Start();
  ASSERT_TRUE(gateway.ok()) << gateway.status();
  EXPECT_TRUE(config_.key.text.empty()) << "the key is wiped";
  std::string said = lines_.Take();
  EXPECT_NE(said.find("ready: server, lwt7 10.0.0.1/24, inner MTU "),
            std::string::npos)
      << said;
  EXPECT_NE(said.find("listening at 0.0.0.0:9000"), std::string::npos);
  EXPECT_EQ(said.find("a passphrase"), std::string::npos);
  EXPECT_TRUE(absl::IsAlreadyExists(Start().status())) << "one of a kind";

  Run(**gateway, [&] {
    EXPECT_TRUE(Ask("version").starts_with(OwnVersion()));
    const std::string json = Ask("status json");
    EXPECT_NE(json.find("\"mode\":\"server\""), std::string::npos) << json;
    EXPECT_NE(Ask("status").find("lwt7"), std::string::npos);
    EXPECT_EQ(Ask("peer banned"), "no key is banned\n");
    EXPECT_NE(Ask("dance").find("not understood"), std::string::npos);
    // Signals that ask for something that there is not.
    for (const int signal : {SIGUSR1, SIGUSR2}) {
      kill(getpid(), signal);
      EXPECT_TRUE(Ask("version").starts_with(OwnVersion()));
    }
    // Settings that are read again: some are taken, some wait, a bad file
    // changes nothing.
    max_clients_ = 1;
    Write();
    EXPECT_NE(Ask("reload").find("applied: max_clients"), std::string::npos);
    Write("mtu = \"large\"");
    EXPECT_NE(Ask("reload").find("mtu must be a whole number"),
              std::string::npos);
    Write();
    kill(getpid(), SIGHUP);
    EXPECT_TRUE(Ask("version").starts_with(OwnVersion()));
    kill(getpid(), SIGTERM);
  });
  said = lines_.Take();
  EXPECT_NE(said.find("stopping on signal 15"), std::string::npos) << said;
  EXPECT_NE(said.find("is ignored: SIGHUP has the settings read again"),
            std::string::npos)
      << said;
  EXPECT_NE(said.find("reload: "), std::string::npos) << said;
  EXPECT_EQ(said.find("is ignored"), said.rfind("is ignored")) << "said once";

  gateway->reset();
}

// In a process of its own: a gateway gives up what it does not need, for good.
TEST_F(GatewayTest, ItRunsUntilASignalEndsItAndLeavesNothing) {
  const std::string before = HostState();
  signals_.reset();
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    LiveAGatewaysLife();
    std::fflush(nullptr);
    _exit(HasFailure() ? 1 : 0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0) << "as wait(2) tells it";
  EXPECT_EQ(HostState(), before);
  EXPECT_FALSE(std::filesystem::exists(socket_));
  EXPECT_TRUE(host::PortReservation::Hold(At("0.0.0.0:9000")).ok());
  EXPECT_TRUE(std::filesystem::exists(scratch_.path() + "/state/static.key"))
      << "this is kept";
}

}  // namespace
}  // namespace lwt
