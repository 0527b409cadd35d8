#!/usr/bin/env bash
# Shows a tunnel at work: builds the gateway, starts a hub and a client in two
# network namespaces joined by a third that routes, and measures through it.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
  cat <<'END'
usage: scripts/quickstart.sh [-keep] [-uplink auto|af_packet|af_xdp]
       scripts/quickstart.sh -remove

  -keep     leave the two gateways running and say how to enter
  -uplink   the driver of both gateways (default auto)
  -remove   take down what -keep left
END
}

keep=false
remove=false
uplink=auto
while [ $# -gt 0 ]; do
  case "$1" in
    -keep | --keep) keep=true ;;
    -remove | --remove) remove=true ;;
    -uplink | --uplink)
      [ $# -ge 2 ] || { usage >&2 && exit 2; }
      uplink=$2
      shift
      ;;
    -h | --help) usage && exit 0 ;;
    *) usage >&2 && exit 2 ;;
  esac
  shift
done

dir=/run/lwt-quickstart
hub=lwtq-hub
router=lwtq-router
client=lwtq-client
seconds=3
started=$SECONDS
say() { printf '[%3ds] %s\n' "$((SECONDS - started))" "$*"; }
die() {
  say "FAILED: $*" >&2
  exit 1
}

# Ends a gateway and waits until it is gone.
stop() {
  local pid
  pid=$(cat "$dir/$1.pid" 2>/dev/null) || return 0
  kill -TERM "$pid" 2>/dev/null || return 0
  timeout 5 tail --pid="$pid" -f /dev/null || kill -KILL "$pid" 2>/dev/null ||
    true
}

clean_up() {
  stop client
  stop hub
  stop iperf
  local name
  for name in "$hub" "$router" "$client"; do
    if ip netns list | grep -qE "^$name( |\$)"; then
      ip netns delete "$name"
    fi
  done
  rm -rf "$dir"
}

finish() {
  local code=$?
  trap - EXIT INT TERM
  if [ "$code" -ne 0 ]; then
    local side
    for side in hub client; do
      [ -s "$dir/$side.log" ] || continue
      echo "--- last lines of the $side" >&2
      tail -n 30 "$dir/$side.log" >&2
    done
  fi
  if [ "$code" -ne 0 ] || ! $keep; then
    say "cleaning up"
    clean_up
  fi
  exit "$code"
}

[ "$(id -u)" -eq 0 ] || die "needs root: sudo scripts/quickstart.sh"
if $remove; then
  clean_up
  say "removed"
  exit 0
fi
[ ! -e "$dir" ] || die "already there: scripts/quickstart.sh -remove"

say "packages"
scripts/setup.sh
say "building (some minutes the first time)"
mkdir -p "$dir"
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
if [ ! -f build/build.ninja ]; then
  meson setup build --buildtype=release >"$dir/build.log" 2>&1 ||
    { cat "$dir/build.log" && die "meson setup build"; }
fi
ninja -C build >"$dir/build.log" 2>&1 ||
  { cat "$dir/build.log" && die "ninja -C build"; }

say "three namespaces: $hub - $router - $client"
for name in "$hub" "$router" "$client"; do
  ip netns add "$name"
  ip -n "$name" link set lo up
done
# join NAMESPACE ADDRESS GATEWAY
join() {
  ip -n "$1" link add eth0 type veth peer name "to-$1" netns "$router"
  ip -n "$1" address add "$2/24" dev eth0
  ip -n "$1" link set eth0 up
  ip -n "$router" address add "$3/24" dev "to-$1"
  ip -n "$router" link set "to-$1" up
  ip -n "$1" route add default via "$3"
}
join "$hub" 198.51.100.2 198.51.100.1
join "$client" 203.0.113.2 203.0.113.1
ip netns exec "$router" sysctl -qw net.ipv4.ip_forward=1

# gateway SIDE NAMESPACE FLAG...: starts a gateway with a log of its own.
(umask 077 && build/lightweight-tunnel genkey >"$dir/key")
gateway() {
  local side=$1 namespace=$2
  shift 2
  ip netns exec "$namespace" build/lightweight-tunnel "$@" \
    -key-file "$dir/key" -uplink "$uplink" -state-dir "$dir/$side" \
    -control-socket "$dir/$side.sock" >"$dir/$side.log" 2>&1 &
  echo $! >"$dir/$side.pid"
}
status() { build/lwtctl -socket "$dir/$1.sock" status -json 2>/dev/null; }
peer_up() { status "$1" | jq -e '.peers[0].state == "up"' >/dev/null; }
# within SECONDS COMMAND...: waits until the command succeeds.
within() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@"; do
    [ "$SECONDS" -lt "$deadline" ] || return 1
    sleep 0.1
  done
}

say "hub:    lightweight-tunnel -m server -l 0.0.0.0:9000 -t 10.86.27.1/24"
gateway hub "$hub" -m server -l 0.0.0.0:9000 -t 10.86.27.1/24
say "client: lightweight-tunnel -m client -r 198.51.100.2:9000 -t 10.86.27.2/24"
gateway client "$client" -m client -r 198.51.100.2:9000 -t 10.86.27.2/24
within 20 peer_up client || die "the client did not reach the hub within 20 s"
within 5 peer_up hub || die "the hub does not show the client"

say "ping through the tunnel"
ip netns exec "$client" ping -c 20 -i 0.05 -q 10.86.27.1 >"$dir/ping" ||
  die "no answer from 10.86.27.1"
ip netns exec "$hub" ping -c 3 -i 0.05 -q 10.86.27.2 >/dev/null ||
  die "no answer from 10.86.27.2"
round_trip=$(sed -n 's|^rtt.*= [^/]*/\([^/]*\)/.*|\1|p' "$dir/ping")

ip netns exec "$hub" iperf3 -s -1 >/dev/null 2>&1 &
echo $! >"$dir/iperf.pid"
ticks() { awk '{print $14 + $15}' "/proc/$(cat "$dir/$1.pid")/stat"; }
listening() { ip netns exec "$hub" ss -Hltn sport = :5201 | grep -q .; }

# measure TITLE FIGURE IPERF-FLAG...: one row of the table.
table=()
measure() {
  local title=$1 figure=$2 hub_before client_before hub_cpu client_cpu rate
  shift 2
  say "iperf3 $title, $seconds s"
  within 5 listening || die "iperf3 does not listen"
  hub_before=$(ticks hub) client_before=$(ticks client)
  ip netns exec "$client" iperf3 -c 10.86.27.1 -t "$seconds" -J "$@" \
    >"$dir/iperf.json" || die "iperf3 $title"
  hub_cpu=$((($(ticks hub) - hub_before) / seconds))
  client_cpu=$((($(ticks client) - client_before) / seconds))
  rate=$(jq -r "$figure" "$dir/iperf.json")
  awk -v r="$rate" 'BEGIN { exit !(r > 0) }' || die "nothing came: $title"
  table+=("$(printf '%-22s %10.0f %8d %% %10d %%' "$title" "$rate" \
    "$hub_cpu" "$client_cpu")")
  ip netns exec "$hub" iperf3 -s -1 >/dev/null 2>&1 &
  echo $! >"$dir/iperf.pid"
}
measure "TCP client to hub" '.end.sum_received.bits_per_second / 1e6'
measure "TCP hub to client" '.end.sum_received.bits_per_second / 1e6' -R
measure "UDP 100 Mbit/s" \
  '.end.sum | .bits_per_second * (1 - .lost_percent / 100) / 1e6' \
  -u -b 100M -l 1200

used() { status "$1" | jq -r '"\(.uplink.driver) on \(.uplink.device)"'; }
printf '\n%-22s %10s %10s %12s\n' "" "Mbit/s" "hub CPU" "client CPU"
printf '%s\n' "${table[@]}"
printf '%-22s %10s ms\n' "round trip" "$round_trip"
printf '%-22s hub %s, client %s\n\n' "uplink" "$(used hub)" "$(used client)"

if $keep; then
  cat <<END
Left running. Enter and look around:
  ip netns exec $client ping 10.86.27.1
  ip netns exec $hub bash
  build/lwtctl -socket $dir/hub.sock status
  build/lwtctl -socket $dir/client.sock status
Logs: $dir/hub.log $dir/client.log
Remove it: scripts/quickstart.sh -remove
END
fi
say "all of it worked"
