#include "drivers/tun/train_buffers.h"

#include <gtest/gtest.h>
#include <rte_mempool.h>

#include <cstring>
#include <random>

#include "drivers/packet_pool.h"
#include "tests/unit/drivers/net_lab.h"

namespace lwt {
namespace {

// A super-frame of TCP over IPv4 without IP options; only what the buffers look
// at is right.
struct Super {
  uint16_t headers = 52;
  uint16_t payload = 1357;
  size_t size = 0;  // headers and all payloads
};

class TrainBuffersTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    InitEal();
    pool_ = MakePool("trains", 255, PacketPool::kSmallRoom);
    jumbo_ = MakePool("trainsj", 63, PacketPool::kJumboRoom);
  }
  void TearDown() override {
    buffers_.reset();
    EXPECT_EQ(rte_mempool_in_use_count(pool_), 0u);
    EXPECT_EQ(rte_mempool_in_use_count(jumbo_), 0u);
  }

  // What the kernel does: copies header and packet along the vectors.
  static void Read(std::span<const iovec> vectors, const VnetHeader& header,
                   const Bytes& packet) {
    Bytes all(sizeof(header));
    std::memcpy(all.data(), &header, sizeof(header));
    all.insert(all.end(), packet.begin(), packet.end());
    size_t done = 0;
    for (const iovec& vector : vectors) {
      const size_t bytes = std::min(vector.iov_len, all.size() - done);
      std::memcpy(vector.iov_base, &all[done], bytes);
      done += bytes;
      if (done == all.size()) return;
    }
    FAIL() << "no room for " << packet.size() << " bytes";
  }

  // Lets one packet in and checks that it comes out as it was.
  rte_mbuf* Pass(const Bytes& packet, const VnetHeader& header) {
    const auto vectors = buffers_->Arm();
    if (vectors.empty()) return nullptr;
    Read(vectors, header, packet);
    rte_mbuf* frame = buffers_->Take(packet.size());
    if (frame != nullptr) {
      EXPECT_EQ(BytesOf(frame), packet);
    }
    return frame;
  }
  rte_mbuf* PassSuper(const Super& super) {
    Bytes packet(super.size);
    for (uint8_t& byte : packet) byte = static_cast<uint8_t>(random_());
    packet[20 + 12] = static_cast<uint8_t>((super.headers - 20) / 4 << 4);
    VnetHeader header;
    header.flags = kVnetNeedsChecksum;
    header.gso_type = kVnetGsoTcp4;
    header.gso_size = super.payload;
    header.checksum_start = 20;
    return Pass(packet, header);
  }
  rte_mbuf* PassSingle(size_t size) {
    Bytes packet(size);
    for (uint8_t& byte : packet) byte = static_cast<uint8_t>(random_());
    return Pass(packet, {});
  }

  static inline rte_mempool* pool_ = nullptr;
  static inline rte_mempool* jumbo_ = nullptr;
  std::mt19937 random_{7};
  std::unique_ptr<TrainBuffers> buffers_ =
      std::make_unique<TrainBuffers>(pool_, jumbo_);
};

TEST_F(TrainBuffersTest, TheSecondOfAFlowIsInPlace) {
  const Super super{.size = 52 + 1357 * 40 + 100};
  rte_mbuf* first = PassSuper(super);
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(first->nb_segs, 1);
  rte_pktmbuf_free(first);
  // Fewer slots than segments were named when the last was no super-frame.
  for (const bool after_single : {false, true, false}) {
    if (after_single) rte_pktmbuf_free(PassSingle(60));
    rte_mbuf* next = PassSuper(super);
    ASSERT_NE(next, nullptr);
    EXPECT_EQ(next->nb_segs, after_single ? 1 : 41);
    if (!after_single) {
      EXPECT_EQ(next->data_len, 52 + 1357);
      EXPECT_GE(rte_pktmbuf_headroom(next), RTE_PKTMBUF_HEADROOM);
      for (rte_mbuf* part = next->next; part != nullptr; part = part->next) {
        EXPECT_EQ(part->data_len, part->next == nullptr ? 100 : 1357);
        EXPECT_GE(part->data_off, RTE_PKTMBUF_HEADROOM + 52);
      }
    }
    rte_pktmbuf_free(next);
  }
}

TEST_F(TrainBuffersTest, ASegmentOfTheWrongSizeIsNotCut) {
  rte_pktmbuf_free(PassSuper({.size = 52 + 1357 * 3}));
  for (const Super& other :
       {Super{.payload = 1337, .size = 52 + 1337 * 3},
        Super{.headers = 60, .payload = 1337, .size = 60 + 1337 * 3},
        Super{.headers = 60, .payload = 64, .size = 60 + 64 * 900}}) {
    rte_mbuf* frame = PassSuper(other);
    ASSERT_NE(frame, nullptr);
    EXPECT_EQ(frame->nb_segs, 1);
    rte_pktmbuf_free(frame);
  }
}

// A packet longer than the first place there is for it.
TEST_F(TrainBuffersTest, SinglePacketsAreContiguous) {
  rte_pktmbuf_free(PassSuper({.payload = 1100, .size = 52 + 1100 * 3}));
  for (const size_t size : {40, 1152, 1153, 1500, 2048, 2049, 9000, 65407}) {
    rte_mbuf* frame = PassSingle(size);
    ASSERT_NE(frame, nullptr);
    EXPECT_EQ(frame->nb_segs, 1);
    EXPECT_EQ(frame->pool, size <= 2048 ? pool_ : jumbo_) << size;
    rte_pktmbuf_free(frame);
  }
}

TEST_F(TrainBuffersTest, AnyOrderComesOutAsItWentIn) {
  for (int i = 0; i < 5000; ++i) {
    Super super;
    super.headers = random_() % 4 == 0 ? 64 : 52;
    super.payload = random_() % 4 == 0 ? 1337 : 1357;
    const size_t room = 60'000;
    super.size = super.headers + random_() % room + 1;
    rte_mbuf* frame = random_() % 3 == 0 ? PassSingle(random_() % 2000 + 21)
                                         : PassSuper(super);
    ASSERT_NE(frame, nullptr) << i;
    rte_pktmbuf_free(frame);
    if (HasFailure()) FAIL() << i;
  }
}

// What there is of small buffers is used, and a super-frame needs only one.
TEST_F(TrainBuffersTest, GoesOnWithFewBuffers) {
  const Super super{.size = 52 + 1357 * 40};
  rte_pktmbuf_free(PassSuper(super));
  std::vector<rte_mbuf*> hoard;
  while (rte_mempool_avail_count(pool_) > 0) {
    hoard.push_back(rte_pktmbuf_alloc(pool_));
  }
  rte_mbuf* frame = PassSuper(super);
  ASSERT_NE(frame, nullptr);
  EXPECT_EQ(frame->nb_segs, 1);
  rte_pktmbuf_free(frame);
  rte_mbuf* held = PassSingle(100);
  ASSERT_NE(held, nullptr);
  EXPECT_TRUE(buffers_->Arm().empty());
  rte_pktmbuf_free(held);
  rte_pktmbuf_free_bulk(hoard.data(), static_cast<unsigned>(hoard.size()));
  frame = PassSingle(100);
  ASSERT_NE(frame, nullptr);
  rte_pktmbuf_free(frame);
}

}  // namespace
}  // namespace lwt
