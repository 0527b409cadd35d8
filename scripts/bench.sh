#!/usr/bin/env bash
# Builds the release flavour with its benchmarks, runs the scenarios named and
# writes JSON, text and plots to build-bench/results.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
  /usr/bin/python3 tests/bench/run.py -h
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
