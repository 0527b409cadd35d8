#!/bin/sh
# Writes a file's bytes as a C++ array: embed.sh FILE ARRAY_NAME > HEADER
set -eu
echo "#pragma once"
echo "alignas(8) inline constexpr unsigned char $2[] = {"
od -An -v -tx1 "$1" | sed 's/ \(..\)/0x\1,/g'
echo "};"
