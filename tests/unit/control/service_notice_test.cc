#include "control/service_notice.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "tests/unit/control/service/notify_socket.h"
#include "tests/unit/control/service/scoped_variable.h"
#include "tests/unit/control/session/world.h"
#include "tests/unit/control/workers/recording_link.h"

namespace lwt {
namespace {

class ServiceNoticeTest : public testing::Test {
 protected:
  peer::FakeNet net_;
  peer::FakeHost host_{net_, peer::At("192.0.2.1:1").address};
  peer::RecordingLink inner_;
  peer::OrderedLink link_{inner_};
  peer::LaneSlots lanes_{4, 1};
  peer::PeerTable table_{link_, host_, lanes_, 3, 1};
  service::NotifySocket socket_;
};

TEST_F(ServiceNoticeTest, GivesASignTwiceInTheTime) {
  const service::ScopedVariable period("WATCHDOG_USEC", "4000000");
  const service::ScopedVariable pid("WATCHDOG_PID", absl::StrCat(getpid()));
  service::Manager manager;
  ServiceNotice notice(manager, table_, "client, lwt0");
  notice.OnTimer(1'000'000);
  EXPECT_EQ(socket_.Next(), "WATCHDOG=1");
  EXPECT_EQ(notice.NextDeadline(), 3'000'000u);
  notice.OnTimer(2'999'999);
  EXPECT_EQ(socket_.Next(), "");
  notice.OnTimer(3'000'000);
  EXPECT_EQ(socket_.Next(), "WATCHDOG=1");
}

TEST_F(ServiceNoticeTest, ShowsPeersOnceReadyAndOnlyWhenTheyChange) {
  service::Manager manager;
  ServiceNotice notice(manager, table_, "client, lwt0");
  notice.OnTimer(1);
  EXPECT_EQ(socket_.Next(), "");
  notice.Ready();
  EXPECT_EQ(socket_.Next(), "READY=1\nSTATUS=client, lwt0, 0 peers up");
  notice.OnTimer(5'000'000);
  EXPECT_EQ(socket_.Next(), "");
  EXPECT_EQ(notice.NextDeadline(), loop::Component::kNever);
}

}  // namespace
}  // namespace lwt
