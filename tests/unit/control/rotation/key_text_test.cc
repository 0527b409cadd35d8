#include "control/rotation/key_text.h"

#include <gtest/gtest.h>

#include "control/config/load.h"

namespace lwt::rotation {
namespace {

using handshake::IdOfKey;

constexpr std::string_view kNew =
    "lwt1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

std::string Changed(std::string_view toml, std::string_view old) {
  const auto text = SettingsWithKey(toml, IdOfKey(old), kNew);
  return text.ok() ? *text : "error: " + std::string(text.status().message());
}

TEST(KeyTextTest, OnlyTheKeysOwnBytesChange) {
  const std::string quoted = "\"" + std::string(kNew) + "\"";
  struct {
    std::string before;
    std::string value;
    std::string after;
    std::string old = "key of before";
  } cases[] = {
      {"key = ", "\"key of before\"", "\n"},
      {"# key = \"x\"\r\nmode = \"client\"\r\n\tkey='", "", ""},
      {"key=", "'key of before'", "# why\nmode = \"client\"\n"},
      {"mode = \"client\" # \xc3\xa4\nkey  =\t", "\"\"\"\nkey of before\"\"\"",
       "   # \xe2\x82\xac\n[uplink]\nkey2 = 1\n"},
      {"key = ", "\"key \\u006ff before\"", ""},
      {"key = ", "\"gr\xc3\xbc\xc3\x9f dich, Welt\"", "\nmtu = 1400\n",
       "gr\xc3\xbc\xc3\x9f dich, Welt"},
      {"\"key\" = ", "\"key of before\"", "\n[[peer]]\npublic_key = \"key\"\n"},
  };
  for (const auto& one : cases) {
    if (one.value.empty()) continue;
    EXPECT_EQ(Changed(one.before + one.value + one.after, one.old),
              one.before + quoted + one.after);
  }
}

TEST(KeyTextTest, WhatIsNotTheKeyOfTheStartStays) {
  EXPECT_EQ(Changed("mode = \"client\"\n", "x"),
            "error: there is no key in it");
  EXPECT_EQ(Changed("[table]\nkey = \"x\"\n", "x"),
            "error: there is no key in it");
  EXPECT_EQ(Changed("key = 3\n", "3"), "error: there is no key in it");
  EXPECT_EQ(Changed("key = \"x\n", "x"), "error: there is no key in it");
  const std::string other =
      "error: the key in it is not the one that was read at the start";
  EXPECT_EQ(Changed("key = \"edited meanwhile\"\n", "key of before"), other);
}

TEST(KeyTextTest, OfAKeyFileTheFirstLineIsTheKey) {
  const std::string key(kNew);
  const auto with = [&](std::string_view text) {
    const auto changed = KeyFileWithKey(text, IdOfKey("old key"), key);
    return changed.ok() ? *changed : "";
  };
  EXPECT_EQ(with("old key"), key);
  EXPECT_EQ(with("old key\n"), key + "\n");
  EXPECT_EQ(with("old key\r\nnotes\n"), key + "\r\nnotes\n");
  EXPECT_EQ(with("old key \n"), "");
  EXPECT_EQ(with("\nold key\n"), "");
  EXPECT_EQ(with(""), "");
}

}  // namespace
}  // namespace lwt::rotation
