#include "drivers/packet_pool.h"

#include <gtest/gtest.h>
#include <rte_mempool.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>
#include <vector>

#include "drivers/cpu_set.h"
#include "drivers/eal.h"
#include "tests/unit/drivers/child_process.h"

namespace lwt {
namespace {

// Lets the process map so many bytes more.
void LimitMemory(uint64_t more) {
  std::ifstream statm("/proc/self/statm");
  uint64_t pages = 0;
  statm >> pages;
  const rlim_t most =
      pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE)) + more;
  const rlimit limit = {most, most};
  setrlimit(RLIMIT_AS, &limit);
}

using Kind = PacketPool::Kind;

// EAL with the memory that `need` bytes ask for. "" or what failed.
std::string StartWith(uint64_t need) {
  EalOptions options;
  options.memory = *PlanMemory(MemoryMode::kNoHuge, need, {});
  options.control_cpu = AllowedCpus()->front();
  const absl::Status status = StartEal(options);
  return status.ok() ? "" : status.ToString();
}

TEST(PacketPoolTest, TheComputedNeedSuffices) {
  EXPECT_EQ(RunInChild([]() -> std::string {
              MemoryRequest request;
              request.small_frames = 8192;
              request.jumbo_frames = 160;
              request.other_bytes = 0;
              const std::string failure = StartWith(ComputeMemoryNeed(request));
              if (!failure.empty()) return failure;
              const auto small = PacketPool::Create("small", Kind::kSmall,
                                                    request.small_frames);
              if (!small.ok()) return small.status().ToString();
              const auto jumbo = PacketPool::Create("jumbo", Kind::kJumbo,
                                                    request.jumbo_frames);
              if (!jumbo.ok()) return jumbo.status().ToString();
              LWT_CHILD_EXPECT(small->free_count() == 8192);
              LWT_CHILD_EXPECT(jumbo->free_count() == 160);
              return "";
            }),
            "");
}

TEST(PacketPoolTest, TheNeedOfOnePoolAloneSuffices) {
  for (const uint32_t count : {1u, 100u, 1023u, 1024u, 20000u}) {
    EXPECT_EQ(RunInChild([count]() -> std::string {
                MemoryRequest request;
                request.small_frames = count;
                request.pool_count = 1;
                request.other_bytes = 0;
                const std::string failure =
                    StartWith(ComputeMemoryNeed(request));
                if (!failure.empty()) return failure;
                const auto pool = PacketPool::Create("p", Kind::kSmall, count);
                return pool.ok() ? "" : pool.status().ToString();
              }),
              "")
        << count;
  }
}

TEST(PacketPoolTest, SaysTheNumbersWhenMemoryLacks) {
  EXPECT_EQ(
      RunInChild([]() -> std::string {
        const std::string failure = StartWith(8 << 20);
        if (!failure.empty()) return failure;
        // Neither the heap nor the process may have that much.
        LimitMemory(32 << 20);
        const auto pool = PacketPool::Create("jumbo", Kind::kJumbo, 1000);
        LWT_CHILD_EXPECT(absl::IsResourceExhausted(pool.status()));
        const std::string message(pool.status().message());
        LWT_CHILD_EXPECT(message.starts_with(
            "packet pool jumbo: 1000 buffers of 65535 bytes need "));
        // The heap is whole again.
        for (int i = 0; i < 3; ++i) {
          LWT_CHILD_EXPECT(PacketPool::Create("j", Kind::kJumbo, 50).ok());
        }
        return "";
      }),
      "");
}

TEST(PacketPoolTest, BuffersHaveTheirRoomAndAnOddStride) {
  EXPECT_EQ(
      RunInChild([]() -> std::string {
        const std::string failure = StartWith(24 << 20);
        if (!failure.empty()) return failure;
        for (const Kind kind : {Kind::kSmall, Kind::kJumbo}) {
          const auto pool = PacketPool::Create("p", kind, 16);
          if (!pool.ok()) return pool.status().ToString();
          rte_mbuf* frames[16];
          LWT_CHILD_EXPECT(rte_pktmbuf_alloc_bulk(pool->get(), frames, 16) ==
                           0);
          LWT_CHILD_EXPECT(pool->free_count() == 0);
          LWT_CHILD_EXPECT(rte_pktmbuf_alloc(pool->get()) == nullptr);
          const uint32_t room =
              kind == Kind::kSmall ? 2048 : 65535 - RTE_PKTMBUF_HEADROOM;
          for (rte_mbuf* frame : frames) {
            LWT_CHILD_EXPECT(rte_pktmbuf_tailroom(frame) == room);
            LWT_CHILD_EXPECT(rte_pktmbuf_headroom(frame) == 128);
            // What a device is told lies where the CPU writes.
            LWT_CHILD_EXPECT(frame->buf_iova ==
                             reinterpret_cast<uintptr_t>(frame->buf_addr));
          }
          const auto stride = reinterpret_cast<uintptr_t>(frames[1]) -
                              reinterpret_cast<uintptr_t>(frames[0]);
          LWT_CHILD_EXPECT(stride % 128 == 64);
          rte_pktmbuf_free_bulk(frames, 16);
          LWT_CHILD_EXPECT(pool->free_count() == 16);
        }
        return "";
      }),
      "");
}

TEST(PacketPoolTest, PoolsOfOneLabelLiveSideBySideAndMove) {
  EXPECT_EQ(RunInChild([]() -> std::string {
              const std::string failure = StartWith(24 << 20);
              if (!failure.empty()) return failure;
              auto first = PacketPool::Create("twelve-chars", Kind::kSmall, 8);
              auto second =
                  PacketPool::Create("twelve-chars", Kind::kSmall, 16);
              LWT_CHILD_EXPECT(first.ok() && second.ok());
              *first = *std::move(second);
              LWT_CHILD_EXPECT(first->count() == 16);
              const PacketPool third = *std::move(first);
              LWT_CHILD_EXPECT(third.free_count() == 16);
              return "";
            }),
            "");
}

TEST(PacketPoolTest, RefusesNonsense) {
  EXPECT_TRUE(absl::IsInvalidArgument(
      PacketPool::Create("p", Kind::kSmall, 0).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(
      PacketPool::Create("", Kind::kSmall, 1).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(
      PacketPool::Create("thirteen-char", Kind::kSmall, 1).status()));
}

TEST(PacketPoolTest, CachesNeverHoldALargePartBack) {
  for (const uint32_t count : {1u, 8u, 64u, 160u, 4096u, 1u << 20}) {
    for (const Kind kind : {Kind::kSmall, Kind::kJumbo}) {
      const uint32_t size = PacketPool::CacheSizeFor(kind, count);
      // Three threads, each with one and a half caches.
      EXPECT_LE(size * 3 / 2 * 3, count / 2);
      EXPECT_LE(size, uint32_t{RTE_MEMPOOL_CACHE_MAX_SIZE});
    }
  }
  EXPECT_EQ(PacketPool::CacheSizeFor(Kind::kSmall, 4096), 256u);
  // Eight workers and control, with 256 for each worker.
  EXPECT_LE(PacketPool::CacheSizeFor(Kind::kJumbo, 8 * 256) * 3 / 2 * 9,
            8 * 256u / 4);
}

}  // namespace
}  // namespace lwt
