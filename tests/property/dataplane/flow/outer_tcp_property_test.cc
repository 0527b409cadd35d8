// Two ends of a flow over a bad link, by seed. The seed is in the failure.
#include <gtest/gtest.h>

#include "tests/unit/dataplane/flow/tcp_rig.h"

namespace lwt::test {
namespace {

OuterTcp::Config ConfigOf(uint64_t seed) {
  OuterTcp::Config config;
  config.max_proven_flows = 4;
  config.syn_backlog = 64;
  config.arena_bytes = 4u << 20;
  config.pool = PacketPool();
  for (size_t i = 0; i < config.secret.size(); ++i) {
    config.secret[i] = static_cast<uint8_t>(seed * 31 + i * 7);
  }
  return config;
}

struct Case {
  const char* name;
  LinkConfig link;
  bool retransmit = true;
  size_t arena_bytes = 4u << 20;
  bool runs = false;  // super-frames, which the port cuts
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

class BadLink : public testing::TestWithParam<std::tuple<Case, int>> {};

// Equal records, at times with a shorter one behind, or in the middle, which
// ends the run there.
std::vector<uint16_t> RandomRun(std::mt19937_64& random) {
  const auto size = static_cast<uint16_t>(600 + random() % 849);
  std::vector<uint16_t> sizes(1 + random() % 46, size);
  if (random() % 2 == 0) {
    sizes[random() % sizes.size()] = static_cast<uint16_t>(60 + random() % 540);
  }
  return sizes;
}

void SendRuns(TcpRig& rig, uint64_t seed, uint64_t bytes) {
  std::mt19937_64 random(seed);
  const uint64_t limit = rig.now_us + 120'000'000;
  size_t longest = 0;
  while ((rig.client.sent < bytes || rig.hub.sent < bytes) &&
         rig.now_us < limit) {
    for (TcpRig::Side* side : {&rig.client, &rig.hub}) {
      if (side->sent >= bytes) continue;
      longest = std::max(longest, rig.SendRun(*side, RandomRun(random)));
    }
    rig.FlushBoth();
    rig.RunTo(rig.now_us + 500);
  }
  EXPECT_GT(longest, 30u);
}

// Both ways, a few hundred kilobytes in bursts.
void SendAll(TcpRig& rig, uint64_t seed, uint64_t bytes) {
  std::mt19937_64 random(seed);
  const uint64_t limit = rig.now_us + 120'000'000;
  while ((rig.client.sent < bytes || rig.hub.sent < bytes) &&
         rig.now_us < limit) {
    for (TcpRig::Side* side : {&rig.client, &rig.hub}) {
      for (int i = 0; i < 16 && side->sent < bytes; ++i) {
        const uint16_t size = random() % 4 == 0
                                  ? static_cast<uint16_t>(60 + random() % 1388)
                                  : uint16_t{1448};
        if (!rig.Send(*side, size)) break;
      }
    }
    rig.FlushBoth();
    rig.RunTo(rig.now_us + 500);
  }
}

TEST_P(BadLink, CarriesOrPassesEveryByte) {
  const auto& [c, seed] = GetParam();
  SCOPED_TRACE(testing::Message() << c.name << ", seed " << seed);
  OuterTcp::Config config = ConfigOf(static_cast<uint64_t>(seed));
  config.retransmit = c.retransmit;
  config.arena_bytes = c.arena_bytes;
  config.port_segments = c.runs;
  TcpRig rig(config, config, c.link, static_cast<uint64_t>(seed));
  ASSERT_TRUE(rig.Open());
  constexpr uint64_t kBytes = 2'000'000;
  (c.runs ? SendRuns : SendAll)(rig, static_cast<uint64_t>(seed), kBytes);
  EXPECT_GE(rig.client.sent, kBytes) << "the flow stalled";
  EXPECT_GE(rig.hub.sent, kBytes) << "the flow stalled";
  EXPECT_TRUE(rig.RunUntil(60'000'000, [&] {
    const auto a = rig.client.tcp->Stats(rig.client.flow);
    const auto b = rig.hub.tcp->Stats(rig.hub.flow);
    return a->bytes_in_flight == 0 && b->bytes_in_flight == 0;
  })) << "bytes stay unacknowledged";
  EXPECT_TRUE(rig.Complete(rig.client));
  EXPECT_TRUE(rig.Complete(rig.hub));
  EXPECT_EQ(rig.faults, std::vector<std::string>{});
  const auto stats = rig.client.tcp->Stats(rig.client.flow);
  if (c.link.loss == 0 && c.link.jitter_us == 0) {
    EXPECT_EQ(stats->segments_retransmitted, 0u);
  }
  if (c.link.loss > 0) {
    EXPECT_GT(rig.frames_lost, 0u);
    EXPECT_EQ(stats->segments_retransmitted > 0, c.retransmit);
  }
  if (!c.retransmit) {
    EXPECT_GT(stats->segments_given_up, 0u);
  }
  if (c.retransmit && c.arena_bytes >= 4u << 20) {
    EXPECT_EQ(stats->segments_given_up, 0u);
  }
  rig.client.tcp->Close(rig.client.flow, rig.now_us);
  rig.FlushBoth();
  rig.RunUntil(10'000'000, [&] { return rig.hub.hints > 0; });
  rig.hub.tcp->Close(rig.hub.flow, rig.now_us);
  rig.FlushBoth();
  EXPECT_TRUE(rig.RunUntil(
      10'000'000, [&] { return rig.client.released && rig.hub.released; }));
  EXPECT_EQ(rig.faults, std::vector<std::string>{});
}

INSTANTIATE_TEST_SUITE_P(
    Seeds, BadLink,
    testing::Combine(
        testing::Values(
            Case{"clean", {.delay_us = 5000}}, Case{"near", {.delay_us = 30}},
            Case{"lossy", {.delay_us = 10000, .loss = 0.05}},
            Case{"awful", {.delay_us = 25000, .loss = 0.2}},
            Case{"reordering", {.delay_us = 5000, .jitter_us = 4000}},
            Case{"all",
                 {.delay_us = 8000,
                  .jitter_us = 3000,
                  .loss = 0.05,
                  .duplicate = 0.05}},
            Case{"small arena",
                 {.delay_us = 20000, .loss = 0.05},
                 true,
                 256u << 10},
            Case{"runs", {.delay_us = 3000}, true, 4u << 20, true},
            Case{"runs, all",
                 {.delay_us = 8000,
                  .jitter_us = 3000,
                  .loss = 0.05,
                  .duplicate = 0.05},
                 true,
                 4u << 20,
                 true},
            Case{"runs, small arena",
                 {.delay_us = 20000, .loss = 0.05},
                 true,
                 256u << 10,
                 true},
            Case{
                "no retransmission", {.delay_us = 10000, .loss = 0.05}, false}),
        testing::Range(1, 9)));

}  // namespace
}  // namespace lwt::test
