#!/usr/bin/env bash
# The checks that run no code: format, sizes, include direction, words,
# shell scripts, clang-tidy. Prints every finding; exits 0 only without any.
set -euo pipefail
cd "$(dirname "$0")/.."

status=0
started=$SECONDS
say() { printf '[%4ds] check: %s\n' "$((SECONDS - started))" "$*"; }
fail() {
  say "FAILED: $*"
  status=1
}

mapfile -t sources < <(find drivers dataplane control tests \
  -name '*.cc' -o -name '*.h' | sort)
mapfile -t scripts < <(find scripts tests -name '*.py' | sort)
mapfile -t pages < <(find README.md docs drivers dataplane control tests \
  -name '*.md' | sort)

say "format of ${#sources[@]} files"
clang-format --dry-run -Werror "${sources[@]}" 2>&1 |
  sed -n 's/^\([^: ]*\):.*Wclang-format.*/run: clang-format -i \1/p' |
  sort -u || fail "format"

say "sizes, include direction, unused names and words"
/usr/bin/python3 scripts/check_source.py "${sources[@]}" "${scripts[@]}" \
  "${pages[@]}" || fail "sizes, includes, names or words"

say "shell scripts"
shellcheck scripts/*.sh scripts/packaging/restart-pause \
  scripts/packaging/debian/p* .ci/run || fail "shellcheck"

# A build directory of clang's own: its compile commands hold no flag that
# clang-tidy does not know. Nothing is compiled but generated headers. What
# takes the time are the headers of libraries, so the units checked are the
# large ones that the libraries are compiled as, and the few files beside.
say "clang-tidy"
build="build-check"
if [ ! -f "$build/build.ninja" ]; then
  CXX=clang++ meson setup "$build" --buildtype=debugoptimized >/dev/null ||
    fail "meson setup $build"
fi
ninja -C "$build" build.ninja >/dev/null || fail "meson setup $build"
mapfile -t generated < <(ninja -C "$build" -t targets all |
  sed -n '/^meson-/!s/: CUSTOM_COMMAND.*//p')
if [ "${#generated[@]}" -gt 0 ]; then
  ninja -C "$build" "${generated[@]}" >/dev/null || fail "generated files"
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
jq -r '.[].file' "$build/compile_commands.json" | sort -u | (
  cd "$build" && xargs -d '\n' -n 1 -P "$(nproc)" clang-tidy -quiet -p .
) >"$log" 2>/dev/null || {
  sort -u "$log" | grep -E ': (error|warning):' || cat "$log"
  fail "clang-tidy"
}

say "done in $((SECONDS - started)) s"
exit "$status"
