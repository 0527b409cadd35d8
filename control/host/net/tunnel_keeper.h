// Keeps our tunnel device as it was set up: one that is down is brought up, and
// addresses and networks that went come back, as after that or after its MTU
// was too small for IPv6, which has the kernel drop all that is IPv6 there.
//
// Sans-IO except for netlink; owned by OuterSide, control thread. It looks once
// a second at most, and only after the kernel told of a change.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "control/host/net/address_order.h"
#include "control/host/net/netlink.h"
#include "control/host/net/netlink_types.h"
#include "control/host/net/tunnel_mtu.h"

namespace lwt::host {

class TunnelKeeper {
 public:
  struct Spec {
    int ifindex = 0;
    std::vector<IpPrefix> addresses;
    std::vector<IpPrefix> networks;  // that lead to the device
  };

  TunnelKeeper(Netlink& netlink, TunnelMtu& mtu, Spec spec)
      : netlink_(netlink),
        mtu_(mtu),
        ifindex_(spec.ifindex),
        configured_(spec.addresses),
        addresses_(std::move(spec.addresses)),
        networks_(spec.networks.begin(), spec.networks.end()) {}
  TunnelKeeper(const TunnelKeeper&) = delete;
  TunnelKeeper& operator=(const TunnelKeeper&) = delete;
  ~TunnelKeeper();  // takes back the routes, and addresses that came later

  // Leads these networks to the device from now on, and no longer the others
  // that it did. The error tells which could not be; the rest is done.
  absl::Status SetNetworks(std::vector<IpPrefix> networks);
  // These are the device's from now on, and the others that it had of ours no
  // longer. The error tells what could not be done; the rest is.
  absl::Status SetAddresses(std::vector<IpPrefix> addresses);
  void HostChanged(const HostChanges& changes, uint64_t now_us);
  // At next_deadline_us(). Has an MTU that is too small set again; what else
  // the host's owner makes of it stays. Sentences for the log: what was missing
  // and is back, or why not, which is said once for as long as it stays so.
  std::vector<std::string> OnTimer(uint64_t now_us);
  uint64_t next_deadline_us() const { return look_at_us_; }
  // The device was deleted: nothing can go through it any more.
  bool lost() const { return lost_; }

 private:
  // What a look found.
  struct Said {
    std::vector<std::string> fixed;
    std::set<std::string> failures;

    void Note(const absl::Status& status, std::string when_fixed);
  };

  void BringUp(const Link& link, Said& said);
  void RaiseMtu(const Link& link, Said& said);
  void BringAddresses(Said& said);
  void BringNetworks(Said& said);

  using NetworkSet = std::set<IpPrefix, PrefixOrder>;

  Netlink& netlink_;
  TunnelMtu& mtu_;
  const int ifindex_;
  const std::vector<IpPrefix> configured_;  // at the start
  std::vector<IpPrefix> addresses_;
  NetworkSet networks_;
  NetworkSet refused_;  // of the networks, when they were set
  uint64_t look_at_us_ = UINT64_MAX;
  uint64_t looked_us_ = 0;
  bool lost_ = false;
  std::set<std::string> failures_;  // at the last look
};

}  // namespace lwt::host
