// The way of a frame from the uplink inwards: parser, outer TCP, FEC.
#include <algorithm>
#include <array>
#include <cstdlib>

#include "dataplane/wire/checksum.h"
#include "dataplane/wire/ip.h"
#include "tests/bench/worst_meter.h"
#include "tests/packet/dataplane/gateway_pair.h"
#include "tests/unit/dataplane/fec/fec_rig.h"
#include "tests/unit/dataplane/flow/tcp_rig.h"

namespace lwt::bench {
namespace {

using testing::Bytes;

constexpr size_t kCalls = 64;
constexpr LaneIndex kLane{0};

void Must(bool holds) {
  if (!holds) std::abort();
}

// ---- The parser

// An IPv6 TCP frame of 1400 bytes of payload, its options and the headers
// before it filled with what nobody needs where `crowded`.
Bytes Ipv6Frame(bool crowded) {
  const size_t extensions = crowded ? 4 : 0;
  const size_t options = crowded ? 40 : 12;
  const size_t tcp = 14 + 40 + extensions * 8;
  Bytes frame(tcp + 20 + options + 1400);
  frame[12] = 0x86;
  frame[13] = 0xdd;
  frame[14] = 0x60;
  wire::StoreBe16(&frame[18], static_cast<uint16_t>(frame.size() - 54));
  frame[20] = extensions == 0 ? 6 : 60;
  frame[21] = 64;
  frame[22] = frame[38] = 0x20;
  frame[37] = 1;
  frame[53] = 2;
  for (size_t i = 0; i < extensions; ++i) {
    frame[54 + i * 8] = i + 1 == extensions ? 6 : 60;
  }
  frame[tcp + 12] = static_cast<uint8_t>((20 + options) / 4 * 16);
  frame[tcp + 13] = wire::kAck;
  uint8_t* const at = &frame[tcp + 20];
  if (crowded) {
    std::fill_n(at, options, uint8_t{1});
  } else {
    const uint8_t timestamps[] = {1, 1, 8, 10};
    std::copy_n(timestamps, 4, at);
  }
  const size_t size = frame.size() - tcp;
  const uint64_t sum =
      wire::PseudoHeaderSum(IpAddress::FromBytes(Family::kIpv6, &frame[22]),
                            IpAddress::FromBytes(Family::kIpv6, &frame[38]),
                            size) +
      wire::ChecksumAdd(&frame[tcp], size);
  wire::StoreChecksum(&frame[tcp + 16], wire::ChecksumFinish(sum));
  return frame;
}

size_t Parse(WorstMeter& meter, const Bytes& frame) {
  meter.Count([&] {
    for (size_t i = 0; i < kCalls; ++i) {
      wire::FrameView view;
      DropReason why{};
      Must(wire::ParseFrame(frame, 14, /*checksum_good=*/false, view, why));
    }
  });
  return kCalls;
}

// ---- The outer TCP

// A hub with a proven flow; all frames of its own are lost.
struct Tcp {
  Tcp() : rig(Config(), Config(), {}, 1) {
    Must(rig.Open());
    rig.RunTo(rig.now_us + 1'000'000);
    rig.filter = [](const wire::FrameView&) { return false; };
    base = rig.client_numbers;
  }

  static OuterTcp::Config Config() {
    OuterTcp::Config config = test::RigConfig(1);
    config.arena_bytes = size_t{16} << 20;
    return config;
  }

  // From the client, `seq` and `ack` behind what it sent and received.
  wire::FrameView View(uint32_t seq, uint32_t ack, size_t payload = 0) const {
    static constexpr std::array<uint8_t, 2048> kBytes{};
    wire::FrameView view;
    view.link = test::kLink;
    view.source = test::At("192.0.2.1:40000");
    view.destination = test::At("192.0.2.2:9000");
    view.tcp.source_port = 40000;
    view.tcp.destination_port = 9000;
    view.tcp.flags = wire::kAck;
    view.tcp.seq = wire::TcpSeq(base.first + seq);
    view.tcp.ack = wire::TcpSeq(base.second + ack);
    view.tcp.window = 65535;
    view.tcp.payload = {kBytes.data(), payload};
    return view;
  }

  void Give(const wire::FrameView& view) {
    const auto received = rig.hub.tcp->Receive(view, rig.now_us, batch);
    if (received.verdict == OuterTcp::Verdict::kPayload) {
      rig.hub.tcp->Accept(received, rig.now_us, batch);
    }
  }
  void Settle() {
    rig.hub.tcp->Flush(rig.now_us, batch);
    test::Drain(batch);
  }

  // So many segments of 100 bytes under way.
  void Fill(size_t segments) {
    Give(View(0, 0));
    Settle();
    for (size_t i = 0; i < segments; ++i) Must(rig.Send(rig.hub, 100));
  }

  test::TcpRig rig;
  std::pair<uint32_t, uint32_t> base;
  TxBatch batch;
};

size_t TakeInOrder(WorstMeter& meter) {
  Tcp tcp;
  for (size_t i = 0; i < kCalls; ++i) {
    const auto view = tcp.View(static_cast<uint32_t>(i), 0, 1);
    meter.Count([&] { tcp.Give(view); });
    tcp.Settle();
  }
  return kCalls;
}

// Every second byte, from the end of the window down: each is a range more,
// before all others.
size_t TakeBackwards(WorstMeter& meter) {
  constexpr uint32_t kHighest = 60'000;
  constexpr uint32_t kKnown = 1900;
  Tcp tcp;
  for (uint32_t i = 0; i < kKnown; ++i) {
    tcp.Give(tcp.View(kHighest - 2 * i, 0, 1));
    tcp.Settle();
  }
  for (uint32_t i = kKnown; i < kKnown + kCalls; ++i) {
    const auto view = tcp.View(kHighest - 2 * i, 0, 1);
    meter.Count([&] { tcp.Give(view); });
    tcp.Settle();
  }
  return kCalls;
}

size_t AckInOrder(WorstMeter& meter) {
  Tcp tcp;
  tcp.Fill(4096);
  for (uint32_t i = 1; i <= kCalls; ++i) {
    const auto view = tcp.View(0, 100 * i);
    meter.Count([&] { tcp.Give(view); });
  }
  tcp.Settle();
  return kCalls;
}

// Blocks just below the highest one, in which nothing is new.
size_t AckBelowTheHighest(WorstMeter& meter) {
  Tcp tcp;
  constexpr uint32_t kSegments = 4096;
  tcp.Fill(kSegments);
  const auto block = [&](uint32_t from, uint32_t size) {
    const uint32_t left = tcp.base.second + 100 * from;
    return wire::SackBlock{wire::TcpSeq(left), wire::TcpSeq(left + size)};
  };
  auto view = tcp.View(0, 0);
  view.tcp.options.sack_count = 1;
  view.tcp.options.sack[0] = block(kSegments - 1, 100);
  tcp.Give(view);
  tcp.Settle();
  for (uint32_t i = 0; i < kCalls; ++i) {
    view = tcp.View(0, 0);
    view.tcp.options.sack_count = 4;
    for (uint32_t j = 0; j < 4; ++j) {
      view.tcp.options.sack[j] = block(kSegments - 3 - 2 * j - i % 7, 50);
    }
    meter.Count([&] { tcp.Give(view); });
  }
  tcp.Settle();
  return kCalls;
}

// SYNs of many ports to a table with so many places, of which `before` came
// earlier.
size_t TakeSyns(WorstMeter& meter, uint32_t before) {
  OuterTcp::Config config = test::RigConfig(3);
  config.syn_backlog = 256;
  OuterTcp tcp(config);
  const Endpoint listen[] = {test::At("192.0.2.2:9000")};
  tcp.SetListen(listen);
  TxBatch batch;
  uint16_t port = 1024;
  const auto syn = [&] {
    wire::FrameView view;
    view.link = test::kLink;
    view.source = test::At("192.0.2.1:1");
    view.source.port = ++port;
    view.destination = test::At("192.0.2.2:9000");
    view.tcp.source_port = port;
    view.tcp.destination_port = 9000;
    view.tcp.flags = wire::kSyn;
    view.tcp.seq = wire::TcpSeq(port * 77u);
    view.tcp.window = 64240;
    view.tcp.options.mss = 1460;
    view.tcp.options.sack_permitted = true;
    view.tcp.options.window_scale = 7;
    view.tcp.options.timestamps = wire::TcpTimestamps{port, 0};
    return view;
  };
  for (uint32_t i = 0; i < before; ++i) {
    tcp.Receive(syn(), 1'000'000, batch);
    test::Drain(batch);
  }
  for (size_t i = 0; i < kCalls; ++i) {
    const auto view = syn();
    meter.Count([&] { tcp.Receive(view, 1'000'000, batch); });
    test::Drain(batch);
  }
  return kCalls;
}

// ---- FEC

// Data shards, of which the first `members` of each group come; `before` of
// them earlier.
size_t TakeShards(WorstMeter& meter, uint32_t members, uint32_t before) {
  fec::testing::FecRig rig;
  uint32_t base = 1;
  uint8_t index = 0;
  const auto take = [&](WorstMeter* counted) {
    Frame frame;
    frame.packet_number = base + index;
    frame.group = {base, index, 10, 3, 1};
    frame.lane = fec::testing::kLane;
    frame.mbuf = rte_pktmbuf_alloc(testing::TestPool());
    Must(frame.mbuf != nullptr);
    frame.data =
        reinterpret_cast<uint8_t*>(rte_pktmbuf_append(frame.mbuf, 1400));
    frame.length = 1400;
    const auto body = [&] {
      Must(rig.decoder().OnShard(frame, rig.now_us, rig));
    };
    if (counted != nullptr) {
      counted->Count(body);
    } else {
      body();
    }
    rte_pktmbuf_free(frame.mbuf);
    if (++index == members) {
      index = 0;
      base += 10;
    }
  };
  for (uint32_t i = 0; i < before; ++i) take(nullptr);
  for (size_t i = 0; i < 10 * kCalls; ++i) take(&meter);
  rig.decoder().Release(fec::testing::kLane);
  return 10 * kCalls;
}

}  // namespace

std::vector<WorstCase> InboundCases() {
  using Meter = WorstMeter;
  const Bytes plain = Ipv6Frame(false);
  const Bytes crowded = Ipv6Frame(true);
  return {
      {"frame parser", "1400 bytes over IPv6",
       "the same with 4 extension headers and 40 options",
       [plain](Meter& m) { return Parse(m, plain); },
       [crowded](Meter& m) { return Parse(m, crowded); }},
      {"outer TCP: payload", "the next byte", "every second byte, backwards",
       TakeInOrder, TakeBackwards},
      {"outer TCP: ACK", "of one segment of 4096",
       "4 SACK blocks below the highest, nothing new", AckInOrder,
       AckBelowTheHighest},
      {"outer TCP: SYN", "a place in the table", "a cookie, the table full",
       [](Meter& m) { return TakeSyns(m, 0); },
       [](Meter& m) { return TakeSyns(m, 512); }},
      {"FEC groups", "10+3 in order", "a group begun by each, the store full",
       [](Meter& m) { return TakeShards(m, 10, 100); },
       [](Meter& m) { return TakeShards(m, 1, 6000); }},
  };
}

}  // namespace lwt::bench
