// What tests of the uplink's drivers share: an uplink on up0, and frames that
// come to it over the wire.
#pragma once

#include <gtest/gtest.h>
#include <linux/if_ether.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "drivers/ports/uplink.h"
#include "tests/unit/drivers/net_lab.h"

namespace lwt {

class UplinkTest : public testing::Test {
 protected:
  void SetUp() override { raw_ = lab_.RawSocketThere(); }
  void TearDown() override {
    uplink_.reset();
    close(raw_);
  }
  void Keep(absl::StatusOr<std::unique_ptr<Uplink>> uplink) {
    ASSERT_TRUE(uplink.ok()) << uplink.status();
    uplink_ = *std::move(uplink);
  }
  void Hear(const std::vector<Endpoint>& endpoints) {
    const absl::Status set = uplink_->SetEndpoints(endpoints);
    ASSERT_TRUE(set.ok()) << set;
  }
  void Send(const Bytes& frame) {
    ASSERT_EQ(send(raw_, frame.data(), frame.size(), 0),
              static_cast<ssize_t>(frame.size()));
  }
  // A frame that must come is sent last: what was sent before it and has not
  // come by then never will.
  std::vector<Bytes> UpToMarker() {
    const Bytes marker = lab_.Ethernet(ETH_P_IP, TcpIpv4(9000, 1));
    Send(marker);
    std::vector<Bytes> all;
    do {
      const std::vector<Bytes> some = ReceiveBytes(*uplink_, 1);
      if (some.empty()) {
        ADD_FAILURE() << "the marker did not come";
        return all;
      }
      all.insert(all.end(), some.begin(), some.end());
    } while (all.back() != marker);
    all.pop_back();
    return all;
  }

  // What every driver has to do, of an uplink that hears kIpv4End.
  void EndpointsChangeWhileItRuns() {
    const Bytes other = lab_.Ethernet(ETH_P_IP, TcpIpv4(9001, 100));
    Send(other);
    EXPECT_EQ(UpToMarker(), std::vector<Bytes>{});
    ASSERT_TRUE(uplink_->SetEndpoints({{kOtherEnd, kIpv4End}}).ok());
    Send(other);
    EXPECT_EQ(UpToMarker(), std::vector<Bytes>{other});
    ASSERT_TRUE(uplink_->SetEndpoints({{kIpv4End}}).ok());
    Send(other);
    EXPECT_EQ(UpToMarker(), std::vector<Bytes>{});
  }
  // One frame of `pool` is given to it meanwhile.
  void SurvivesItsInterfaceGoingDown(rte_mempool* pool) {
    ASSERT_TRUE(lab_.Here("ip link set up0 down"));
    rte_mbuf* frame = MakeFrame(pool, lab_.Ethernet(0x88b5, Bytes(60, 1)));
    EXPECT_EQ(uplink_->Transmit(std::span(&frame, 1)), 1);
    std::array<rte_mbuf*, 4> in{};
    EXPECT_EQ(uplink_->Receive(in), 0);
    ASSERT_TRUE(lab_.Here("ip link set up0 up"));
    lab_.AwaitCarrier();
    EXPECT_EQ(UpToMarker(), std::vector<Bytes>{});
  }

  NetLab lab_;
  std::unique_ptr<Uplink> uplink_;
  int raw_ = -1;
};

}  // namespace lwt
