// Longest-prefix match from inner addresses to peers. Built once, then
// read-only; part of a snapshot.
//
// One open-addressing hash table per prefix length in use, tried from the
// longest: a lookup costs one probe per distinct length, and a gateway has few
// lengths however many routes.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "dataplane/names.h"
#include "drivers/ip_endpoint.h"

namespace lwt {

class RouteTable {
 public:
  // Of a prefix that is some peer's, none of whom is there.
  static constexpr PeerIndex kAbsent{UINT32_MAX - 2};

  struct Route {
    IpPrefix prefix;
    PeerIndex peer;
  };

  RouteTable() = default;
  // A prefix that occurs twice leads to the peer named last; one that leads to
  // PeerIndex::kNone is refused, whatever shorter prefix it lies in.
  explicit RouteTable(const std::vector<Route>& routes);

  // `address` points to 4 or 16 bytes. Returns PeerIndex::kNone when nothing
  // matches.
  PeerIndex Lookup(Family family, const uint8_t* address) const;
  size_t size() const { return size_; }

 private:
  // In a slot, of a prefix that leads to nobody; PeerIndex::kNone is a free
  // slot.
  static constexpr PeerIndex kRefused{UINT32_MAX - 1};

  struct Key {
    uint64_t high = 0;
    uint64_t low = 0;
    friend bool operator==(const Key&, const Key&) = default;
  };
  struct Slot {
    Key key;
    PeerIndex peer;
  };
  struct Level {
    Key mask;
    uint64_t slot_mask = 0;
    std::vector<Slot> slots;
  };

  static Key KeyOf(Family family, const uint8_t* address);
  static size_t HashOf(const Key& key);
  static Level MakeLevel(uint8_t length, const std::vector<Route>& routes);

  std::vector<Level> ipv4_;  // longest prefix first
  std::vector<Level> ipv6_;
  size_t size_ = 0;
};

}  // namespace lwt
