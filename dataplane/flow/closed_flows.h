// What is left of flows that have ended: enough to answer their late segments
// as a kernel does in TIME-WAIT and FIN-WAIT-2, and to know for a minute which
// pairs of endpoints were a tunnel's, so that none of those gets a RST.
//
// A table of fixed size, made at start, four places to a set; a new entry takes
// the place of the one that ends first. Owned and called by one worker thread.
// Costs one hash per look-up while anything is in it, else a comparison.
#pragma once

#include <cstdint>
#include <vector>

#include "dataplane/flow/flow_key.h"
#include "dataplane/wire/tcp_seq.h"

namespace lwt {

enum class ClosedKind : uint8_t {
  kTimeWait,  // both FINs are acknowledged
  kFinWait,   // the peer's FIN is still to come
  kSilent,    // a tunnel's flow that ended without a word
};

struct ClosedFlow {
  FlowKey key;
  wire::TcpSeq snd_nxt;
  wire::TcpSeq rcv_nxt;
  uint32_t rcv_window = 0;  // bytes
  uint32_t ts_recent = 0;
  uint32_t ts_offset = 0;
  uint32_t flow_label = 0;
  uint16_t window = 0;  // as the field of an ACK tells it
  ClosedKind kind = ClosedKind::kSilent;
  bool timestamps = false;
  bool tunnel = false;  // gets no RST
  uint64_t answered_us = 0;
  uint64_t until_us = 0;  // 0: the place is free
};

class ClosedFlows {
 public:
  // Linux's TCP_TIMEWAIT_LEN and its time for FIN-WAIT-2.
  static constexpr uint64_t kKeepUs = 60'000'000;

  // `places` is rounded up to a power of two, four at least.
  ClosedFlows(uint32_t places, const FlowKeyedHash& hash);

  // Until then is kKeepUs from now.
  void Add(const ClosedFlow& flow, uint64_t now_us);
  ClosedFlow* Find(const FlowKey& key, uint64_t now_us);
  static void Remove(ClosedFlow& flow) { flow.until_us = 0; }

 private:
  static constexpr size_t kWays = 4;

  ClosedFlow* SetOf(const FlowKey& key);

  const FlowKeyedHash& hash_;
  std::vector<ClosedFlow> places_;
  uint64_t last_until_us_ = 0;  // nothing is kept longer
};

}  // namespace lwt
