#include "control/cli/print.h"

#include <gtest/gtest.h>

#include <string>

namespace lwt::cli {
namespace {

// What Finish() makes of a stream, and what it says.
class FinishTest : public ::testing::Test {
 protected:
  ~FinishTest() override { fclose(err_); }

  int FinishAfter(const char* path, std::string_view text, int exit_code) {
    FILE* out = fopen(path, "w");
    Print(out, text);
    const int status = Finish(out, err_, "program", exit_code);
    fclose(out);
    return status;
  }
  std::string Said() {
    std::string text(256, '\0');
    rewind(err_);
    text.resize(fread(text.data(), 1, text.size(), err_));
    return text;
  }

  FILE* err_ = tmpfile();
};

TEST_F(FinishTest, WhatWasPrintedEndsAsTheCommandDid) {
  for (const int exit_code : {0, 2, 3}) {
    EXPECT_EQ(FinishAfter("/dev/null", "words\n", exit_code), exit_code);
  }
  EXPECT_EQ(Said(), "");
}

TEST_F(FinishTest, WhoPrintsNothingNeedsNoRoom) {
  EXPECT_EQ(FinishAfter("/dev/full", "", 0), 0);
  EXPECT_EQ(Said(), "");
}

TEST_F(FinishTest, LostWordsAreAFailureWithItsReason) {
  for (const int exit_code : {0, 3}) {
    EXPECT_EQ(FinishAfter("/dev/full", "words\n", exit_code), 1);
  }
  EXPECT_EQ(Said().substr(0, Said().find('\n')),
            "program: cannot write what was to be printed: No space left on "
            "device");
}

TEST_F(FinishTest, WordsLostOnTheWayAreTooThoughNothingIsLeft) {
  FILE* out = fopen("/dev/full", "w");
  setvbuf(out, nullptr, _IONBF, 0);
  Print(out, "words\n");
  EXPECT_EQ(Finish(out, err_, "program", 0), 1);
  fclose(out);
  EXPECT_EQ(Said(), "program: cannot write what was to be printed\n");
}

}  // namespace
}  // namespace lwt::cli
