#!/usr/bin/env bash
# Installs what the tests need, builds every flavour, runs all tests and ends
# with one line: N passed, N failed, N skipped.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
  cat <<'END'
usage: scripts/test.sh [-quick] [-all] [-e2e PATTERN]

  (nothing)     release build: unit, property, packet, host and fuzz-replay
                tests; the same under ASan+UBSan; the concurrency tests under
                TSan; the end-to-end tests
  -quick        leave the sanitizer builds out
  -all          also run every fuzzer for 60 s with its coverage bound, the
                man in the middle for 10^7 of its steps, ping, bulk transfer
                and kills on every combination of ports and workers, and more
                changes of a line's MTU
  -e2e PATTERN  only the end-to-end tests that match (as pytest -k); 'all'
                takes every one

Results are JUnit files in build-test/results. The exit status is 0 only when
nothing failed; with CI=true a skipped test counts as a failure.
END
}

sanitizers=true
fuzz=false
e2e_only=
while [ $# -gt 0 ]; do
  case "$1" in
    -quick | --quick) sanitizers=false ;;
    -all | --all)
      fuzz=true
      export LWT_E2E=full
      ;;
    -e2e | --e2e)
      [ $# -ge 2 ] || { usage >&2 && exit 2; }
      e2e_only=$2
      shift
      ;;
    -h | --help) usage && exit 0 ;;
    *) usage >&2 && exit 2 ;;
  esac
  shift
done

results=$PWD/build-test/results
rm -rf "$results"
mkdir -p "$results"
status=0
started=$SECONDS
say() { printf '[%4ds] test: %s\n' "$((SECONDS - started))" "$*"; }
fail() {
  say "FAILED: $*"
  status=1
}

# build DIR MESON-OPTION...: builds all of it, or what matches $only.
only=
build() {
  local dir=$1 targets=()
  shift
  say "building $dir${only:+, only $only}"
  if [ ! -f "$dir/build.ninja" ]; then
    meson setup "$dir" -Dtests=true "$@" >"$results/$dir.setup.log" 2>&1 || {
      cat "$results/$dir.setup.log"
      fail "meson setup $dir"
      return 1
    }
  fi
  if [ -n "$only" ]; then
    mapfile -t targets < <(ninja -C "$dir" -t targets all |
      sed -n "s|^\\(${only}[^:]*\\): cpp_LINKER\$|\\1|p")
  fi
  ninja -C "$dir" "${targets[@]}" >"$results/$dir.build.log" 2>&1 || {
    grep -vE '^\[[0-9]+/[0-9]+\]' "$results/$dir.build.log" | tail -n 200
    fail "ninja -C $dir"
    return 1
  }
}

# run_meson DIR NAME SUITE...: runs the suites of a built directory.
run_meson() {
  local dir=$1 name=$2 suites=()
  shift 2
  local suite
  for suite in "$@"; do
    suites+=(--suite "$suite")
  done
  say "running $* tests of $dir"
  meson test -C "$dir" --no-rebuild --print-errorlogs --logbase "$name" \
    "${suites[@]}" >"$results/$name.log" 2>&1 || {
    cat "$results/$name.log"
    fail "$* tests of $dir"
  }
  if [ -f "$dir/meson-logs/$name.junit.xml" ]; then
    cp "$dir/meson-logs/$name.junit.xml" "$results/"
  fi
}

export ASAN_OPTIONS=detect_leaks=1:strict_string_checks=1:abort_on_error=1
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1

build_release() {
  build build-test --buildtype=release
}

run_release() {
  run_meson build-test release unit property packet host concurrency \
    fuzz-replay instructions
}

# Built while the end-to-end tests wait for their events: in the idle class a
# compiler has what those leave of the cores, and takes nothing from them.
build_sanitizers() {
  status=0
  chrt --idle --pid 0 "$BASHPID" || renice -n 19 -p "$BASHPID"
  build build-asan -Doptimization=1 -Ddebug=true -Dcpp_args=-g1 \
    -Db_sanitize=address,undefined -Db_lundef=false || status=1
  only=tests/concurrency- build build-tsan -Doptimization=1 -Ddebug=true \
    -Dcpp_args=-g1 -Db_sanitize=thread -Db_lundef=false || status=1
  return "$status"
}

# A process group of its own: what is interrupted leaves no compiler behind.
sanitizers_builder=
start_sanitizers() {
  set -m
  build_sanitizers &
  sanitizers_builder=$!
  set +m
  trap 'kill -- "-$sanitizers_builder" 2>/dev/null' EXIT
}

run_sanitizers() {
  say "waiting for the builds with sanitizers"
  if wait "$sanitizers_builder"; then
    run_meson build-asan asan unit property packet host concurrency fuzz-replay
    run_meson build-tsan tsan concurrency
  else
    fail "builds with sanitizers"
  fi
  trap - EXIT
}

# Tests that wait for events run side by side, each process in namespaces of
# its own; free hugepages are the one thing on the host that they share.
e2e_jobs() {
  if grep -qsvx 0 /sys/kernel/mm/hugepages/*/nr_hugepages; then
    echo 0
  else
    echo "$(($(nproc) > 2 ? $(nproc) : 2))"
  fi
}

# run_pytest NAME MARKS JOBS [PATTERN]: pytest's status, 0 if nothing matched.
run_pytest() {
  local code=0
  LWT_BUILD_DIR=$PWD/build-test /usr/bin/python3 -m pytest tests/e2e \
    -p no:cacheprovider --junitxml="$results/$1.junit.xml" \
    -o "junit_suite_name=$1" -v -ra --durations=10 -m "$2" -n "$3" \
    ${4:+-k "$4"} || code=$?
  [ "$code" -eq 5 ] && [ -n "${4:-}" ] || return "$code"
  rm -f "$results/$1.junit.xml"
}

# run_e2e_together [PATTERN], run_e2e_alone [PATTERN]
run_e2e_together() {
  local jobs
  jobs=$(e2e_jobs)
  say "running end-to-end tests${1:+ matching \"$1\"}, $jobs at once"
  run_pytest e2e "not alone" "$jobs" "$@" || fail "end-to-end tests"
}

run_e2e_alone() {
  say "running end-to-end tests that measure, one at a time"
  run_pytest e2e-alone alone 0 "$@" || fail "end-to-end tests that measure"
}

# Whole conversations with a man in the middle, a hundred times those of CI.
run_conversations() {
  say "running conversations of 10^7 steps"
  LWT_CONVERSATION_STEPS=10000000 \
    build-test/tests/property-control \
    --gtest_output="xml:$results/conversations.junit.xml" \
    >"$results/conversations.log" 2>&1 || {
    tail -n 40 "$results/conversations.log"
    fail "conversations of 10^7 steps"
  }
}

scripts/setup.sh -tests
if [ -n "$e2e_only" ]; then
  [ "$e2e_only" != all ] || e2e_only=
  if [ -x build-test/lightweight-tunnel ] || build_release; then
    run_e2e_together ${e2e_only:+"$e2e_only"}
    run_e2e_alone ${e2e_only:+"$e2e_only"}
  fi
elif build_release; then
  run_release
  if $sanitizers; then
    start_sanitizers
  fi
  run_e2e_together
  if $sanitizers; then
    run_sanitizers
  fi
  run_e2e_alone
  if $fuzz; then
    run_conversations
    scripts/fuzz.sh 60 || fail "scripts/fuzz.sh"
  fi
fi

say "done in $((SECONDS - started)) s"
/usr/bin/python3 tests/support/tally.py "$results" "$status"
