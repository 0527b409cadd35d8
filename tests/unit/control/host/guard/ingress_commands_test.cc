#include <gtest/gtest.h>

#include <vector>

#include "control/host/guard/ingress_guard.h"

namespace lwt::host {
namespace {

TEST(EndpointCommands, BothFamiliesAreReplacedInOneText) {
  const std::vector endpoints = {ParseEndpoint("10.0.0.1:9000").value(),
                                 ParseEndpoint("[fd00::1]:9001").value(),
                                 ParseEndpoint("10.0.0.1:9002").value()};
  EXPECT_EQ(EndpointCommands("t", endpoints),
            "flush set netdev t local4\n"
            "add element netdev t local4 { 10.0.0.1 . 9000, 10.0.0.1 . 9002 }\n"
            "flush set netdev t local6\n"
            "add element netdev t local6 { fd00::1 . 9001 }\n");
  EXPECT_EQ(EndpointCommands("t", {}),
            "flush set netdev t local4\nflush set netdev t local6\n");
}

}  // namespace
}  // namespace lwt::host
