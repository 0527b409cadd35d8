#include "control/migrate/old_settings.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace lwt::migrate {
namespace {

std::string FileError(std::string_view json) {
  return std::string(ReadOldFile(json).status().message());
}
std::string CommandError(std::string_view command) {
  return std::string(ReadOldCommand(command).status().message());
}

TEST(OldKeysTest, EachIsThereOnce) {
  std::set<std::string_view> names;
  for (const OldKey& key : OldKeys()) {
    EXPECT_TRUE(names.insert(key.key).second) << key.key;
    EXPECT_EQ(FindOldKey(key.key), &key);
    if (key.flag.empty()) continue;
    EXPECT_EQ(FindOldFlag(key.flag), &key);
  }
}

TEST(ReadOldFileTest, ReadsEachType) {
  const auto old = ReadOldFile(
      R"({"mode": "client", "MTU": 1300, "multi_client": false,
          "routes": ["10.1.0.0/16", "10.2.0.0/16"], "colour": [{}],
          "key": null, "timeout": 1, "timeout": 2})");
  ASSERT_TRUE(old.ok()) << old.status();
  EXPECT_EQ(old->known.at("mode").text, "client");
  EXPECT_EQ(old->known.at("mtu").text, "1300");
  EXPECT_EQ(old->known.at("multi_client").text, "false");
  EXPECT_EQ(old->known.at("routes").list,
            (std::vector<std::string>{"10.1.0.0/16", "10.2.0.0/16"}));
  EXPECT_EQ(old->known.at("timeout").text, "2");
  EXPECT_FALSE(old->known.contains("key"));
  EXPECT_EQ(old->unknown, std::vector<std::string>{"colour"});
}

TEST(ReadOldFileTest, SaysWhatIsWrong) {
  EXPECT_EQ(FileError("{\"mtu\": }"), "no JSON at byte 8: Invalid value.");
  EXPECT_EQ(FileError("[]"), "no settings: the file holds no JSON object");
  EXPECT_EQ(FileError(R"({"mtu": "1400"})"), "\"mtu\" is not a whole number");
  EXPECT_EQ(FileError(R"({"mtu": 1.5})"), "\"mtu\" is not a whole number");
  EXPECT_EQ(FileError(R"({"key": 7})"), "\"key\" is not a text");
  EXPECT_EQ(FileError(R"({"multi_client": 1})"),
            "\"multi_client\" is not true or false");
  EXPECT_EQ(FileError(R"({"routes": ["a", 1]})"),
            "\"routes\" is not a list of texts");
}

// A reader that recurses would run out of stack.
TEST(ReadOldFileTest, TakesAnyDepth) {
  const std::string deep(1 << 20, '[');
  EXPECT_TRUE(FileError(deep).starts_with("no JSON at byte"));
  const std::string closed =
      "{\"x\":" + std::string(1 << 18, '[') + std::string(1 << 18, ']') + "}";
  EXPECT_TRUE(ReadOldFile(closed).ok());
}

TEST(ReadOldCommandTest, ReadsFlagsAsGoDoes) {
  const auto old = ReadOldCommand(
      "sudo ./lightweight-tunnel -m client --r=h:9000 -mtu 1300 -multi-client "
      "-p2p=false -k 'two words' -routes 10.1.0.0/16,10.2.0.0/16 "
      "-tun-name \"t\\\"0\"");
  ASSERT_TRUE(old.ok()) << old.status();
  EXPECT_EQ(old->known.at("mode").text, "client");
  EXPECT_EQ(old->known.at("remote_addr").text, "h:9000");
  EXPECT_EQ(old->known.at("mtu").text, "1300");
  EXPECT_EQ(old->known.at("multi_client").text, "true");
  EXPECT_EQ(old->known.at("p2p_enabled").text, "false");
  EXPECT_EQ(old->known.at("key").text, "two words");
  EXPECT_EQ(old->known.at("routes").list.size(), 2u);
  EXPECT_EQ(old->known.at("tun_name").text, "t\"0");
}

TEST(ReadOldCommandTest, SaysWhatIsWrong) {
  EXPECT_EQ(CommandError("t -m 'server"), "a quote is not closed: '");
  EXPECT_EQ(CommandError("t -m"), "-m stands without a value");
  EXPECT_EQ(CommandError("t -m server more"), "\"more\" is no flag");
  EXPECT_EQ(CommandError("t -colour red"), "that program had no flag -colour");
  EXPECT_EQ(CommandError("t -mtu big"), "-mtu cannot be \"big\"");
  EXPECT_EQ(CommandError("t -p2p=perhaps"), "-p2p cannot be \"perhaps\"");
  EXPECT_EQ(CommandError("t -c old.json -m server"),
            "with -c all other flags were passed over: -import FILE reads that "
            "file, \"old.json\"");
}

}  // namespace
}  // namespace lwt::migrate
