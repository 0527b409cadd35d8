// The steady loop of a worker takes no memory from the heap and no lock: both
// are counted here, below every library. Not for sanitizers, which put calls
// of their own in the same place.
#include <dlfcn.h>
#include <errno.h>
#include <gtest/gtest.h>
#include <pthread.h>

#include <cstdlib>

#include "dataplane/loop.h"
#include "tests/bench/gateway_rig.h"
#include "tests/packet/dataplane/gateway_pair.h"

extern "C" {
void* __libc_malloc(size_t size);
void* __libc_calloc(size_t count, size_t size);
void* __libc_realloc(void* old, size_t size);
void* __libc_memalign(size_t alignment, size_t size);
}

namespace {

// Of this thread, while it is armed.
thread_local bool armed = false;
thread_local int allocations = 0;
thread_local int locks = 0;

void CountAllocation() {
  if (armed) ++allocations;
}

}  // namespace

extern "C" {

void* malloc(size_t size) {
  CountAllocation();
  return __libc_malloc(size);
}
void* calloc(size_t count, size_t size) {
  CountAllocation();
  return __libc_calloc(count, size);
}
void* realloc(void* old, size_t size) {
  CountAllocation();
  return __libc_realloc(old, size);
}
void* aligned_alloc(size_t alignment, size_t size) {
  CountAllocation();
  return __libc_memalign(alignment, size);
}
int posix_memalign(void** out, size_t alignment, size_t size) {
  CountAllocation();
  *out = __libc_memalign(alignment, size);
  return *out == nullptr ? ENOMEM : 0;
}
int pthread_mutex_lock(pthread_mutex_t* mutex) {
  using Lock = int (*)(pthread_mutex_t*);
  static const auto real =
      reinterpret_cast<Lock>(dlsym(RTLD_NEXT, "pthread_mutex_lock"));
  if (armed) ++locks;
  return real(mutex);
}

}  // extern "C"

namespace lwt::testing {
namespace {

class Armed {
 public:
  Armed() {
    allocations = 0;
    locks = 0;
    armed = true;
  }
  ~Armed() { armed = false; }
};

TEST(SteadyLoopTest, TakesNoMemoryAndNoLock) {
  for (const bool offload : {false, true}) {
    bench::RigOptions options;
    options.packet_size = offload ? 1400 : 64;
    options.offload = offload;
    options.super_inside = offload;
    options.lanes = 10;
    options.active = 8;
    bench::GatewayRig rig(options);
    int seen = 0;
    for (int i = 0; i < 3000; ++i) {
      rig.Feed();
      {
        const Armed watch;
        rig.RunClient();
      }
      seen += allocations + locks;
      rig.Carry();
      {
        const Armed watch;
        rig.RunHub();
      }
      seen += allocations + locks;
      rig.Drain();
    }
    EXPECT_EQ(seen, 0) << (offload ? "offload" : "plain");
  }
}

// Timers, retransmissions, acknowledgements of holes and idle loops.
TEST(SteadyLoopTest, TakesNoMemoryUnderLoss) {
  GatewayPair pair;
  pair.Establish();
  const Bytes packet = InnerUdp4("10.0.0.2", "10.0.0.1", 1200);
  int seen = 0;
  int count = 0;
  const auto run = [&](Node& node) {
    node.worker().now_us = pair.now_us;
    const Armed watch;
    RunLoopOnce(node.worker());
    seen += allocations + locks;
  };
  for (int i = 0; i < 2000; ++i) {
    if (i % 2 == 0) pair.client.GiveToTunnel(packet);
    run(pair.client);
    for (const Bytes& frame : pair.client.TakeFromUplink()) {
      if (++count % 7 != 0) pair.hub.GiveToUplink(frame);
    }
    run(pair.hub);
    for (const Bytes& frame : pair.hub.TakeFromUplink()) {
      pair.client.GiveToUplink(frame);
    }
    pair.hub.TakeFromTunnel();
    pair.Advance(i % 50 == 0 ? 300'000 : 500);
  }
  EXPECT_EQ(seen, 0);
  EXPECT_GT(count, 1000);
  EXPECT_GT(
      pair.client.worker().tcp.Stats(pair.client_flow)->segments_retransmitted,
      0u);
}

// A port that takes memory, or a lock, in the middle of the loop.
class PlantedPort final : public Port {
 public:
  PlantedPort(std::unique_ptr<Port> port, bool lock)
      : Port(port->info()), port_(std::move(port)), lock_(lock) {}
  uint16_t Receive(std::span<rte_mbuf*> frames) override {
    if (lock_) {
      pthread_mutex_lock(&mutex_);
      pthread_mutex_unlock(&mutex_);
    } else {
      void* volatile memory = std::malloc(10);
      std::free(memory);
    }
    return port_->Receive(frames);
  }
  uint16_t Transmit(std::span<rte_mbuf*> frames) override {
    return port_->Transmit(frames);
  }
  int wait_fd() const override { return -1; }

 private:
  const std::unique_ptr<Port> port_;
  const bool lock_;
  pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
};

TEST(SteadyLoopTest, APlantedAllocationOrLockIsSeen) {
  for (const bool lock : {false, true}) {
    NodePorts planted = RingPorts();
    planted.tunnel =
        std::make_unique<PlantedPort>(std::move(planted.tunnel), lock);
    GatewayPair pair(SmallWorker(), std::move(planted), RingPorts());
    pair.Establish();
    pair.client.worker().now_us = pair.now_us;
    {
      const Armed watch;
      RunLoopOnce(pair.client.worker());
    }
    EXPECT_EQ(allocations, lock ? 0 : 1);
    EXPECT_EQ(locks, lock ? 1 : 0);
  }
}

}  // namespace
}  // namespace lwt::testing
