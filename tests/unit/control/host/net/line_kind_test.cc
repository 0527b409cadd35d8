#include "control/host/net/line_kind.h"

#include <gtest/gtest.h>

namespace lwt::host {
namespace {

LineKind Of(const char* kind, const char* name, uint16_t type = ARPHRD_ETHER) {
  return KindOfLine({.name = name, .kind = kind, .type = type});
}

TEST(LineKind, TheKernelsWordCountsBeforeTheName) {
  EXPECT_EQ(Of("", "eth0"), LineKind::kEthernet);
  EXPECT_EQ(Of("", "wlp3s0"), LineKind::kEthernet);
  EXPECT_EQ(Of("veth", "tun7"), LineKind::kEthernet);
  EXPECT_EQ(Of("vlan", "ppp"), LineKind::kEthernet);
  EXPECT_EQ(Of("ppp", "isp"), LineKind::kPppoe);
  EXPECT_EQ(Of("", "isp", ARPHRD_PPP), LineKind::kPppoe);
  EXPECT_EQ(Of("", "ppp0"), LineKind::kPppoe);
  EXPECT_EQ(Of("wwan", "modem"), LineKind::kMobile);
  EXPECT_EQ(Of("", "wwp0s20u4"), LineKind::kMobile);
  EXPECT_EQ(Of("", "rmnet_data0"), LineKind::kMobile);
  EXPECT_EQ(Of("wireguard", "home"), LineKind::kVpn);
  EXPECT_EQ(Of("tun", "corp"), LineKind::kVpn);
  EXPECT_EQ(Of("", "wg0"), LineKind::kVpn);
}

TEST(LineKind, FirstSizesAreThoseOfBefore) {
  EXPECT_EQ(FirstInnerMtu(LineKind::kEthernet), 1371);
  EXPECT_EQ(FirstInnerMtu(LineKind::kPppoe), 1343);
  EXPECT_EQ(FirstInnerMtu(LineKind::kMobile), 1200);
  EXPECT_EQ(FirstInnerMtu(LineKind::kVpn), 1300);
}

}  // namespace
}  // namespace lwt::host
