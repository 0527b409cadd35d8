#!/usr/bin/env bash
# Installs the Debian packages that building and running need; with -package
# also those of making the package, with -tests those of the tests. Does not call apt when all of them are there.
set -euo pipefail

run=(
  g++ clang meson ninja-build pkg-config linux-libc-dev
  libdpdk-dev libisal-dev libipsec-mb-dev libabsl-dev libsodium-dev
  libssl-dev libnftables-dev libmnl-dev libbpf-dev libxdp-dev libelf-dev
  libtomlplusplus-dev rapidjson-dev libsystemd-dev libseccomp-dev
  libmicrohttpd-dev prometheus-cpp-dev
  iproute2 nftables ethtool iputils-ping iperf3 jq kmod procps
)
package=(build-essential debhelper)
tests=(
  ccache clang-format clang-tidy libclang-rt-14-dev llvm shellcheck
  libgtest-dev libgmock-dev golang-github-flynn-noise-dev
  python3 python3-pytest python3-pytest-xdist python3-scapy
  tcpdump tshark p0f nginx-light curl nmap conntrack openssl git
  python3-matplotlib libbenchmark-dev valgrind strace
  openvpn wireguard-go wireguard-tools
  systemd-container lintian man-db qemu-user zsh prometheus coturn
  buildah crun
)

usage() {
  echo "usage: scripts/setup.sh [-package] [-tests]"
  echo "Installs what building and running need; -package: and what"
  echo "scripts/package.sh needs; -tests: and that and the tests."
}

wanted=("${run[@]}")
for arg in "$@"; do
  case "$arg" in
    -package | --package) wanted+=("${package[@]}") ;;
    -tests | --tests) wanted+=("${package[@]}" "${tests[@]}") ;;
    -h | --help) usage && exit 0 ;;
    *) usage >&2 && exit 2 ;;
  esac
done

installed() {
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

missing=()
for package in "${wanted[@]}"; do
  installed "$package" || missing+=("$package")
done
if [ "${#missing[@]}" -eq 0 ]; then
  echo "setup: all ${#wanted[@]} packages are installed"
  exit 0
fi
if [ "$(id -u)" -ne 0 ]; then
  echo "setup: needs root to install: ${missing[*]}" >&2
  echo "setup: run: sudo scripts/setup.sh $*" >&2
  exit 1
fi

# A policy that refuses every service keeps packages (iperf3, tshark's
# dependencies) from starting one; what was there before comes back.
policy=/usr/sbin/policy-rc.d
kept=$(mktemp -d)
restore() {
  rm -f "$policy"
  if [ -e "$kept/policy" ]; then
    cp -a "$kept/policy" "$policy"
  fi
  rm -rf "$kept"
}
trap restore EXIT
if [ -e "$policy" ]; then
  cp -a "$policy" "$kept/policy"
fi
printf '#!/bin/sh\nexit 101\n' >"$policy"
chmod 755 "$policy"

export DEBIAN_FRONTEND=noninteractive
echo "setup: installing ${missing[*]}"
install() {
  apt-get install -y -q --no-install-recommends "${missing[@]}"
}
apt-get update -q
if ! install >"$kept/log" 2>&1; then
  cat "$kept/log" >&2
  echo "setup: apt-get could not install the packages above" >&2
  exit 1
fi
echo "setup: installed ${#missing[@]} packages"
