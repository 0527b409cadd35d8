// Segments without payload that do not fit a flow's template: SYNs, ACKs with
// SACK blocks, and what answers segments of no flow.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>

#include "dataplane/flow/flow_key.h"
#include "dataplane/wire/ethernet.h"
#include "dataplane/wire/tcp.h"

namespace lwt {

struct ControlSegment {
  wire::LinkHeader link;
  uint16_t ip_id = 0;
  uint32_t flow_label = 0;
  uint8_t traffic_class = 0;
  wire::TcpHeader tcp;  // ports are taken from the key
};

// A whole frame, checksums included, or nullptr when `pool` has none left.
rte_mbuf* MakeControlSegment(rte_mempool* pool, const FlowKey& key,
                             ControlSegment& segment);

}  // namespace lwt
