// The port to the outside network on an interface that stays the kernel's.
//
// Only TCP segments to the endpoints set here come in by Receive; everything
// else is the kernel's alone. Receive and Transmit belong to one worker,
// everything else to the control thread.
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

struct UplinkSpec {
  std::string interface;  // the kernel's name
  UplinkDriver driver = UplinkDriver::kAuto;
  // Single frames; af_xdp makes its rings of this pool: it has to hold
  // kXdpFramesPerQueue mbufs per receive queue of the interface beyond what
  // the pipeline holds.
  rte_mempool* small_pool = nullptr;
  // Mbufs with a data room of at least kJumboDataRoom, for af_packet, which
  // holds kAfPacketFrames of them and fills them with merged frames.
  rte_mempool* jumbo_pool = nullptr;
};

// Both AF_XDP rings of one queue, when full.
inline constexpr uint32_t kXdpFramesPerQueue = 6144;
inline constexpr uint32_t kAfPacketFrames = 64;
// The largest IP packet, a link header with a VLAN tag, and the headroom.
inline constexpr uint32_t kJumboDataRoom = 65535 + 18 + RTE_PKTMBUF_HEADROOM;

class Uplink : public Port {
 public:
  // The local ends of our flows; an unspecified address never appears. Frames
  // of endpoints that are in the old and the new set are never lost. Safe
  // while a worker polls. At first the set is empty and no frame comes in.
  virtual absl::Status SetEndpoints(std::span<const Endpoint> endpoints) = 0;

  // What a journal of host changes needs to undo this uplink's XDP program by
  // DetachXdpProgram after a kill; 0 when there is none.
  virtual uint32_t xdp_program_id() const { return 0; }

  // Which driver was chosen and why, for the operator, such as "af_packet on
  // eth0: no zero-copy AF_XDP on driver veth".
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
// zero-copy bind succeeds, else af_packet. EAL is up. The caller changes the
// interface's offloads before.
absl::StatusOr<std::unique_ptr<Uplink>> OpenUplink(const UplinkSpec& spec);

// The id of the XDP program attached to an interface, 0 if none.
absl::StatusOr<uint32_t> AttachedXdpProgramId(int ifindex);

// Detaches the program if it is the one attached; OK when another one or none
// is, or when the interface is gone.
absl::Status DetachXdpProgram(int ifindex, uint32_t program_id);

}  // namespace lwt
