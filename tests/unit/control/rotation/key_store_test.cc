#include "control/rotation/key_store.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "control/handshake/psk.h"

namespace lwt::rotation {
namespace {

using handshake::IdOfKey;

class KeyStoreTest : public ::testing::Test {
 protected:
  KeyStoreTest() {
    char pattern[] = "/tmp/lwt-keys.XXXXXX";
    folder_ = mkdtemp(pattern);
    std::filesystem::create_directory(folder_ + "/state");
    source_.state_dir = folder_ + "/state";
    source_.configured = IdOfKey("first key");
  }
  ~KeyStoreTest() override { std::filesystem::remove_all(folder_); }

  std::string Write(const std::string& name, std::string_view text,
                    mode_t mode = 0640) {
    const std::string path = folder_ + "/" + name;
    std::ofstream(path) << text;
    chmod(path.c_str(), mode);
    return path;
  }
  static std::string Read(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  std::string InState(std::string_view configured) const {
    const auto key = KeyInPlaceOf(configured, source_.state_dir);
    if (!key.ok()) return "error";
    return key->value_or("");
  }

  std::string folder_;
  KeySource source_;
  const std::string key_ = handshake::GenerateKey();
};

TEST_F(KeyStoreTest, TheFileOfSettingsComesFirstAndStaysAsItIsOtherwise) {
  source_.settings = Write("a.toml", "key = 'first key' # Ann\nmtu = 1400\n");
  const KeptAt kept = KeepKey(source_, key_);
  EXPECT_EQ(kept.kept, Kept::kFile);
  EXPECT_EQ(kept.path, source_.settings);
  EXPECT_EQ(Read(source_.settings),
            "key = \"" + key_ + "\" # Ann\nmtu = 1400\n");
  struct stat info {};
  ASSERT_EQ(stat(source_.settings.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0640u);
  EXPECT_FALSE(std::filesystem::exists(StoredKeyPath(source_.state_dir)));
  // The next one replaces that.
  const std::string second = handshake::GenerateKey();
  EXPECT_EQ(KeepKey(source_, second).kept, Kept::kFile);
  EXPECT_NE(Read(source_.settings).find(second), std::string::npos);
  // Nothing else is left beside it.
  size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
    files += entry.is_regular_file() ? 1 : 0;
  }
  EXPECT_EQ(files, 1u);
}

TEST_F(KeyStoreTest, AKeyFileGoesByItsFirstLine) {
  source_.key_file = Write("key", "first key\nmore\n", 0600);
  source_.settings = Write("a.toml", "mode = \"client\"\n");
  EXPECT_EQ(KeepKey(source_, key_).kept, Kept::kFile);
  EXPECT_EQ(Read(source_.key_file), key_ + "\nmore\n");
}

TEST_F(KeyStoreTest, ALinkStaysOne) {
  const std::string real = Write("real.toml", "key = \"first key\"\n");
  source_.settings = folder_ + "/link.toml";
  ASSERT_EQ(symlink("real.toml", source_.settings.c_str()), 0);
  EXPECT_EQ(KeepKey(source_, key_).kept, Kept::kFile);
  EXPECT_TRUE(std::filesystem::is_symlink(source_.settings));
  EXPECT_EQ(Read(real), "key = \"" + key_ + "\"\n");
}

TEST_F(KeyStoreTest, WithoutAFileTheStateDirectoryKeepsIt) {
  const KeptAt kept = KeepKey(source_, key_);
  EXPECT_EQ(kept.kept, Kept::kStateDirectory);
  EXPECT_EQ(kept.why, "");
  EXPECT_EQ(InState("first key"), key_);
  // Another key in the settings counts for itself.
  EXPECT_EQ(InState("another key"), "");
  // The next one takes the place of the same configured key.
  const std::string second = handshake::GenerateKey();
  EXPECT_EQ(KeepKey(source_, second).kept, Kept::kStateDirectory);
  EXPECT_EQ(InState("first key"), second);
  const auto psk = PskInPlaceOf("first key", source_.state_dir);
  ASSERT_TRUE(psk.ok());
  EXPECT_EQ(*psk, *handshake::DerivePsk(second, ""));
}

TEST_F(KeyStoreTest, AFileThatWasEditedIsLeftAlone) {
  source_.settings = Write("a.toml", "key = \"edited meanwhile\"\n");
  const KeptAt kept = KeepKey(source_, key_);
  EXPECT_EQ(kept.kept, Kept::kStateDirectory);
  EXPECT_EQ(kept.why, source_.settings +
                          ": the key in it is not the one that was read at "
                          "the start");
  EXPECT_EQ(Read(source_.settings), "key = \"edited meanwhile\"\n");
}

TEST_F(KeyStoreTest, WhatTheStateKeptGoesOnceTheFileHasIt) {
  EXPECT_EQ(KeepKey(source_, key_).kept, Kept::kStateDirectory);
  source_.settings = Write("a.toml", "key = \"first key\"\n");
  const std::string second = handshake::GenerateKey();
  EXPECT_EQ(KeepKey(source_, second).kept, Kept::kFile);
  EXPECT_FALSE(std::filesystem::exists(StoredKeyPath(source_.state_dir)));
}

TEST_F(KeyStoreTest, MemoryIsWhatIsLeft) {
  source_.settings = folder_ + "/gone.toml";
  source_.state_dir = folder_ + "/no/such/folder";
  const KeptAt kept = KeepKey(source_, key_);
  EXPECT_EQ(kept.kept, Kept::kMemory);
  EXPECT_NE(kept.why.find("gone.toml"), std::string::npos) << kept.why;
  EXPECT_NE(kept.why.find("shared_key"), std::string::npos) << kept.why;
}

TEST_F(KeyStoreTest, ADamagedFileIsAnErrorAndNotTheOldKey) {
  for (const char* text :
       {"", "lightweight-tunnel shared-key 1\n",
        "lightweight-tunnel shared-key 2\nreplaces 0011223344556677\nx\n",
        "lightweight-tunnel shared-key 1\nreplaces 00112233445566\nx\n",
        "lightweight-tunnel shared-key 1\nreplaces 0011223344556677\n"
        "no generated key\n"}) {
    std::ofstream(StoredKeyPath(source_.state_dir)) << text;
    EXPECT_EQ(InState("first key"), "error") << text;
  }
}

TEST(StoredKeyText, ReadsWhatIsWrittenAndNothingLonger) {
  const StoredKey stored{IdOfKey("x"), handshake::GenerateKey()};
  const std::string text = FormatStoredKey(stored);
  const auto read = ParseStoredKey(text);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->replaces, stored.replaces);
  EXPECT_EQ(read->key, stored.key);
  EXPECT_FALSE(ParseStoredKey(text + "\n"));
  for (size_t size = 0; size < text.size(); ++size) {
    EXPECT_FALSE(ParseStoredKey(text.substr(0, size))) << size;
  }
}

TEST_F(KeyStoreTest, ALaterVersionsFileIsToldFromADamagedOne) {
  std::ofstream(StoredKeyPath(source_.state_dir))
      << "lightweight-tunnel shared-key 2\nof another form\n";
  for (const absl::Status& status :
       {KeyInPlaceOf("first key", source_.state_dir).status(),
        PskInPlaceOf("first key", source_.state_dir).status()}) {
    EXPECT_TRUE(absl::IsFailedPrecondition(status));
    EXPECT_NE(status.message().find("was written by a later version"),
              absl::string_view::npos)
        << status;
  }
}

}  // namespace
}  // namespace lwt::rotation
