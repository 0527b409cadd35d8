#!/usr/bin/env bash
# Makes the Debian package: assembles its source in a folder of its own from this
# tree and scripts/packaging, and builds it there. The tree stays as it is.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)

usage() {
  cat <<'END'
usage: scripts/package.sh [-o FOLDER] [-build FOLDER] [-version VERSION]

  -o FOLDER         where the package goes (.)
  -build FOLDER     pack the programs of that build in place of building them;
                    it has to be a release, with the target manual-pages
  -version VERSION  in place of the tree's own
END
}

out=.
prebuilt=
version=$(sed -n "s/^  version: '\(.*\)',$/\1/p" "$here/meson.build")
while [ $# -gt 0 ]; do
  [ "$1" = -h ] || [ "$1" = --help ] && usage && exit 0
  [ $# -ge 2 ] || { usage >&2 && exit 2; }
  case "$1" in
    -o) out=$2 ;;
    -build | --build) prebuilt=$(cd "$2" && pwd) ;;
    -version | --version) version=$2 ;;
    *) usage >&2 && exit 2 ;;
  esac
  shift 2
done

missing=()
for package in debhelper dpkg-dev; do
  dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null |
    grep -qx installed || missing+=("$package")
done
if [ "${#missing[@]}" -gt 0 ]; then
  echo "package: run: sudo apt-get install ${missing[*]}" >&2
  exit 1
fi

mkdir -p "$out"
out=$(cd "$out" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
source=$work/lightweight-tunnel-$version
mkdir "$source"
(cd "$here" && cp -a meson.build meson_options.txt README.md LICENSE docs \
  drivers dataplane control scripts "$source")
find "$source" -name __pycache__ -prune -exec rm -rf {} +
mv "$source/scripts/packaging/debian" "$source/debian"
# The licence's text is one, and copyright has to have it.
sed -e '/^Permission is hereby/,$!d' -e 's/^$/./' -e 's/^/ /' "$here/LICENSE" \
  >>"$source/debian/copyright"
# A package is the same whenever it is made of the same changes.
stamp=$(stat -c %Y "$here/docs/CHANGELOG.md")
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$stamp}
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
