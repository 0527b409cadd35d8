#include "control/cli/daemon_command.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "control/cli/version.h"
#include "control/handshake/static_key.h"

namespace lwt::cli {
namespace {

std::string Content(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// Runs BeginDaemon and keeps what it printed.
struct DaemonRun {
  Begin begin;
  std::string out;
  std::string err;
};

DaemonRun RunDaemon(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "lightweight-tunnel");
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  DaemonRun outcome;
  outcome.begin = BeginDaemon(static_cast<int>(arguments.size()), argv.data());
  fflush(stdout);
  outcome.out = testing::internal::GetCapturedStdout();
  outcome.err = testing::internal::GetCapturedStderr();
  return outcome;
}

class DaemonCommandTest : public testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/lwt-cli-XXXXXX";
    ASSERT_NE(mkdtemp(pattern), nullptr);
    path_ = std::string(pattern) + "/tunnel.toml";
    folder_ = pattern;
  }
  void TearDown() override {
    unlink(path_.c_str());
    unlink((path_ + ".client").c_str());
    rmdir(folder_.c_str());
  }

  std::string folder_;
  std::string path_;
};

// Its key is in the state directory, where the start would find it.
TEST_F(DaemonCommandTest, AHubWithTheClientsOwnKeyIsRefused) {
  const std::string state_dir = folder_ + "/state";
  const auto own = handshake::LoadOrCreateStaticKey(state_dir);
  ASSERT_TRUE(own.ok()) << own.status();
  for (const bool same : {false, true}) {
    const handshake::PublicKey key =
        same ? own->public_key : handshake::GenerateStaticKey().public_key;
    std::ofstream(path_) << "mode = \"client\"\nencryption = \"none\"\n"
                         << "tunnel_addr = \"10.0.0.2/24\"\nstate_dir = \""
                         << state_dir << "\"\n[[hub]]\naddress = \"h:1\"\n"
                         << "public_key = \"" << handshake::PublicKeyToText(key)
                         << "\"\n";
    const DaemonRun outcome = RunDaemon({"-c", path_, "-check-config"});
    EXPECT_EQ(outcome.begin.exit_code, same ? 1 : 0) << outcome.err;
    EXPECT_EQ(outcome.err.find(path_ + ":7: [[hub]] h:1 has this client's own "
                                       "public key: write the one") !=
                  std::string::npos,
              same)
        << outcome.err;
  }
  std::filesystem::remove_all(state_dir);
}

TEST_F(DaemonCommandTest, HelpIsTheGoldenText) {
  for (const char* flag : {"-h", "--help", "help"}) {
    DaemonRun outcome = RunDaemon({flag});
    EXPECT_TRUE(outcome.begin.done);
    EXPECT_EQ(outcome.begin.exit_code, 0);
    EXPECT_EQ(outcome.out,
              Content(LWT_SOURCE_ROOT "/tests/unit/control/cli/help.golden"));
    EXPECT_EQ(outcome.err, "");
  }
}

TEST_F(DaemonCommandTest, VersionIsPrinted) {
  for (const char* word : {"-v", "-version", "--version", "version"}) {
    DaemonRun outcome = RunDaemon({word});
    EXPECT_EQ(outcome.out,
              "lightweight-tunnel " + std::string(Version()) + "\n");
    EXPECT_EQ(outcome.begin.exit_code, 0);
  }
}

TEST_F(DaemonCommandTest, AnUnknownFlagExitsWith2) {
  DaemonRun outcome = RunDaemon({"-muti-client"});
  EXPECT_TRUE(outcome.begin.done);
  EXPECT_EQ(outcome.begin.exit_code, 2);
  EXPECT_EQ(outcome.err,
            "lightweight-tunnel: unknown flag \"-muti-client\" (did you mean "
            "-multi-client?)\nlightweight-tunnel: -h lists all flags\n");
}

TEST_F(DaemonCommandTest, GenkeyPrintsAFreshKeyEachTime) {
  std::string first = RunDaemon({"genkey"}).out;
  std::string second = RunDaemon({"genkey"}).out;
  EXPECT_EQ(first.rfind("lwt1:", 0), 0u);
  EXPECT_GE(first.size(), 49u);  // 43 characters hold 256 bits
  EXPECT_EQ(first.back(), '\n');
  EXPECT_NE(first, second);
}

// As the Go program's users type it.
TEST_F(DaemonCommandTest, WritesTomlWhereJsonWasNamed) {
  const DaemonRun outcome = RunDaemon({"-g", folder_ + "/tunnel.json"});
  EXPECT_EQ(outcome.begin.exit_code, 0) << outcome.err;
  EXPECT_TRUE(std::filesystem::exists(path_));
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/tunnel.json"));
  EXPECT_NE(outcome.out.find("Wrote " + path_), std::string::npos);
  EXPECT_NE(outcome.out.find("Settings are TOML here"), std::string::npos);
}

TEST_F(DaemonCommandTest, WritesAPairThatPassesTheCheck) {
  DaemonRun outcome = RunDaemon({"-g", path_});
  EXPECT_EQ(outcome.begin.exit_code, 0) << outcome.err;
  EXPECT_NE(outcome.out.find("set remote_addr"), std::string::npos);
  std::string keys[2];
  int index = 0;
  for (const std::string& path : {path_, path_ + ".client"}) {
    struct stat info;
    ASSERT_EQ(stat(path.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777, 0600u);
    DaemonRun check = RunDaemon({"-c", path, "-check-config"});
    EXPECT_EQ(check.begin.exit_code, 0) << check.err;
    EXPECT_EQ(check.out, "The configuration is good.\n");
    EXPECT_EQ(check.err, "");
    keys[index++] = RunDaemon({"-c", path}).begin.config.key.text;
  }
  EXPECT_EQ(keys[0], keys[1]);
  EXPECT_EQ(keys[0].rfind("lwt1:", 0), 0u);
}

TEST_F(DaemonCommandTest, ImportsWhatTheGoProgramHad) {
  const std::string old = folder_ + "/old.json";
  std::ofstream(old) << R"({"mode": "client", "remote_addr": "h:9000",
                            "key": "long enough", "timeout": 30})";
  DaemonRun outcome = RunDaemon({"-import", old, "-g", path_});
  EXPECT_EQ(outcome.begin.exit_code, 0) << outcome.err;
  EXPECT_EQ(
      outcome.out,
      "Wrote " + path_ +
          ".\nkept: mode, remote_addr, key\n"
          "gone: timeout: a client tries for ever, with pauses of 1 to 32 "
          "s\nChange all ends of the tunnel at one time: this program and "
          "that one do not understand each other.\n");
  struct stat info;
  ASSERT_EQ(stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600u);
  const config::Config config = RunDaemon({"-c", path_}).begin.config;
  EXPECT_EQ(config.key.text, "long enough");
  EXPECT_EQ(config.tunnel.addresses[0], ParseIpPrefix("10.0.0.2/24"));
  // Never over a file that is there.
  outcome = RunDaemon({"-import", old, "-g", path_});
  EXPECT_EQ(outcome.begin.exit_code, 1);
  EXPECT_NE(outcome.err.find("exists already"), std::string::npos);
  // Whoever gives it as it was is told in one line.
  outcome = RunDaemon({"-c", old});
  EXPECT_EQ(outcome.begin.exit_code, 1);
  EXPECT_EQ(outcome.err,
            "lightweight-tunnel: " + old +
                " is JSON, as the Go program had it; turn it into a file for "
                "this one with: lightweight-tunnel -import " +
                old + " -g NEW.toml\n");
  unlink(old.c_str());
}

TEST_F(DaemonCommandTest, ImportsACommandLineAndHidesIt) {
  std::vector<std::string> words = {
      "lightweight-tunnel", "-import-command",
      "lightweight-tunnel -m server -k 'long enough'", "-g", path_};
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  testing::internal::CaptureStdout();
  const Begin begin = BeginDaemon(static_cast<int>(words.size()), argv.data());
  fflush(stdout);
  testing::internal::GetCapturedStdout();
  EXPECT_EQ(begin.exit_code, 0);
  EXPECT_EQ(words[2].find("long enough"), std::string::npos);
  EXPECT_EQ(RunDaemon({"-c", path_}).begin.config.key.text, "long enough");
}

TEST_F(DaemonCommandTest, AnImportIsAllThatACommandDoes) {
  for (const auto& words : std::vector<std::vector<std::string>>{
           {"-import", "a"},
           {"-import", "a", "-import-command", "b", "-g", path_},
           {"-import", "a", "-g", path_, "-mtu", "7"},
           {"-import", "a", "-g", path_, "-c", "b"}}) {
    EXPECT_EQ(RunDaemon(words).begin.exit_code, 2) << words.back();
  }
}

TEST_F(DaemonCommandTest, ThePairTakesItsAddressesFromTheCommandLine) {
  DaemonRun outcome =
      RunDaemon({"-g", path_, "-l", "[::]:443", "-r", "vpn.example.net:443",
                 "-t", "10.7.0.1/24,fd07::ff/64"});
  EXPECT_EQ(outcome.begin.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.out.find("set remote_addr"), std::string::npos);
  const config::Config server = RunDaemon({"-c", path_}).begin.config;
  const config::Config client =
      RunDaemon({"-c", path_ + ".client"}).begin.config;
  EXPECT_EQ(server.hub.local, std::vector{*ParseEndpoint("[::]:443")});
  EXPECT_EQ(client.client.remote, (config::HostPort{"vpn.example.net", 443}));
  EXPECT_EQ(server.tunnel.addresses[0], ParseIpPrefix("10.7.0.1/24"));
  EXPECT_EQ(client.tunnel.addresses[0], ParseIpPrefix("10.7.0.2/24"));
  EXPECT_EQ(client.tunnel.addresses[1], ParseIpPrefix("fd07::100/64"));
  EXPECT_EQ(server.key.text, client.key.text);
  EXPECT_NE(Content(path_).find("lightweight-tunnel/server-10.7.0.1\""),
            std::string::npos);
}

TEST_F(DaemonCommandTest, APairThatCannotBeIsRefused) {
  const char* cases[][3] = {
      {"-t", "10.7.0.254/24", "has no address for a client"},
      {"-t", "10.7.0.1/32", "has no address for a client"},
      {"-t", "ten", "-t: \"ten\""},
      {"-l", "10.86.27.7:9000", "lies within the tunnel's own network"},
      {"-mtu", "1400", "remove -mtu"}};
  for (const auto& [flag, value, sentence] : cases) {
    DaemonRun outcome = RunDaemon({"-g", path_, flag, value});
    EXPECT_EQ(outcome.begin.exit_code, 2) << value;
    EXPECT_NE(outcome.err.find(sentence), std::string::npos) << outcome.err;
    EXPECT_NE(access(path_.c_str(), F_OK), 0);
  }
}

TEST_F(DaemonCommandTest, NeverOverwrites) {
  for (const std::string& taken : {path_, path_ + ".client"}) {
    std::ofstream(taken) << "mine";
    DaemonRun outcome = RunDaemon({"-g", path_});
    EXPECT_EQ(outcome.begin.exit_code, 1);
    EXPECT_NE(outcome.err.find(taken + " exists already"), std::string::npos);
    EXPECT_EQ(Content(taken), "mine");
    unlink(taken.c_str());
    // The other file was not left behind.
    EXPECT_NE(access(path_.c_str(), F_OK), 0);
    EXPECT_NE(access((path_ + ".client").c_str(), F_OK), 0);
  }
  DaemonRun outcome = RunDaemon({"-g", folder_ + "/none/f"});
  EXPECT_EQ(outcome.begin.exit_code, 1);
}

TEST_F(DaemonCommandTest, ABadConfigurationExitsWith1) {
  DaemonRun outcome = RunDaemon({"-check-config"});
  EXPECT_EQ(outcome.begin.exit_code, 1);
  EXPECT_NE(outcome.err.find("lightweight-tunnel: mode is missing"),
            std::string::npos);
  EXPECT_NE(outcome.err.find("lightweight-tunnel: a shared key is missing"),
            std::string::npos);
}

TEST_F(DaemonCommandTest, ABareCallSaysWhereHelpIs) {
  EXPECT_NE(RunDaemon({}).err.find("lightweight-tunnel: -h lists all flags\n"),
            std::string::npos);
  EXPECT_EQ(RunDaemon({"-m", "client"}).err.find("-h lists"),
            std::string::npos);
}

// A wrong value of a flag is a wrong command line; in a file it is not.
TEST_F(DaemonCommandTest, AWrongFlagValueExitsWith2) {
  DaemonRun outcome = RunDaemon({"-mtu", "abc"});
  EXPECT_EQ(outcome.begin.exit_code, 2);
  EXPECT_EQ(outcome.err,
            "lightweight-tunnel: -mtu: \"abc\" is not a whole number\n");
  std::ofstream(path_) << "mtu = \"abc\"\n";
  EXPECT_EQ(RunDaemon({"-c", path_}).begin.exit_code, 1);
}

TEST_F(DaemonCommandTest, TheCheckRefusesAKeyThatCannotStart) {
  for (const char* key : {"abc", "lwt1:abc"}) {
    DaemonRun outcome = RunDaemon({"-check-config", "-m", "client", "-r", "h:1",
                                   "-t", "10.0.0.2/24", "-k", key});
    EXPECT_EQ(outcome.begin.exit_code, 1) << key;
    EXPECT_NE(outcome.err.find("lightweight-tunnel: key: "), std::string::npos);
  }
}

TEST_F(DaemonCommandTest, PrintsTheSettingsInForce) {
  DaemonRun outcome = RunDaemon({"-print-config", "-m", "client", "-r", "h:1",
                                 "-t", "10.0.0.2/24", "-k", "the long secret"});
  EXPECT_TRUE(outcome.begin.done);
  EXPECT_EQ(outcome.begin.exit_code, 0) << outcome.err;
  for (const char* line :
       {"mode = \"client\"  # -m\n", "tunnel_addr = [\"10.0.0.2/24\"]  # -t\n",
        "state_dir = \"/var/lib/lightweight-tunnel/client-10.0.0.2\"  # "
        "default\n"}) {
    EXPECT_NE(outcome.out.find(line), std::string::npos) << line << outcome.out;
  }
  EXPECT_EQ(outcome.out.find("secret"), std::string::npos);
  EXPECT_EQ(RunDaemon({"-print-config"}).begin.exit_code, 1);
}

TEST_F(DaemonCommandTest, ARunGoesOnWithTheConfiguration) {
  DaemonRun outcome = RunDaemon({"-m", "client", "-r", "h:1", "-t",
                                 "10.0.0.2/24", "-encryption", "none"});
  EXPECT_FALSE(outcome.begin.done);
  EXPECT_EQ(outcome.begin.action, config::Action::kRun);
  EXPECT_EQ(outcome.begin.config.mode, config::Mode::kClient);
  EXPECT_NE(outcome.err.find("lightweight-tunnel: warning: encryption is"),
            std::string::npos);
}

TEST_F(DaemonCommandTest, PreflightAndCleanupNeedNoConfiguration) {
  DaemonRun preflight = RunDaemon({"-preflight", "-memory", "no-huge"});
  EXPECT_FALSE(preflight.begin.done);
  EXPECT_EQ(preflight.begin.action, config::Action::kPreflight);
  EXPECT_EQ(preflight.begin.config.workers.memory, MemoryMode::kNoHuge);
  DaemonRun cleanup = RunDaemon({"-cleanup"});
  EXPECT_FALSE(cleanup.begin.done);
  EXPECT_EQ(cleanup.begin.action, config::Action::kCleanup);
}

TEST_F(DaemonCommandTest, TheKeyIsGoneFromTheArguments) {
  char program[] = "lightweight-tunnel", flag[] = "-k", key[] = "the secret";
  char bad[] = "-unknown";
  char* argv[] = {program, flag, key, bad, nullptr};
  testing::internal::CaptureStderr();
  BeginDaemon(4, argv);  // even where the rest is wrong
  std::string err = testing::internal::GetCapturedStderr();
  EXPECT_EQ(strlen(key), 0u);
  EXPECT_EQ(err.find("secret"), std::string::npos);
}

TEST_F(DaemonCommandTest, AnEmptyArgvIsTaken) {
  char* argv[] = {nullptr};
  testing::internal::CaptureStderr();
  EXPECT_EQ(BeginDaemon(0, argv).exit_code, 1);
  testing::internal::GetCapturedStderr();
}

}  // namespace
}  // namespace lwt::cli
