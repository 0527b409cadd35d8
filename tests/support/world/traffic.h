// Inner packets of a fake world that tell who sent which, so that one that
// nobody sent, or that comes twice, is seen.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>

#include "tests/support/world/world.h"

namespace lwt::world {

class Traffic {
 public:
  explicit Traffic(World& world) : world_(world) {}

  // An IPv4 packet of `size` bytes, headers included.
  void Send(Gateway& from, const IpAddress& to, size_t size);
  // Takes what came everywhere. False when something is not what was sent.
  bool TakeAll();

  // From now on packets are to pass.
  void Mark();
  // Whether one that was sent since the mark has arrived.
  bool Passed(const Gateway& from, const Gateway& to) const;
  uint64_t sent() const { return sent_; }
  uint64_t arrived() const { return arrived_; }
  // Forgets what is lost for good: nothing waits longer for its repair.
  void Prune();

 private:
  using Way = std::pair<std::array<uint8_t, 16>, std::array<uint8_t, 16>>;
  struct Sent {
    IpAddress from;
    IpAddress to;
    size_t size = 0;
    uint64_t at_us = 0;
  };

  static Bytes PacketOf(uint64_t number, const Sent& sent);
  bool IsHub(const Gateway& gateway) const;
  bool TellsSender(const Gateway& at, const Bytes& packet) const;
  bool Take(const Gateway& at, const Bytes& packet);

  World& world_;
  std::map<uint64_t, Sent> under_way_;
  std::map<Way, uint64_t> newest_;
  uint64_t sent_ = 0;
  uint64_t mark_ = 0;
  uint64_t arrived_ = 0;
};

}  // namespace lwt::world
