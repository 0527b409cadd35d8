#include "drivers/uplink/memif.h"

#include <gtest/gtest.h>

#include "tests/unit/drivers/child_process.h"
#include "tests/unit/drivers/net_lab.h"

namespace lwt {
namespace {

constexpr uint16_t kRoom = 2048 + RTE_PKTMBUF_HEADROOM;

// Frames `count` to 200 bytes that differ, from one end to the other.
std::string Carry(rte_mempool* pool, Port& from, Port& to, size_t count) {
  std::vector<rte_mbuf*> frames;
  for (size_t i = 0; i < count; ++i) {
    frames.push_back(
        MakeFrame(pool, Bytes(200 + i, static_cast<uint8_t>(i + 1))));
  }
  LWT_CHILD_EXPECT(from.Transmit(frames) == count);
  const std::vector<rte_mbuf*> got = ReceiveFrames(to, count);
  LWT_CHILD_EXPECT(got.size() == count);
  for (size_t i = 0; i < count; ++i) {
    LWT_CHILD_EXPECT(got[i]->pkt_len == 200 + i);
    LWT_CHILD_EXPECT(got[i]->l2_len == to.info().link_header_size);
    LWT_CHILD_EXPECT(*rte_pktmbuf_mtod(got[i], uint8_t*) == i + 1);
    rte_pktmbuf_free(got[i]);
  }
  return "";
}

std::string CarryBothWays(uint8_t link_header_size) {
  InitEal();
  rte_mempool* pool = MakePool("memif-test", 8191, kRoom);
  MemifSpec spec;
  spec.name = "lwt-memif-test";
  spec.link_header_size = link_header_size;
  spec.pool = pool;
  auto pair = OpenMemifPair(spec);
  if (!pair.ok()) return pair.status().ToString();
  LWT_CHILD_EXPECT(pair->first->info().driver == "net_memif");
  LWT_CHILD_EXPECT(pair->first->wait_fd() == -1);
  std::string complaint = Carry(pool, *pair->first, *pair->second, 5);
  if (complaint.empty()) {
    complaint = Carry(pool, *pair->second, *pair->first, 32);
  }
  return complaint;
}

TEST(MemifTest, CarriesBothWaysWithALinkHeader) {
  EXPECT_EQ(RunInChild([] { return CarryBothWays(14); }), "");
}

TEST(MemifTest, CarriesBothWaysWithoutALinkHeader) {
  EXPECT_EQ(RunInChild([] { return CarryBothWays(0); }), "");
}

TEST(MemifTest, RefusesANameThatIsTooLongAndNoPool) {
  MemifSpec spec;
  spec.name = "a-name-of-more-than-20";
  EXPECT_EQ(OpenMemifPair(spec).status().code(),
            absl::StatusCode::kInvalidArgument);
  spec.name = "good";
  EXPECT_EQ(OpenMemifPair(spec).status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace lwt
