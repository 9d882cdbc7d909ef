#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs this bundle into a new folder, without a network, after every byte of it was verified:
#
#   sh install.sh DIGEST TARGET        PYTHON=python3.12 sh install.sh …
#
# DIGEST is the SHA-256 of the file SHA256SUMS, which you were told by another way than you got the bundle. Ends with 0; 2 for a call that
# means nothing or a TARGET that is there; 4 where the bundle is not what was sent; 7 where it cannot be installed. Then there is no TARGET.
set -eu

[ $# -eq 2 ] || { echo "usage: sh install.sh DIGEST TARGET" >&2; exit 2; }
case $2 in /*) target=$2 ;; *) target=$PWD/$2 ;; esac
[ ! -e "$target" ] || { echo "$target is there already; name a new folder" >&2; exit 2; }
cd "$(dirname "$0")"

other() { echo "This bundle is not what was sent: $1. Nothing was installed." >&2; exit 4; }

[ "$(sha256sum < SHA256SUMS)" = "$1  -" ] || other "its list has another digest"
sha256sum --check --strict --quiet SHA256SUMS >&2 || other "a file is changed or missing"
listed=$(cut -c67- SHA256SUMS | LC_ALL=C sort)
found=$(find . ! -type d ! -path ./SHA256SUMS | cut -c3- | LC_ALL=C sort)
[ "$listed" = "$found" ] || other "it holds a file that is not on its list"
echo "every file of this bundle is as it was sent"

trap 'rm -rf "$target"; echo "It could not be installed; $target was removed." >&2; exit 7' EXIT
"${PYTHON:-python3}" -m venv "$target"
"$target/bin/python" -m pip --isolated --disable-pip-version-check install --quiet --no-index --no-cache-dir \
    --find-links wheels --only-binary :all: --require-hashes --no-deps --requirement requirements.txt
"$target/bin/python" -m pip --isolated --disable-pip-version-check check
trap - EXIT
echo "installed into $target; next: $target/bin/radiomicnet-md release verify"
