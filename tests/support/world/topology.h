// The networks of a fake world: the internet, and sites, each behind a NAT of
// its own on the internet or on another site's network, as carriers have it.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "tests/support/world/nat.h"
#include "tests/support/world/network.h"

namespace lwt::world {

// The hosts behind one NAT.
struct Site {
  Site(const uint64_t& now_us, Network& outside, const IpAddress& address,
       const IpPrefix& hosts, const NatBehaviour& behaviour, uint64_t delay_us,
       uint64_t seed)
      : network(now_us),
        nat(now_us, {outside, network, address, hosts, delay_us, seed},
            behaviour) {}

  Network network;
  Nat nat;
};

class Topology {
 public:
  // Each frame passes `hops` routers of the internet.
  explicit Topology(const uint64_t& now_us, uint8_t hops = 0)
      : now_us_(now_us), internet_(now_us, hops) {}
  ~Topology();

  // Behind `address` of `outside`, a way of `delay_us`. Frames between a site
  // and its NAT take no time.
  Site& AddSite(Network& outside, const IpAddress& address,
                const IpPrefix& hosts, const NatBehaviour& behaviour,
                uint64_t delay_us = 10'000);

  void RunDue();
  uint64_t NextUs() const;

  Network& internet() { return internet_; }

 private:
  const uint64_t& now_us_;
  Network internet_;
  std::vector<std::unique_ptr<Site>> sites_;
};

}  // namespace lwt::world
