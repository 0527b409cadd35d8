#include "control/host/guard/port_owner.h"

#include <gtest/gtest.h>

namespace lwt::host {
namespace {

constexpr std::string_view kProcNetTcp =
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when "
    "retrnsmt   uid  timeout inode\n"
    "   0: 0100007F:2328 0100007F:9C40 01 00000000:00000000 00:00000000 "
    "00000000     0        0 111 1 0000000000000000 20 4 30 10 -1\n"
    "   1: 00000000:2328 00000000:0000 0A 00000000:00000000 00:00000000 "
    "00000000     0        0 222 1 0000000000000000 100 0 0 10 0\n"
    "   2: 0100007F:2328 0100007F:9C42 06 00000000:00000000 03:00001234 "
    "00000000     0        0 0 3 0000000000000000\n"
    "   3: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 "
    "00000000     0        0 333 1 0000000000000000 100 0 0 10 0\n";

TEST(PortOwner, ListenersComeFirstAndTimeWaitNotAtAll) {
  EXPECT_EQ(SocketInodesOfPort(kProcNetTcp, 9000),
            (std::vector<uint64_t>{222, 111}));
  EXPECT_EQ(SocketInodesOfPort(kProcNetTcp, 22), std::vector<uint64_t>{333});
  EXPECT_TRUE(SocketInodesOfPort(kProcNetTcp, 23).empty());
}

TEST(PortOwner, IPv6LinesHaveTheSameForm) {
  EXPECT_EQ(SocketInodesOfPort(
                "sl\n 0: 00000000000000000000000000000000:2328 "
                "00000000000000000000000000000000:0000 0A 00000000:00000000 "
                "00:00000000 00000000 0 0 444 1\n",
                9000),
            std::vector<uint64_t>{444});
}

TEST(PortOwner, HostileTextIsSkipped) {
  for (size_t size = 0; size < kProcNetTcp.size(); ++size) {
    EXPECT_LE(SocketInodesOfPort(kProcNetTcp.substr(0, size), 9000).size(), 2u);
  }
  for (const std::string_view text :
       {"\n\n\n", "0: :2328", "0: x:zzzz 1 0A", "0: 0:2328 0 0A 0 0 0 0 0 -1",
        "0: 0:2328 0 0A 0 0 0 0 0 99999999999999999999999"}) {
    EXPECT_TRUE(SocketInodesOfPort(text, 9000).empty()) << text;
  }
}

}  // namespace
}  // namespace lwt::host
