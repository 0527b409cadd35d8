// Names and sentences of drops and counters, and docs/observability.md, which
// repeats them: neither may hold what the other lacks.
#include "dataplane/drop_reason.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <string>

#include "dataplane/exchange/counters.h"

namespace lwt {
namespace {

using Texts = std::map<std::string, std::string>;  // sentences by name

#define LWT_TEXT(member, name, sentence) {name, sentence},

// The rows `| name | sentence |` of one section, without the head.
Texts DocumentedIn(const std::string& section) {
  const std::string path =
      std::string(LWT_SOURCE_ROOT) + "/docs/observability.md";
  std::ifstream file(path);
  EXPECT_TRUE(file.is_open()) << path;
  Texts texts;
  bool inside = false;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("## ")) inside = line == "## " + section;
    if (!inside || !line.starts_with("| `")) continue;
    const size_t name_end = line.find("` | ");
    EXPECT_NE(name_end, std::string::npos) << line;
    EXPECT_TRUE(line.ends_with(" |")) << line;
    if (name_end == std::string::npos) continue;
    const size_t begin = name_end + 4;
    const std::string name = line.substr(3, name_end - 3);
    const bool once =
        texts.emplace(name, line.substr(begin, line.size() - 2 - begin)).second;
    EXPECT_TRUE(once) << name << " has two rows";
  }
  return texts;
}

TEST(DropReason, HasNameAndSentenceOfItsOwn) {
  std::set<std::string_view> names;
  std::set<std::string_view> sentences;
  for (size_t i = 0; i < kDropReasonCount; ++i) {
    const auto reason = static_cast<DropReason>(i);
    EXPECT_TRUE(names.insert(NameOf(reason)).second) << NameOf(reason);
    EXPECT_TRUE(sentences.insert(SentenceOf(reason)).second) << NameOf(reason);
    EXPECT_TRUE(SentenceOf(reason).ends_with('.')) << NameOf(reason);
  }
}

TEST(DropReason, NamesFollowTheEnumerators) {
  EXPECT_EQ(NameOf(DropReason::kTruncated), "truncated");
  EXPECT_EQ(NameOf(DropReason::kReplayed), "replayed");
  EXPECT_EQ(SentenceOf(DropReason::kBadTag),
            "The record's tag does not verify.");
  EXPECT_EQ(NameOf(DropReason::kLanFull), "lan_full");
  EXPECT_EQ(static_cast<size_t>(DropReason::kLanFull) + 1, kDropReasonCount);
}

TEST(DropReason, IsDocumented) {
  EXPECT_EQ(DocumentedIn("Drops"), (Texts{LWT_DROP_REASONS(LWT_TEXT)}));
}

// All C++ and Python of the tests, except for this file.
std::string TextOfTests() {
  std::string all;
  const auto root = std::filesystem::path(LWT_SOURCE_ROOT) / "tests";
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(root)) {
    const auto& path = entry.path();
    if (path.extension() != ".cc" && path.extension() != ".py") continue;
    if (path.filename() == "drop_reason_test.cc") continue;
    std::ifstream file(path);
    all.append(std::istreambuf_iterator<char>(file), {});
  }
  return all;
}

TEST(DropReason, EachIsNamedByATestThatHitsIt) {
  const std::string tests = TextOfTests();
  EXPECT_NE(tests.find("DropReason::kBadTag"), std::string::npos);
#define LWT_EXPECT_HIT(member, name, sentence)                           \
  EXPECT_TRUE(tests.find("DropReason::" #member) != std::string::npos || \
              tests.find("\"" name "\"") != std::string::npos)           \
      << "no test speaks of " name;
  LWT_DROP_REASONS(LWT_EXPECT_HIT)
#undef LWT_EXPECT_HIT
}

TEST(LaneCounters, ResetClearsEveryOne) {
  LaneCounters counters;
#define LWT_ADD(member, kind, unit, help) counters.member.Add(5);
  LWT_LANE_METRICS(LWT_ADD)
#undef LWT_ADD
  for (const uint64_t value : counters.Read().All().values) {
    EXPECT_EQ(value, 5u);
  }
  counters.Reset();
  for (const uint64_t value : counters.Read().All().values) {
    EXPECT_EQ(value, 0u);
  }
}

TEST(WorkerCounters, DropCountsItsReasonOnly) {
  WorkerCounters counters;
  counters.Drop(DropReason::kBadTag);
  counters.Drop(DropReason::kBadTag, 4);
  for (size_t i = 0; i < kDropReasonCount; ++i) {
    const bool bad_tag = i == static_cast<size_t>(DropReason::kBadTag);
    EXPECT_EQ(counters.drops[i].Get(), bad_tag ? 5u : 0u);
  }
}

#undef LWT_TEXT

}  // namespace
}  // namespace lwt
