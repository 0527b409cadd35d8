#include "tests/support/world/topology.h"

#include <algorithm>

namespace lwt::world {

// The last one first: it may be on the network of one before it.
Topology::~Topology() {
  while (!sites_.empty()) sites_.pop_back();
}

Site& Topology::AddSite(Network& outside, const IpAddress& address,
                        const IpPrefix& hosts, const NatBehaviour& behaviour,
                        uint64_t delay_us) {
  sites_.push_back(std::make_unique<Site>(now_us_, outside, address, hosts,
                                          behaviour, delay_us,
                                          sites_.size() + 1));
  return *sites_.back();
}

void Topology::RunDue() {
  do {
    internet_.RunDue();
    for (const auto& site : sites_) site->network.RunDue();
  } while (NextUs() <= now_us_);
}

uint64_t Topology::NextUs() const {
  uint64_t next = internet_.NextUs();
  for (const auto& site : sites_) {
    next = std::min(next, site->network.NextUs());
  }
  return next;
}

}  // namespace lwt::world
