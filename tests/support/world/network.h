// The outside network of a fake world: frames go to the host of their
// destination address, each after a delay, in fake time. Frames due at one
// moment arrive in the order in which they were given.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "drivers/ip_endpoint.h"

namespace lwt::world {

using Bytes = std::vector<uint8_t>;

// An Ethernet frame. Merged: as a kernel hands it up that has put segments
// together and looked at their checksums.
struct Frame {
  Bytes bytes;
  bool merged = false;
};

// Whoever has an address.
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

class Network {
 public:
  // `now_us` is the world's clock.
  explicit Network(const uint64_t& now_us) : now_us_(now_us) {}
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  // Frames to `address` reach `host`, `delay_us` after they were carried.
  void Attach(const IpAddress& address, Host* host, uint64_t delay_us);
  void Detach(const IpAddress& address);
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
  // Frames for nobody.
  uint64_t astray() const { return astray_; }

 private:
  struct Way {
    IpAddress address;
    Host* host = nullptr;
    uint64_t delay_us = 0;
  };
  const Way* Find(const IpAddress& address) const;

  const uint64_t& now_us_;
  Middleman* middleman_ = nullptr;
  std::vector<Way> ways_;  // few
  std::multimap<uint64_t, Frame> under_way_;
  uint64_t astray_ = 0;
};

// The destination of an Ethernet frame that carries IP.
bool DestinationOf(const Bytes& frame, IpAddress& address);

}  // namespace lwt::world
