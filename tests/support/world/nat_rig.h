// A NAT between two hosts inside and two addresses outside, with two ports each
// that matter, as RFC 5780 §4 asks a NAT what it is.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <vector>

#include "tests/support/world/nat_lab.h"

namespace lwt::world {

inline const Endpoint kServer = At("192.0.2.1", 443);
inline const Endpoint kOtherPort = At("192.0.2.1", 444);
inline const Endpoint kOtherAddress = At("192.0.2.2", 443);
inline const Endpoint kInside = At("10.0.0.2", 5000);
inline const Endpoint kNeighbour = At("10.0.0.3", 5000);

class NatRig : public NatLab {
 public:
  explicit NatRig(const NatBehaviour& behaviour)
      : site(topology.AddSite(topology.internet(), Address("198.51.100.1"),
                              *ParseIpPrefix("10.0.0.0/24"), behaviour)) {}

  Nat& nat() { return site.nat; }

  // What `host` gets of a segment that `from` sends.
  std::vector<TcpSegment> Sent(PlainHost& from, const Endpoint& local,
                               const Endpoint& remote, uint8_t flags,
                               PlainHost& host) {
    host.Take();
    from.Send(local, remote, flags);
    Run(kS / 10);
    return host.Take();
  }
  // As which endpoint `to` sees `from` that calls it; none where it does not.
  std::optional<Endpoint> SeenAs(const Endpoint& from, const Endpoint& to,
                                 uint8_t flags = wire::kSyn) {
    PlainHost& host = from.address == kInside.address ? inside : neighbour;
    const auto seen = Sent(host, from, to, flags, servers);
    if (seen.empty()) return std::nullopt;
    EXPECT_EQ(seen.back().destination, to);
    return seen.back().source;
  }
  // Whether `to`, an endpoint outside, leads `from` to a host inside.
  bool Reaches(const Endpoint& from, const Endpoint& to,
               uint8_t flags = wire::kSyn) {
    return !Sent(servers, from, to, flags, inside).empty();
  }
  // An open connection, and how the server sees it.
  Endpoint Connect(const Endpoint& from, const Endpoint& to) {
    const auto seen = SeenAs(from, to);
    EXPECT_TRUE(seen);
    EXPECT_TRUE(Reaches(to, *seen, wire::kSyn | wire::kAck));
    return *seen;
  }

  Site& site;
  PlainHost servers{topology.internet(),
                    {kServer.address, kOtherAddress.address}};
  PlainHost inside{site.network, {kInside.address}, 0};
  PlainHost neighbour{site.network, {kNeighbour.address}, 0};
};

}  // namespace lwt::world
