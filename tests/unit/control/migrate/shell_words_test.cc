// The words of a command as it was typed, against what sh(1) makes of it.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdio>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "control/migrate/old_settings.h"
#include "drivers/scoped_fd.h"

namespace lwt::migrate {
namespace {

// What sh takes `text` for; nothing where it finds a quote that is not closed.
std::optional<std::vector<std::string>> WordsOfShell(const std::string& text) {
  int ends[2];
  EXPECT_EQ(pipe(ends), 0);
  const pid_t child = fork();
  if (child == 0) {
    dup2(ends[1], 1);
    close(2);
    execl("/bin/sh", "sh", "-c",
          "eval \"set -- end $1\" && printf '%s\\0' \"$@\"", "sh", text.c_str(),
          nullptr);
    _exit(127);
  }
  close(ends[1]);
  const ScopedFd output(ends[0]);
  std::string all;
  char buffer[512];
  for (ssize_t size = 0;
       (size = read(output.get(), buffer, sizeof(buffer))) > 0;) {
    all.append(buffer, static_cast<size_t>(size));
  }
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  constexpr int kSyntaxError = 2;
  if (WEXITSTATUS(status) == kSyntaxError) return std::nullopt;
  // A line feed ends a command: what follows is another one, that is not there.
  if (status != 0) return std::vector<std::string>{"two", "commands"};
  std::vector<std::string> words;
  for (size_t at = 0; at < all.size();) {
    const size_t end = all.find('\0', at);
    words.push_back(all.substr(at, end - at));
    at = end + 1;
  }
  EXPECT_EQ(words.at(0), "end") << text;
  words.erase(words.begin());
  return words;
}

std::string Fragment(std::mt19937& random) {
  constexpr const char* kPieces[] = {"a",    "b c", " ",       "\t",  "'",
                                     "\"",   "\\",  "\\\"",    "\\'", "\\a",
                                     "\\\n", "=",   "\xc3\xa9"};
  std::string text;
  for (size_t left = 1 + random() % 6; left > 0; --left) {
    text += kPieces[random() % std::size(kPieces)];
  }
  return text;
}

// As the value of a flag each word of a shell comes out as it went in.
TEST(ShellWordsTest, AWordIsWhatTheShellMakesOfIt) {
  std::mt19937 random(20261130);
  int one_word = 0;
  int open = 0;
  for (int round = 0; round < 250; ++round) {
    const std::string text = Fragment(random);
    const auto words = WordsOfShell(text);
    const auto old = ReadOldCommand("sudo ./tunnel -k " + text);
    if (!words) {
      ++open;
      EXPECT_FALSE(old.ok()) << text;
      EXPECT_NE(old.status().message().find("a quote is not closed: "),
                absl::string_view::npos)
          << text << ": " << old.status();
    } else if (words->empty()) {
      EXPECT_EQ(old.status().message(), "-k stands without a value") << text;
    } else if (words->size() == 1) {
      ++one_word;
      ASSERT_TRUE(old.ok()) << text << ": " << old.status();
      EXPECT_EQ(old->known.at("key").text, words->front()) << text;
    } else {
      EXPECT_FALSE(old.ok()) << "the rest is no flag: " << text;
    }
  }
  EXPECT_GT(one_word, 30);
  EXPECT_GT(open, 30);
}

// Nothing is expanded, so what would be is taken as it stands.
TEST(ShellWordsTest, WhatADollarWouldStandForIsNotLookedUp) {
  const auto old = ReadOldCommand("t -k \"\\$a\\`b\\!\" -tun-name '$c'");
  ASSERT_TRUE(old.ok()) << old.status();
  EXPECT_EQ(old->known.at("key").text, "$a`b\\!");
  EXPECT_EQ(old->known.at("tun_name").text, "$c");
}

TEST(ShellWordsTest, AnEmptyWordIsAWord) {
  for (const char* text : {"''", "\"\"", "''\"\""}) {
    const auto old = ReadOldCommand(std::string("tunnel -tun-name ") + text);
    ASSERT_TRUE(old.ok()) << old.status();
    EXPECT_EQ(old->known.at("tun_name").text, "") << text;
  }
}

TEST(ShellWordsTest, ALineMayGoOnBehindABackslash) {
  const auto old =
      ReadOldCommand("sudo tunnel -m client \\\n  -r h:9000 \\\n\t-k 'a\nb'");
  ASSERT_TRUE(old.ok()) << old.status();
  EXPECT_EQ(old->known.at("mode").text, "client");
  EXPECT_EQ(old->known.at("remote_addr").text, "h:9000");
  EXPECT_EQ(old->known.at("key").text, "a\nb");
}

// Go takes the last of several, and a boolean alone for true.
TEST(ReadOldCommandTest, TheLastOfSeveralCounts) {
  const auto old = ReadOldCommand(
      "t -mtu 1200 -mtu=1300 -multi-client=false -multi-client -p2p=0 -xdp=T");
  ASSERT_TRUE(old.ok()) << old.status();
  EXPECT_EQ(old->known.at("mtu").text, "1300");
  EXPECT_EQ(old->known.at("multi_client").text, "true");
  EXPECT_EQ(old->known.at("p2p_enabled").text, "false");
  EXPECT_EQ(old->known.at("enable_xdp").text, "true");
}

TEST(ReadOldCommandTest, AValueMayHoldWhatFlagsAreMadeOf) {
  const auto old = ReadOldCommand("t -k=-a=b- -tun-name -x -routes=,,");
  ASSERT_TRUE(old.ok()) << old.status();
  EXPECT_EQ(old->known.at("key").text, "-a=b-");
  EXPECT_EQ(old->known.at("tun_name").text, "-x");
  EXPECT_TRUE(old->known.at("routes").list.empty());
}

TEST(ReadOldCommandTest, WithoutFlagsAllIsAsItUsedToBe) {
  for (const char* text : {"", "  \n", "sudo ./lightweight-tunnel"}) {
    const auto old = ReadOldCommand(text);
    ASSERT_TRUE(old.ok()) << old.status();
    EXPECT_TRUE(old->known.empty()) << text;
  }
}

TEST(ReadOldCommandTest, NumbersAreWhole) {
  for (const char* text :
       {"-mtu 1400x", "-mtu ''", "-mtu 1.5", "-mtu 99999999999999999999"}) {
    const auto old = ReadOldCommand(std::string("t ") + text);
    EXPECT_TRUE(absl::IsInvalidArgument(old.status())) << text;
    EXPECT_EQ(old.status().message().find("-mtu cannot be "), 0u)
        << old.status();
  }
}

}  // namespace
}  // namespace lwt::migrate
