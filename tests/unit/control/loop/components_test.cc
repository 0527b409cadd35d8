// The order in which components are asked and told, and in which they go.
#include "control/loop/components.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "control/api/request.h"
#include "control/host/net/netlink_types.h"
#include "control/telemetry/status.h"

namespace lwt::loop {
namespace {

// Writes down what it is told.
class Recorder final : public Component {
 public:
  Recorder(std::string name, std::string& record)
      : name_(std::move(name)), record_(record) {}
  ~Recorder() override { Note("gone"); }

  uint64_t NextDeadline() const override { return deadline_us; }
  void OnTimer(uint64_t now_us) override { Note("timer", now_us); }
  void OnHostChanges(const host::HostChanges&, uint64_t now_us) override {
    Note("host", now_us);
  }
  void OnResumed(uint64_t now_us) override { Note("resumed", now_us); }
  void Report(telemetry::Status& status, uint64_t) const override {
    status.banned.push_back(name_);
  }
  std::optional<std::string> Answer(const api::Request& request,
                                    uint64_t) override {
    Note("asked");
    if (request.kind != answers) return std::nullopt;
    return name_;
  }
  size_t Close(std::string_view reason, uint64_t) override {
    Note(std::string(reason));
    return flows;
  }

  uint64_t deadline_us = kNever;
  api::RequestKind answers = api::RequestKind::kStatus;
  size_t flows = 0;

 private:
  void Note(const std::string& what, uint64_t now_us = 0) {
    record_ += name_ + " " + what;
    if (now_us != 0) record_ += " " + std::to_string(now_us);
    record_ += ";";
  }

  const std::string name_;
  std::string& record_;
};

class ComponentsTest : public testing::Test {
 protected:
  ComponentsTest() {
    components_.Add(a_);
    auto b = std::make_unique<Recorder>("b", record_);
    auto c = std::make_unique<Recorder>("c", record_);
    b_ = b.get();
    c_ = c.get();
    components_.Keep(std::move(b));
    components_.Keep(std::move(c));
  }
  std::string Take() { return std::exchange(record_, ""); }

  std::string record_;
  Recorder a_{"a", record_};  // owned elsewhere
  Components components_;
  Recorder* b_;
  Recorder* c_;
};

TEST_F(ComponentsTest, AllAreToldInTheOrderInWhichTheyCame) {
  components_.OnTimer(7);
  EXPECT_EQ(Take(), "a timer 7;b timer 7;c timer 7;");
  components_.OnHostChanges({}, 8);
  EXPECT_EQ(Take(), "a host 8;b host 8;c host 8;");
  components_.OnResumed(9);
  EXPECT_EQ(Take(), "a resumed 9;b resumed 9;c resumed 9;");
  telemetry::Status status;
  components_.Report(status, 0);
  EXPECT_EQ(status.banned, (std::vector<std::string>{"a", "b", "c"}));
}

TEST_F(ComponentsTest, TheSoonestDeadlineIsThatOfAll) {
  EXPECT_EQ(components_.NextDeadline(), Component::kNever);
  c_->deadline_us = 90;
  EXPECT_EQ(components_.NextDeadline(), 90u);
  a_.deadline_us = 30;
  b_->deadline_us = 60;
  EXPECT_EQ(components_.NextDeadline(), 30u);
}

TEST_F(ComponentsTest, TheFirstWhoseRequestItIsAnswers) {
  b_->answers = c_->answers = api::RequestKind::kPeerBan;
  EXPECT_EQ(components_.Answer({api::RequestKind::kPeerBan}, 0), "b");
  EXPECT_EQ(Take(), "a asked;b asked;") << "the others are not asked";
  EXPECT_EQ(components_.Answer({api::RequestKind::kPeerForget}, 0),
            std::nullopt);
  EXPECT_EQ(Take(), "a asked;b asked;c asked;");
}

TEST_F(ComponentsTest, GoodbyesAreCounted) {
  a_.flows = 1;
  c_->flows = 40;
  EXPECT_EQ(components_.Close("bye", 0), 41u);
  EXPECT_EQ(Take(), "a bye;b bye;c bye;");
}

// Those that came up last stand on the others.
TEST_F(ComponentsTest, TheLastToComeIsTheFirstToGo) {
  components_.Clear();
  EXPECT_EQ(Take(), "c gone;b gone;") << "a is another's";
  EXPECT_EQ(components_.NextDeadline(), Component::kNever);
  components_.OnTimer(1);
  EXPECT_EQ(components_.Close("bye", 0), 0u);
  EXPECT_EQ(Take(), "");
}

TEST(ComponentTest, WhatAComponentHasNoUseForItLeavesAsItIs) {
  struct Idle final : Component {
  } idle;
  idle.OnTimer(1);
  idle.OnHostChanges({}, 1);
  idle.OnResumed(1);
  telemetry::Status status;
  idle.Report(status, 1);
  EXPECT_EQ(idle.NextDeadline(), Component::kNever);
  EXPECT_EQ(idle.Answer({}, 1), std::nullopt);
  EXPECT_EQ(idle.Close("bye", 1), 0u);
}

}  // namespace
}  // namespace lwt::loop
