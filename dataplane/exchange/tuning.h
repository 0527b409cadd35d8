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
};

}  // namespace lwt
