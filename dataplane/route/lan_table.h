// The LAN as workers see it: its networks, our addresses in it, and the
// link-layer addresses of its hosts. Built once by control from what the kernel
// says, then read-only except for one mark per host; published by itself beside
// the snapshot (docs/architecture.md#publish-and-sleep).
//
// A lookup costs a comparison for each network and a probe or two.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "drivers/ip_endpoint.h"

namespace lwt {

class LanTable {
 public:
  using Mac = std::array<uint8_t, 6>;

  struct Neighbour {
    IpAddress address;
    Mac mac{};
    friend bool operator==(const Neighbour&, const Neighbour&) = default;
  };
  struct Spec {
    Mac mac{};  // ours
    uint16_t mtu = 0;
    std::vector<IpPrefix> addresses;          // ours, each with its network
    std::vector<IpAddress> tunnel_addresses;  // ours towards peers
    std::vector<Neighbour> neighbours;
    friend bool operator==(const Spec&, const Spec&) = default;
  };

  enum class Place : uint8_t {
    kElsewhere,   // in no network of the LAN
    kKernel,      // ours, or a broadcast address
    kUnresolved,  // in the LAN, link-layer address unknown
    kNeighbour,
  };
  struct Found {
    Place place = Place::kElsewhere;
    const Mac* mac = nullptr;  // kNeighbour
  };

  explicit LanTable(Spec spec);

  // `address` points to 4 or 16 bytes. Marks a neighbour as used.
  Found Find(Family family, const uint8_t* address) const;
  // What errors to LAN hosts are sent from; nullopt when we have no address of
  // the family.
  const std::optional<IpAddress>& Own(Family family) const {
    return family == Family::kIpv4 ? own_ipv4_ : own_ipv6_;
  }
  // The same towards peers.
  const std::optional<IpAddress>& OwnTunnel(Family family) const {
    return family == Family::kIpv4 ? tunnel_ipv4_ : tunnel_ipv6_;
  }
  const Mac& mac() const { return spec_.mac; }
  uint16_t mtu() const { return spec_.mtu; }
  const Spec& spec() const { return spec_; }

  // Control: neighbours that workers used since the last call.
  std::vector<IpAddress> TakeUsed() const;

 private:
  struct Slot {
    const Neighbour* neighbour = nullptr;
    // Written by any worker, read and cleared by control: a hint.
    mutable std::atomic<bool> used{false};
  };

  size_t HashOf(const IpAddress& address) const;
  const Slot* FindSlot(const IpAddress& address) const;
  Place InNetwork(const IpAddress& address) const;

  const Spec spec_;
  std::optional<IpAddress> own_ipv4_;
  std::optional<IpAddress> own_ipv6_;
  std::optional<IpAddress> tunnel_ipv4_;
  std::optional<IpAddress> tunnel_ipv6_;
  size_t slot_mask_ = 0;
  std::unique_ptr<Slot[]> slots_;
};

}  // namespace lwt
