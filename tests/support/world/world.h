// A fake world: hubs and their clients, each a whole gateway, on networks in
// memory, in fake time, in one thread. The same for the same seed.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/world/gateway.h"
#include "tests/support/world/topology.h"

namespace lwt::world {

inline constexpr uint64_t kSecond = 1'000'000;

// The buffers of all worlds of the process.
rte_mempool* SmallBuffers();
rte_mempool* JumboBuffers();

class World {
 public:
  explicit World(uint64_t seed, bool verbose = false, int log_fd = 2);

  // Before its clients.
  HubGateway& AddHub(const GatewayOptions& options, uint32_t max_clients = 8);
  ClientGateway& AddClient(const GatewayOptions& options);
  // A hub is gone from one moment to the other, as by a cut of its power; and
  // it is there again, with its key and without anything that it knew.
  void KillHub(size_t hub);
  HubGateway& RestartHub(size_t hub, uint32_t max_clients = 8);

  // To the next moment at which something happens, and no further than
  // `until_us`; does what is due there.
  void Advance(uint64_t until_us);
  void RunTo(uint64_t until_us) {
    while (now_us_ < until_us) Advance(until_us);
  }
  template <typename Done>
  bool RunUntil(Done done, uint64_t for_us) {
    const uint64_t until_us = now_us_ + for_us;
    while (!done() && now_us_ < until_us) Advance(until_us);
    return done();
  }

  // All say goodbye.
  void Close();
  // What is left of flows, lanes and buffers; empty when nothing is.
  std::string Leftovers();
  // A gateway that would not come to rest.
  bool spun() const { return spun_; }

  uint64_t now_us() const { return now_us_; }
  Network& network() { return topology_.internet(); }
  Topology& topology() { return topology_; }
  // The first one, and all; null: it is gone.
  HubGateway& hub() { return *hubs_.front(); }
  const std::vector<std::unique_ptr<HubGateway>>& hubs() const { return hubs_; }
  const std::vector<std::unique_ptr<ClientGateway>>& clients() const {
    return clients_;
  }
  std::vector<Gateway*> gateways() const;

 private:
  void Turn();

  uint64_t now_us_ = kSecond;
  Topology topology_;
  Surroundings around_;
  unsigned small_before_;
  unsigned jumbo_before_;
  std::vector<std::unique_ptr<HubGateway>> hubs_;
  std::map<size_t, GatewayOptions> killed_;
  std::vector<std::unique_ptr<ClientGateway>> clients_;
  bool spun_ = false;
};

}  // namespace lwt::world
