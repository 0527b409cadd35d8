// What a worker of a hub takes for each client.
#include <gtest/gtest.h>
#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "control/hub/hub_sessions.h"
#include "tests/packet/dataplane/gateway_pair.h"

namespace lwt::testing {
namespace {

constexpr size_t kMostOfAClient = 24 * 1024;

// What the heap has given, and the pages that are behind all memory.
struct Memory {
  static Memory Now() {
    const auto heap = mallinfo2();
    std::ifstream statm("/proc/self/statm");
    Memory now{.given = heap.uordblks + heap.hblkhd};
    size_t all = 0;
    statm >> all >> now.resident;
    now.resident *= static_cast<size_t>(sysconf(_SC_PAGESIZE));
    return now;
  }
  size_t Since(const Memory& before) const {
    return std::max(given - before.given,
                    resident - std::min(resident, before.resident));
  }

  size_t given = 0;
  size_t resident = 0;
};

// Of a worker that has so many lanes, none of which stands.
size_t MemoryOf(uint32_t lanes) {
  WorkerOptions options = SmallWorker();
  options.max_lanes = lanes;
  options.floods = true;
  const Memory before = Memory::Now();
  const Node node("m", options, RingPorts());
  return Memory::Now().Since(before);
}

// Of the places that it has, one more than its lane needs.
TEST(MemoryTest, AClientTakesLittleOfEachWorker) {
  constexpr uint32_t kClients = 2000;
  StartTestEal();
  MemoryOf(4);  // what is made once
  const size_t none = MemoryOf(peer::HubSessions::LanesFor(0));
  const size_t all = MemoryOf(peer::HubSessions::LanesFor(kClients));
  const size_t places = (all - none) / kClients;
  RecordProperty("places", static_cast<int>(places));
  RecordProperty("lane", static_cast<int>(sizeof(session::Lane)));
  EXPECT_LE(places + sizeof(session::Lane), kMostOfAClient)
      << places << " B of places, " << sizeof(session::Lane) << " B a lane";
}

// However often they come and go, by whichever of their places.
TEST(MemoryTest, LanesThatComeAndGoTakeNoMoreThanStoodAtOnce) {
  GatewayPair pair;
  pair.Establish();
  Worker& hub = pair.hub.worker();
  for (uint32_t lane = 1; lane < 4; ++lane) {
    pair.Join(lane);
    pair.hub.mailbox().Send(RemoveLaneCommand{{lane}, true});
    pair.Settle();
  }
  EXPECT_EQ(hub.lanes.made(), 1u);
  EXPECT_EQ(hub.lanes.touched(), 2u);
}

}  // namespace
}  // namespace lwt::testing
