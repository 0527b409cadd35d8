#include "tests/packet/dataplane/lossy_run.h"

#include <rte_memcpy.h>

#include <array>
#include <utility>

#include "drivers/ports/ring.h"

namespace lwt::testing {
namespace {

// Behind the UDP header of an inner packet.
constexpr size_t kNumberAt = 28;

std::pair<std::unique_ptr<Port>, std::unique_ptr<Port>> Rings(
    uint8_t link_header_size) {
  static int count = 0;
  RingSpec spec;
  spec.name = "lossy" + std::to_string(count++);
  spec.size = 1024;
  spec.link_header_size = link_header_size;
  spec.mtu = 1500;
  spec.wait_fds = false;
  auto pair = OpenRingPair(spec);
  EXPECT_TRUE(pair.ok()) << pair.status();
  return std::move(*pair);
}

constexpr uint64_t kWarmUpPackets = 10'000;

}  // namespace

LossyRun::LossyRun(const LossyRunOptions& options)
    : options_(options),
      packet_(InnerUdp4("10.0.0.2", "10.0.0.1", kPacketSize, 0x5a)) {
  StartTestEal();
  NodePorts client;
  NodePorts hub;
  std::tie(client.uplink, hub.uplink) = Rings(14);
  std::tie(client.tunnel, client.tunnel_far) = Rings(0);
  std::tie(hub.tunnel, hub.tunnel_far) = Rings(0);
  auto link = std::make_unique<LossyPort>(
      std::move(client.uplink),
      bad_link::LossProcess(options.loss, options.burst), options.seed);
  link_ = link.get();
  link_->active = false;
  client.uplink = std::move(link);
  pair_ = std::make_unique<GatewayPair>(options.worker, std::move(client),
                                        std::move(hub));
  pair_->Establish();
  // The hub's window grows with what it has carried.
  Send(kWarmUpPackets);
  link_->active = true;
  Restart();
}

void LossyRun::Restart() {
  first_ = next_;
  sent_ = delivered_ = duplicates_ = 0;
  repaired_before_ = hub().shards_repaired.Get();
  bytes_before_ = link_->bytes();
  seen_.clear();
}

void LossyRun::Send(uint64_t packets, size_t burst_packets) {
  seen_.resize(seen_.size() + packets);
  sent_ += packets;
  while (packets > 0) {
    const size_t count = std::min<uint64_t>(packets, burst_packets);
    Step(count);
    packets -= count;
  }
}

void LossyRun::Settle() {
  for (int i = 0; i < 10; ++i) {
    pair_->Advance(5000);
    RunAll();
  }
}

double LossyRun::residual() const {
  return 1 - static_cast<double>(delivered_) / static_cast<double>(sent_);
}

double LossyRun::raw() {
  const uint64_t repaired = hub().shards_repaired.Get() - repaired_before_;
  return residual() +
         static_cast<double>(repaired) / static_cast<double>(sent_);
}

double LossyRun::overhead() const {
  return static_cast<double>(link_->bytes() - bytes_before_) /
         static_cast<double>(sent_ * kPacketSize);
}

void LossyRun::Step(size_t packets) {
  std::array<rte_mbuf*, 64> mbufs;
  ASSERT_LE(packets, mbufs.size());
  ASSERT_EQ(rte_pktmbuf_alloc_bulk(TestPool(), mbufs.data(),
                                   static_cast<unsigned>(packets)),
            0);
  for (size_t i = 0; i < packets; ++i) {
    char* room = rte_pktmbuf_append(mbufs[i], kPacketSize);
    rte_memcpy(room, packet_.data(), kPacketSize);
    rte_memcpy(room + kNumberAt, &next_, sizeof(next_));
    ++next_;
  }
  ASSERT_EQ(pair_->client.tunnel_far().Transmit({mbufs.data(), packets}),
            packets);
  pair_->Advance(options_.step_us);
  if (options_.step_bytes != 0) link_->room = options_.step_bytes;
  RunAll();
}

void LossyRun::RunAll() {
  do {
    pair_->client.RunAt(pair_->now_us);
    pair_->hub.RunAt(pair_->now_us);
    Take();
  } while (pair_->client.worker().worked || pair_->hub.worker().worked);
}

void LossyRun::Take() {
  std::array<rte_mbuf*, 64> mbufs;
  while (const uint16_t count = pair_->hub.tunnel_far().Receive(mbufs)) {
    for (uint16_t i = 0; i < count; ++i) {
      uint64_t number = 0;
      rte_memcpy(&number, rte_pktmbuf_mtod_offset(mbufs[i], char*, kNumberAt),
                 sizeof(number));
      rte_pktmbuf_free(mbufs[i]);
      if (number < first_ || number >= next_) continue;
      const auto seen = seen_[number - first_];
      if (seen) ++duplicates_;
      if (!seen) ++delivered_;
      seen_[number - first_] = true;
    }
  }
}

}  // namespace lwt::testing
