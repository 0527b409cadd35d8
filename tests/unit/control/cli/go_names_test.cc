// Whoever knows the Go program finds here each of its flags, keys and log
// lines, or a sentence that says what is in its place.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "control/config/command_line.h"
#include "control/config/load.h"
#include "control/config/old_keys.h"
#include "control/config/options.h"

namespace lwt::config {
namespace {

using testing::HasSubstr;

// Of its README.
constexpr const char* kFlags[] = {"m",
                                  "l",
                                  "r",
                                  "t",
                                  "k",
                                  "mtu",
                                  "tun-name",
                                  "routes",
                                  "config-push-interval",
                                  "send-queue",
                                  "recv-queue",
                                  "p2p",
                                  "p2p-port",
                                  "multi-client",
                                  "max-clients",
                                  "client-isolation"};
constexpr const char* kKeys[] = {
    "mode",         "local_addr",  "remote_addr",
    "tunnel_addr",  "key",         "mtu",
    "tun_name",     "routes",      "config_push_interval",
    "multi_client", "max_clients", "client_isolation",
    "p2p_enabled",  "p2p_port",    "enable_nat_detection",
    "send_queue",   "recv_queue"};
constexpr const char* kLogLines[] = {
    "Reconnected to server: A -> B",
    "Routing stats: N peers, N direct, N relay, N server",
    "Peer ADDRESS: route=… quality=… status=…",
    "Send queue full, …",
    "Decryption error (wrong key?)",
    "Network read error: …, attempting reconnection",
    "Attempting to reconnect to server at … (backoff 1s)",
    "Reconnect attempt failed: …",
    "Reconnection successful",
    "SERVER-RELAY"};

std::string TextOf(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string FlagError(const std::string& flag) {
  const std::string argument = "-" + flag + "=7";
  const char* const words[] = {argument.c_str()};
  return std::string(ParseCommandLine(words).status().message());
}

std::string KeyError(const std::string& key) {
  Config config;
  return std::string(ApplyToml(key + " = 7\n", "f", config).message());
}

// Whether a sentence was written for it, which says more than that it is
// unknown.
void ExpectAnswer(const std::string& error, const OldKey* old) {
  ASSERT_NE(old, nullptr);
  EXPECT_FALSE(old->gone.empty());
  EXPECT_THAT(error, HasSubstr(std::string(old->gone)));
  EXPECT_EQ(error.find("unknown"), std::string::npos) << error;
}

TEST(GoNamesTest, EachFlagIsTakenOrAnswered) {
  std::set<std::string> flags(std::begin(kFlags), std::end(kFlags));
  for (const OldKey& old : OldKeys()) flags.emplace(old.flag);
  flags.erase("");
  for (const std::string& flag : flags) {
    SCOPED_TRACE(flag);
    if (FindByFlag(flag) != nullptr) continue;
    ExpectAnswer(FlagError(flag), FindOldFlag(flag));
  }
  for (const char* command : {"c", "g", "v"}) {
    const auto known = CommandFlags();
    EXPECT_TRUE(std::any_of(
        known.begin(), known.end(),
        [&](const CommandFlag& each) { return each.flag == command; }));
  }
}

TEST(GoNamesTest, EachKeyIsTakenOrAnswered) {
  std::set<std::string> keys(std::begin(kKeys), std::end(kKeys));
  for (const OldKey& old : OldKeys()) keys.emplace(old.key);
  for (const std::string& key : keys) {
    SCOPED_TRACE(key);
    if (FindByToml(key) != nullptr) continue;
    ExpectAnswer(KeyError(key), FindOldKey(key));
  }
}

TEST(GoNamesTest, WhatIsNotBuiltIsSaidToBeSo) {
  for (const char* flag : {"p2p", "p2p-port"}) {
    EXPECT_THAT(FlagError(flag), HasSubstr("not built yet")) << flag;
  }
  EXPECT_THAT(KeyError("p2p_enabled"), HasSubstr("not built yet"));
}

// There is no such queue, and the answer says where packets wait in its place.
TEST(GoNamesTest, AReceiveQueueIsAnsweredByWhereReceivedPacketsWait) {
  for (const std::string& error :
       {FlagError("recv-queue"), KeyError("recv_queue"),
        KeyError("recv_queue_size")}) {
    EXPECT_THAT(error, HasSubstr("nothing waits for the tunnel device"));
    EXPECT_THAT(error, HasSubstr("rx_missed"));
    EXPECT_THAT(error, HasSubstr("Leave it out"));
  }
}

TEST(GoNamesTest, ItsDefaultsHoldWhereAnOldCommandGivesNone) {
  const char* const words[] = {
      "-m", "server", "-t", "10.0.0.1/24", "-k", "my-secret-password-2024"};
  const auto loaded = LoadConfig(*ParseCommandLine(words), true);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(ToString(loaded->config.hub.local.front()), "0.0.0.0:9000");
  EXPECT_EQ(loaded->config.queues.send, 5000u);
  EXPECT_EQ(loaded->config.hub.max_clients, 100u);
}

// All text of the programs that may be logged, adjacent literals as one.
std::string SourceText() {
  std::string all;
  for (const char* layer : {"control", "dataplane"}) {
    const auto root = std::filesystem::path(LWT_SOURCE_ROOT) / layer;
    for (const auto& each :
         std::filesystem::recursive_directory_iterator(root)) {
      if (each.is_regular_file()) all += TextOf(each.path());
    }
  }
  return all;
}

// A row of the page says what is in the place of each, and quotes what the
// programs do say: placeholders are in capitals.
TEST(GoNamesTest, EachLogLineHasARowThatQuotesWhatIsSaid) {
  const std::string page = TextOf(LWT_SOURCE_ROOT "/docs/service.md");
  const std::string sources = SourceText();
  for (const std::string line : kLogLines) {
    SCOPED_TRACE(line);
    const std::string begin = "| `" + line + "` | ";
    const size_t row = page.find("\n" + begin);
    ASSERT_NE(row, std::string::npos);
    std::stringstream rest(page.substr(row + 1 + begin.size()));
    std::string cell;
    std::getline(rest, cell);
    std::stringstream quoted(cell);
    std::string part;
    for (int i = 0; std::getline(quoted, part, '`'); ++i) {
      if (i % 2 == 1 && sources.find(part) == std::string::npos) {
        ADD_FAILURE() << part << " is said nowhere";
      }
    }
    EXPECT_GT(cell.size(), 20u);
  }
}

}  // namespace
}  // namespace lwt::config
