// What routers say, on its way to the workers: in bounds, whoever says it.
#include <gtest/gtest.h>

#include <optional>
#include <utility>
#include <vector>

#include "control/too_big_watch.h"
#include "dataplane/clock.h"
#include "tests/unit/control/base/log_lines.h"
#include "tests/unit/control/host/net/too_big_packets.h"
#include "tests/unit/control/workers/recording_link.h"

namespace lwt {
namespace {

class TooBigWatchTest : public host::TwoHosts {
 protected:
  void SetUp() override {
    TwoHosts::SetUp();
    loop_ = *loop::EventLoop::Create();
    const host::InNetns in(left_);
    Start();
  }
  void Start() {
    interfaces_ = {static_cast<int>(if_nametoindex("wire"))};
    watch_.emplace([this] { return interfaces_; }, *loop_, link_, lines_.log());
    watch_->OnTimer(0);
    EXPECT_EQ(lines_.TakeCount(), 0u);
  }
  void Send(const host::Packet& packet) {
    const host::InNetns in(right_);
    host::SendOnWire(packet, host::kHere);
  }
  // What the workers were told once nothing more comes.
  std::vector<TooBigCommand> Told() {
    while (loop_->Turn(50'000) > 0) {
    }
    return link_.Sent<TooBigCommand>();
  }

  std::unique_ptr<loop::EventLoop> loop_;
  peer::RecordingLink link_;
  loop::LogLines lines_;
  std::vector<int> interfaces_;
  std::optional<TooBigWatch> watch_;
};

TEST_F(TooBigWatchTest, EachIsToldToAllWorkersAsItWasSaid) {
  Send(host::Ipv4Error());
  Send(host::Ipv6Error());
  const auto told = Told();
  ASSERT_EQ(told.size(), 2u);
  for (const TooBigCommand& each : told) {
    const bool ipv4 = each.told.local.address.family == Family::kIpv4;
    EXPECT_EQ(each.told.remote,
              host::At(ipv4 ? "198.51.100.7:443" : "[2001:db8::7]:443"));
    EXPECT_EQ(each.told.mtu, 1400);
    EXPECT_EQ(each.told.sequence, 0x01020304u);
  }
}

// Whoever floods us with them costs the workers no more than that.
TEST_F(TooBigWatchTest, OfAFloodASharePassesAndMoreLater) {
  const uint64_t begin_us = MonotonicUs();
  for (int i = 0; i < 400; ++i) Send(host::Ipv4Error());
  const size_t told = Told().size();
  const uint64_t took_us = MonotonicUs() - begin_us;
  EXPECT_GE(told, TooBigWatch::kHeeded.burst);
  EXPECT_LE(told, TooBigWatch::kHeeded.burst +
                      TooBigWatch::kHeeded.per_second * took_us / 1'000'000 +
                      1);
}

TEST_F(TooBigWatchTest, OneThatIsGoneListensNoMore) {
  watch_.reset();
  Send(host::Ipv4Error());
  EXPECT_TRUE(Told().empty());
  // The loop has forgotten its descriptors, which may be another one's.
  const host::InNetns in(left_);
  Start();
  Send(host::Ipv4Error());
  EXPECT_EQ(Told().size(), 1u);
}

TEST_F(TooBigWatchTest, WithoutALinkItWaitsForOne) {
  const host::InNetns in(left_);
  const auto wire = std::exchange(interfaces_, {99'999});
  watch_->OnTimer(0);
  watch_->OnTimer(0);
  EXPECT_EQ(lines_.TakeCount(), 1u) << "said once";
  Send(host::Ipv4Error());
  EXPECT_TRUE(Told().empty());
  interfaces_.clear();  // there is none
  watch_->OnTimer(0);
  EXPECT_EQ(lines_.TakeCount(), 0u);
  interfaces_ = wire;
  watch_->OnTimer(0);
  Send(host::Ipv4Error());
  EXPECT_EQ(Told().size(), 1u);
}

// Of a hub that serves several, each is heard, those that come later, too.
TEST_F(TooBigWatchTest, EveryInterfaceIsHeard) {
  const host::InNetns in(left_);
  const auto wire = interfaces_;
  interfaces_ = {static_cast<int>(if_nametoindex("lo"))};
  watch_->OnTimer(0);
  Send(host::Ipv4Error());
  EXPECT_TRUE(Told().empty()) << "it left that one";
  interfaces_.push_back(wire.front());
  watch_->OnTimer(0);
  Send(host::Ipv4Error());
  EXPECT_EQ(Told().size(), 1u);
}

}  // namespace
}  // namespace lwt
