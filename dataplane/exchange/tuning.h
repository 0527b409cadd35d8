// What of a worker's options may change while it runs. Plain data; the options
// have the first one, TuneCommand brings others.
#pragma once

#include <cstdint>

#include "dataplane/fec/policy.h"

namespace lwt {

struct Tuning {
  fec::Settings fec;
  uint64_t fec_flush_us = 2000;  // a group that is not full closes
  // A send epoch that sealed this many records is reported as due.
  uint64_t rekey_records = 1ull << 28;
  // Bytes a second of what leaves on the wire, headers included; 0: no limit.
  // To one peer, each of its lanes an equal part; and of this worker to all.
  uint64_t rate = 0;
  uint64_t uplink_rate = 0;
  // Bytes a second of inner packets that are taken from one peer; likewise.
  uint64_t rate_in = 0;
};

}  // namespace lwt
