// For tests/bench/instructions.py, below callgrind, which counts one side's
// loops under steady traffic of 1400-byte packets. With `offload-` in front the
// uplink takes super-frames and makes checksums, with `super-` the tunnel
// device does as well.
//
// usage: instructions [offload-|super-]sender|receiver STEPS
// prints the packets counted
#include <valgrind/callgrind.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "tests/bench/gateway_rig.h"

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const std::string_view side = argv[1];
  const bool sender = side.ends_with("sender");
  const int steps = std::atoi(argv[2]);
  const bool super = side.starts_with("super-");
  lwt::bench::GatewayRig rig({.offload = super || side.starts_with("offload-"),
                              .super_inside = super});
  for (int i = 0; i < 10; ++i) rig.Step();
  for (int i = 0; i < steps; ++i) {
    rig.Feed();
    if (sender) CALLGRIND_TOGGLE_COLLECT;
    rig.RunClient();
    if (sender) CALLGRIND_TOGGLE_COLLECT;
    rig.Carry();
    if (!sender) CALLGRIND_TOGGLE_COLLECT;
    rig.RunHub();
    if (!sender) CALLGRIND_TOGGLE_COLLECT;
    rig.Drain();
  }
  std::printf("%zu\n",
              static_cast<size_t>(steps) * lwt::bench::GatewayRig::kBurst);
  return 0;
}
