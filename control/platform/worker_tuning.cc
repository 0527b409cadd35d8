#include "control/platform/worker_tuning.h"

#include "control/telemetry/status.h"

namespace lwt {

Tuning TuningOf(const config::Config& config, size_t workers) {
  const config::QueueConfig& queues = config.queues;
  return {.fec = config.fec.Settings(),
          .fec_flush_us = config.fec.flush_us,
          .rekey_records = config.rekey.records,
          .rate = queues.rate.bytes_per_s(),
          .uplink_rate = queues.uplink_rate.bytes_per_s() / workers,
          .rate_in = queues.rate_in.bytes_per_s()};
}

void WorkerTuning::Report(telemetry::Status& status, uint64_t) const {
  for (telemetry::PeerStatus& peer : status.peers) {
    telemetry::PeerReading& now = peer.reading;
    if (now.rate == kNoValue) now.rate = rate_.bits_per_s;
    if (now.rate_in == kNoValue) now.rate_in = rate_in_.bits_per_s;
  }
}

absl::Status WorkerTuning::Apply(const config::Config& config, uint64_t) {
  rate_ = config.queues.rate;
  rate_in_ = config.queues.rate_in;
  const Tuning tuning = TuningOf(config, workers_.size());
  for (uint32_t i = 0; i < workers_.size(); ++i) {
    workers_[i]->mailbox().Send(TuneCommand{{i}, tuning});
  }
  return absl::OkStatus();
}

}  // namespace lwt
