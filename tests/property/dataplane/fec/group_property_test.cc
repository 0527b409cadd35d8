// Sealed groups through encoder and decoder: whatever m records of a group are
// lost, data or parity, and in whatever order the rest arrives, all data is
// there, once. Parities equal those of a Reed-Solomon code that shares nothing
// with ours.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <map>
#include <random>
#include <set>

#include "tests/support/slow_reed_solomon.h"
#include "tests/unit/dataplane/fec/fec_rig.h"

namespace lwt::fec {
namespace {

using lwt::testing::SlowReedSolomon;
using lwt::testing::TestPool;
using testing::Bytes;
using testing::FecRig;
using testing::kLane;
using testing::Sent;

class GroupPropertyTest : public ::testing::Test {
 protected:
  Bytes Shard(size_t longest) {
    Bytes shard(3 + random_() % longest);
    for (uint8_t& byte : shard) byte = static_cast<uint8_t>(random_());
    shard.back() = 1;  // so that padding shows
    return shard;
  }

  // Sends `count` shards in whole blocks; shards_ holds them.
  std::vector<Sent> SendAll(FecRig& rig, const Parameters& code, size_t count,
                            size_t longest) {
    shards_.clear();
    rig.encoder().SetParameters(kLane, code);
    std::vector<Sent> sent;
    for (size_t i = 0; i < count; ++i) {
      shards_.push_back(Shard(longest));
      const auto more = rig.Send(shards_.back());
      sent.insert(sent.end(), more.begin(), more.end());
    }
    rig.now_us += 1'000'000;
    const auto rest = rig.Flush();
    sent.insert(sent.end(), rest.begin(), rest.end());
    return sent;
  }

  // Each shard came once, as it was or padded.
  void ExpectAll(FecRig& rig) {
    std::multiset<Bytes> wanted(shards_.begin(), shards_.end());
    std::multiset<Bytes> got(rig.delivered.begin(), rig.delivered.end());
    for (Bytes shard : rig.repaired) {
      while (!shard.empty() && shard.back() == 0) shard.pop_back();
      got.insert(std::move(shard));
    }
    ASSERT_EQ(got, wanted);
    // Nobody told of the end of a group that lost all of its parities.
    rig.decoder().Expire(rig.now_us + 1'000'000, rig);
    ASSERT_EQ(rig.unrepaired_count, 0u);
    ASSERT_EQ(rig.decoder().store().shards_held(), 0u);
  }

  std::mt19937 random_{20240502};
  std::vector<Bytes> shards_;
};

TEST_F(GroupPropertyTest, EveryErasureOfSmallGroups) {
  for (uint8_t k = 1; k <= 5; ++k) {
    for (uint8_t m = 1; m <= 3; ++m) {
      const Parameters code{k, m, 1};
      const int parities = std::min(k, m);
      for (uint32_t lost = 0; lost < uint32_t{1} << (k + parities); ++lost) {
        if (std::popcount(lost) > parities) continue;
        FecRig rig;
        const auto sent = SendAll(rig, code, k, 60);
        ASSERT_EQ(sent.size(), static_cast<size_t>(k + parities));
        for (size_t i = 0; i < sent.size(); ++i) {
          if (((lost >> i) & 1) == 0) rig.Receive(sent[i]);
        }
        ASSERT_NO_FATAL_FAILURE(ExpectAll(rig))
            << int{k} << "+" << int{m} << " lost " << lost;
      }
    }
  }
}

TEST_F(GroupPropertyTest, RandomErasuresAndOrdersOfLargeGroups) {
  for (int run = 0; run < 200; ++run) {
    Parameters code;
    code.data = static_cast<uint8_t>(1 + random_() % kMaxData);
    code.parity = static_cast<uint8_t>(1 + random_() % kMaxParity);
    code.stride = static_cast<uint8_t>(
        1 + random_() %
                std::min<size_t>(kMaxStride, kMaxBlockParities / code.parity));
    // The last block closes early.
    const size_t block = size_t{code.data} * code.stride;
    FecRig rig;
    auto sent = SendAll(rig, code, block + random_() % block, 200);
    std::map<uint32_t, size_t> left;  // parities of a group
    for (const Sent& one : sent) left[one.place.base] += one.parity ? 1 : 0;
    std::shuffle(sent.begin(), sent.end(), random_);
    std::vector<Sent> arrive;
    for (const Sent& one : sent) {
      size_t& spare = left[one.place.base];
      if (spare > 0 && random_() % 2 == 0) {
        --spare;
      } else {
        arrive.push_back(one);
      }
    }
    for (const Sent& one : arrive) rig.Receive(one);
    ASSERT_NO_FATAL_FAILURE(ExpectAll(rig))
        << int{code.data} << "+" << int{code.parity} << " stride "
        << int{code.stride} << " run " << run;
  }
}

TEST_F(GroupPropertyTest, ParitiesAreThoseOfTheSlowCode) {
  Encoder::Config config;
  config.pool = TestPool();
  config.max_lanes = 2;
  for (int run = 0; run < 100; ++run) {
    Encoder encoder(config);
    const auto k = static_cast<uint8_t>(1 + random_() % 20);
    const auto m = static_cast<uint8_t>(1 + random_() % 8);
    encoder.SetParameters(kLane, {k, m, 1});
    std::vector<Bytes> shards;
    for (uint8_t i = 0; i < k; ++i) {
      shards.push_back(Shard(80));
      encoder.Add(kLane, 100u + i, shards.back(), 0);
    }
    PacketBurst parities;
    encoder.CloseFull(kLane, parities);
    ASSERT_EQ(parities.size(), std::min(k, m));
    for (const Frame& parity : parities.frames()) {
      ASSERT_EQ(Bytes(parity.data, parity.data + parity.length),
                SlowReedSolomon::Encode(shards, parity.group.index))
          << int{k} << "+" << int{m} << " run " << run;
      rte_pktmbuf_free(parity.mbuf);
    }
  }
}

}  // namespace
}  // namespace lwt::fec
