#!/usr/bin/env bash
# Puts a new version in the place of the one that runs, and the old one back
# where the new one does not come up. For what install-service.sh or the Debian
# package installed; docs/service.md, "Upgrade".
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)

usage() {
  cat <<'END'
usage: scripts/upgrade.sh [-no-test] [REMOTE [BRANCH]]
       scripts/upgrade.sh [-no-test] -tree FOLDER
       scripts/upgrade.sh -build FOLDER | -tarball FILE | -package FILE
options: [-wait SECONDS] [-settle SECONDS]

Takes the new version
  (nothing)       from git: pulls this tree, builds and tests it
  -tree FOLDER    from another tree, which is built and tested
  -build FOLDER   from a build that is there
  -tarball FILE   from a tarball of scripts/package.sh -tarball
  -package FILE   from a Debian package
checks that it reads the settings of each gateway that runs, puts it in place
and restarts them. Each has to be ready within 30 s (-wait), to answer lwtctl,
to have a peer again if it had one, and to be the same process 5 s (-settle)
later; if not, the version before is put back and restarted.

-no-test leaves out the unit tests of a tree.

Exit status: 0 the new version runs, 1 nothing was changed, 2 wrong usage,
3 the version before was put back, 4 it does not come up any more either.
END
}

say() { echo "upgrade: $*"; }
die() {
  echo "upgrade: $*" >&2
  exit 1
}

wait_s=30
settle_s=5
tests=true
kind=git
source=
while [ $# -gt 0 ]; do
  case "${1/#--/-}" in
    -no-test) tests=false ;;
    -tree | -build | -tarball | -package | -wait | -settle)
      [ $# -ge 2 ] || { usage >&2 && exit 2; }
      case "${1##*-}" in
        wait) wait_s=$2 ;;
        settle) settle_s=$2 ;;
        *) kind=${1##*-} source=$2 ;;
      esac
      shift
      ;;
    -h | -help) usage && exit 0 ;;
    -*) usage >&2 && exit 2 ;;
    *) break ;;
  esac
  shift
done
[ $# -eq 0 ] || { [ $# -le 2 ] && [ "$kind" = git ]; } || { usage >&2 && exit 2; }
[[ $wait_s =~ ^[0-9]+$ && $settle_s =~ ^[0-9]+$ ]] || { usage >&2 && exit 2; }
[ "$(id -u)" -eq 0 ] || die "needs root: sudo scripts/upgrade.sh"
[ -z "$source" ] || [ -e "$source" ] || die "no $source"

# Here and not in /tmp, which a reboot empties: who cuts the power half-way finds
# the version before.
saved=/var/lib/lightweight-tunnel-upgrade
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

package_installed() {
  [ "$(dpkg-query -W -f '${db:Status-Status}' lightweight-tunnel 2>/dev/null)" \
    = installed ]
}

own_unit=/etc/systemd/system/lightweight-tunnel@.service
if package_installed; then
  [ ! -e "$own_unit" ] || die "both the package and install-service.sh are" \
    "installed, and $own_unit counts: take one of them away first"
  installed=package
elif [ -e "$own_unit" ]; then
  installed=script
else
  die "nothing is installed here: see scripts/install-service.sh"
fi

# --- The new version, as $work/new (programs) or $work/new.deb -----------------

# As who owns the tree: root's files in it would be in the owner's way, and git
# trusts nobody else's.
as_owner() {
  local tree=$1 owner
  shift
  owner=$(stat -c %U "$tree")
  if [ "$owner" = root ]; then
    "$@"
  else
    runuser -u "$owner" -- "$@"
  fi
}

# build TREE: in its folder build-upgrade.
build() {
  local tree=$1 folder=$1/build-upgrade
  say "building $tree (some minutes the first time)"
  [ -f "$folder/build.ninja" ] ||
    as_owner "$tree" meson setup "$folder" "$tree" --buildtype=release \
      "-Dtests=$tests" >"$work/log" 2>&1 ||
    { cat "$work/log" >&2 && die "meson setup; nothing was changed"; }
  as_owner "$tree" ninja -C "$folder" lightweight-tunnel lwtctl \
    manual-pages >"$work/log" 2>&1 ||
    { tail -n 50 "$work/log" >&2 && die "the build; nothing was changed"; }
  if $tests; then
    say "testing it"
    as_owner "$tree" meson test -C "$folder" --suite unit >"$work/log" 2>&1 ||
      { tail -n 50 "$work/log" >&2 && die "its tests; nothing was changed"; }
  fi
  take_build "$folder" "$tree"
}

# take_build FOLDER TREE: its programs, and what belongs to them of the tree.
take_build() {
  local folder=$1 packaging=$2/scripts/packaging
  [ -x "$folder/lightweight-tunnel" ] || die "no lightweight-tunnel in $folder"
  if [ "$installed" = package ]; then
    "$2/scripts/package.sh" -o "$work" -build "$folder" >"$work/log" 2>&1 ||
      { cat "$work/log" >&2 && die "no package came of it"; }
    mv "$work"/lightweight-tunnel_*.deb "$work/new.deb"
    return
  fi
  mkdir "$work/new"
  cp "$folder/lightweight-tunnel" "$folder/lwtctl" "$packaging/restart-pause" \
    "$packaging/lightweight-tunnel@.service" "$work/new"
}

take_tarball() {
  [ "$installed" = script ] ||
    die "the Debian package is installed: upgrade it by -package"
  mkdir "$work/unpacked"
  tar -C "$work/unpacked" --strip-components=1 --no-same-owner -xzf "$1" ||
    die "$1 cannot be unpacked"
  "$work/unpacked/scripts/install-service.sh" -check-libraries ||
    die "nothing was changed"
  take_build "$work/unpacked" "$work/unpacked"
}

take_package() {
  cp "$1" "$work/new.deb"
  [ "$installed" = script ] || return 0
  dpkg-deb -x "$work/new.deb" "$work/unpacked"
  mkdir "$work/new"
  cp "$work"/unpacked/usr/bin/* \
    "$work/unpacked/usr/lib/lightweight-tunnel/restart-pause" \
    "$work/unpacked/usr/lib/systemd/system/lightweight-tunnel@.service" \
    "$work/new"
}

pull() {
  local before
  [ -e "$here/.git" ] || die "$here is no clone of git: say what to take"
  before=$(as_owner "$here" git -C "$here" rev-parse --short HEAD)
  as_owner "$here" git -C "$here" pull --ff-only --quiet "$@" ||
    die "git pull; nothing was changed"
  say "$here: $before to $(as_owner "$here" git -C "$here" rev-parse --short \
    HEAD)"
}

# --- The gateways that run -----------------------------------------------------

units() {
  systemctl list-units --plain --no-legend --state=active \
    'lightweight-tunnel@*.service' | cut -d ' ' -f 1
}
name_of() {
  local name=${1#lightweight-tunnel@}
  echo "${name%.service}"
}
property() { systemctl show --value -p "$2" "$1"; }
new_program() {
  if [ -d "$work/new" ]; then
    echo "$work/new/lightweight-tunnel"
  else
    [ -d "$work/look" ] || dpkg-deb -x "$work/new.deb" "$work/look"
    echo "$work/look/usr/bin/lightweight-tunnel"
  fi
}

# As the service would read them, whose key may be a credential.
check_settings() {
  local program unit name
  program=$(new_program)
  "$program" -v >"$work/version" || die "the new program does not run here;" \
    "nothing was changed"
  mkdir "$work/credentials"
  for unit in $(units); do
    name=$(name_of "$unit")
    ln -sf "/etc/credstore/lightweight-tunnel.$name.key" "$work/credentials/key"
    CREDENTIALS_DIRECTORY=$work/credentials "$program" -check-config \
      -c "/etc/lightweight-tunnel/$name.toml" >"$work/log" 2>&1 || {
      cat "$work/log" >&2
      die "$unit: the new version refuses its settings; nothing was changed"
    }
  done
}

# How many peers a gateway has that are up; fails where it does not answer.
peers_up() {
  local text
  text=$(lwtctl -socket "/run/lightweight-tunnel/$(name_of "$1")/control.sock" \
    status -json 2>/dev/null) || return 1
  grep -o '"state": *"up"' <<<"$text" | wc -l
}

# --- Swap ----------------------------------------------------------------------

programs=/usr/local/bin
helper=/usr/local/lib/lightweight-tunnel
state=/var/lib/lightweight-tunnel

# The package that is installed, as a file to install again.
repack() {
  local folder=$work/repacked part
  mkdir -p "$folder/DEBIAN"
  dpkg-query -L lightweight-tunnel | while read -r part; do
    if [ -f "$part" ] || [ -L "$part" ]; then echo "$part"; fi
  done | tar -C / -cf - --no-recursion -T - 2>/dev/null | tar -C "$folder" -xf -
  dpkg-query -s lightweight-tunnel | grep -v '^Status:' >"$folder/DEBIAN/control"
  dpkg-query --control-list lightweight-tunnel | while read -r part; do
    cp -p "$(dpkg-query --control-path lightweight-tunnel "$part")" \
      "$folder/DEBIAN/$part"
  done
  dpkg-deb --root-owner-group -Znone -b "$folder" "$saved/old.deb" >/dev/null
}

# All but the key, which no version writes twice.
save() {
  rm -rf "$saved"
  mkdir -m 700 "$saved"
  if [ "$installed" = package ]; then
    repack
  else
    cp -p "$programs/lightweight-tunnel" "$programs/lwtctl" \
      "$helper/restart-pause" "$own_unit" "$saved"
  fi
  [ ! -d "$state" ] ||
    tar -C "$state" --exclude=static.key --numeric-owner \
      -cf "$saved/state.tar" .
}

# place FILE TARGET: at once, so that nobody finds half a program.
place() {
  install -m "$3" "$1" "$2.new" && mv "$2.new" "$2"
}
place_programs() {
  place "$1/lightweight-tunnel" "$programs/lightweight-tunnel" 755 &&
    place "$1/lwtctl" "$programs/lwtctl" 755 &&
    place "$1/restart-pause" "$helper/restart-pause" 755 &&
    sed -e 's|/usr/bin/|/usr/local/bin/|' \
      -e 's|/usr/lib/lightweight-tunnel/|/usr/local/lib/lightweight-tunnel/|' \
      "$1/lightweight-tunnel@.service" >"$work/unit" &&
    place "$work/unit" "$own_unit" 644 &&
    systemctl daemon-reload
}

# Restarting is ours, for whoever waits here has to put the old one back.
place_package() {
  LIGHTWEIGHT_TUNNEL_RESTART=no dpkg -i "$1" >"$work/log" 2>&1 ||
    { cat "$work/log" >&2 && return 1; }
}

# restart UNIT: within the time, and lwtctl has an answer.
restart() {
  local unit=$1 begun=$EPOCHREALTIME limit=$((SECONDS + wait_s))
  timeout "$wait_s" systemctl restart "$unit" 2>/dev/null || {
    say "$unit did not become ready (it has $wait_s s)"
    return 1
  }
  ready_after=$(awk -v a="$begun" -v b="$EPOCHREALTIME" \
    'BEGIN { printf "%.1f", b - a }')
  local wanted=0 now pid
  pid=$(property "$unit" MainPID)
  [ -n "${had_peers[$unit]}" ] || {
    say "$unit: ready after $ready_after s; its socket is elsewhere, so whether" \
      "it has peers is not known"
    return
  }
  [ "${had_peers[$unit]}" -eq 0 ] || wanted=1
  until now=$(peers_up "$unit") && [ "$now" -ge "$wanted" ]; do
    if [ "$(property "$unit" MainPID)" != "$pid" ]; then
      say "$unit ended"
      return 1
    fi
    if [ "$SECONDS" -ge "$limit" ]; then
      local why="does not answer lwtctl"
      [ -z "$now" ] || why="has no peer again"
      say "$unit $why within $wait_s s"
      return 1
    fi
    sleep 0.1
  done
  say "$unit: ready after $ready_after s; $now peers up, before" \
    "${had_peers[$unit]}"
}

# settled UNIT: whether it is the same process after a while.
settled() {
  local unit=$1 pid until=$((SECONDS + settle_s))
  pid=$(property "$unit" MainPID)
  while [ "$SECONDS" -lt "$until" ]; do
    sleep 0.2
    if [ "$(property "$unit" MainPID)" != "$pid" ] || [ "$pid" = 0 ]; then
      say "$unit ended within $settle_s s"
      return 1
    fi
  done
  [ -z "${had_peers[$unit]}" ] || peers_up "$unit" >/dev/null || {
    say "$unit does not answer lwtctl"
    return 1
  }
}

all_come_up() {
  local unit
  for unit in "${running[@]}"; do
    restart "$unit" || return 1
  done
  for unit in "${running[@]}"; do
    settled "$unit" || return 1
  done
}

roll_back() {
  trap '' INT TERM HUP
  say "putting the version before back"
  local unit
  systemctl stop "${running[@]}" 2>/dev/null || true
  if [ "$installed" = package ]; then
    place_package "$saved/old.deb"
  else
    place_programs "$saved"
  fi
  # What the new one wrote the old one may not know.
  if [ -e "$saved/state.tar" ]; then
    find "$state" -type f ! -name static.key -delete
    tar -C "$state" --numeric-owner -xpf "$saved/state.tar"
  fi
  local failed=false
  for unit in "${running[@]}"; do
    systemctl reset-failed "$unit" 2>/dev/null || true
    restart "$unit" || failed=true
  done
  ! $failed || {
    echo "upgrade: the version before is back, but does not come up:" \
      "journalctl -u 'lightweight-tunnel@*'; its files are in $saved" >&2
    exit 4
  }
  rm -rf "$saved"
  echo "upgrade: the version before runs again;" \
    "journalctl -u 'lightweight-tunnel@*' has what the new one said" >&2
  exit 3
}

# Of each gateway that runs, how many peers were up; empty where it does not
# answer at the unit's socket.
declare -A had_peers

# Read as a whole before git may put another file here.
main() {
  local unit
  case "$kind" in
    git)
      pull "$@"
      build "$here"
      ;;
    tree) build "$(cd "$source" && pwd)" ;;
    build) take_build "$(cd "$source" && pwd)" "$here" ;;
    tarball) take_tarball "$source" ;;
    package) take_package "$source" ;;
  esac
  check_settings
  mapfile -t running < <(units)
  for unit in "${running[@]}"; do
    had_peers[$unit]=$(peers_up "$unit") || had_peers[$unit]=
  done
  save
  trap roll_back INT TERM HUP
  if [ "$installed" = package ]; then
    place_package "$work/new.deb" || roll_back
  else
    place_programs "$work/new" || roll_back
  fi
  all_come_up || roll_back
  trap - INT TERM HUP
  rm -rf "$saved"
  say "$(cat "$work/version") runs, ${#running[@]} gateways"
}
main "$@"
exit
