#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# check.sh PROGRAM CAPTURE EXPECTED [ARGS] - what PROGRAM says of CAPTURE is the text in EXPECTED
set -eu

program=$1
capture=$2
expected=$3
shift 3
got=$("$program" "$capture" "$@")
echo "$got" | diff -u "$expected" -
