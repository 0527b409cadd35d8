// The port to the outside network on an interface that stays the kernel's.
//
// Only TCP segments to the endpoints set here come in by Receive; everything
// else is the kernel's alone. It has a port for each of several workers, which
// each use their own; the uplink itself is the first. All but Receive and
// Transmit belongs to the control thread.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "drivers/ip_endpoint.h"
#include "drivers/port.h"

struct rte_mempool;

namespace lwt {

enum class UplinkDriver { kAuto, kAfPacket, kAfXdp };

inline constexpr uint32_t kAfPacketFrames = 64;

struct UplinkSpec {
  std::string interface;  // the kernel's name
  UplinkDriver driver = UplinkDriver::kAuto;
  // Ports wanted, one for each worker. af_xdp gives as many as the interface
  // has queues.
  uint16_t ports = 1;
  // Mbufs with a data room of at least kJumboDataRoom, for af_packet, which
  // holds `frames` of them for each port and fills them with merged
  // frames. Not used by af_xdp, which makes a pool of its own as its rings ask
  // for.
  rte_mempool* jumbo_pool = nullptr;
  // For af_packet: frames that fit such a buffer do not stay in a jumbo one.
  rte_mempool* small_pool = nullptr;
  // Of these, kAfPacketFrames at most and 16 at least.
  uint16_t frames = kAfPacketFrames;
  // For af_packet: which of several interfaces it is (joined_uplink.h).
  uint8_t leg = 0;
  // Whether af_packet takes super-frames.
  bool super_frames = true;
  // Why kAuto does not try af_xdp; empty where it does.
  std::string no_xdp;
};

// The most that an mbuf can hold. The frame starts at its first byte, so that
// what GRO makes (64 KiB less the segment that would pass it) fits.
inline constexpr uint16_t kJumboDataRoom = 65535;
// EAL memory that af_xdp takes for each receive queue, MTU 1500.
inline constexpr uint64_t kXdpBytesPerQueue = 24 << 20;

class Uplink : public Port {
 public:
  // The local ends of our flows; an unspecified address never appears. Frames
  // of endpoints that are in the old and the new set are never lost. Safe
  // while a worker polls. At first the set is empty and no frame comes in.
  virtual absl::Status SetEndpoints(std::span<const Endpoint> endpoints) = 0;

  // A flow comes in by one port, the same as long as nothing changes at the
  // interface; which one, see fanout.h. Ports live as long as the uplink.
  virtual uint16_t port_count() const { return 1; }
  virtual Port& port(uint16_t) { return *this; }
  const Port& port(uint16_t index) const {
    return const_cast<Uplink*>(this)->port(index);
  }

  // What a journal of host changes needs to undo this uplink's XDP program by
  // DetachXdpProgram after a kill; 0 when there is none.
  virtual uint32_t xdp_program_id() const { return 0; }

  // Which driver was chosen and why, for the operator, such as "af_packet with
  // super-frames on eth0: no zero-copy AF_XDP on driver veth".
  const std::string& reason() const { return reason_; }
  void set_reason(std::string reason) { reason_ = std::move(reason); }
  int ifindex() const { return ifindex_; }

 protected:
  Uplink(PortInfo info, int ifindex)
      : Port(std::move(info)), ifindex_(ifindex) {}

 private:
  const int ifindex_;
  std::string reason_;
};

// "auto", "af_packet", "af_xdp", as in the configuration.
std::string_view ToString(UplinkDriver driver);

// Opens the interface by the driver asked for. kAuto takes af_xdp where a
// zero-copy bind succeeds, else af_packet, with super-frames unless `spec` says
// no. EAL is up. The caller changes the
// interface's offloads before.
absl::StatusOr<std::unique_ptr<Uplink>> OpenUplink(const UplinkSpec& spec);

// The id of the XDP program attached to an interface, 0 if none.
absl::StatusOr<uint32_t> AttachedXdpProgramId(int ifindex);

// Detaches the program if it is the one attached; OK when another one or none
// is, or when the interface is gone.
absl::Status DetachXdpProgram(int ifindex, uint32_t program_id);

}  // namespace lwt
