#include "control/peer/mailbox_link.h"

#include <utility>

namespace lwt::peer {

void MailboxLink::Send(Command command) {
  worker_.mailbox().Send(std::move(command));
}

void MailboxLink::Publish(std::unique_ptr<const Snapshot> snapshot) {
  worker_.mailbox().Publish(std::move(snapshot));
}

LaneReading MailboxLink::ReadLane(uint32_t lane) const {
  const LaneCounters& counters = worker_.lane_counters(lane);
  LaneReading reading;
  reading.rx_packets = counters.rx_packets.Get();
  reading.rx_bytes = counters.rx_bytes.Get();
  reading.tx_packets = counters.tx_packets.Get();
  reading.tx_bytes = counters.tx_bytes.Get();
  reading.records_opened = counters.records_opened.Get();
  reading.records_sealed = counters.records_sealed.Get();
  reading.records_missing = counters.records_missing.Get();
  reading.retransmitted_segments = counters.retransmitted_segments.Get();
  reading.last_rx_us = counters.last_rx_us.Get();
  reading.last_data_tx_us = counters.last_data_tx_us.Get();
  reading.srtt_us = counters.srtt_us.Get();
  return reading;
}

void MailboxLink::FreeFrame(rte_mbuf* frame) { rte_pktmbuf_free(frame); }

}  // namespace lwt::peer
