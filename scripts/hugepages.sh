#!/usr/bin/env bash
# Reserves hugepages for gateways on this host, beside those of others, and gives
# back what it reserved.
set -euo pipefail

usage() {
  cat <<'END'
usage: scripts/hugepages.sh status
       scripts/hugepages.sh apply [-c CONFIG | -pages COUNT] [-size 2M|1G]
                                  [-node NODE] [-boot] [-n]
       scripts/hugepages.sh undo [-n]

status  what each node has of each size: reserved, free, and reserved by this
        script.
apply   has COUNT pages reserved beside those of others; again with another
        COUNT changes it. -c takes the count that the gateway of CONFIG
        computes; without either it is that of a client with the defaults.
undo    gives back all that apply reserved. Pages in use are not taken away: end
        the gateway first.

  -size 2M|1G  of which size (2M). 1G pages are hard to get on a host that runs;
               "apply" says what the kernel's command line wants instead
  -node NODE   of that NUMA node (that of the default route's card, else 0)
  -boot        at each boot too, by /etc/tmpfiles.d
  -n           says what would be done
END
}

# What apply reserved: a line "NODE KB OURS OTHERS" for each, where OTHERS is what
# was reserved beside, below which nothing is ever taken.
sys=/sys/devices/system/node
kept=/run/lightweight-tunnel-hugepages
boot=/etc/tmpfiles.d/lightweight-tunnel-hugepages.conf

die() {
  echo "hugepages: $1" >&2
  exit "${2:-1}"
}
need_root() {
  [ "$(id -u)" -eq 0 ] || die "needs root: sudo scripts/hugepages.sh $*"
}
# A count of pages, without leading zeros, that no host is too large for.
check_count() {
  [[ $2 =~ ^(0|[1-9][0-9]{0,7})$ ]] || die "$1: \"$2\" is not a count of pages" 2
}

# folder NODE KB, reserved NODE KB, free NODE KB, ours NODE KB
folder() { echo "$sys/node$1/hugepages/hugepages-$2kB"; }
reserved() { cat "$(folder "$1" "$2")/nr_hugepages"; }
free() { cat "$(folder "$1" "$2")/free_hugepages"; }
ours() {
  [ -f "$kept" ] || { echo 0 && return; }
  awk -v n="$1" -v kb="$2" '$1 == n && $2 == kb { sum = $3 } END { print sum + 0 }' "$kept"
}
others() {
  [ -f "$kept" ] || { echo 0 && return; }
  awk -v n="$1" -v kb="$2" '$1 == n && $2 == kb { sum = $4 } END { print sum + 0 }' "$kept"
}
# remember NODE KB OURS OTHERS: the file has a line for each that is not 0.
remember() {
  local lines
  lines=$( ([ ! -f "$kept" ] || awk -v n="$1" -v kb="$2" '$1 != n || $2 != kb' "$kept") &&
    { [ "$3" -eq 0 ] || echo "$1 $2 $3 $4"; })
  if [ -z "$lines" ]; then
    rm -f "$kept"
  else
    printf '%s\n' "$lines" >"$kept.new" && mv "$kept.new" "$kept"
  fi
}
pools() {
  local path
  for path in "$sys"/node[0-9]*/hugepages/hugepages-*kB; do
    [[ $path =~ /node([0-9]+)/hugepages/hugepages-([0-9]+)kB$ ]] &&
      echo "${BASH_REMATCH[1]} ${BASH_REMATCH[2]}"
  done
}

status() {
  local node kb
  [ -n "$(pools)" ] || die "this kernel has no hugepages"
  printf '%-6s %-8s %9s %9s %12s\n' node size reserved free "by us"
  pools | while read -r node kb; do
    printf '%-6s %-8s %9s %9s %12s\n' "$node" "$((kb / 1024)) MiB" \
      "$(reserved "$node" "$kb")" "$(free "$node" "$kb")" "$(ours "$node" "$kb")"
  done
  if [ -f "$boot" ]; then echo "at each boot: $boot"; fi
}

# How many pages of KB the gateway of a file, or of none, computes.
needed() {
  local config=$1 kb=$2 daemon text
  daemon=$(command -v lightweight-tunnel || echo "$here/../build/lightweight-tunnel")
  [ -x "$daemon" ] || die "no program lightweight-tunnel to ask for the count; give -pages"
  # It ends with 1 where pages lack, which is what they are counted for.
  if ! text=$("$daemon" ${config:+-c "$config"} -memory hugepages -preflight 2>&1) &&
    [ -z "$text" ]; then
    die "$daemon does not start"
  fi
  [[ $text =~ ([0-9]+)\ (free\ hugepages\ )?of\ ([0-9]+)\ MiB ]] ||
    die "lightweight-tunnel -preflight tells no count:"$'\n'"$text"
  echo "$(((BASH_REMATCH[1] * BASH_REMATCH[3] * 1024 + kb - 1) / kb))"
}

usual_node() {
  local device file node=
  device=$(ip -o route show default 2>/dev/null | sed -n 's/.* dev \([^ ]*\).*/\1/p' | head -n 1)
  # A virtual device has none.
  file=/sys/class/net/$device/device/numa_node
  if [ -n "$device" ] && [ -r "$file" ]; then node=$(cat "$file"); fi
  if [[ ! $node =~ ^[0-9]+$ ]]; then node=0; fi
  echo "$node"
}

# set_pages NODE KB COUNT: how many there are then. The kernel may give fewer; once more
# after it has moved what lies in between.
set_pages() {
  local file
  file=$(folder "$1" "$2")/nr_hugepages
  echo "$3" >"$file"
  if [ "$(cat "$file")" -lt "$3" ]; then
    echo 1 >/proc/sys/vm/compact_memory 2>/dev/null || true
    echo "$3" >"$file"
  fi
  cat "$file"
}

write_boot() {
  local node kb
  if [ ! -f "$kept" ]; then
    rm -f "$boot"
    return
  fi
  {
    echo "# Hugepages for gateways, with those that were reserved beside them."
    echo "# Written by hugepages.sh apply -boot; hugepages.sh undo takes it away."
    while read -r node kb _; do
      echo "w! $(folder "$node" "$kb")/nr_hugepages - - - - $(reserved "$node" "$kb")"
    done <"$kept"
    # What is ours of them has to be known then too.
    echo "f! $kept 0644 root root - $(sed 's/$/\\n/' "$kept" | tr -d '\n')"
  } >"$boot.new"
  mv "$boot.new" "$boot"
}

apply() {
  local config='' count='' kb=2048 node='' at_boot=false dry=false
  while [ $# -gt 0 ]; do
    case "$1" in
      -boot | --boot) at_boot=true ;;
      -n) dry=true ;;
      -c | -pages | --pages | -size | --size | -node | --node)
        [ $# -ge 2 ] || die "$1 wants a value" 2
        case "$1" in
          -c) config=$2 ;;
          *pages) check_count "$1" "$2" && count=$2 ;;
          *node) node=$2 ;;
          *size)
            case "$2" in
              2M) kb=2048 ;;
              1G) kb=1048576 ;;
              *) die "-size: \"$2\" is neither 2M nor 1G" 2 ;;
            esac
            ;;
        esac
        shift
        ;;
      *) die "\"$1\" is unknown; scripts/hugepages.sh -h lists all" 2 ;;
    esac
    shift
  done
  [ -z "$config" ] || [ -z "$count" ] || die "-c and -pages both tell the count" 2
  [ -z "$config" ] || [ -r "$config" ] || die "$config cannot be read" 2
  [ -n "$node" ] || node=$(usual_node)
  [ -f "$(folder "$node" "$kb")/nr_hugepages" ] ||
    die "no pages of that size on node \"$node\"; scripts/hugepages.sh status lists them" 2
  $dry || need_root apply
  if [ -z "$count" ]; then count=$(needed "$config" "$kb"); fi
  local before mine wanted
  before=$(reserved "$node" "$kb")
  mine=$(there "$node" "$kb" "$before")
  wanted=$((before - mine + count))
  if $dry; then
    echo "node $node: $before pages of $((kb / 1024)) MiB would become $wanted"
    return
  fi
  take "$node" "$kb" "$count" "$before" "$wanted"
  if $at_boot; then write_boot; fi
  echo "node $node: $wanted pages of $((kb / 1024)) MiB, $count of them for gateways"
}

# there NODE KB RESERVED: how many of ours are really there. Whoever was stopped got
# fewer than it asked for, and somebody may have taken some back.
there() {
  local mine floor
  mine=$(ours "$1" "$2")
  floor=$(others "$1" "$2")
  if [ "$mine" -eq 0 ] || [ "$3" -le "$floor" ]; then
    echo 0
  else
    echo $((mine < $3 - floor ? mine : $3 - floor))
  fi
}

# take NODE KB COUNT BEFORE WANTED
take() {
  local used got available
  # The kernel would go on until the host has nothing left.
  available=$(awk '$1 == "MemAvailable:" { print $2 }' /proc/meminfo)
  [ "$((($5 - $4) * $2))" -le "$((available * 9 / 10))" ] ||
    die "$(($5 - $4)) more pages are $((($5 - $4) * $2 / 1024)) MiB, and $((available / 1024)) MiB are free"
  used=$(($4 - $(free "$1" "$2")))
  [ "$5" -ge "$used" ] ||
    die "$used pages are in use and $5 would be left; end the gateways that use them"
  # Kept first: who is stopped in between finds nothing that is not remembered.
  remember "$1" "$2" "$3" "$(($5 - $3))"
  got=$(set_pages "$1" "$2" "$5")
  [ "$got" -lt "$5" ] || return 0
  set_pages "$1" "$2" "$4" >/dev/null
  remember "$1" "$2" "$(($3 + $4 - $5))" "$(($5 - $3))"
  if [ "$2" -eq 2048 ]; then
    die "the kernel had $got of $5 pages in one piece; free memory, or apply -boot and start again"
  fi
  die "the kernel had $got of $5 pages in one piece; on its command line it wants: hugepagesz=1G hugepages=$5"
}

undo() {
  local dry=false node kb count
  case "${1:-}" in
    '') ;;
    -n) dry=true ;;
    *) die "\"$1\" is unknown; scripts/hugepages.sh -h lists all" 2 ;;
  esac
  $dry || need_root undo
  if $dry; then
    [ ! -f "$kept" ] || awk '{ print "node " $1 ": " $3 " pages of " $2 " kB would go" }' "$kept"
    [ ! -f "$boot" ] || echo "$boot would go"
    return
  fi
  if [ ! -f "$kept" ]; then
    rm -f "$boot"
    echo "nothing is reserved"
    return
  fi
  local failed=false
  while read -r node kb count _; do
    give_back "$node" "$kb" || failed=true
  done <<<"$(cat "$kept")"
  if $failed; then exit 1; fi
  rm -f "$boot"
}

# give_back NODE KB
give_back() {
  local before count unused
  before=$(reserved "$1" "$2")
  count=$(there "$1" "$2" "$before")
  unused=$(free "$1" "$2")
  if [ "$unused" -lt "$count" ]; then
    echo "hugepages: node $1: $((before - unused)) pages are in use; end the gateways that use them, and undo again" >&2
    return 1
  fi
  set_pages "$1" "$2" "$((before - count))" >/dev/null
  remember "$1" "$2" 0 0
  echo "node $1: $count pages of $(($2 / 1024)) MiB given back"
}

# changing WORDS: nobody else does at the same time, and nothing stops it halfway.
changing() {
  trap '' INT TERM HUP
  exec 9<"$sys"
  flock 9 || die "another run of this script does not end"
  "$@"
}

here=$(cd "$(dirname "$0")" && pwd)
case "${1:-}" in
  status)
    [ $# -eq 1 ] || die "status takes nothing" 2
    status
    ;;
  apply | undo)
    if [ "$(id -u)" -eq 0 ]; then changing "$@"; else "$@"; fi
    ;;
  -h | --help) usage ;;
  *) usage >&2 && exit 2 ;;
esac
