// What Reed-Solomon leaves of independent loss, by the books, and the codes
// that tests compare with it.
#pragma once

#include <cmath>
#include <cstdint>

#include "dataplane/worker_options.h"
#include "tests/packet/dataplane/gateway_pair.h"

namespace lwt::testing {

// A build with sanitizers runs the same with fewer packets: it looks for other
// faults, and the bounds hold for any number.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr uint64_t kShare = 40;
#else
inline constexpr uint64_t kShare = 1;
#endif

// P(a packet is lost for good): it is lost, and so are at least m of the other
// k + m − 1 of its group.
inline double Exact(const fec::Parameters& code, double loss) {
  const int others = code.data + code.parity - 1;
  double at_most = 0;
  double term = std::pow(1 - loss, others);
  for (int lost = 0; lost < code.parity; ++lost) {
    at_most += term;
    term *= loss / (1 - loss) * (others - lost) / (lost + 1);
  }
  return loss * (1 - at_most);
}

// Without retransmission.
inline WorkerOptions Without(fec::Mode mode, const fec::Parameters& code = {}) {
  WorkerOptions options = SmallWorker();
  options.retransmit = false;
  options.tuning.fec.mode = mode;
  options.tuning.fec.fixed = code;
  return options;
}

inline constexpr fec::Parameters k20And2{20, 2, 1};
inline constexpr fec::Parameters k10And3{10, 3, 1};
inline constexpr fec::Parameters k10And5{10, 5, 1};
inline constexpr fec::Parameters k8And6{8, 6, 1};

}  // namespace lwt::testing
