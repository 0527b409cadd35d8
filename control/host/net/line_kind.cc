#include "control/host/net/line_kind.h"

#include <algorithm>
#include <iterator>
#include <string_view>

namespace lwt::host {
namespace {

constexpr std::string_view kMobileKinds[] = {"wwan", "rmnet"};
constexpr std::string_view kVpnKinds[] = {
    "wireguard", "tun",    "amneziawg", "ovpn", "gre",    "gretap", "ip6gre",
    "ipip",      "ip6tnl", "sit",       "vti",  "vti6",   "xfrm",   "vxlan",
    "geneve",    "fou",    "l2tpeth",   "gtp",  "bareudp"};
// A driver of hardware tells no kind.
constexpr std::string_view kPppoeNames[] = {"ppp", "pppoe"};
constexpr std::string_view kMobileNames[] = {"wwan", "wwp", "wws", "rmnet",
                                             "ccmni"};
constexpr std::string_view kVpnNames[] = {"tun", "tap", "wg", "ipsec"};

template <size_t N>
bool IsAnyOf(const std::string_view (&kinds)[N], std::string_view kind) {
  return std::find(std::begin(kinds), std::end(kinds), kind) != std::end(kinds);
}

template <size_t N>
bool BeginsWithAnyOf(const std::string_view (&names)[N],
                     std::string_view name) {
  return std::any_of(
      std::begin(names), std::end(names),
      [name](std::string_view each) { return name.starts_with(each); });
}

}  // namespace

LineKind KindOfLine(const Link& link) {
  if (link.kind == "ppp" || link.type == ARPHRD_PPP) return LineKind::kPppoe;
  if (IsAnyOf(kMobileKinds, link.kind)) return LineKind::kMobile;
  if (IsAnyOf(kVpnKinds, link.kind)) return LineKind::kVpn;
  if (!link.kind.empty()) return LineKind::kEthernet;
  if (BeginsWithAnyOf(kPppoeNames, link.name)) return LineKind::kPppoe;
  if (BeginsWithAnyOf(kMobileNames, link.name)) return LineKind::kMobile;
  if (BeginsWithAnyOf(kVpnNames, link.name)) return LineKind::kVpn;
  return LineKind::kEthernet;
}

uint16_t FirstInnerMtu(LineKind kind) {
  switch (kind) {
    case LineKind::kPppoe:
      return 1343;
    case LineKind::kMobile:
      return 1200;
    case LineKind::kVpn:
      return 1300;
    case LineKind::kEthernet:
      break;
  }
  return 1371;
}

}  // namespace lwt::host
