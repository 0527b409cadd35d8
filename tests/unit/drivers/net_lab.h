// Two network namespaces of the test's own, joined by a veth pair, and the
// frames and sockets that driver tests use in them. The namespaces have no
// names and are gone with the process.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "drivers/ip_endpoint.h"
#include "drivers/port.h"

namespace lwt {

using Bytes = std::vector<uint8_t>;

// Starts EAL without hugepages, once in the process.
void InitEal();

// `room` includes the headroom.
rte_mempool* MakePool(const char* name, unsigned count, uint16_t room);
// A fresh mbuf of `pool` holding `bytes`, in segments of at most
// `segment_size`.
rte_mbuf* MakeFrame(rte_mempool* pool, std::span<const uint8_t> bytes,
                    size_t segment_size = 65535);
Bytes BytesOf(const rte_mbuf* frame);

// Polls until `count` frames came or two seconds have passed, and frees them.
std::vector<Bytes> ReceiveBytes(Port& port, size_t count);
// The same, but the caller gets the frames.
std::vector<rte_mbuf*> ReceiveFrames(Port& port, size_t count);
// Whether the descriptor becomes readable within two seconds.
bool BecomesReadable(int fd);
// What can be read then, one packet, or nothing.
Bytes ReadPacket(int fd);

// Of NetLab's addresses here.
inline const Endpoint kIpv4End = ParseEndpoint("10.1.0.1:9000").value();
inline const Endpoint kIpv6End = ParseEndpoint("[fd01::1]:9000").value();
inline const Endpoint kOtherEnd = ParseEndpoint("10.1.0.1:9001").value();

class NetLab {
 public:
  // Moves the calling thread into a new namespace ("here") with interface up0,
  // 10.1.0.1/24 and fd01::1/64, whose peer peer0 has .2 and ::2 in another
  // ("there"). Checksum offload is off at both ends.
  NetLab();
  NetLab(const NetLab&) = delete;
  NetLab& operator=(const NetLab&) = delete;
  ~NetLab();

  // Runs a shell command in a namespace; true when it succeeds.
  bool Here(const std::string& command) const;
  bool There(const std::string& command) const;
  // After a link was down: until both ends carry frames again.
  void AwaitCarrier() const;
  // Moves an interface to the namespace there, where it is down.
  bool MoveThere(const std::string& interface) const;
  // Makes plain0, here: a link whose packets have no link-layer header and no
  // IPv6 of the kernel's own. Returns its far end, non-blocking.
  int MakePlainLink() const;
  // A socket made in the namespace there.
  int SocketThere(int family, int type, int protocol) const;
  // A raw packet socket on peer0, there; non-blocking.
  int RawSocketThere(bool vnet_header = false) const;

  // An Ethernet frame from peer0 to up0 with `payload` behind its header.
  Bytes Ethernet(uint16_t type, const Bytes& payload) const;
  // Switches peer0 to sending unsegmented: merged frames arrive whole.
  void EnableSegmentationThere() const;

 private:
  int home_ = -1;
  int here_ = -1;
  int there_ = -1;
  Bytes here_mac_;
  Bytes there_mac_;
};

// Packets from 10.1.0.2 or fd01::2 to 10.1.0.1 or fd01::1 with correct
// checksums.
Bytes TcpIpv4(uint16_t port, size_t payload_size);
Bytes TcpIpv6(uint16_t port, size_t payload_size);
// An Internet checksum over `data`, with `sum` added.
uint16_t InternetChecksum(std::span<const uint8_t> data, uint32_t sum);

}  // namespace lwt
