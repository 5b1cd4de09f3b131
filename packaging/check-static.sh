#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# check-static.sh BUILD - do the programs in this build directory need nothing of a host: no library, no file
#
# They are run in an empty root directory, for which a user other than root needs user namespaces. Exit: 0 nothing; 1 something.
set -eu

build=$1
for program in tcpcopy intercept; do
	if readelf -d "$build/$program" | grep NEEDED; then
		echo "check-static.sh: $program needs shared libraries" >&2
		exit 1
	fi
done

empty=$(mktemp -d)
trap 'rm -rf "$empty"' EXIT
cp "$build/tcpcopy" "$build/intercept" "$empty"
enter="chroot"
[ "$(id -u)" -eq 0 ] || enter="unshare --user --map-root-user chroot"
# also what looks for names of hosts, and what uses OpenSSL
$enter "$empty" /intercept --version
$enter "$empty" /tcpcopy --version
$enter "$empty" /tcpcopy genkey /key
$enter "$empty" /tcpcopy -x 127.0.0.1:80-127.0.0.2:8080 -s 127.0.0.2 --dry-run >/dev/null
echo "one file each, for Linux: $(cd "$build" && ls -1 "$PWD/tcpcopy" "$PWD/intercept" | tr '\n' ' ')"
