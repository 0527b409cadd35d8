// Sockets of the kernel at one end of a tunnel device, and what tests of either
// driver send through it.
#pragma once

#include <gtest/gtest.h>
#include <rte_mbuf.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "drivers/ip_endpoint.h"
#include "drivers/port.h"
#include "tests/unit/drivers/net_lab.h"

namespace lwt {

// What every received packet has in front of it at least.
inline constexpr size_t kHeadroom = RTE_PKTMBUF_HEADROOM;

// A packet from 10.9.0.2 or fd09::2, beyond the tunnel, to port 7000 of
// 10.9.0.1 or fd09::1, here.
Bytes TunnelUdp(Family family, const Bytes& payload);

// A namespace with a device lwt7 that has those addresses, which the derived
// test opens, and a UDP socket for each family.
class TunTest : public ::testing::Test {
 protected:
  // Gives the device its addresses and opens the sockets.
  void Configure(std::unique_ptr<Port> port);
  // Closes all; the device has to be gone and every buffer of `pool` back.
  void Close(rte_mempool* pool);

  void SendOut(Family family, const Bytes& payload);
  // UDP packets, leaving out what the kernel says on its own (ND, MLD).
  std::vector<Bytes> Ours(size_t count);
  // What arrived at the socket, or nothing after two seconds.
  Bytes Delivered(Family family);

  // What holds of the port of either driver.
  void ExpectWakesEveryTime();
  // Closed by an operator and opened again.
  void ExpectGoesOnAfterDownAndUp(rte_mempool* pool);

  NetLab lab_;
  std::unique_ptr<Port> port_;
  int ipv4_ = -1;
  int ipv6_ = -1;
};

// A TCP flow from the namespace there to `address`, here, of `size` bytes that
// are compared where they arrive. Two threads; somebody has to carry packets
// until it is done, which it is after 20 s in any case.
class TcpTransfer {
 public:
  TcpTransfer(const NetLab& lab, const std::string& address, uint16_t port,
              size_t size);
  ~TcpTransfer();

  bool done() const { return running_ == 0; }
  // Empty when every byte arrived as it was; waits for the end.
  std::string Complaint();

 private:
  void Send(const std::string& address, uint16_t port);
  void Receive();
  void Fail(const char* what);

  const size_t size_;
  int listener_ = -1;
  int sender_ = -1;
  std::atomic<int> running_ = 2;
  std::atomic<const char*> complaint_ = "";
  std::thread sending_;
  std::thread receiving_;
};

}  // namespace lwt
