#!/usr/bin/env bash
# Runs every fuzzer for a time and prints its executions and the line coverage
# of its parser; fails on a crash and below 90 % of the lines.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
  echo "usage: scripts/fuzz.sh [SECONDS [NAME...]]"
  echo "Runs each fuzzer, or those named, for SECONDS (60)."
}

case "${1:-}" in
  -h | --help) usage && exit 0 ;;
esac
seconds=${1:-60}
[[ $seconds =~ ^[0-9]+$ ]] || { usage >&2 && exit 2; }
shift $(($# > 0 ? 1 : 0))

build="build-fuzz"
out="$build/results"
bound=90
status=0

# The libraries carry the instrumentation, the programs add libFuzzer itself.
if [ ! -f "$build/build.ninja" ]; then
  echo "fuzz: configuring $build"
  CXX=clang++ meson setup "$build" -Dfuzzers=true -Db_lundef=false \
    --buildtype=debugoptimized -Dcpp_args="-fsanitize=fuzzer-no-link,address \
-fprofile-instr-generate -fcoverage-mapping -Wno-unused-command-line-argument" \
    -Dcpp_link_args="-fsanitize=address -fprofile-instr-generate" >/dev/null
fi
echo "fuzz: building"
mkdir -p "$out"
mapfile -t targets < <(awk 'NF {print "tests/fuzz/fuzz-" $1}' \
  "$build/tests/fuzz/fuzzers.list")
if [ $# -gt 0 ]; then
  targets=("${@/#/tests/fuzz/fuzz-}")
fi
ninja -C "$build" "${targets[@]}" >"$out/build.log" 2>&1 || {
  tail -n 50 "$out/build.log"
  exit 1
}

# The share of the lines of the files named in $ARGS that ran, in percent: a
# program of jq, whose variables those are.
# shellcheck disable=SC2016
covered='[.data[0].files[] | .filename as $at | .summary.lines |
    select(any($ARGS.positional[]; . as $tail | $at | endswith("/" + $tail)))] |
  if length < ($ARGS.positional | length) then 0
  else 100 * (map(.covered) | add) / (map(.count) | add) end'

# run NAME FILE...: one fuzzer, its crash if any, and one line of the table.
run() {
  local name=$1 log="$out/$1.log" corpus="$out/$1.corpus" executions coverage
  shift
  mkdir -p "$corpus"
  rm -f "$out/$name".*.profraw
  if ! LLVM_PROFILE_FILE="$out/$name.%p.profraw" \
    "$build/tests/fuzz/fuzz-$name" -max_total_time="$seconds" \
    -print_final_stats=1 -artifact_prefix="$out/$name-" -timeout=10 \
    "$corpus" "tests/fuzz/corpus/$name" >"$log" 2>&1; then
    tail -n 40 "$log"
    echo "fuzz: FAILED: $name found what is above"
    status=1
    return
  fi
  executions=$(awk '/number_of_executed_units/ {print $2}' "$log")
  llvm-profdata merge -o "$out/$name.profdata" "$out/$name".*.profraw
  # llvm-cov knows files by the path they were compiled by, so it is asked for
  # all of them; a file named in vain counts as not covered.
  coverage=$(llvm-cov export -summary-only \
    -instr-profile="$out/$name.profdata" "$build/tests/fuzz/fuzz-$name" |
    jq --args "$covered" "$@")
  printf '%-24s %14s executions %8.1f %% of lines\n' "$name" "$executions" \
    "$coverage"
  if awk -v c="$coverage" -v b=$bound 'BEGIN { exit !(c < b) }'; then
    echo "fuzz: FAILED: $name covers less than $bound % of: $*"
    status=1
  fi
}

ran=0
while read -r -a entry; do
  [ "${#entry[@]}" -gt 0 ] || continue
  if [ $# -gt 0 ] && [[ " $* " != *" ${entry[0]} "* ]]; then
    continue
  fi
  run "${entry[@]}"
  ran=$((ran + 1))
done <"$build/tests/fuzz/fuzzers.list"
echo "fuzz: ran $ran fuzzers, $seconds s each"
[ "$ran" -gt 0 ] || status=1
exit "$status"
