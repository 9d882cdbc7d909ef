#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes the environment in the one order that works: pyradiomics needs numpy to build, and says so to nobody; our own
# packages are built last, without isolation, so that nothing outside the lock file is fetched.
set -eu

lock=requirements/lock-py311.txt
cluster=requirements/lock-cluster-py311.txt # what never computes a decision, and so is not bound by a release
started=$(date +%s)

step() { printf '%4d s  %s\n' "$(($(date +%s) - started))" "$*"; }
install() { "$VENV/bin/python" -m pip --disable-pip-version-check install -qq --constraint "$lock" --constraint "$cluster" "$@"; }

"$PYTHON" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' || {
    echo "Python 3.11, 3.12 or 3.13 is needed; name it with: make setup PYTHON=/path/to/python3.11" >&2
    exit 7
}

step "1/6 an environment in $VENV"
[ -x "$VENV/bin/python" ] || "$PYTHON" -m venv "$VENV"

step "2/6 what the others are built with"
install numpy setuptools wheel hatchling editables

step "3/6 torch, the largest part"
# shellcheck disable=SC2086  # the flags are words
install $TORCH_FLAGS torch==2.13.0

step "4/6 pyradiomics, compiled here"
# The build of 3.0.1 asks for a class that Python 3.12 dropped; requirements/build/ supplies it, to this step alone.
PYTHONPATH="$PWD/requirements/build" install --no-build-isolation pyradiomics==3.0.1

step "5/6 everything else, and this project"
install --no-build-isolation -e 'audit[pkcs11,postgresql,store,timestamp]' -e '.[cluster,dicom,evidence,pkcs11,postgresql,report,second,tables,timestamp,training,validation,web,test]'

step "6/6 does it all fit together?"
"$VENV/bin/python" -m pip --disable-pip-version-check check

step "done"
