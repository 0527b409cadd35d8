// A worker's whole loop over what one frame brings: from the uplink to the
// tunnel device, to another client, or to control.
#include <netinet/in.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "dataplane/loop.h"
#include "dataplane/wire/checksum.h"
#include "dataplane/wire/ip.h"
#include "tests/bench/gateway_rig.h"
#include "tests/bench/worst_meter.h"
#include "tests/packet/dataplane/gateway_pair.h"

namespace lwt::bench {
namespace {

using testing::Bytes;
using testing::GatewayPair;

constexpr size_t kCalls = 64;
constexpr char kOther[] = "10.0.0.3";

void Must(bool holds) {
  if (!holds) std::abort();
}

// The hub's loop, and not what its control does.
void CountLoop(WorstMeter& meter, GatewayPair& pair) {
  pair.hub.worker().now_us = pair.now_us;
  meter.Count([&] { RunLoopOnce(pair.hub.worker()); });
  pair.hub.RunAt(pair.now_us);
}

// Packets that fill a record each, as `make` makes them of their number.
using Make = std::function<Bytes(size_t)>;

// `came` tells how many of the packets the hub gave on.
size_t CountRecords(WorstMeter& meter, GatewayPair& pair, size_t packets,
                    const Make& make, const std::function<size_t()>& came) {
  for (size_t i = 0; i < kCalls; ++i) {
    for (size_t j = 0; j < packets; ++j) {
      Must(pair.client.GiveToTunnel(make(j)));
    }
    pair.client.RunAt(pair.now_us);
    const auto frames = pair.client.TakeFromUplink();
    Must(frames.size() == 1);
    Must(pair.hub.GiveToUplink(frames[0]));
    CountLoop(meter, pair);
    Must(came() == packets);
    pair.Settle();
    pair.Advance(1000);
  }
  return kCalls;
}

// From two addresses of the client in turn, so that none is known from the
// packet before.
size_t ToTunnel(WorstMeter& meter, size_t size, size_t packets) {
  GatewayPair pair;
  pair.hub.mailbox().Publish(testing::OnePeer({"10.0.0.2/31"}));
  pair.Establish();
  const auto make = [&](size_t i) {
    return testing::InnerUdp4(i % 2 == 0 ? testing::kClient : kOther,
                              testing::kHub, size);
  };
  return CountRecords(meter, pair, packets, make,
                      [&] { return pair.hub.TakeFromTunnel().size(); });
}

size_t ToOtherClient(WorstMeter& meter, size_t size, size_t packets) {
  GatewayPair pair;
  auto snapshot = testing::OnePeer({"10.0.0.2/32"});
  std::vector<RouteTable::Route> routes = {
      {*ParseIpPrefix("10.0.0.2/32"), {0}},
      {*ParseIpPrefix("10.0.0.3/32"), {1}}};
  snapshot->routes = RouteTable(routes);
  snapshot->peers.push_back(snapshot->peers[0]);
  snapshot->peers[1].SetLane({0}, {1});
  snapshot->forward_between_peers = true;
  pair.hub.mailbox().Publish(std::move(snapshot));
  pair.Establish();
  pair.Join(1);
  const auto make = [&](size_t) {
    return testing::InnerUdp4(testing::kClient, kOther, size);
  };
  uint64_t before = 0;
  return CountRecords(meter, pair, packets, make, [&] {
    for (const Bytes& frame : pair.hub.TakeFromUplink()) {
      Must(pair.client.GiveToUplink(frame));
    }
    const uint64_t now = pair.hub.counters().forwarded_packets.Get();
    return now - std::exchange(before, now);
  });
}

// A TCP segment of `size` bytes, IP header included, of flow `flow`.
Bytes InnerTcp4(uint16_t flow, uint32_t seq, size_t size) {
  Bytes packet = testing::InnerUdp4(testing::kClient, testing::kHub, size);
  packet[9] = IPPROTO_TCP;
  wire::StoreChecksum(&packet[10],
                      wire::ChecksumFinish(wire::ChecksumAdd(&packet[0], 20)));
  wire::StoreBe16(&packet[20], flow);
  wire::StoreBe16(&packet[22], 80);
  wire::StoreBe32(&packet[24], seq);
  packet[32] = 5 << 4;
  packet[33] = wire::kAck;
  const uint64_t sum =
      wire::PseudoHeaderSum(*ParseIpAddress(testing::kClient),
                            *ParseIpAddress(testing::kHub), size - 20) +
      wire::ChecksumAdd(&packet[20], size - 20);
  wire::StoreChecksum(&packet[36], wire::ChecksumFinish(sum));
  return packet;
}

// To a device that takes super-frames: more flows than are merged at once, a
// packet of each, so that each ends another's run.
size_t ToMergingTunnel(WorstMeter& meter, size_t size, size_t packets) {
  RigOptions ports;
  ports.super_inside = true;
  auto [client, hub] = JoinedPorts(ports);
  GatewayPair pair(testing::SmallWorker(), std::move(client), std::move(hub));
  pair.Establish();
  const auto make = [&](size_t i) {
    return InnerTcp4(static_cast<uint16_t>(1000 + i), 1, size);
  };
  return CountRecords(meter, pair, packets, make,
                      [&] { return pair.hub.TakeFromTunnel().size(); });
}

// Bytes of a flow that has proved nothing, which go to control: segments of
// `size`, of which every `step`th comes, in order or backwards.
size_t ToControl(WorstMeter& meter, size_t size, size_t step, bool backwards) {
  constexpr size_t kSegments = 50;
  GatewayPair pair;
  pair.Establish();
  pair.client.mailbox().Send(
      ConnectCommand{8, *ParseEndpoint("192.0.2.1:45000"),
                     *ParseEndpoint("192.0.2.2:9000"), testing::TestLink()});
  pair.Settle();
  Must(pair.client.events.size() == 1);
  std::vector<Bytes> segments;
  for (size_t i = 0; i < kSegments * step; ++i) {
    pair.client.mailbox().Send(SendStreamCommand{
        pair.client.events[0].flow, std::vector<uint8_t>(size, 0x16)});
    pair.client.RunAt(pair.now_us);
    const auto frames = pair.client.TakeFromUplink();
    Must(frames.size() == 1);
    if (i % step == step - 1) segments.push_back(frames[0]);
  }
  if (backwards) std::reverse(segments.begin(), segments.end());
  pair.hub.streams.clear();
  for (const Bytes& segment : segments) {
    Must(pair.hub.GiveToUplink(segment));
    CountLoop(meter, pair);
    pair.hub.TakeFromUplink();
  }
  Must(pair.hub.streams.size() == kSegments);
  return kSegments;
}

}  // namespace

std::vector<WorstCase> InsideCases() {
  using Meter = WorstMeter;
  return {
      {"a record, uplink to tunnel", "one packet of 1400 bytes",
       "50 packets of 26 bytes, of two sources in turn",
       [](Meter& m) { return ToTunnel(m, 1400, 1); },
       [](Meter& m) { return ToTunnel(m, 26, 50); }},
      {"a record, uplink to a tunnel that merges", "one packet of 1400 bytes",
       "30 segments of a byte, a flow each",
       [](Meter& m) { return ToMergingTunnel(m, 1400, 1); },
       [](Meter& m) { return ToMergingTunnel(m, 41, 30); }},
      {"a record to another client", "one packet of 1400 bytes",
       "50 packets of 26 bytes",
       [](Meter& m) { return ToOtherClient(m, 1400, 1); },
       [](Meter& m) { return ToOtherClient(m, 26, 50); }},
      {"unproven bytes to control", "a segment of 500 bytes, the next",
       "every second byte, backwards",
       [](Meter& m) { return ToControl(m, 500, 1, false); },
       [](Meter& m) { return ToControl(m, 1, 2, true); }},
  };
}

}  // namespace lwt::bench
