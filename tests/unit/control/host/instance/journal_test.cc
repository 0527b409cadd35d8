#include "control/host/instance/journal.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "control/base/files.h"
#include "tests/unit/control/host/scratch_dir.h"

namespace lwt::host {
namespace {

HostChange Feature(bool was_on) {
  return {.kind = HostChange::Kind::kFeature,
          .netns = 4026531840,
          .ifindex = 2,
          .interface = "eth0",
          .feature = "rx-lro",
          .was_on = was_on};
}

HostChange Xdp(uint32_t program_id) {
  return {.kind = HostChange::Kind::kXdp,
          .netns = 4026531840,
          .ifindex = 2,
          .interface = "eth0",
          .program_id = program_id};
}

constexpr std::string_view kJournalText =
    "lightweight-tunnel journal 1\n"
    "feature 4026531840 2 eth0 rx-lro on\n"
    "xdp 4026531840 2 eth0 17\n";

TEST(JournalText, ReadsAndWritesTheSameForm) {
  const std::vector<HostChange> changes = {Feature(true), Xdp(17)};
  EXPECT_EQ(FormatJournal(changes), kJournalText);
  EXPECT_EQ(ParseJournal(kJournalText), changes);
}

TEST(JournalText, EveryTruncationIsRefusedOrAWholeNumberOfLines) {
  for (size_t size = 0; size < kJournalText.size(); ++size) {
    const auto parsed = ParseJournal(kJournalText.substr(0, size));
    if (!parsed) continue;
    const std::string written = FormatJournal(*parsed);
    EXPECT_EQ(written.substr(0, size), kJournalText.substr(0, size));
  }
}

TEST(JournalText, HostileLinesAreRefused) {
  const std::string header = "lightweight-tunnel journal 1\n";
  for (const std::string line :
       {"feature", "feature 1 2", "feature 1 2 eth0 rx-lro", "xdp 1 2 eth0",
        "xdp 1 2 eth0 -1", "xdp 1 2 eth0 4294967296", "xdp 1 0 eth0 1",
        "xdp 1 -2 eth0 1", "xdp 1 2 ../../etc 1", "xdp 1 2  1",
        "xdp 1 2 sixteen-letters- 1", "xdp x 2 eth0 1", "xdp 1 2 eth0 1 ",
        "feature 1 2 eth0 rx-lro maybe", "feature 1 2 eth0 rx-lro on on",
        "other 1 2 eth0 rx-lro on", " xdp 1 2 eth0 1"}) {
    EXPECT_EQ(ParseJournal(header + line + "\n"), std::nullopt) << line;
  }
  EXPECT_EQ(ParseJournal(""), std::nullopt);
  EXPECT_EQ(ParseJournal("lightweight-tunnel journal 2\n"), std::nullopt);
  EXPECT_EQ(ParseJournal(header + std::string(5, '\0')), std::nullopt);
  std::string long_one = header;
  for (int i = 0; i < 2000; ++i) long_one += "xdp 1 2 eth0 1\n";
  EXPECT_EQ(ParseJournal(long_one), std::nullopt);
}

class JournalTest : public testing::Test {
 protected:
  Journal Open() {
    auto journal = Journal::Open(path_);
    EXPECT_TRUE(journal.ok()) << journal.status();
    return *std::move(journal);
  }
  const ScratchDir scratch_;
  const std::string path_ = scratch_.path() + "/journal";
};

TEST_F(JournalTest, EntriesAreOnTheDiskAtOnceAndGoWithTheLast) {
  Journal journal = Open();
  EXPECT_TRUE(journal.entries().empty());
  ASSERT_TRUE(journal.Record(Feature(true)).ok());
  ASSERT_TRUE(journal.Record(Xdp(0)).ok());
  EXPECT_EQ(Open().entries(), journal.entries());
  ASSERT_TRUE(journal.Record(Xdp(17)).ok());
  EXPECT_EQ(*ReadFile(path_), kJournalText);
  ASSERT_TRUE(journal.Forget(Xdp(17)).ok());
  EXPECT_EQ(Open().entries(), std::vector{Feature(true)});
  ASSERT_TRUE(journal.Forget(Feature(true)).ok());
  EXPECT_FALSE(std::filesystem::exists(path_));
  EXPECT_TRUE(journal.Forget(Feature(true)).ok());
}

TEST_F(JournalTest, TheFirstStateIsTheOneToGoBackTo) {
  Journal journal = Open();
  ASSERT_TRUE(journal.Record(Feature(true)).ok());
  ASSERT_TRUE(journal.Record(Feature(false)).ok());
  EXPECT_EQ(journal.entries(), std::vector{Feature(true)});
}

TEST_F(JournalTest, TheNamespaceIsFilledIn) {
  Journal journal = Open();
  HostChange change = Xdp(1);
  change.netns = 0;
  ASSERT_TRUE(journal.Record(change).ok());
  EXPECT_EQ(journal.entries()[0].netns, CurrentNetns());
  ASSERT_TRUE(journal.Forget(change).ok());
  EXPECT_TRUE(journal.entries().empty());
}

TEST_F(JournalTest, WhatCannotBeWrittenIsRefused) {
  Journal journal = Open();
  HostChange change = Xdp(1);
  change.interface = "two words";
  EXPECT_FALSE(journal.Record(change).ok());
  EXPECT_TRUE(journal.entries().empty());
  Journal nowhere = *Journal::Open(scratch_.path() + "/missing/journal");
  EXPECT_FALSE(nowhere.Record(Xdp(1)).ok());
  EXPECT_TRUE(nowhere.entries().empty());
}

TEST_F(JournalTest, NonsenseIsMovedAside) {
  ASSERT_TRUE(ReplaceFile(path_, "nonsense").ok());
  EXPECT_TRUE(Open().entries().empty());
  EXPECT_FALSE(std::filesystem::exists(path_));
  EXPECT_EQ(*ReadFile(path_ + ".bad"), "nonsense");
}

// What it left on the host could not be undone, and must not be forgotten.
TEST_F(JournalTest, OneOfALaterVersionIsRefusedAndStays) {
  constexpr std::string_view kLater = "lightweight-tunnel journal 2\nmore\n";
  ASSERT_TRUE(ReplaceFile(path_, kLater).ok());
  const auto journal = Journal::Open(path_);
  EXPECT_TRUE(absl::IsFailedPrecondition(journal.status()));
  EXPECT_EQ(*ReadFile(path_), kLater);
}

}  // namespace
}  // namespace lwt::host
