#include "drivers/text_file.h"

#include <gtest/gtest.h>

#include "tests/unit/drivers/temp_tree.h"

namespace lwt {
namespace {

TEST(ReadTextFileTest, ReadsABoundedPart) {
  TempTree tree;
  tree.Write("short", "12\n");
  tree.Write("long", std::string(100000, 'x'));
  tree.Write("empty", "");
  EXPECT_EQ(ReadTextFile(tree.root() + "/short"), "12\n");
  EXPECT_EQ(ReadTextFile(tree.root() + "/long"), std::string(65536, 'x'));
  EXPECT_EQ(ReadTextFile(tree.root() + "/empty"), "");
}

TEST(ReadTextFileTest, IsEmptyForWhatCannotBeRead) {
  TempTree tree;
  EXPECT_EQ(ReadTextFile(tree.root() + "/absent"), "");
  EXPECT_EQ(ReadTextFile(tree.root()), "");
}

TEST(TrimTest, TakesWhiteSpaceOff) {
  EXPECT_EQ(Trim(" \t a b \r\n"), "a b");
  EXPECT_EQ(Trim(" \n"), "");
  EXPECT_EQ(Trim(""), "");
}

TEST(ParseNumberTest, TakesWholeNumbersOnly) {
  EXPECT_EQ(ParseNumber("42\n"), 42u);
  EXPECT_EQ(ParseNumber(" 0 "), 0u);
  EXPECT_EQ(ParseNumber("18446744073709551615"), UINT64_MAX);
  EXPECT_EQ(ParseNumber("ff", 16), 255u);
  for (const std::string_view text :
       {"", " ", "-1", "+1", "1x", "0x10", "1 2", "18446744073709551616"}) {
    EXPECT_EQ(ParseNumber(text), std::nullopt) << text;
  }
  EXPECT_EQ(ParseNumber(std::string_view("1\0", 2)), std::nullopt);
}

TEST(FindFieldTest, TakesTheFirstLineOfThatName) {
  EXPECT_EQ(FindField("a: 1\nb\t: 2 \nb: 3\n", "b"), "2");
  EXPECT_EQ(FindField("a:", "a"), "");
  EXPECT_EQ(FindField("a: x:y", "a"), "x:y");
}

TEST(FindFieldTest, FindsNothingInOtherText) {
  for (const std::string_view text :
       {"", "\n\n", "ab: 1", "a", "xa: 1\n", "b\na\n", ":a\n"}) {
    EXPECT_EQ(FindField(text, "a"), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace lwt
