// A peer of an outer flow whose segments are written by hand.
#pragma once

#include <gtest/gtest.h>

#include <span>
#include <vector>

#include "dataplane/flow/outer_tcp.h"
#include "tests/unit/dataplane/flow/tcp_rig.h"

namespace lwt::test {

// The peer of a server at 192.0.2.2:9000, written by hand.
class HandWrittenPeer : public testing::Test {
 protected:
  using TcpSeq = wire::TcpSeq;
  using Verdict = OuterTcp::Verdict;
  using EventType = OuterTcp::EventType;

  explicit HandWrittenPeer(const OuterTcp::Config& config = SmallConfig())
      : tcp_(config) {
    const Endpoint listen[] = {At("192.0.2.2:9000")};
    tcp_.SetListen(listen);
  }

  wire::FrameView View(uint8_t flags, uint16_t port = 40000) const {
    wire::FrameView view;
    view.link = kLink;
    view.source = At("192.0.2.1:1");
    view.source.port = port;
    view.destination = At("192.0.2.2:9000");
    view.tcp.source_port = port;
    view.tcp.destination_port = 9000;
    view.tcp.flags = flags;
    view.tcp.seq = seq_;
    view.tcp.ack = ack_;
    view.tcp.window = window_;
    view.tcp.options.timestamps = wire::TcpTimestamps{ts_, 0};
    return view;
  }

  wire::FrameView Syn(uint16_t port = 40000) const {
    wire::FrameView view = View(wire::kSyn, port);
    view.tcp.ack = TcpSeq(0);
    view.tcp.options.mss = 1460;
    view.tcp.options.sack_permitted = true;
    view.tcp.options.window_scale = 7;
    return view;
  }

  OuterTcp::Received Give(const wire::FrameView& view) {
    const auto received = tcp_.Receive(view, now_us_, batch_);
    if (received.verdict == Verdict::kPayload) {
      tcp_.Accept(received, now_us_, batch_);
    }
    tcp_.Flush(now_us_, batch_);
    return received;
  }

  OuterTcp::Received GiveBytes(uint32_t at, const std::vector<uint8_t>& bytes) {
    wire::FrameView view = View(wire::kAck);
    view.tcp.seq = seq_ + at;
    view.tcp.payload = bytes;
    return Give(view);
  }

  // Leaves an open flow that has proven nothing, and no frames.
  void OpenUnproven(uint32_t isn = 1000) {
    seq_ = TcpSeq(isn);
    OpenBy(Syn());
  }
  void OpenBy(const wire::FrameView& syn) {
    Give(syn);
    const std::vector<Frame> answer = Drain(batch_);
    ASSERT_EQ(answer.size(), 1u);
    ack_ = answer[0].View().tcp.seq + 1;
    seq_ = seq_ + 1;
    EXPECT_EQ(Give(View(wire::kAck)).verdict, Verdict::kConsumed);
    const auto event = tcp_.PopEvent();
    ASSERT_TRUE(event.has_value());
    ASSERT_EQ(event->type, EventType::kEstablished);
    flow_ = event->flow;
    Drain(batch_);
  }

  // Leaves a proven one.
  void Open(uint32_t isn = 1000) {
    OpenUnproven(isn);
    ASSERT_TRUE(tcp_.SetUser(flow_, {3}));
    Drain(batch_);
  }

  bool SendBytes(uint16_t size) {
    rte_mbuf* mbuf = rte_pktmbuf_alloc(test::PacketPool());
    std::memset(rte_pktmbuf_append(mbuf, size), 0x55, size);
    if (!tcp_.Encapsulate(flow_, mbuf, true, now_us_)) {
      rte_pktmbuf_free(mbuf);
      return false;
    }
    batch_.Push(mbuf);
    return true;
  }

  OuterTcp tcp_;
  TxBatch batch_;
  uint64_t now_us_ = 5'000'000;
  uint16_t window_ = 1000;  // scaled by 7 but in a SYN
  TcpSeq seq_{1000};
  TcpSeq ack_;
  uint32_t ts_ = 100;
  FlowId flow_;
};

}  // namespace lwt::test
