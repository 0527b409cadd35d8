#include "control/hub/banned_keys.h"

#include <gtest/gtest.h>

#include "control/base/files.h"
#include "tests/unit/control/host/scratch_dir.h"

namespace lwt::peer {
namespace {

constexpr std::string_view kBannedText =
    "lightweight-tunnel banned 1\n"
    "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
    "AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";

BannedKeys Two() { return {handshake::PublicKey{1}, handshake::PublicKey{2}}; }

TEST(BannedKeysTest, TextIsGolden) {
  EXPECT_EQ(FormatBannedKeys(Two()), kBannedText);
  EXPECT_EQ(ParseBannedKeys(kBannedText), Two());
  EXPECT_EQ(ParseBannedKeys("lightweight-tunnel banned 1\n"), BannedKeys());
}

TEST(BannedKeysTest, RefusesWhatItWouldNotWrite) {
  const std::string head = "lightweight-tunnel banned 1\n";
  for (const std::string& text :
       {std::string(), std::string("lightweight-tunnel banned 2\n"),
        head + "\n", head + "AQ==\n",
        head + "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= now\n",
        head + " AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"}) {
    EXPECT_FALSE(ParseBannedKeys(text)) << text;
  }
  BannedKeys many;
  for (uint32_t i = 0; i <= kMaxBannedKeys; ++i) {
    many.insert({static_cast<uint8_t>(i), static_cast<uint8_t>(i >> 8)});
  }
  EXPECT_FALSE(ParseBannedKeys(FormatBannedKeys(many)));
  many.erase(many.begin());
  EXPECT_TRUE(ParseBannedKeys(FormatBannedKeys(many)));
}

// Who was banned must not come in because a file was damaged.
TEST(BannedKeysTest, AFileOfRubbishIsAnErrorAndStays) {
  host::ScratchDir dir;
  ASSERT_TRUE(LoadBannedKeys(dir.path()).ok()) << "none, and nobody is banned";
  const std::string path = BannedKeysPath(dir.path());
  ASSERT_TRUE(host::ReplaceFile(path, kBannedText).ok());
  const auto keys = LoadBannedKeys(dir.path());
  ASSERT_TRUE(keys.ok()) << keys.status();
  EXPECT_EQ(*keys, Two());
  ASSERT_TRUE(host::ReplaceFile(path, "rubbish").ok());
  EXPECT_NE(LoadBannedKeys(dir.path()).status().message().find(path),
            std::string::npos);
  EXPECT_EQ(*host::ReadFile(path), "rubbish");
}

TEST(BannedKeysTest, AFileOfALaterVersionIsRefusedByName) {
  host::ScratchDir dir;
  const std::string path = BannedKeysPath(dir.path());
  constexpr std::string_view kLater = "lightweight-tunnel banned 2\nmore\n";
  ASSERT_TRUE(host::ReplaceFile(path, kLater).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(LoadBannedKeys(dir.path()).status()));
  EXPECT_EQ(*host::ReadFile(path), kLater);
}

}  // namespace
}  // namespace lwt::peer
