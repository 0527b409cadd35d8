// A client with the key that sends what makes a hub write to its log.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <string>

#include "control/handshake/messages.h"
#include "dataplane/wire/record.h"
#include "drivers/scoped_fd.h"
#include "tests/unit/control/session/world.h"

namespace lwt::peer {
namespace {

constexpr uint32_t kMessages = 3000;

class LogFloodTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(RunWorld(net_, hub_, {&client_}, 10 * kSecond,
                         [this] { return client_.up(); }));
  }
  // Makes the client's worker seal a control record of this content.
  void Say(const handshake::ByteVector& content) {
    const LaneName lane = client_.session->session()->lanes().front().name;
    client_.worker.Send(
        lane.worker,
        SendRecordCommand{lane.index,
                          static_cast<uint8_t>(wire::RecordKind::kControl),
                          content});
    RunFor(net_, hub_, {&client_}, 1000);
  }
  void SayMessage(handshake::ControlType type,
                  const handshake::ByteVector& body) {
    handshake::ControlMessage message;
    message.sequence = ++sequence_;
    message.type = type;
    message.body = body;
    Say(handshake::BuildControlRecord(handshake::BuildControlMessage(message),
                                      0));
  }
  std::string Logged() const {
    std::string text(static_cast<size_t>(lseek(file_.get(), 0, SEEK_END)), ' ');
    EXPECT_EQ(pread(file_.get(), text.data(), text.size(), 0),
              static_cast<ssize_t>(text.size()));
    return text;
  }
  // Lines with this text: the first ones, and few in all.
  void ExpectFewLines(std::string_view text) const {
    const std::string logged = Logged();
    EXPECT_NE(logged.find(text), std::string::npos);
    const auto lines = std::count(logged.begin(), logged.end(), '\n');
    EXPECT_GE(lines, 8);
    EXPECT_LE(lines, 16);
    EXPECT_LE(logged.size(), 16u * 512);
  }

  ScopedFd file_{memfd_create("log", MFD_CLOEXEC)};
  loop::Log log_{loop::LogLevel::kInfo, file_.get()};
  loop::Log quiet_{loop::LogLevel::kError};
  FakeNet net_;
  TestHub hub_{net_, log_};
  TestClient client_{net_, hub_.worker, quiet_, "10.0.0.2/24"};
  uint32_t sequence_ = 0;
};

TEST_F(LogFloodTest, ControlMessagesThatCannotBeRead) {
  for (uint32_t i = 0; i < kMessages; ++i) Say({1, 2, 3});
  ExpectFewLines("client 10.0.0.2: a control message that cannot be read");
}

TEST_F(LogFloodTest, NoticesOfAnyLength) {
  const std::string text(handshake::kMaxControlBody - 1, 'x');
  for (uint32_t i = 0; i < kMessages; ++i) {
    SayMessage(handshake::ControlType::kNotice,
               handshake::Notice{.text = text}.Build());
  }
  ExpectFewLines("client 10.0.0.2 says: xxx");
}

TEST_F(LogFloodTest, MessagesOfTypesThatNobodyKnows) {
  for (uint32_t i = 0; i < kMessages; ++i) {
    SayMessage(static_cast<handshake::ControlType>(77), {});
  }
  ExpectFewLines("a control message of unknown type 77");
}

}  // namespace
}  // namespace lwt::peer
