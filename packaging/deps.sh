#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# deps.sh [check] SET... - the Debian packages that a set needs: list what is missing, install it
#
# Sets:    build, demo, test, all; cross: for make cross-arm64, in none of the others.
# check    only says what is missing and how to get it; nothing is changed.
# Environment: YES=1 or CI: do not ask. Exit: 0 complete; 1 failed or declined; 2 usage; 4 missing privilege.
set -eu

build="gcc libc6-dev meson ninja-build pkgconf python3-minimal
	libevent-dev libssl-dev libpcap-dev libmnl-dev libjansson-dev libcap-ng-dev libseccomp-dev"
demo="nginx-light wrk apache2-utils iproute2 procps"
# llvm-14 has the symbolizer that gives sanitizer reports their line numbers
tests="libcmocka-dev clang-14 libclang-rt-14-dev llvm-14 clang-format-14 binutils valgrind mandoc
	python3 python3-pytest python3-scapy redis-server redis-tools memcached nftables conntrack ethtool libcap2-bin"
# For this host; what is for the other architecture is packaging/cross-arm64.sh's affair
cross="gcc-aarch64-linux-gnu binutils-aarch64-linux-gnu qemu-user"

policy=/usr/sbin/policy-rc.d
mark="written by tcpcopy's packaging/deps.sh; safe to delete"

usage()
{
	echo "usage: deps.sh [check] build|demo|test|all|cross..." >&2
	exit 2
}

is_installed()
{
	[ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# Packages such as nginx start a daemon when they are installed, and it would take port 80 of this host. An administrator's own
# policy is left as it is.
forbid_daemons()
{
	if [ -e "$policy" ] && ! grep -qF "$mark" "$policy"; then
		return
	fi
	trap 'rm -f "$policy"' EXIT
	trap 'exit 1' HUP INT TERM
	printf '#!/bin/sh\n# %s\nexit 101\n' "$mark" >"$policy"
	chmod 755 "$policy"
}

check=
if [ "${1-}" = check ]; then
	check=1
	shift
fi
[ $# -gt 0 ] || usage
wanted=
for set in "$@"; do
	case $set in
	build) wanted="$wanted $build" ;;
	demo) wanted="$wanted $build $demo" ;;
	cross) wanted="$wanted $build $cross" ;;
	test | all) wanted="$wanted $build $demo $tests" ;;
	*) usage ;;
	esac
done

if ! command -v dpkg-query >/dev/null; then
	echo "deps.sh: this is no Debian; the packages are called there:" $wanted >&2
	exit 0
fi
missing=
for package in $wanted; do
	is_installed "$package" || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

echo "Missing Debian packages:$missing"
if [ -n "$check" ] || [ "$(id -u)" -ne 0 ]; then
	echo "Install them as root:" >&2
	echo "    apt-get update && apt-get install --no-install-recommends$missing" >&2
	exit 4
fi
if [ -t 0 ] && [ -t 1 ] && [ "${YES-}" != 1 ] && [ -z "${CI-}" ]; then
	printf 'Install them now with apt-get? [y/N] '
	read -r answer || answer=
	case $answer in
	y | Y | yes) ;;
	*)
		echo "Nothing was installed."
		exit 1
		;;
	esac
fi

forbid_daemons
export DEBIAN_FRONTEND=noninteractive
# An old list may still do, for example on a host that has only a cache of packages.
apt-get update -q </dev/null || echo "deps.sh: package lists could not be refreshed; trying with what is there" >&2
# shellcheck disable=SC2086 # a list of words
apt-get install -q -y --no-install-recommends -o DPkg::Lock::Timeout=300 $missing </dev/null
for service in nginx redis-server memcached; do
	case "$missing " in
	*" $service"[-\ ]*)
		if [ -d /run/systemd/system ]; then
			echo "$service was not started. It would be at the next boot; to prevent that: systemctl disable $service"
		fi
		;;
	esac
done
