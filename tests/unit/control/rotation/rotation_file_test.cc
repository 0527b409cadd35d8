#include "control/rotation/rotation_file.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "control/handshake/psk.h"

namespace lwt::rotation {
namespace {

using Where = handshake::KeyKept::Where;

RotationState Sample() {
  RotationState state;
  state.key = handshake::GenerateKey();
  state.began_ms = 1'750'000'000'123;
  for (uint8_t i = 1; i <= RotationState::kMaxBefore; ++i) {
    RotationState::Before before{.since_ms = uint64_t{1'750'000'000'000} - i};
    std::ranges::fill(before.psk.bytes(), i);
    state.before.push_back(before);
  }
  for (uint8_t i = 0; i < 3; ++i) {
    handshake::PublicKey key{};
    key.fill(i);
    state.clients[key] = {.kept_ms = i * 1000u,
                          .where = static_cast<Where>(i),
                          .proved = i == 2,
                          .seen_ms = 7};
  }
  return state;
}

TEST(RotationFile, ReadsAsItWasWritten) {
  const RotationState state = Sample();
  const std::string text = FormatRotation(state);
  const auto read = ParseRotation(text);
  ASSERT_TRUE(read) << text;
  EXPECT_EQ(FormatRotation(*read), text);
  EXPECT_EQ(read->key, state.key);
  EXPECT_EQ(read->began_ms, state.began_ms);
  ASSERT_EQ(read->before.size(), 2u);
  EXPECT_EQ(read->before[1].psk, state.before[1].psk);
  ASSERT_EQ(read->clients.size(), 3u);
  EXPECT_TRUE(read->clients.rbegin()->second.proved);
}

TEST(RotationFile, RefusesWhatIsNoneOfItsForms) {
  const std::string text = FormatRotation(Sample());
  EXPECT_FALSE(ParseRotation(""));
  for (size_t size = 0; size < text.size(); ++size) {
    const auto cut = ParseRotation(text.substr(0, size));
    // A whole number of lines is a file, with fewer clients.
    EXPECT_EQ(cut.has_value(), size > 50 && text[size - 1] == '\n') << size;
  }
  const auto with = [&](std::string_view from, std::string_view to) {
    std::string changed = text;
    changed.replace(changed.find(from), from.size(), to);
    return ParseRotation(changed).has_value();
  };
  EXPECT_TRUE(with("unproved", "proved"));
  EXPECT_FALSE(with("unproved", "perhaps"));
  EXPECT_FALSE(with("rotation 1", "rotation 2"));
  EXPECT_FALSE(with(" 1750000000123", " 01750000000123"));
  EXPECT_FALSE(with("lwt1:", "lwt2:"));
  EXPECT_FALSE(with("state-directory", "attic"));
  EXPECT_FALSE(with("before ", "befor "));
  const std::string client = text.substr(text.rfind("client "));
  EXPECT_FALSE(ParseRotation(text + client)) << "twice";
  EXPECT_FALSE(ParseRotation(text + "\n"));
}

TEST(RotationFile, ADateIsForPeople) {
  EXPECT_EQ(DateOf(1'750'000'000'000), "2025-06-15 15:06 UTC");
}

TEST(RotationFile, IsLoadedAndWhatIsAmissIsToldApart) {
  char pattern[] = "/tmp/lwt-rotation.XXXXXX";
  const std::string folder = mkdtemp(pattern);
  const auto load = [&](const std::string& text) {
    std::ofstream(RotationPath(folder)) << text;
    return LoadRotation(folder);
  };
  EXPECT_EQ(LoadRotation(folder).value(), "") << "no file";
  const std::string text = FormatRotation(Sample());
  EXPECT_EQ(load(text).value(), text);
  EXPECT_EQ(load("").value(), "") << "what a full disk leaves";
  EXPECT_TRUE(absl::IsDataLoss(load("rubbish").status()));
  std::string later = text;
  later.replace(later.find("rotation 1"), 10, "rotation 2");
  EXPECT_TRUE(absl::IsFailedPrecondition(load(later).status()));
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace lwt::rotation
