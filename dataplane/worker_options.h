// What a worker is made of. Everything is allocated before it starts.
#pragma once

#include <rte_mempool.h>

#include <array>
#include <cstdint>
#include <vector>

#include "dataplane/exchange/tuning.h"
#include "dataplane/flow/persona.h"
#include "dataplane/names.h"
#include "drivers/port.h"
#include "drivers/reed_solomon.h"

namespace lwt {

class Handoff;

enum class IdleMode : uint8_t { kAdaptive, kBusy };

struct WorkerOptions {
  WorkerIndex index{0};    // among the workers of the gateway
  std::vector<int> cpus;   // where the thread may run: one when it is pinned
  Port* uplink = nullptr;  // queues of its own
  Port* tunnel = nullptr;
  Port* lan = nullptr;   // null without a LAN port
  Port* twin = nullptr;  // of a LAN port that the kernel does not see
  // What leads to the other workers; null when there is none. Outlives this.
  Handoff* handoff = nullptr;
  rte_mempool* pool = nullptr;      // small mbufs: 2 KiB of data room
  uint32_t max_lanes = 0;           // of this worker
  uint32_t send_queue = 5000;       // packets that may wait to be sealed
  uint64_t arena_bytes = 8u << 20;  // sent bytes kept for retransmission
  bool retransmit = true;
  bool floods = false;  // packets for many go to every peer
  // All frames of a flow come to one and the same worker, so a segment of no
  // flow is answered with a RST where a kernel would.
  bool answers_strays = false;
  Tuning tuning;  // to begin with
  ReedSolomon::Code fec_code = ReedSolomon::Code::kAvx2;
  IdleMode idle = IdleMode::kAdaptive;
  Persona persona = Persona::kLinux618;
  uint16_t first_path_mtu = 0;            // see OuterTcp::Config
  std::array<uint8_t, 32> flow_secret{};  // ISNs, timestamps, SYN cookies
                                          // of all workers
};

}  // namespace lwt
