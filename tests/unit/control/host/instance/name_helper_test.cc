// The helper's process, by its socket: what it takes, and that it takes all
// back when the other end is gone.
#include "control/host/instance/name_helper.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <optional>
#include <vector>

#include "control/handshake/bytes.h"
#include "tests/unit/control/host/instance/fake_resolvers.h"
#include "tests/unit/control/host/instance/helper_process.h"

namespace lwt::host {
namespace {

using How = HostNames::How;
using handshake::ByteVector;

const handshake::DnsMessage kAsked{.servers = {*ParseIpAddress("10.0.0.1")},
                                   .domains = {"corp.example"}};

class NameHelperTest : public testing::Test {
 protected:
  void SetUp() override { Start(); }
  void Start() {
    process_.reset();
    process_.emplace(host_);
    host_.AddResolvconf();
  }
  NameHelper& helper() { return **process_; }
  HostNames::Outcome Answer() {
    pollfd ready{helper().fd(), POLLIN, 0};
    EXPECT_EQ(poll(&ready, 1, 20'000), 1);
    return helper().Read().value_or(
        HostNames::Outcome{How::kNone, "it is gone"});
  }
  bool Begin() {
    const bool sent = helper().Begin("lwt0", host_.note());
    return sent && Answer().text.empty();
  }
  int Ended() { return process_->Ended(); }
  bool EndsBy(const ByteVector& record) {
    EXPECT_GE(send(helper().fd(), record.data(), record.size(), MSG_NOSIGNAL),
              0);
    const int status = Ended();
    EXPECT_FALSE(helper().Read());
    return WIFEXITED(status) && helper().gone();
  }

  const FakeResolvers host_;
  std::optional<HelperProcess> process_;
};

TEST_F(NameHelperTest, ItSetsAndTakesBackWhatItIsTold) {
  ASSERT_TRUE(Begin());
  ASSERT_TRUE(helper().Set(kAsked));
  EXPECT_EQ(Answer().how, How::kResolvconf);
  EXPECT_TRUE(host_.Has("record.lwt0"));
  ASSERT_TRUE(helper().Set({}));
  EXPECT_EQ(Answer().how, How::kNone);
  EXPECT_FALSE(host_.Has("record.lwt0"));
}

TEST_F(NameHelperTest, TheEndWaitsUntilAllIsTakenBack) {
  ASSERT_TRUE(Begin());
  ASSERT_TRUE(helper().Set(kAsked));
  helper().End();
  EXPECT_FALSE(host_.Has("record.lwt0"));
  EXPECT_FALSE(host_.Has("names"));
  EXPECT_EQ(Ended(), 0);
  EXPECT_FALSE(helper().Set(kAsked));
}

// As by kill -9 of the gateway, whose descriptors the kernel closes; whoever
// stops a service sends SIGTERM to all its processes.
TEST_F(NameHelperTest, ItOutlivesSignalsAndTakesBackWhenTheOtherEndIsGone) {
  ASSERT_TRUE(Begin());
  ASSERT_TRUE(helper().Set(kAsked));
  EXPECT_EQ(Answer().how, How::kResolvconf);
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGPIPE}) {
    kill(process_->pid(), number);
  }
  ASSERT_TRUE(helper().Set({.servers = kAsked.servers}));
  EXPECT_EQ(Answer().how, How::kResolvconf) << "it is there";
  close(dup(helper().fd()));
  shutdown(helper().fd(), SHUT_RDWR);
  EXPECT_EQ(Ended(), 0);
  EXPECT_FALSE(host_.Has("record.lwt0"));
  EXPECT_FALSE(host_.Has("names"));
}

TEST_F(NameHelperTest, AHelperThatWasKilledLeavesItToTheNext) {
  ASSERT_TRUE(Begin());
  ASSERT_TRUE(helper().Set(kAsked));
  EXPECT_EQ(Answer().how, How::kResolvconf);
  kill(process_->pid(), SIGKILL);
  Ended();
  EXPECT_FALSE(helper().Set({}));
  EXPECT_TRUE(helper().gone());
  ASSERT_TRUE(host_.Has("record.lwt0"));
  Start();
  ASSERT_TRUE(helper().Begin("lwt4", host_.note()));
  EXPECT_EQ(Answer().text, "name servers of lwt0: taken back");
  EXPECT_FALSE(host_.Has("record.lwt0"));
}

TEST_F(NameHelperTest, WhatIsNoOrderEndsIt) {
  const std::vector<ByteVector> records = {
      {0},
      {3, 0, 0},
      {1},
      {1, 4, 'l', 'w', 't', '0', 0, 0},          // no note
      {1, 4, 'l', 'w', 't', '0', 0, 1, 'x'},     // no absolute path
      {1, 2, '-', 'f', 0, 2, '/', 'x'},          // an option
      {1, 3, 'a', '/', 'b', 0, 2, '/', 'x'},     // no device
      {1, 4, 'l', 'w', 't', '0', 0, 2, '/', 0},  // no text
      {1, 4, 'l', 'w', 't', '0', 0, 2, '/', 'x', 1},
      {2, 0, 0},  // before it began
  };
  for (const ByteVector& record : records) {
    EXPECT_TRUE(EndsBy(record)) << testing::PrintToString(record);
    Start();
  }
  ASSERT_TRUE(Begin());
  EXPECT_TRUE(EndsBy({2, 1, 4, 10, 0, 0})) << "a part of an address";
  Start();
  ASSERT_TRUE(Begin());
  ASSERT_TRUE(helper().Begin("eth0", host_.note()));
  EXPECT_EQ(Ended(), 0) << "its device is given once";
  EXPECT_FALSE(host_.Has("calls"));
}

TEST(NameHelperFdTest, AnythingElseThanItsSocketIsRefused) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  EXPECT_EQ(RunNameHelper(ends[0]), 2);
  EXPECT_EQ(RunNameHelper(-1), 2);
  close(ends[0]);
  close(ends[1]);
}

}  // namespace
}  // namespace lwt::host
