#include "control/service/manager.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "tests/unit/control/service/notify_socket.h"
#include "tests/unit/control/service/scoped_variable.h"

namespace lwt::service {
namespace {

TEST(ManagerTest, SaysWhatHappens) {
  NotifySocket socket;
  Manager manager;
  manager.Ready("server, lwt0");
  EXPECT_EQ(socket.Next(), "READY=1\nSTATUS=server, lwt0");
  manager.ShowStatus("server, lwt0, 2 peers up");
  EXPECT_EQ(socket.Next(), "STATUS=server, lwt0, 2 peers up");
  manager.Reloading();
  const std::string reloading = socket.Next();
  EXPECT_TRUE(reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="));
  manager.StillTurns();
  EXPECT_EQ(socket.Next(), "WATCHDOG=1");
  manager.Stopping();
  EXPECT_EQ(socket.Next(), "STOPPING=1\nSTATUS=stopping");
}

TEST(ManagerTest, KnowsTheWatchdogThatIsMeantForIt) {
  EXPECT_EQ(Manager().watchdog_us(), 0u);
  const ScopedVariable period("WATCHDOG_USEC", "30000000");
  {
    const ScopedVariable pid("WATCHDOG_PID", absl::StrCat(getpid()));
    EXPECT_EQ(Manager().watchdog_us(), 30'000'000u);
  }
  const ScopedVariable pid("WATCHDOG_PID", "1");
  EXPECT_EQ(Manager().watchdog_us(), 0u);
}

// Started by hand, there is nobody to tell.
TEST(ManagerTest, IsQuietWithoutAManager) {
  Manager manager;
  manager.Ready("client");
  manager.StillTurns();
  NotifySocket socket;
  EXPECT_EQ(socket.Next(), "");
}

}  // namespace
}  // namespace lwt::service
