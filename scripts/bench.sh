#!/usr/bin/env bash
# Builds the release flavour with its benchmarks, runs the scenarios named and
# writes JSON, text and plots to build-bench/results.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
  cat <<'END'
usage: scripts/bench.sh SCENARIO... [FLAG...]

  micro    cycles of single parts
  pipeline cycles a packet of sender and receiver, beside bare cryptography
  scale    cycles and memory with 1 to 10 000 peers, and a million routes
  workers  two workers against one
  tunnel   goodput and CPU through the tunnel, beside OpenVPN and wireguard-go
  loss     TCP, UDP and delay on a path that loses; 25 minutes, less with
           -rounds 1 (runs), -load 3% (losses), -only auto (paths)
  latency  round trips, idle and at half load, beside a bare relay
  start    start to first packet, and resident memory of a client
  all      every one of them

END
  /usr/bin/python3 tests/bench/run.py -h | sed '1,/^options:/d'
}

case "${1:-}" in
  '' | -h | --help) usage && exit 0 ;;
esac

scripts/setup.sh -tests
if [ ! -f build-bench/build.ninja ]; then
  meson setup build-bench --buildtype=release -Dbenches=true >/dev/null
fi
ninja -C build-bench >build-bench/build.log || {
  tail -n 50 build-bench/build.log
  exit 1
}
exec /usr/bin/python3 tests/bench/run.py "$@"
