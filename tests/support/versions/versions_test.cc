// What versions before said and wrote, given to this one.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/match.h"
#include "control/base/files.h"
#include "control/cli/version.h"
#include "control/handshake/crypto.h"
#include "tests/support/versions/conversation.h"
#include "tests/support/versions/state_sample.h"

namespace lwt::versions {
namespace {

namespace fs = std::filesystem;

constexpr Speaker kBoth[] = {Speaker::kClient, Speaker::kHub};

class VersionsTest : public ::testing::Test {
 protected:
  VersionsTest() {
    handshake::InitCrypto();
    for (const auto& entry : fs::directory_iterator(
             LWT_SOURCE_ROOT "/tests/support/versions/recorded")) {
      versions_.push_back(entry.path());
    }
  }

  static Tape TapeOf(const fs::path& version) {
    const auto text = host::ReadFile(version / "tape");
    const auto tape = ParseTape(text.ok() ? *text : "");
    EXPECT_TRUE(tape) << version;
    return tape.value_or(Tape());
  }

  std::vector<fs::path> versions_;
};

TEST_F(VersionsTest, BothSidesOfARecordedConversationCanBeThisVersion) {
  ASSERT_FALSE(versions_.empty());
  for (const fs::path& version : versions_) {
    const Tape tape = TapeOf(version);
    EXPECT_EQ(tape.version, version.filename());
    for (const Speaker live : kBoth) {
      EXPECT_EQ(Replay(tape, live), "") << version << NameOf(live);
    }
  }
}

// The check can fail, for each message.
TEST_F(VersionsTest, EveryWordOfTheTapeCounts) {
  const Tape tape = Record("1.2.3", handshake::kOwnFeatures);
  for (const Speaker live : kBoth) ASSERT_EQ(Replay(tape, live), "");
  for (size_t i = 0; i < tape.spoken.size(); ++i) {
    for (const Speaker live : kBoth) {
      Tape bent = tape;
      Spoken& spoken = bent.spoken[i];
      // The last bytes of a ClientHello are another extension's.
      const bool is_hello =
          spoken.what == "hello" || spoken.what == "lane join";
      spoken.bytes[is_hello ? 12 : spoken.bytes.size() - 1] ^= 0x10;
      const std::string fault = Replay(bent, live);
      EXPECT_NE(fault.find('"' + tape.spoken[i].what + '"'), std::string::npos)
          << i << NameOf(live) << fault;
    }
  }
}

TEST_F(VersionsTest, WhatItCanDoBesideIsNotAsked) {
  // With a version that has none of the features.
  const Tape bare = Record("0.0.1", 0);
  for (const Speaker live : kBoth) EXPECT_EQ(Replay(bare, live), "");
  const Tape full = Record("0.0.1", handshake::kOwnFeatures);
  EXPECT_EQ(full.spoken.size(), bare.spoken.size() + 7);
}

TEST_F(VersionsTest, ATapeIsReadAsItWasWritten) {
  const Tape tape = Record("1.2.3", 5);
  const std::string text = FormatTape(tape);
  EXPECT_EQ(ParseTape(text), tape);
  for (const char* wrong : {"", "client \"a\" 00\n", "rubbish\n"}) {
    EXPECT_FALSE(ParseTape(wrong)) << wrong;
  }
  for (const char* line : {"third \"a\" 00\n", "hub a 00\n", "hub \"a\" 0\n",
                           "hub \"a\" 0g\n", "hub \"\" 00\n"}) {
    EXPECT_FALSE(ParseTape(text + line)) << line;
  }
  EXPECT_TRUE(ParseTape(text + "hub \"a\" 00\n"));
}

// A folder of its own with a copy of recorded state.
class StateCopy {
 public:
  explicit StateCopy(const fs::path& version) {
    char pattern[] = "/tmp/lwt-state.XXXXXX";
    folder_ = mkdtemp(pattern);
    for (const auto& entry : fs::directory_iterator(version / "state")) {
      fs::copy_file(entry, folder_ / entry.path().filename());
      // A clone may have other modes.
      fs::permissions(folder_ / entry.path().filename(),
                      fs::perms::owner_read | fs::perms::owner_write);
    }
  }
  ~StateCopy() { fs::remove_all(folder_); }
  const fs::path& folder() const { return folder_; }

 private:
  fs::path folder_;
};

TEST_F(VersionsTest, RecordedStateIsReadAndMeansTheSame) {
  ASSERT_FALSE(versions_.empty());
  for (const fs::path& version : versions_) {
    const StateCopy state(version);
    const absl::Status read = CheckSampleState(state.folder());
    EXPECT_TRUE(read.ok()) << version << ": " << read;
  }
}

TEST_F(VersionsTest, StateOfALaterVersionIsRefusedAndStays) {
  size_t forms = 0;
  for (const fs::path& version : versions_) {
    for (const auto& entry : fs::directory_iterator(version / "state")) {
      std::string text = *host::ReadFile(entry.path());
      if (!text.starts_with("lightweight-tunnel ")) continue;
      ++forms;
      text.insert(text.find('\n'), "000");
      const StateCopy state(version);
      const fs::path later = state.folder() / entry.path().filename();
      std::ofstream(later) << text;
      const absl::Status refused = CheckSampleState(state.folder());
      EXPECT_TRUE(absl::IsFailedPrecondition(refused)) << refused;
      EXPECT_TRUE(
          absl::StartsWith(refused.message(),
                           later.string() + " was written by a later version"))
          << refused;
      EXPECT_EQ(*host::ReadFile(later), text);
    }
  }
  EXPECT_GE(forms, 5u);
}

// Whoever changes the version records it too.
TEST_F(VersionsTest, ThisVersionIsAmongThem) {
  bool found = false;
  for (const fs::path& version : versions_) {
    found |= version.filename() == std::string(cli::Version());
  }
  EXPECT_TRUE(found) << "run record_version: docs/testing.md, \"Versions\"";
}

}  // namespace
}  // namespace lwt::versions
