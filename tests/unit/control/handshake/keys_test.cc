#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "tests/unit/control/handshake/exchange_fixture.h"

namespace lwt::handshake {
namespace {

namespace files = std::filesystem;

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = files::temp_directory_path() / "lwt-keys-XXXXXX";
    path = mkdtemp(name.data());
  }
  ~TemporaryDirectory() { files::remove_all(path); }
  std::string path;
};

unsigned ModeOf(const std::string& path) {
  struct stat info {};
  EXPECT_EQ(stat(path.c_str(), &info), 0) << path;
  return info.st_mode & 07777;
}

void Overwrite(const std::string& path, std::string_view text) {
  std::ofstream(path) << text;
}

TEST(Psk, ArgonIsSaltedByTheNetwork) {
  ASSERT_TRUE(InitCrypto());
  const auto a = DerivePsk("my-secret-password-2024", "default");
  const auto b = DerivePsk("my-secret-password-2024", "other");
  ASSERT_TRUE(a.ok() && b.ok());
  EXPECT_FALSE(*a == *b);
  // Argon2id as any other implementation computes it from docs/protocol.md.
  const Digest salt =
      Sha256({AsBytes(std::string_view("lightweight-tunnel/1\0default", 28))});
  SecretKey expected;
  ASSERT_EQ(
      crypto_pwhash(expected.bytes().data(), 32, "my-secret-password-2024", 23,
                    salt.data(), 3, 64 << 20, crypto_pwhash_ALG_ARGON2ID13),
      0);
  EXPECT_TRUE(*a == expected);
}

TEST(Psk, GeneratedKeysSkipArgon) {
  ASSERT_TRUE(InitCrypto());
  const std::string key = GenerateKey();
  EXPECT_EQ(key.size(), 5u + 46);
  EXPECT_TRUE(key.starts_with("lwt1:"));
  EXPECT_NE(key, GenerateKey());
  const auto a = DerivePsk(key, "default");
  const auto b = DerivePsk(key, "other");
  ASSERT_TRUE(a.ok() && b.ok());
  EXPECT_TRUE(*a == *b);
  EXPECT_FALSE(WeakKeyWarning(key));
  for (size_t i = 5; i < key.size(); ++i) {
    std::string typo = key;
    typo[i] = typo[i] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(DerivePsk(typo, "").ok()) << i;
  }
  EXPECT_FALSE(DerivePsk(key.substr(0, key.size() - 1), "").ok());
  EXPECT_FALSE(DerivePsk(key + "A", "").ok());
  EXPECT_FALSE(DerivePsk("lwt1:", "").ok());
}

TEST(Psk, ShortIsRefusedAndWeakIsSaid) {
  EXPECT_TRUE(absl::IsInvalidArgument(DerivePsk("1234567", "").status()));
  EXPECT_TRUE(WeakKeyWarning("12345678"));
  EXPECT_TRUE(WeakKeyWarning("aaaaaaaaaaaaaaaaaaaa"));
  EXPECT_TRUE(WeakKeyWarning("1234567890123"));
  EXPECT_FALSE(WeakKeyWarning("my-secret-password-2024"));
  EXPECT_TRUE(NullPsk() == SecretKey());
}

// The check by itself says what deriving would say.
TEST(Psk, TheCheckRefusesWhatDerivingRefuses) {
  std::string changed = GenerateKey();
  changed.back() = changed.back() == 'A' ? 'B' : 'A';
  for (const std::string& key :
       {std::string("1234567"), std::string("lwt1:"), std::string("lwt1:abc"),
        GenerateKey() + "A", changed}) {
    const absl::Status status = CheckKey(key);
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << key;
    EXPECT_EQ(DerivePsk(key, "").status(), status) << key;
  }
  EXPECT_TRUE(CheckKey("12345678").ok());
  EXPECT_TRUE(CheckKey(GenerateKey()).ok());
}

TEST(StaticKey, IsMadeOnceAndKept) {
  ASSERT_TRUE(InitCrypto());
  TemporaryDirectory dir;
  const std::string state = dir.path + "/a/b";
  const auto first = LoadOrCreateStaticKey(state);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(ModeOf(state), 0700u);
  EXPECT_EQ(ModeOf(state + "/static.key"), 0600u);
  const auto second = LoadOrCreateStaticKey(state);
  ASSERT_TRUE(second.ok());
  EXPECT_EQ(first->public_key, second->public_key);
  EXPECT_TRUE(first->secret == second->secret);
  size_t entries = 0;
  for (const auto& entry : files::directory_iterator(state)) {
    entries += entry.is_regular_file();
  }
  EXPECT_EQ(entries, 1u) << "no scratch file is left";
}

TEST(StaticKey, WideModesAndRubbishAreRefused) {
  ASSERT_TRUE(InitCrypto());
  TemporaryDirectory dir;
  const std::string path = dir.path + "/static.key";
  ASSERT_TRUE(LoadOrCreateStaticKey(dir.path).ok());
  ASSERT_EQ(chmod(path.c_str(), 0640), 0);
  const auto wide = LoadOrCreateStaticKey(dir.path);
  EXPECT_TRUE(absl::IsPermissionDenied(wide.status()));
  EXPECT_NE(wide.status().message().find("chmod 600 " + path),
            absl::string_view::npos);
  ASSERT_EQ(chmod(path.c_str(), 0600), 0);
  for (std::string_view text : {"", "short", "!!!!"}) {
    Overwrite(path, text);
    EXPECT_TRUE(absl::IsDataLoss(LoadOrCreateStaticKey(dir.path).status()));
  }
  Overwrite(path, std::string(44, 'A') + "\n" + std::string(44, 'A'));
  EXPECT_FALSE(LoadOrCreateStaticKey(dir.path).ok());
}

// A pipe in its place: whoever opened it to read would wait for ever.
TEST(StaticKey, APipeIsNoKeyAndIsNotWaitedFor) {
  ASSERT_TRUE(InitCrypto());
  const TemporaryDirectory dir;
  ASSERT_EQ(mkfifo((dir.path + "/static.key").c_str(), 0600), 0);
  const auto key = LoadOrCreateStaticKey(dir.path);
  EXPECT_TRUE(absl::IsFailedPrecondition(key.status())) << key.status();
  ASSERT_EQ(mkfifo((dir.path + "/server.pub").c_str(), 0600), 0);
  const auto pinned = ExpectedHubKey(dir.path, "");
  EXPECT_TRUE(absl::IsFailedPrecondition(pinned.status())) << pinned.status();
}

TEST(StaticKey, TextForm) {
  const StaticKey key = FixedStaticKey(3);
  const std::string text = PublicKeyToText(key.public_key);
  EXPECT_EQ(text.size(), 44u);
  EXPECT_EQ(*PublicKeyFromText(text), key.public_key);
  EXPECT_FALSE(PublicKeyFromText(text.substr(1)).ok());
  EXPECT_FALSE(PublicKeyFromText(text + "A").ok());
  EXPECT_FALSE(PublicKeyFromText("").ok());
}

TEST(HubKey, IsPinnedAtFirstContactAndKept) {
  TemporaryDirectory dir;
  const PublicKey hub = FixedStaticKey(4).public_key;
  const PublicKey other = FixedStaticKey(5).public_key;
  auto expected = ExpectedHubKey(dir.path, "");
  ASSERT_TRUE(expected.ok());
  EXPECT_FALSE(expected->has_value());
  EXPECT_TRUE(PinHubKey(dir.path, hub).ok());
  EXPECT_TRUE(PinHubKey(dir.path, hub).ok());
  expected = ExpectedHubKey(dir.path, "");
  ASSERT_TRUE(expected.ok());
  EXPECT_EQ(**expected, hub);
  const absl::Status changed = PinHubKey(dir.path, other);
  EXPECT_TRUE(absl::IsFailedPrecondition(changed));
  EXPECT_NE(changed.message().find("delete " + dir.path + "/server.pub"),
            absl::string_view::npos);
  EXPECT_EQ(**ExpectedHubKey(dir.path, ""), hub) << "never overwritten";
}

TEST(HubKey, TheSettingGoesFirst) {
  TemporaryDirectory dir;
  const PublicKey hub = FixedStaticKey(4).public_key;
  const PublicKey other = FixedStaticKey(5).public_key;
  ASSERT_TRUE(PinHubKey(dir.path, other).ok());
  EXPECT_EQ(**ExpectedHubKey(dir.path, PublicKeyToText(hub)), hub);
  const auto bad = ExpectedHubKey(dir.path, "nonsense");
  EXPECT_EQ(bad.status().message().find("server_public_key: "), 0u);
}

TEST(HubKey, AnErrorSaysWhatToDoByWhatPinnedIt) {
  const PublicKey hub = FixedStaticKey(4).public_key;
  const std::pair<PinnedBy, absl::string_view> remedies[] = {
      {PinnedBy::kFirstContact, "set up again, delete /s/server.pub"},
      {PinnedBy::kSetting, "set up again, change server_public_key"},
      {PinnedBy::kEntry,
       "set up again, change public_key of its entry [[hub]]"}};
  for (const auto& [pinned_by, remedy] : remedies) {
    const absl::Status error = HubKeyChangedError("/s", pinned_by, hub);
    EXPECT_NE(error.message().find(remedy), absl::string_view::npos) << error;
    EXPECT_NE(error.message().find(PublicKeyToText(hub)),
              absl::string_view::npos);
  }
}

TEST(OwnKey, IsToldOnceThereIsOne) {
  TemporaryDirectory dir;
  EXPECT_TRUE(absl::IsNotFound(OwnPublicKey(dir.path).status()));
  const auto made = LoadOrCreateStaticKey(dir.path);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(OwnPublicKey(dir.path).value(), made->public_key);
}

}  // namespace
}  // namespace lwt::handshake
