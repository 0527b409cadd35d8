#include "control/config/secret_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/unit/control/host/scratch_dir.h"

namespace lwt::config {
namespace {

class SecretFileTest : public testing::Test {
 protected:
  std::string Write(const std::string& name, std::string_view text,
                    mode_t mode = 0600) {
    const std::string path = scratch_.path() + "/" + name;
    std::ofstream(path) << text;
    EXPECT_EQ(chmod(path.c_str(), mode), 0);
    return path;
  }
  // The key of a file, or why there is none.
  std::string KeyOf(const std::string& path) {
    const auto key = ReadKeyFile(path, warnings_);
    return key.ok() ? *key : std::string(key.status().message());
  }

  host::ScratchDir scratch_;
  std::vector<std::string> warnings_;
};

TEST_F(SecretFileTest, TheKeyIsTheFirstLine) {
  const struct {
    std::string_view text;
    std::string_view key;
  } rows[] = {
      {"secret words\n", "secret words"},
      {"no line end", "no line end"},
      {"windows\r\n", "windows"},
      {"first\nsecond\n", "first"},
      {" spaces count \n", " spaces count "},
      {"caf\xc3\xa9\n", "caf\xc3\xa9"},
  };
  for (const auto& row : rows) EXPECT_EQ(KeyOf(Write("k", row.text)), row.key);
  EXPECT_TRUE(warnings_.empty());
}

TEST_F(SecretFileTest, AFileWithoutAKeyIsToldHowToFill) {
  for (const std::string_view text :
       {std::string_view(""), std::string_view("\n"),
        std::string_view("\r\nkey\n"), std::string_view("a\0b\n", 4)}) {
    const std::string path = Write("k", text);
    EXPECT_EQ(KeyOf(path), path +
                               " has no key in its first line; fill it "
                               "with: lightweight-tunnel genkey > " +
                               path);
  }
}

TEST_F(SecretFileTest, WhoElseMayReadItIsSaid) {
  const struct {
    mode_t mode;
    bool open;
  } rows[] = {{0600, false}, {0400, false}, {0700, false}, {0640, true},
              {0604, true},  {0620, true},  {0666, true},  {0601, true}};
  for (const auto& row : rows) {
    warnings_.clear();
    const std::string path = Write("k", "secret\n", row.mode);
    EXPECT_EQ(KeyOf(path), "secret");
    const std::vector<std::string> expected =
        row.open ? std::vector<std::string>{OpenFileWarning(path)}
                 : std::vector<std::string>{};
    EXPECT_EQ(warnings_, expected) << std::oct << row.mode;
  }
  EXPECT_EQ(OpenFileWarning("/k"),
            "/k holds a key and others may read it; close it with: chmod 600 "
            "/k");
}

// `key_file` may be what a shell makes of <(pass show vpn).
TEST_F(SecretFileTest, APipeIsReadAndIsNobodysToClose) {
  const std::string path = scratch_.path() + "/pipe";
  ASSERT_EQ(mkfifo(path.c_str(), 0666), 0);
  std::thread writer([&] {
    std::ofstream out(path);
    out << "from a pipe\n";
  });
  EXPECT_EQ(KeyOf(path), "from a pipe");
  writer.join();
  EXPECT_TRUE(warnings_.empty());
}

// Nobody writes: whoever opened it to read would wait for ever.
TEST_F(SecretFileTest, WhoReadsAgainWaitsForNoPipe) {
  const std::string path = scratch_.path() + "/pipe";
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  const std::string said =
      "cannot read " + path +
      ": it is no regular file, and can be read at a start only";
  EXPECT_EQ(ReadKeyFile(path, warnings_, FileKind::kRegular).status().message(),
            said);
  EXPECT_EQ(ReadFile(path, 10, FileKind::kRegular).status().message(), said);
  EXPECT_FALSE(ReadFile("/dev/null", 10, FileKind::kRegular).ok());
  const auto key =
      ReadKeyFile(Write("k", "a key\n"), warnings_, FileKind::kRegular);
  ASSERT_TRUE(key.ok()) << key.status();
  EXPECT_EQ(*key, "a key");
}

TEST_F(SecretFileTest, WhatCannotBeReadIsNamedWithItsReason) {
  const std::string folder = scratch_.path();
  EXPECT_EQ(KeyOf(folder), "cannot read " + folder + ": it is a folder");
  EXPECT_EQ(KeyOf(folder + "/none"),
            "cannot read " + folder + "/none: No such file or directory");
  const std::string loop = folder + "/loop";
  ASSERT_EQ(symlink(loop.c_str(), loop.c_str()), 0);
  EXPECT_EQ(KeyOf(loop),
            "cannot read " + loop + ": Too many levels of symbolic links");
}

TEST_F(SecretFileTest, AFileIsReadToItsLimitAndNoFurther) {
  const std::string exact = Write("exact", std::string(10'000, 'x'));
  const auto whole = ReadFile(exact, 10'000);
  ASSERT_TRUE(whole.ok()) << whole.status();
  EXPECT_EQ(whole->text.size(), 10'000u);
  EXPECT_EQ(ReadFile(exact, 9'999).status().message(),
            "cannot read " + exact + ": it is larger than 9999 bytes");
  EXPECT_EQ(KeyOf("/dev/zero"),
            "cannot read /dev/zero: it is larger than 4096 bytes");
  const auto empty = ReadFile("/dev/null", 10);
  ASSERT_TRUE(empty.ok());
  EXPECT_FALSE(empty->others_may_read) << "a device keeps nothing";
}

}  // namespace
}  // namespace lwt::config
