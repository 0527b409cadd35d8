#!/usr/bin/env bash
# Makes the Debian package: assembles its source in a folder of its own from this
# tree and scripts/packaging, and builds it there. The tree stays as it is. Or a
# tarball of the programs, for other distributions.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)

usage() {
  cat <<'END'
usage: scripts/package.sh [-tarball] [-o FOLDER] [-build FOLDER]
                          [-version VERSION]

  -tarball          programs, unit, scripts and pages, in place of the package;
                    needs -build
  -o FOLDER         where the package goes (.)
  -build FOLDER     pack the programs of that build in place of building them;
                    it has to be a release, with the target manual-pages
  -version VERSION  in place of the tree's own
END
}

out=.
prebuilt=
tarball=false
version=$(sed -n "s/^  version: '\(.*\)',$/\1/p" "$here/meson.build")
while [ $# -gt 0 ]; do
  [ "$1" = -h ] || [ "$1" = --help ] && usage && exit 0
  if [ "$1" = -tarball ] || [ "$1" = --tarball ]; then
    tarball=true
    shift
    continue
  fi
  [ $# -ge 2 ] || { usage >&2 && exit 2; }
  case "$1" in
    -o) out=$2 ;;
    -build | --build) prebuilt=$(cd "$2" && pwd) ;;
    -version | --version) version=$2 ;;
    *) usage >&2 && exit 2 ;;
  esac
  shift 2
done

# What the programs load of the system: "library NAME PACKAGE" for what they are
# linked with, "driver NAME PACKAGE" for what DPDK opens by itself. The packages
# are Debian's.
libraries() {
  local name path
  ldd "$1/lightweight-tunnel" "$1/lwtctl" | sed -n 's|^\s*\(\S*\) => \(/\S*\).*|\1 \2|p' |
    sort -u | while read -r name path; do
    echo "library $name $(package_of "$path")"
  done
  for path in /usr/lib/*/dpdk/pmds-*/librte_{net_tap,net_af_xdp,net_memif,mempool_ring,bus_vdev}.so.*; do
    case "$path" in
      *.so.*.*) ;;
      *) echo "driver $(basename "$path") $(package_of "$path")" ;;
    esac
  done
}
package_of() {
  { dpkg -S "$(realpath "$1")" || dpkg -S "$1"; } 2>/dev/null | cut -d: -f1 |
    head -n 1
}

make_tarball() {
  [ -n "$prebuilt" ] || { echo "package: -tarball needs -build" >&2 && exit 2; }
  local name=lightweight-tunnel-$version-x86_64 folder page
  folder=$work/$name
  mkdir -p "$folder/scripts" "$folder/man" "$folder/completion"
  install -s -t "$folder" "$prebuilt/lightweight-tunnel" "$prebuilt/lwtctl"
  cp -a "$here/README.md" "$here/LICENSE" "$here/docs" "$folder"
  cp -a "$here/scripts/install-service.sh" "$here/scripts/upgrade.sh" \
    "$folder/scripts"
  mkdir "$folder/scripts/packaging"
  cp -a "$here"/scripts/packaging/{examples,restart-pause,sysusers.conf} \
    "$here/scripts/packaging/lightweight-tunnel@.service" \
    "$folder/scripts/packaging"
  for page in lightweight-tunnel.8 lightweight-tunnel.toml.5 lwtctl.1; do
    "$prebuilt/manual-pages" "$page" >"$folder/man/$page"
  done
  for page in lightweight-tunnel lwtctl; do
    "$prebuilt/manual-pages" "$page.bash" >"$folder/completion/$page"
    "$prebuilt/manual-pages" "$page.zsh" >"$folder/completion/_$page"
  done
  libraries "$prebuilt" >"$folder/libraries"
  tar -C "$work" --sort=name --owner=0 --group=0 --numeric-owner \
    --mtime="@$SOURCE_DATE_EPOCH" -czf "$out/$name.tar.gz" "$name"
  echo "package: $out/$name.tar.gz"
}

mkdir -p "$out"
out=$(cd "$out" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# A package is the same whenever it is made of the same changes.
stamp=$(stat -c %Y "$here/docs/CHANGELOG.md")
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$stamp}
if $tarball; then
  make_tarball
  exit
fi

missing=()
for package in build-essential debhelper; do
  dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null |
    grep -qx installed || missing+=("$package")
done
if [ "${#missing[@]}" -gt 0 ]; then
  echo "package: lacks ${missing[*]}; run: sudo scripts/setup.sh -package" >&2
  exit 1
fi

source=$work/lightweight-tunnel-$version
mkdir "$source"
(cd "$here" && cp -a meson.build meson_options.txt README.md LICENSE docs \
  drivers dataplane control scripts "$source")
find "$source" -name __pycache__ -prune -exec rm -rf {} +
mv "$source/scripts/packaging/debian" "$source/debian"
# The licence's text is one, and copyright has to have it.
sed -e '/^Permission is hereby/,$!d' -e 's/^$/./' -e 's/^/ /' "$here/LICENSE" \
  >>"$source/debian/copyright"
cat >"$source/debian/changelog" <<END
lightweight-tunnel ($version) unstable; urgency=medium

  * What is new stands in CHANGELOG.md.gz beside this file.

 -- Lightweight Tunnel maintainers <maintainers@lightweight-tunnel.example>  $(date -u -R -d "@$SOURCE_DATE_EPOCH")
END

cd "$source"
PREBUILT=${prebuilt:-$source/obj} dpkg-buildpackage -b -us -uc >"$work/log" 2>&1 || {
  cat "$work/log" >&2
  echo "package: the build failed; its log is above" >&2
  exit 1
}
cp "$work"/lightweight-tunnel_*.deb "$work"/lightweight-tunnel_*.changes "$out"
echo "package: $out/lightweight-tunnel_${version}_amd64.deb"
