// Settings read again while a gateway runs: who hears how it ends, what is
// asked of the components, and what stays when something is wrong.
#include "control/reloader.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "control/config/load.h"
#include "control/handshake/psk.h"
#include "control/rotation/key_store.h"
#include "dataplane/clock.h"
#include "tests/unit/control/base/log_lines.h"
#include "tests/unit/control/host/scratch_dir.h"

namespace lwt {
namespace {

constexpr uint64_t kBoundUs = 10'000'000;

// Takes settings as the test says.
class Taker final : public loop::Component {
 public:
  absl::Status Check(const config::Config& config) const override {
    ++checked;
    return check;
  }
  absl::Status Apply(const config::Config& config, uint64_t) override {
    taken.push_back(config.hub.max_clients);
    return apply;
  }

  mutable int checked = 0;
  std::vector<uint32_t> taken;
  absl::Status check;
  absl::Status apply;
};

class ReloaderTest : public testing::Test {
 protected:
  void SetUp() override {
    line_.config_file = scratch_.path() + "/hub.toml";
    Write("max_clients = 70\n");
    auto loaded = config::LoadConfig(line_);
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    config_ = std::move(loaded->config);
    config_.key.Erase();
    auto loop = loop::EventLoop::Create();
    ASSERT_TRUE(loop.ok());
    loop_ = *std::move(loop);
    components_.Add(taker_);
    background_ = *loop::Background::Create(*loop_);
    auto reloader = Reloader::Create({.command_line = line_,
                                      .config = config_,
                                      .components = components_,
                                      .keys = key_keeper_,
                                      .loop = *loop_,
                                      .log = lines_.log(),
                                      .background = *background_,
                                      .key_source = key_source_,
                                      .on_begin = [this] { around_ += "<"; },
                                      .on_end = [this] { around_ += ">"; }});
    ASSERT_TRUE(reloader.ok()) << reloader.status();
    reloader_ = *std::move(reloader);
  }
  void Write(const std::string& more) {
    std::ofstream(line_.config_file)
        << "mode = \"server\"\nlocal_addr = \"0.0.0.0:9000\"\n"
           "tunnel_addr = \"10.0.0.1/24\"\n"
        << Security() << more;
  }
  virtual std::string Security() const { return "encryption = \"none\"\n"; }
  // Asks, and gets the answer as text once it is there.
  void Ask(const std::string& who) {
    reloader_->Begin([this, who](const absl::StatusOr<std::string>& result) {
      answers_.push_back(
          who + ": " +
          (result.ok() ? *result : std::string(result.status().message())));
    });
  }
  // Until so many have their answer.
  void WaitFor(size_t answers) {
    while (answers_.size() < answers) {
      ASSERT_EQ(loop_->Turn(kBoundUs), 1) << "nothing is read any more";
    }
  }
  std::string AskAndWait() {
    answers_.clear();
    Ask("");
    WaitFor(1);
    return answers_.empty() ? "" : answers_[0].substr(2);
  }

  loop::LogLines lines_;
  host::ScratchDir scratch_;
  config::CommandLine line_;
  config::Config config_;
  std::unique_ptr<loop::EventLoop> loop_;
  std::unique_ptr<loop::Background> background_;
  std::shared_ptr<rotation::KeySource> key_source_ =
      std::make_shared<rotation::KeySource>();
  Taker taker_;
  loop::Components components_;
  handshake::KeyRing keys_{handshake::NullPsk()};
  KeyKeeper key_keeper_{keys_, config_, lines_.log()};
  std::unique_ptr<Reloader> reloader_;
  std::string around_;
  std::vector<std::string> answers_;
};

TEST_F(ReloaderTest, WhatChangedIsTakenSaidAndAnswered) {
  Write("max_clients = 9\nlog_level = \"debug\"\nuplink.driver = \"af_xdp\"\n");
  const std::string answer = AskAndWait();
  EXPECT_NE(answer.find("max_clients"), std::string::npos) << answer;
  EXPECT_NE(answer.find("waits for a restart: uplink.driver"),
            std::string::npos)
      << answer;
  EXPECT_EQ(taker_.taken, std::vector<uint32_t>{9});
  EXPECT_EQ(config_.hub.max_clients, 9u);
  EXPECT_EQ(config_.uplink.driver, config::UplinkDriver::kAuto);
  EXPECT_TRUE(lines_.log().Shows(loop::LogLevel::kDebug));
  EXPECT_NE(lines_.Take().find(" info  reload: "), std::string::npos);
  EXPECT_EQ(around_, "<>");
  EXPECT_EQ(AskAndWait(), "waits for a restart: uplink.driver\n")
      << "what counts is said once, what waits each time";
}

TEST_F(ReloaderTest, AFileThatIsWrongChangesNothing) {
  Write("max_clients = 9\nmtu = \"large\"\nmuxt = 1\n");
  const std::string answer = AskAndWait();
  EXPECT_TRUE(answer.starts_with("reload: ")) << answer;
  EXPECT_NE(answer.find("mtu must be a whole number without quotes; "),
            std::string::npos)
      << "one line: " << answer;
  EXPECT_TRUE(answer.ends_with("; the old settings stay")) << answer;
  EXPECT_EQ(config_.hub.max_clients, 70u);
  EXPECT_EQ(taker_.checked, 0);
  EXPECT_NE(lines_.Take().find(" error reload: "), std::string::npos);
  EXPECT_EQ(around_, "<>");
}

// A reader would wait for somebody to write, and the gateway's end for it.
TEST_F(ReloaderTest, AFileThatHasBecomeAPipeIsRefusedAtOnce) {
  ASSERT_EQ(unlink(line_.config_file.c_str()), 0);
  ASSERT_EQ(mkfifo(line_.config_file.c_str(), 0600), 0);
  EXPECT_EQ(AskAndWait(), "reload: cannot read " + line_.config_file +
                              ": it is no regular file, and can be read at a "
                              "start only; the old settings stay");
  EXPECT_EQ(config_.hub.max_clients, 70u);
  EXPECT_EQ(around_, "<>");
}

TEST_F(ReloaderTest, SoIsSuchAFileOfTheKey) {
  const std::string pipe = scratch_.path() + "/key";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  std::ofstream(line_.config_file)
      << "mode = \"server\"\nlocal_addr = \"0.0.0.0:9000\"\n"
         "tunnel_addr = \"10.0.0.1/24\"\nkey_file = \""
      << pipe << "\"\n";
  const std::string answer = AskAndWait();
  EXPECT_NE(answer.find("cannot read " + pipe + ": it is no regular file"),
            std::string::npos)
      << answer;
}

TEST_F(ReloaderTest, WhatOneComponentRefusesNoneTakes) {
  taker_.check = absl::FailedPreconditionError("server.pub: no key");
  Write("max_clients = 9\n");
  EXPECT_EQ(AskAndWait(), "reload: server.pub: no key; the old settings stay");
  EXPECT_TRUE(taker_.taken.empty());
  EXPECT_EQ(config_.hub.max_clients, 70u);
}

TEST_F(ReloaderTest, WhatTheHostRefusesIsSaid) {
  taker_.apply = absl::InternalError("ip route: no such device");
  Write("max_clients = 9\n");
  const std::string answer = AskAndWait();
  EXPECT_NE(answer.find("not done: ip route: no such device\n"),
            std::string::npos)
      << answer;
  EXPECT_EQ(config_.hub.max_clients, 9u) << "the rest counts";
}

// What was written before somebody asked counts, though a reading is under way
// that may have begun before.
TEST_F(ReloaderTest, WhoAsksMeanwhileIsReadForAgainAndOnlyOnce) {
  Ask("first");
  Write("max_clients = 11\n");
  Ask("second");
  Ask("third");
  WaitFor(3);
  ASSERT_EQ(answers_.size(), 3u);
  EXPECT_EQ(answers_[0].rfind("first: ", 0), 0u);
  EXPECT_EQ(answers_[1].rfind("second: ", 0), 0u);
  EXPECT_EQ(answers_[2].rfind("third: ", 0), 0u);
  EXPECT_EQ(config_.hub.max_clients, 11u);
  EXPECT_EQ(around_, "<><>") << "both wait for the same reading";
}

TEST_F(ReloaderTest, AnAnswerMayAskAgain) {
  std::vector<std::string> order;
  reloader_->Begin([&](const absl::StatusOr<std::string>&) {
    order.push_back("first");
    Ask("again");
  });
  WaitFor(1);
  EXPECT_EQ(order, std::vector<std::string>{"first"});
  EXPECT_EQ(around_, "<><>");
}

TEST_F(ReloaderTest, ASignalAsksWithoutWaitingForAnAnswer) {
  Write("max_clients = 12\n");
  reloader_->Begin({});
  EXPECT_EQ(loop_->Turn(kBoundUs), 1);
  EXPECT_EQ(config_.hub.max_clients, 12u);
}

// The thread that reads is waited for, and its answer goes to nobody.
TEST_F(ReloaderTest, OneThatGoesInTheMiddleLeavesNothing) {
  Ask("nobody");
  reloader_.reset();
  EXPECT_EQ(loop_->Turn(0), 0);
  EXPECT_TRUE(answers_.empty());
}

// A shared key that the hub gave while the gateway ran, and that is kept where
// the settings do not say.
class KeptKeyReloadTest : public ReloaderTest {
 protected:
  void SetUp() override {
    std::filesystem::create_directory(state_dir_);
    *key_source_ = {.settings = scratch_.path() + "/hub.toml",
                    .key_file = "",
                    .state_dir = state_dir_,
                    .configured = handshake::IdOfKey(configured_)};
    keys_ = handshake::KeyRing(PskOf(configured_));
    ReloaderTest::SetUp();
  }
  std::string Security() const override {
    return "key = \"" + configured_ + "\"\n";
  }
  static SecretKey PskOf(const std::string& key) {
    return *handshake::DerivePsk(key, "");
  }
  // As a rotation does; without the file of settings.
  void KeepInState(const std::string& key) {
    rotation::KeySource source = *key_source_;
    source.settings.clear();
    ASSERT_EQ(rotation::KeepKey(source, key).kept,
              rotation::Kept::kStateDirectory);
  }
  void RunBackground() {
    bool done = false;
    background_->Run([] {}, [&] { done = true; });
    while (!done) ASSERT_EQ(loop_->Turn(kBoundUs), 1);
  }

  const std::string state_dir_ = scratch_.path() + "/state";
  std::string configured_ = handshake::GenerateKey();
  const std::string given_ = handshake::GenerateKey();
};

TEST_F(KeptKeyReloadTest, AReloadDoesNotBringTheOldKeyBack) {
  KeepInState(given_);
  keys_.SetNow(PskOf(given_), 0, 3600 * uint64_t{1'000'000});
  keys_.ForgetBefore(PskOf(configured_));
  Write("max_clients = 9\n");
  const std::string answer = AskAndWait();
  EXPECT_EQ(answer.find("key"), std::string::npos) << answer;
  EXPECT_EQ(config_.hub.max_clients, 9u) << answer;
  EXPECT_TRUE(keys_.IsNow(PskOf(given_)));
  EXPECT_EQ(keys_.keys().size(), 1u);
  EXPECT_EQ(lines_.Take().find("shared key was changed"), std::string::npos);
}

// It is given out, and those who are there have yet to answer.
TEST_F(KeptKeyReloadTest, AKeyThatIsYetToCountStaysTheNext) {
  KeepInState(given_);
  keys_.SetNext(PskOf(given_));
  Write("max_clients = 9\n");
  AskAndWait();
  EXPECT_TRUE(keys_.IsNow(PskOf(configured_)));
  EXPECT_TRUE(keys_.IsNewest(PskOf(given_)));
  EXPECT_EQ(keys_.keys().size(), 2u);
}

TEST_F(KeptKeyReloadTest, AnotherKeyOfTheOperatorCountsAboveTheKeptOne) {
  KeepInState(given_);
  keys_.SetNow(PskOf(given_), MonotonicUs(), config_.key.grace_us());
  configured_ = handshake::GenerateKey();
  Write("");
  AskAndWait();
  EXPECT_TRUE(keys_.IsNow(PskOf(configured_)));
  EXPECT_NE(lines_.Take().find("shared key was changed"), std::string::npos);
  ASSERT_GE(keys_.keys().size(), 2u);
  EXPECT_TRUE(keys_.keys()[1].psk == PskOf(given_)) << "for its grace";
  // And what is given next takes the place of that one.
  RunBackground();
  EXPECT_EQ(key_source_->configured, handshake::IdOfKey(configured_));
  const std::string next = handshake::GenerateKey();
  EXPECT_EQ(rotation::KeepKey(*key_source_, next).kept, rotation::Kept::kFile);
  EXPECT_FALSE(std::filesystem::exists(state_dir_ + "/shared_key"));
}

TEST_F(KeptKeyReloadTest, WhatTheRotationWroteIntoTheSettingsIsNoChange) {
  ASSERT_EQ(rotation::KeepKey(*key_source_, given_).kept,
            rotation::Kept::kFile);
  keys_.SetNow(PskOf(given_), MonotonicUs(), config_.key.grace_us());
  const std::string answer = AskAndWait();
  EXPECT_EQ(answer, "nothing has changed\n");
  EXPECT_TRUE(keys_.IsNow(PskOf(given_)));
  EXPECT_EQ(lines_.Take().find("shared key was changed"), std::string::npos);
  RunBackground();
  EXPECT_EQ(key_source_->configured, handshake::IdOfKey(given_));
}

TEST_F(KeptKeyReloadTest, ADamagedOneChangesNothing) {
  std::ofstream(state_dir_ + "/shared_key") << "lightweight-tunnel shared-k";
  Write("max_clients = 9\n");
  const std::string answer = AskAndWait();
  EXPECT_NE(answer.find(state_dir_ + "/shared_key cannot be understood"),
            std::string::npos)
      << answer;
  EXPECT_TRUE(answer.ends_with("; the old settings stay")) << answer;
  EXPECT_EQ(config_.hub.max_clients, 70u);
  EXPECT_TRUE(keys_.IsNow(PskOf(configured_)));
  EXPECT_EQ(taker_.checked, 0);
}

}  // namespace
}  // namespace lwt
