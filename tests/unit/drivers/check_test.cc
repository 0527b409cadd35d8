#include "drivers/check.h"

#include <gtest/gtest.h>

#include <vector>

namespace lwt {
namespace {

TEST(CheckDeathTest, EndsTheProcessAndSaysWhere) {
  LWT_CHECK(true, "never said");
  EXPECT_DEATH(LWT_CHECK(1 > 2, "one is not"),
               "check_test.cc:.*does not hold: 1 > 2: one is not");
}

TEST(CheckDeathTest, AnAssertionIsAskedInDebugBuildsOnly) {
  int asked = 0;
  LWT_ASSERT(++asked == 1);
#ifdef NDEBUG
  EXPECT_EQ(asked, 0);
#else
  EXPECT_EQ(asked, 1);
  EXPECT_DEATH(LWT_ASSERT(asked == 7), "does not hold: asked == 7");
#endif
}

#ifdef _GLIBCXX_ASSERTIONS
// As builds for tests are set up.
TEST(CheckDeathTest, TheStandardLibraryChecksItsIndices) {
  std::vector<int> numbers(3);
  volatile size_t index = 3;
  EXPECT_DEATH(numbers[index] = 1, "");
}
#endif

}  // namespace
}  // namespace lwt
