// A network of a fake world, where frames are routed by destination address,
// each after a delay, in fake time: the internet, or what lies behind a NAT.
// Frames due at one moment arrive in the order in which they were given.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "drivers/ip_endpoint.h"
#include "tests/support/bad_link/link_model.h"

namespace lwt::world {

using Bytes = std::vector<uint8_t>;

// An Ethernet frame. Merged: as a kernel hands it up that has put segments
// together and looked at their checksums.
struct Frame {
  Bytes bytes;
  bool merged = false;
};

// Whoever has an address, or a network of them behind it.
class Host {
 public:
  virtual ~Host() = default;
  virtual void Arrive(Frame frame) = 0;
};

// Sits on all ways: sees each frame that a host sends, and gives on what it
// likes by Network::Carry, changed or not, now or later.
class Middleman {
 public:
  virtual ~Middleman() = default;
  virtual void Pass(Frame frame) = 0;
};

// What is wrong with a way, to a host and from it, beyond its delay.
struct Impairment {
  bad_link::LinkOptions to;
  bad_link::LinkOptions from;
  size_t mtu = 0;  // of IP packets; larger ones are lost. 0: any size
};

class Network {
 public:
  // `now_us` is the world's clock; each frame passes `hops` routers.
  explicit Network(const uint64_t& now_us, uint8_t hops = 0)
      : now_us_(now_us), hops_(hops) {}
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  // Frames to addresses of `prefix` that no longer one has reach `host`,
  // `delay_us` after they were carried.
  void Attach(const IpPrefix& prefix, Host* host, uint64_t delay_us);
  void Attach(const IpAddress& address, Host* host, uint64_t delay_us) {
    Attach(Whole(address), host, delay_us);
  }
  void Detach(const IpPrefix& prefix);
  void Detach(const IpAddress& address) { Detach(Whole(address)); }
  // From now on, of the way of this address, which is attached. What is under
  // way on the old one is lost.
  void Impair(const IpAddress& address, const Impairment& impairment);
  // Null: every frame is carried as it is.
  void Place(Middleman* middleman) { middleman_ = middleman; }

  // From a host.
  void Send(Frame frame);
  // On its way, `later_us` after the time that this takes. A frame for nobody
  // is lost.
  void Carry(Frame frame, uint64_t later_us = 0);

  void RunDue();
  // UINT64_MAX when nothing is under way.
  uint64_t NextUs() const;

  // Frames for nobody, with too few hops left, too large for a way.
  uint64_t astray() const { return astray_; }
  uint64_t expired() const { return expired_; }
  uint64_t too_big() const { return too_big_; }

 private:
  struct BadWay {
    explicit BadWay(const Impairment& impairment)
        : to(impairment.to), from(impairment.from), mtu(impairment.mtu) {}
    bool Takes(const Bytes& frame) const;
    bad_link::LinkModel to;
    bad_link::LinkModel from;
    size_t mtu;
  };
  struct Way {
    IpPrefix prefix;
    Host* host = nullptr;
    uint64_t delay_us = 0;
    std::unique_ptr<BadWay> bad;
  };

  static IpPrefix Whole(const IpAddress& address) {
    return {address, static_cast<uint8_t>(8 * address.size())};
  }
  Way* Find(const IpAddress& address);
  void Enter(Frame frame);
  void Leave(Frame frame);
  // True when something moved.
  bool RunBadWays();

  const uint64_t& now_us_;
  const uint8_t hops_;
  Middleman* middleman_ = nullptr;
  std::vector<Way> ways_;  // few
  size_t bad_ways_ = 0;
  std::multimap<uint64_t, Frame> under_way_;
  uint64_t astray_ = 0;
  uint64_t expired_ = 0;
  uint64_t too_big_ = 0;
};

// The ends of an Ethernet frame that carries IP.
bool SourceOf(const Bytes& frame, IpAddress& address);
bool DestinationOf(const Bytes& frame, IpAddress& address);

}  // namespace lwt::world
