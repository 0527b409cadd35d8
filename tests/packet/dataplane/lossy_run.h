// Packets from a client's inside to a hub's at full speed, numbered, over a
// link that loses some of what the client sends.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tests/packet/dataplane/gateway_pair.h"
#include "tests/packet/dataplane/lossy_port.h"

namespace lwt::testing {

struct LossyRunOptions {
  WorkerOptions worker = SmallWorker();
  double loss = 0;
  double burst = 0;  // mean run of lost frames; 0: independent losses
  uint64_t seed = 1;
  // Packets of a step and its time.
  size_t burst_packets = 32;
  uint64_t step_us = 100;
  // Bytes that the link carries in a step, 0: any number.
  uint64_t step_bytes = 0;
};

class LossyRun {
 public:
  // Too large for two to share a record.
  static constexpr size_t kPacketSize = 720;

  explicit LossyRun(const LossyRunOptions& options);

  void Send(uint64_t packets) { Send(packets, options_.burst_packets); }
  void Send(uint64_t packets, size_t burst_packets);
  // From here on, of independent losses.
  void SetLoss(double loss) { link_->SetLoss({loss, 0}); }
  // Waits for the last groups, counts from here on.
  void Settle();
  void Restart();

  uint64_t sent() const { return sent_; }
  uint64_t delivered() const { return delivered_; }
  uint64_t duplicates() const { return duplicates_; }
  // Part of the packets that did not arrive, and that would not have without
  // what the decoder gave back.
  double residual() const;
  double raw();
  // The drops that both sides counted, by name.
  std::string Drops() { return DropsOf(*pair_); }
  // Bytes on the wire for a byte of inner packets.
  double overhead() const;

  fec::Parameters code() {
    const LaneCounters& counters = client();
    return {static_cast<uint8_t>(counters.fec_tx_data.Get()),
            static_cast<uint8_t>(counters.fec_tx_parity.Get()), 1};
  }
  const LaneCounters& client() {
    return pair_->client.worker().lane_counters[0];
  }
  const LaneCounters& hub() { return pair_->hub.worker().lane_counters[0]; }

 private:
  void Step(size_t packets);
  void RunAll();
  void Take();

  const LossyRunOptions options_;
  LossyPort* link_ = nullptr;  // the client's uplink
  std::unique_ptr<GatewayPair> pair_;
  Bytes packet_;
  std::vector<bool> seen_;
  uint64_t first_ = 0;  // number of the first packet that counts
  uint64_t next_ = 0;
  uint64_t sent_ = 0;
  uint64_t delivered_ = 0;
  uint64_t duplicates_ = 0;
  uint64_t repaired_before_ = 0;
  uint64_t bytes_before_ = 0;
};

}  // namespace lwt::testing
