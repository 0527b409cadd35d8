// Splitting and merging at random: what goes in comes out, in order, whole and
// counted, and no buffer is lost. The seed is printed when a run fails.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <tuple>

#include "dataplane/stages/stages.h"
#include "dataplane/wire/inner_transport.h"
#include "dataplane/worker_state.h"
#include "tests/packet/dataplane/fake_tunnel.h"
#include "tests/packet/dataplane/gateway_pair.h"
#include "tests/unit/dataplane/wire/inner_packets.h"

namespace lwt::testing {
namespace {

constexpr size_t kRounds = 400;

class SuperFramesPropertyTest : public ::testing::TestWithParam<uint32_t> {
 protected:
  SuperFramesPropertyTest() : random_(GetParam()) {
    NodePorts ports = RingPorts();
    auto tunnel = std::make_unique<FakeTunnel>();
    tunnel_ = tunnel.get();
    ports.tunnel = std::move(tunnel);
    node_ = std::make_unique<Node>("p", SmallWorker(), std::move(ports));
    buffers_ = rte_mempool_avail_count(TestPool());
    jumbo_buffers_ = rte_mempool_avail_count(TestJumboPool());
  }
  ~SuperFramesPropertyTest() override {
    EXPECT_EQ(rte_mempool_avail_count(TestPool()), buffers_);
    EXPECT_EQ(rte_mempool_avail_count(TestJumboPool()), jumbo_buffers_);
  }

  size_t Below(size_t end) { return random_() % end; }
  bool OneIn(size_t n) { return Below(n) == 0; }

  InnerSpec AnySpec() {
    InnerSpec spec;
    spec.family = OneIn(2) ? Family::kIpv4 : Family::kIpv6;
    spec.udp = OneIn(3);
    spec.seq = OneIn(4) ? 0xfffff000u : static_cast<uint32_t>(random_());
    spec.id = static_cast<uint16_t>(random_());
    spec.dont_fragment = OneIn(2);
    spec.tcp_options = static_cast<uint8_t>(4 * Below(11));
    spec.fill = static_cast<uint8_t>(random_());
    return spec;
  }

  Worker& worker() { return node_->worker(); }

  std::mt19937 random_;
  FakeTunnel* tunnel_ = nullptr;
  std::unique_ptr<Node> node_;
  unsigned buffers_ = 0;
  unsigned jumbo_buffers_ = 0;
};

TEST_P(SuperFramesPropertyTest, SplitEqualsTheSlowWay) {
  std::vector<Bytes> expected;
  std::vector<Bytes> got;
  for (size_t round = 0; round < kRounds; ++round) {
    for (size_t i = Below(4) + 1; i > 0; --i) {
      InnerSpec spec = AnySpec();
      const size_t segment_size = OneIn(8) ? Below(60) + 8 : Below(1300) + 60;
      spec.ip_options = spec.extension = OneIn(8) ? 8 : 0;
      spec.flags = static_cast<uint8_t>(0x10 | (random_() & 0xcb));
      spec.payload = std::min<size_t>(segment_size * Below(80) + Below(999) + 1,
                                      OneIn(2) ? 60'000 : 6'000);
      const size_t l4 = IpSize(spec);
      Bytes super = MakeInner(spec);
      Unfinish(super, l4, spec.udp);
      const auto segments = SlowSegments(super, l4, spec.udp, segment_size);
      expected.insert(expected.end(), segments.begin(), segments.end());
      const bool chain = segments.size() > 1 && OneIn(2) &&
                         segments.size() <= kMaxChain &&
                         HeaderSize(spec) <= kMaxChainHeaders;
      if (chain) {
        tunnel_->GiveChain(TestPool(), super, l4, HeaderSize(spec), spec.udp,
                           segment_size);
      } else {
        tunnel_->GiveSuper(TestJumboPool(), super, l4, spec.udp, segment_size);
      }
    }
    while (!tunnel_->empty() || !worker().outbound.collected.drained()) {
      Collect(worker(), worker().outbound.packets);
      Split(worker(), worker().outbound.packets, worker().outbound.split);
      for (const Frame& frame : worker().outbound.split.frames()) {
        Bytes bytes(frame.data, frame.data + frame.length);
        const auto transport = wire::ParseInnerTransport(bytes);
        ASSERT_EQ(transport.has_value(),
                  frame.checksum == InnerChecksum::kUnfinished);
        if (transport) Finish(bytes, transport->ip_size, transport->udp);
        got.push_back(bytes);
        rte_pktmbuf_free(frame.mbuf);
      }
    }
    ASSERT_EQ(got, expected) << "round " << round;
    EXPECT_EQ(node_->counters().tunnel_rx_packets.Get(), got.size());
    got.clear();
    expected.clear();
    worker().counters.tunnel_rx_packets.Set(0);
  }
  EXPECT_EQ(node_->total_drops(), 0u);
}

TEST_P(SuperFramesPropertyTest, SplitThenMergeIsTheIdentity) {
  for (size_t round = 0; round < kRounds; ++round) {
    InnerSpec spec = AnySpec();
    spec.flags = OneIn(2) ? 0x10 : 0x18;
    const size_t segment_size = Below(1300) + 60;
    const size_t segments = Below(60) + 2;
    spec.payload =
        std::min<size_t>(segment_size * segments - Below(segment_size), 60'000);
    const size_t l4 = IpSize(spec);
    Bytes super = MakeInner(spec);
    Unfinish(super, l4, spec.udp);
    tunnel_->GiveSuper(TestJumboPool(), super, l4, spec.udp, segment_size);
    Collect(worker(), worker().outbound.packets);
    Split(worker(), worker().outbound.packets, worker().inbound.packets);
    Deliver(worker(), worker().inbound.packets);
    ASSERT_EQ(tunnel_->sent.size(), 1u);
    const FakeTunnel::Sent& sent = tunnel_->sent.front();
    EXPECT_EQ(sent.bytes, super);
    EXPECT_EQ(sent.is_super(), spec.payload > segment_size);
    if (sent.is_super()) {
      EXPECT_EQ(sent.segment_size, segment_size);
      EXPECT_EQ(sent.l3_size, l4);
      EXPECT_EQ(sent.l3_size + sent.l4_size, HeaderSize(spec));
      EXPECT_LE(sent.parts, size_t{kMaxChain});
    }
    tunnel_->sent.clear();
  }
}

// ---- Merging what a peer sends

// A packet as it comes out of an opened record.
struct Arrival {
  Bytes bytes;  // complete
  InnerChecksum checksum = InnerChecksum::kUnknown;
};

using FlowKey = std::tuple<uint8_t, bool, Bytes>;

FlowKey KeyOf(const Bytes& packet) {
  const bool ipv4 = packet[0] >> 4 == 4;
  const size_t l4 = ipv4 ? 20 : 40;
  Bytes key(packet.begin() + (ipv4 ? 12 : 8),
            packet.begin() + static_cast<long>(l4) + 4);
  return {packet[0] >> 4, (ipv4 ? packet[9] : packet[6]) == 17, key};
}

// Flows that send now and then something that does not merge.
class Flows {
 public:
  Flows(std::mt19937& random, size_t count) : random_(random), flows_(count) {
    for (size_t i = 0; i < count; ++i) {
      flows_[i].family = i % 2 == 0 ? Family::kIpv4 : Family::kIpv6;
      flows_[i].udp = i % 3 == 0;
      flows_[i].port = static_cast<uint16_t>(4000 + i);
      flows_[i].payload = 60 + random_() % 1200;
    }
  }

  Arrival Next() {
    InnerSpec& spec = flows_[random_() % flows_.size()];
    InnerSpec one = spec;
    one.flags = random_() % 8 == 0 ? 0x18 : 0x10;
    switch (random_() % 24) {
      case 0:
        one.payload = 1 + random_() % one.payload;
        break;
      case 1:
        one.payload = 0;
        break;
      case 2:
        one.flags |= 0x01;
        break;
      case 3:
        one.seq += 17;
        break;
      case 4:
        one.ack += 1;
        spec.ack = one.ack;
        break;
      case 5:
        one.id = static_cast<uint16_t>(one.id + 7);
        break;
      case 6:
        one.tcp_options = 0;
        break;
      default:
        break;
    }
    spec.seq = one.seq + static_cast<uint32_t>(one.payload);
    spec.id = static_cast<uint16_t>(one.id + 1);
    Arrival arrival;
    arrival.bytes = MakeInner(one);
    constexpr InnerChecksum kStates[] = {InnerChecksum::kUnknown,
                                         InnerChecksum::kGood,
                                         InnerChecksum::kUnfinished};
    arrival.checksum = kStates[random_() % 3];
    if (random_() % 20 == 0 && one.payload > 0) {
      arrival.bytes.back() ^= 1;
      arrival.checksum = InnerChecksum::kUnknown;
    }
    return arrival;
  }

 private:
  std::mt19937& random_;
  std::vector<InnerSpec> flows_;
};

// Puts arrivals into the burst, several into one mbuf now and then.
void Put(const std::vector<Arrival>& arrivals, std::mt19937& random,
         PacketBurst& burst) {
  rte_mbuf* mbuf = nullptr;
  for (const Arrival& arrival : arrivals) {
    Bytes bytes = arrival.bytes;
    if (arrival.checksum == InnerChecksum::kUnfinished) {
      const auto transport = *wire::ParseInnerTransport(bytes);
      Unfinish(bytes, transport.ip_size, transport.udp);
    }
    if (mbuf != nullptr && random() % 2 == 0 &&
        rte_pktmbuf_tailroom(mbuf) >= bytes.size()) {
      rte_mbuf_refcnt_update(mbuf, 1);
    } else {
      mbuf = rte_pktmbuf_alloc(TestPool());
    }
    Frame frame;
    frame.mbuf = mbuf;
    frame.data = reinterpret_cast<uint8_t*>(
        rte_pktmbuf_append(mbuf, static_cast<uint16_t>(bytes.size())));
    frame.length = static_cast<uint32_t>(bytes.size());
    frame.checksum = arrival.checksum;
    std::copy(bytes.begin(), bytes.end(), frame.data);
    burst.Push(frame);
  }
}

// What a kernel makes of it.
std::vector<Bytes> Cut(const FakeTunnel::Sent& sent) {
  const bool udp =
      (sent.flags & RTE_MBUF_F_TX_L4_MASK) == RTE_MBUF_F_TX_UDP_CKSUM;
  if (sent.is_super()) {
    Bytes field = sent.bytes;
    Unfinish(field, sent.l3_size, udp);
    EXPECT_EQ(field, sent.bytes) << "the pseudo header's sum";
    return SlowSegments(sent.bytes, sent.l3_size, udp, sent.segment_size);
  }
  Bytes one = sent.bytes;
  if ((sent.flags & RTE_MBUF_F_TX_L4_MASK) != 0) Finish(one, sent.l3_size, udp);
  return {one};
}

TEST_P(SuperFramesPropertyTest, CuttingWhatWasMergedGivesBackWhatCame) {
  uint64_t super = 0;
  for (size_t round = 0; round < kRounds; ++round) {
    Flows flows(random_, Below(12) + 1);
    std::vector<Arrival> arrivals;
    for (size_t i = Below(300) + 1; i > 0; --i) {
      arrivals.push_back(flows.Next());
    }
    Put(arrivals, random_, worker().inbound.packets);
    const uint64_t before = node_->counters().tunnel_tx_packets.Get();
    Deliver(worker(), worker().inbound.packets);
    EXPECT_EQ(node_->counters().tunnel_tx_packets.Get() - before,
              arrivals.size());
    std::map<FlowKey, std::vector<Bytes>> came;
    std::map<FlowKey, std::vector<Bytes>> left;
    for (const Arrival& arrival : arrivals) {
      came[KeyOf(arrival.bytes)].push_back(arrival.bytes);
    }
    for (const FakeTunnel::Sent& sent : tunnel_->sent) {
      super += sent.is_super() ? 1 : 0;
      for (const Bytes& one : Cut(sent)) left[KeyOf(one)].push_back(one);
    }
    ASSERT_EQ(left, came) << "round " << round;
    tunnel_->sent.clear();
  }
  EXPECT_GT(super, kRounds);
  EXPECT_EQ(node_->total_drops(), 0u);
}

INSTANTIATE_TEST_SUITE_P(Seeds, SuperFramesPropertyTest,
                         ::testing::Values(1, 2, std::random_device()()));

}  // namespace
}  // namespace lwt::testing
