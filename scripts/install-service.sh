#!/usr/bin/env bash
# Runs a gateway as a service of systemd from the programs of a build, without
# the Debian package: scripts/install-service.sh CONFIG NAME.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

usage() {
  cat <<'END'
usage: scripts/install-service.sh [-build FOLDER] CONFIG NAME
       scripts/install-service.sh -uninstall NAME
       scripts/install-service.sh -check-libraries

Copies the programs of FOLDER (build, or the tarball's own) to /usr/local/bin and CONFIG to
/etc/lightweight-tunnel/NAME.toml, and starts lightweight-tunnel@NAME, now and
at each boot. Where NAME runs already, it is restarted.

-uninstall stops NAME and takes it away with its state; with the last one go the
unit, the user and the programs as well. -check-libraries says what the programs
of a tarball need and this host does not have.
END
}

programs=/usr/local/bin
helper=/usr/local/lib/lightweight-tunnel
unit=/etc/systemd/system/lightweight-tunnel@.service
package_unit=/usr/lib/systemd/system/lightweight-tunnel@.service
settings=/etc/lightweight-tunnel
sysusers=/etc/sysusers.d/lightweight-tunnel.conf

die() {
  echo "install-service: $*" >&2
  exit 1
}

# $1: the name of an instance, which becomes part of paths and of a unit's name.
check_name() {
  [[ $1 =~ ^[A-Za-z0-9][A-Za-z0-9_.-]*$ ]] ||
    die "a name has letters, digits, '.', '_' and '-': \"$1\""
}

need_root() {
  [ "$(id -u)" -eq 0 ] || die "needs root: sudo scripts/install-service.sh $*"
}

# check_config DAEMON CONFIG NAME: as the service would read it, whose key may lie
# where systemd looks for credentials.
check_config() {
  local daemon=$1 config=$2 name=$3 credentials status=0
  credentials=$(mktemp -d)
  ln -s "/etc/credstore/lightweight-tunnel.$name.key" "$credentials/key"
  CREDENTIALS_DIRECTORY=$credentials "$daemon" -check-config -c "$config" >/dev/null ||
    status=$?
  rm -r "$credentials"
  return "$status"
}

# The list of a tarball: "library NAME PACKAGE" and "driver NAME PACKAGE". The
# drivers lie where this DPDK looks for them.
check_libraries() {
  local kind name package known missing=()
  [ -e "$here/../libraries" ] || return 0
  known=$(ldconfig -p)
  while read -r kind name package; do
    case "$kind" in
      library) grep -qF "	$name (" <<<"$known" && continue ;;
      driver) compgen -G "/usr/lib*/dpdk/pmds-*/$name" >/dev/null && continue
        compgen -G "/usr/lib/*/dpdk/pmds-*/$name" >/dev/null && continue ;;
    esac
    missing+=("$name (Debian 12 has it in $package)")
  done <"$here/../libraries"
  [ "${#missing[@]}" -eq 0 ] || {
    echo "install-service: this host lacks" >&2
    printf '  %s\n' "${missing[@]}" >&2
    return 1
  }
}

install_service() {
  local build=$1 config=$2 name=$3
  local daemon=$build/lightweight-tunnel
  [ -x "$daemon" ] || die "no lightweight-tunnel in $build: build it first"
  [ -f "$config" ] || die "no file $config"
  if [ -e "$package_unit" ]; then
    die "the Debian package is installed: copy $config to" \
      "/etc/lightweight-tunnel/$name.toml and run:" \
      "systemctl enable --now lightweight-tunnel@$name"
  fi
  check_libraries || die "nothing was installed"
  check_config "$daemon" "$config" "$name" || die "nothing was installed"
  install -D -m 755 "$daemon" "$programs/lightweight-tunnel"
  install -D -m 755 "$build/lwtctl" "$programs/lwtctl"
  install -D -m 755 "$here/packaging/restart-pause" "$helper/restart-pause"
  install -D -m 644 "$here/packaging/sysusers.conf" "$sysusers"
  systemd-sysusers "$sysusers"
  install -d -m 755 "$(dirname "$unit")"
  sed -e 's|/usr/bin/|/usr/local/bin/|' \
    -e 's|/usr/lib/lightweight-tunnel/|/usr/local/lib/lightweight-tunnel/|' \
    "$here/packaging/lightweight-tunnel@.service" >"$unit"
  install -d -m 755 "$settings"
  install -m 640 -g lightweight-tunnel "$config" "$settings/$name.toml"
  systemctl daemon-reload
  systemctl enable --quiet "lightweight-tunnel@$name"
  # Comes back once the gateway says that it is ready.
  systemctl restart "lightweight-tunnel@$name" || {
    systemctl --no-pager --lines 20 status "lightweight-tunnel@$name" >&2 || true
    die "lightweight-tunnel@$name does not start"
  }
  echo "lightweight-tunnel@$name runs; lwtctl status shows what it does"
}

uninstall_service() {
  local name=$1 left
  [ -e "$settings/$name.toml" ] || die "no service $name is installed"
  systemctl disable --quiet --now "lightweight-tunnel@$name"
  rm -rf "$settings/$name.toml" "/var/lib/lightweight-tunnel/$name" \
    "/run/lightweight-tunnel/$name"
  for left in "$settings"/*.toml; do
    [ ! -e "$left" ] || {
      echo "$name is gone; other gateways are left"
      return
    }
  done
  rm -f "$unit" "$sysusers" "$programs/lightweight-tunnel" "$programs/lwtctl"
  rm -rf "$helper"
  rmdir --ignore-fail-on-non-empty "$settings"
  for left in /var/lib/lightweight-tunnel /run/lightweight-tunnel; do
    [ ! -d "$left" ] || rmdir --ignore-fail-on-non-empty "$left"
  done
  systemctl daemon-reload
  # The Debian package, if it came later, has the same user.
  [ -e "$package_unit" ] || userdel lightweight-tunnel
  echo "$name is gone, and nothing is left"
}

build=$here/../build
[ ! -x "$here/../lightweight-tunnel" ] || build=$here/..
while [ $# -gt 0 ]; do
  case "$1" in
    -build | --build)
      [ $# -ge 2 ] || { usage >&2 && exit 2; }
      build=$2
      shift 2
      ;;
    -uninstall | --uninstall)
      [ $# -eq 2 ] || { usage >&2 && exit 2; }
      check_name "$2"
      need_root "$@"
      uninstall_service "$2"
      exit
      ;;
    -check-libraries | --check-libraries)
      check_libraries || exit 1
      exit 0
      ;;
    -h | --help) usage && exit 0 ;;
    -*) usage >&2 && exit 2 ;;
    *) break ;;
  esac
done
[ $# -eq 2 ] || { usage >&2 && exit 2; }
check_name "$2"
need_root "$@"
install_service "$build" "$1" "$2"
