#include "control/service/environment.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "tests/unit/control/service/scoped_variable.h"

namespace lwt::service {
namespace {

TEST(EnvironmentTest, TakesFoldersThatAreGiven) {
  const ScopedVariable run("RUNTIME_DIRECTORY", "/run/lwt/office");
  const ScopedVariable state("STATE_DIRECTORY", "/var/lib/lwt/office:/srv/lwt");
  const ScopedVariable credentials("CREDENTIALS_DIRECTORY", "/run/keys");
  const Environment environment = ReadEnvironment();
  EXPECT_EQ(environment.run_dir, "/run/lwt/office");
  EXPECT_EQ(environment.state_dir, "/var/lib/lwt/office");
  EXPECT_EQ(environment.credentials_dir, "/run/keys");
  EXPECT_EQ(environment.ordinary_user, geteuid() != 0);
}

TEST(EnvironmentTest, TakesNothingElse) {
  const ScopedVariable run("RUNTIME_DIRECTORY", "office");
  const ScopedVariable state("STATE_DIRECTORY", "");
  const Environment environment = ReadEnvironment();
  EXPECT_EQ(environment.run_dir, "");
  EXPECT_EQ(environment.state_dir, "");
  EXPECT_EQ(environment.credentials_dir, "");
}

TEST(EnvironmentTest, KnowsTheStreamThatLeadsToTheJournal) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  EXPECT_FALSE(IsJournal(ends[1]));
  struct stat status;
  ASSERT_EQ(fstat(ends[1], &status), 0);
  const ScopedVariable stream("JOURNAL_STREAM",
                              absl::StrCat(status.st_dev, ":", status.st_ino));
  EXPECT_TRUE(IsJournal(ends[1]));
  // A shell that redirected it hands the variable on all the same.
  EXPECT_FALSE(IsJournal(0));
  EXPECT_FALSE(IsJournal(-1));
  close(ends[0]);
  close(ends[1]);
}

}  // namespace
}  // namespace lwt::service
