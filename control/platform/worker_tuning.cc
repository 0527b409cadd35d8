#include "control/platform/worker_tuning.h"

namespace lwt {

Tuning TuningOf(const config::Config& config) {
  return {.fec = config.fec.Settings(),
          .fec_flush_us = config.fec.flush_us,
          .rekey_records = config.rekey.records};
}

absl::Status WorkerTuning::Apply(const config::Config& config, uint64_t) {
  const Tuning tuning = TuningOf(config);
  for (uint32_t i = 0; i < workers_.size(); ++i) {
    workers_[i]->mailbox().Send(TuneCommand{{i}, tuning});
  }
  return absl::OkStatus();
}

}  // namespace lwt
