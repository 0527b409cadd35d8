#include "control/base/text.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "control/base/printable.h"
#include "control/base/text_fields.h"

namespace lwt {
namespace {

TEST(ConcatTest, TakesTextsOfEveryKindAndNumbers) {
  const std::string own = "own";
  const std::string_view view = std::string_view("viewed").substr(0, 4);
  const absl::string_view abseil = "abseil";
  EXPECT_EQ(config::Concat("a ", own, " ", view, " ", abseil, " ", -7, " ",
                           uint64_t{1} << 63, " ", uint8_t{9} + 0),
            "a own view abseil -7 9223372036854775808 9");
  EXPECT_EQ(config::Concat(""), "");
  // A view need not end with a null, and may hold one.
  EXPECT_EQ(config::Concat(std::string_view("a\0b", 3)).size(), 3u);
}

TEST(ConcatTest, InvalidIsAnInvalidArgument) {
  const absl::Status status = config::Invalid("mtu ", 12, " is too small");
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_EQ(status.message(), "mtu 12 is too small");
}

TEST(PrintableTest, OnlyPrintableAsciiStays) {
  std::string every_byte;
  for (int byte = 0; byte < 256; ++byte) {
    every_byte += static_cast<char>(byte);
  }
  const std::string clean = api::Printable(every_byte);
  ASSERT_EQ(clean.size(), every_byte.size()) << "nothing moves";
  for (int byte = 0; byte < 256; ++byte) {
    EXPECT_EQ(clean[static_cast<size_t>(byte)],
              byte >= ' ' && byte <= '~' ? static_cast<char>(byte) : '?')
        << byte;
  }
  EXPECT_EQ(api::Printable("\x1b[2Jcaf\xc3\xa9"), "?[2Jcaf??");
  EXPECT_EQ(api::Printable(""), "");
}

// All fields of a line, until nothing is left.
std::vector<std::string> FieldsOf(std::string_view text) {
  std::vector<std::string> fields;
  while (!text.empty()) fields.emplace_back(host::TakeField(text, ' '));
  return fields;
}

TEST(TakeFieldTest, TakesWhatStandsBeforeTheSeparator) {
  using Fields = std::vector<std::string>;
  EXPECT_EQ(FieldsOf("a bc d"), (Fields{"a", "bc", "d"}));
  EXPECT_EQ(FieldsOf("alone"), (Fields{"alone"}));
  EXPECT_EQ(FieldsOf("a  b"), (Fields{"a", "", "b"})) << "an empty one is one";
  EXPECT_EQ(FieldsOf(" a"), (Fields{"", "a"}));
  EXPECT_EQ(FieldsOf("a "), (Fields{"a"})) << "nothing follows the last one";
  std::string_view nothing;
  EXPECT_EQ(host::TakeField(nothing, ' '), "");
}

template <typename T>
struct NumberRow {
  std::string_view text;
  bool good;
  T value = 0;
};

template <typename T>
void Check(const std::vector<NumberRow<T>>& rows) {
  for (const auto& row : rows) {
    T value = 77;  // whatever stood there
    ASSERT_EQ(host::ReadNumber(row.text, value), row.good) << row.text;
    if (row.good) {
      EXPECT_EQ(value, row.value) << row.text;
    }
  }
}

TEST(ReadNumberTest, TakesWholeDecimalNumbersInRangeOnly) {
  Check<uint8_t>({{"0", true, 0},
                  {"255", true, 255},
                  {"007", true, 7},
                  {"256", false},
                  {"-1", false},
                  {"+1", false},
                  {"", false},
                  {" 1", false},
                  {"1 ", false},
                  {"0x10", false},
                  {"1.0", false},
                  {std::string_view("1\0", 2), false}});
  Check<int32_t>({{"-2147483648", true, INT32_MIN},
                  {"2147483647", true, INT32_MAX},
                  {"2147483648", false},
                  {"-", false}});
  Check<uint64_t>({{"18446744073709551615", true, UINT64_MAX},
                   {"18446744073709551616", false}});
}

}  // namespace
}  // namespace lwt
