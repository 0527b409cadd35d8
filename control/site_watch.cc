#include "control/site_watch.h"

#include <algorithm>

#include "control/base/files.h"
#include "control/base/text.h"
#include "control/host/net/netlink_types.h"
#include "control/telemetry/status.h"

namespace lwt {
namespace {

using config::Concat;

// A file that is not there switches nothing off: the family is not there
// either, and its networks have no way.
bool IsOff(const std::string& path) {
  const absl::StatusOr<std::string> content = host::ReadFile(path);
  return content.ok() && content->starts_with('0');
}

// Not the network's own, which was a broadcast address once, and is one in the
// kernel's tables.
IpAddress SomeHostOf(const IpPrefix& network) {
  IpAddress address = network.Network();
  if (network.length + 1u < address.size() * 8) {
    address.bytes[address.size() - 1] |= 1;
  }
  return address;
}

}  // namespace

void SiteWatch::OnTimer(uint64_t now_us) {
  if (now_us < look_at_us_) return;
  look_at_us_ = config_.routing.own.empty() ? kNever : now_us + kEveryUs;
  looked_us_ = now_us;
  std::vector<std::string> problems = Look();
  for (const std::string& problem : problems) {
    if (std::find(problems_.begin(), problems_.end(), problem) ==
        problems_.end()) {
      log_.Warn(problem);
    }
  }
  problems_ = std::move(problems);
}

void SiteWatch::OnHostChanges(const host::HostChanges& changes,
                              uint64_t now_us) {
  if (config_.routing.own.empty()) return;
  if (!changes.everything && !changes.routes) return;
  look_at_us_ = std::min(look_at_us_, std::max(now_us, looked_us_ + kGapUs));
}

absl::Status SiteWatch::Apply(const config::Config&, uint64_t) {
  look_at_us_ = 0;
  return absl::OkStatus();
}

void SiteWatch::Report(telemetry::Status& status, uint64_t) const {
  for (const std::string& problem : problems_) {
    status.tunnel.reason += "; " + problem;
  }
}

std::vector<std::string> SiteWatch::Look() {
  std::vector<std::string> problems;
  // A LAN port forwards by itself, what the kernel's switches ever say.
  if (!config_.lan.port.configured()) {
    LookAtForwarding(Family::kIpv4, problems);
    LookAtForwarding(Family::kIpv6, problems);
  }
  for (const IpPrefix& network : config_.routing.own) {
    LookAtWay(network, problems);
  }
  return problems;
}

// One address of this host, which nobody has to forward to.
bool SiteWatch::IsOwn(const IpPrefix& network) {
  if (network.length != network.address.size() * 8) return false;
  const auto addresses = netlink_.Addresses();
  return addresses.ok() &&
         std::any_of(addresses->begin(), addresses->end(),
                     [&](const host::InterfaceAddress& each) {
                       return each.prefix.address == network.address;
                     });
}

// Of IPv4 the device that packets come from decides, of IPv6 the whole host.
void SiteWatch::LookAtForwarding(Family family,
                                 std::vector<std::string>& problems) {
  const auto& own = config_.routing.own;
  const auto network =
      std::find_if(own.begin(), own.end(), [&](const IpPrefix& each) {
        return each.address.family == family && !IsOwn(each);
      });
  if (network == own.end()) return;
  const bool ipv4 = family == Family::kIpv4;
  const std::string all =
      ipv4 ? "net.ipv4.ip_forward" : "net.ipv6.conf.all.forwarding";
  // Its name may be another than the configured one, which was taken.
  const auto tunnel = netlink_.LinkByIndex(tunnel_);
  if (!tunnel.ok()) return;
  const bool off =
      ipv4
          ? IsOff(Concat(switches_, "/ipv4/conf/", tunnel->name, "/forwarding"))
          : IsOff(Concat(switches_, "/ipv6/conf/all/forwarding"));
  if (!off) return;
  problems.push_back(Concat("this host does not forward: hosts of ",
                            ToString(*network),
                            ", which routes announces, are not reached; "
                            "`sysctl -w ",
                            all, "=1` lets them be"));
}

void SiteWatch::LookAtWay(const IpPrefix& network,
                          std::vector<std::string>& problems) {
  const absl::StatusOr<host::Netlink::Match> match =
      netlink_.MatchFor(SomeHostOf(network));
  std::string way;
  if (!match.ok()) {
    way = "none";
  } else if (match->ifindex == tunnel_) {
    way = "the tunnel";
  } else if (match->length == 0) {
    way = "the default route alone";
  } else {
    return;
  }
  problems.push_back(Concat(
      "this host's way to ", ToString(network), ", which routes announces, is ",
      way, "; `ip route add ", ToString(network), " via ROUTER` gives it one"));
}

}  // namespace lwt
