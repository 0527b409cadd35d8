// A row of this test's own: all that is said of a setting is its row
// (docs/CONTRIBUTING.md, "A setting"). Reading, checking and showing it follow;
// what goes through the whole table is held to that by options_test.cc.
#include <gtest/gtest.h>

#include <type_traits>
#include <vector>

#include "control/config/fields.h"
#include "control/config/networks.h"
#include "control/config/options.h"
#include "control/config/values.h"

namespace lwt::config {
namespace {

absl::Status TakeAnybody(const std::vector<IpPrefix>&) {
  return absl::OkStatus();
}

constexpr Option kAddedRow = {
    .group = "Test",
    .flag = "greeting-us",
    .toml = "test.greeting_us",
    .takes = Takes::kLive,
    .value_name = "MICROSECONDS",
    .min = 10,
    .max = 60'000,
    .sentence = "How long a greeting may take.",
    .field = Integer<In<&Config::fec, &FecConfig::flush_us>>()};

constexpr Option kAddedList = {
    .group = "Test",
    .flag = "greeted",
    .toml = "test.greeted",
    .takes = Takes::kNextConnection,
    .value_name = "NETWORK[,...]",
    .sentence = "Who is greeted.",
    .field = List<In<&Config::routing, &RoutingConfig::own>, ReadNetwork,
                  TakeAnybody>()};

// A row that does not say what a change waits for is none.
static_assert(!std::is_default_constructible_v<Option>);

TEST(AddedOption, IsReadAndShownByItsRow) {
  Config config;
  ASSERT_TRUE(ApplyText(kAddedRow, "250", config).ok());
  const Value value = ValueOf(kAddedRow, config);
  EXPECT_EQ(value.integer, 250);
  EXPECT_EQ(FlagText(kAddedRow, value), "250");
  EXPECT_EQ(TomlText(kAddedRow, value), "250");
  EXPECT_EQ(TableOf(kAddedRow), "test");
  EXPECT_EQ(KeyOf(kAddedRow), "greeting_us");
  EXPECT_EQ(DefaultText(kAddedRow),
            FlagText(kAddedRow, ValueOf(kAddedRow, Config{})));
}

TEST(AddedOption, IsRefusedByItsRow) {
  Config config;
  for (const char* text : {"9", "60001", "soon", ""}) {
    EXPECT_FALSE(ApplyText(kAddedRow, text, config).ok()) << text;
  }
  EXPECT_EQ(ValueOf(kAddedRow, config), ValueOf(kAddedRow, Config{}));
}

TEST(AddedOption, AListIsTextWithCommasAndAnArray) {
  Config config;
  ASSERT_TRUE(ApplyText(kAddedList, "10.1.0.0/16, fd01::/64", config).ok());
  const Value value = ValueOf(kAddedList, config);
  EXPECT_EQ(FlagText(kAddedList, value), "10.1.0.0/16,fd01::/64");
  EXPECT_EQ(TomlText(kAddedList, value), R"(["10.1.0.0/16", "fd01::/64"])");
  EXPECT_FALSE(ApplyText(kAddedList, "10.1.0.0/16,nobody", config).ok());
  EXPECT_EQ(ValueOf(kAddedList, config), value);
}

}  // namespace
}  // namespace lwt::config
