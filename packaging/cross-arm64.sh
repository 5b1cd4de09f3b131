#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# cross-arm64.sh BUILD - build for arm64, and run the suites unit and sim in an emulator
#
# The libraries of that architecture are unpacked below BUILD, by an apt that knows no other and keeps its state there: nothing on this
# host changes, no foreign architecture is added to it, and root is not needed. They come from the sources of this Debian.
set -eu

build=$1
root=$PWD/$build/root
apt=$PWD/$build/apt
libraries="libc6-dev linux-libc-dev libevent-dev libssl-dev libpcap-dev libmnl-dev libjansson-dev
	libcap-ng-dev libseccomp-dev libcmocka-dev"

unpack()
{
	rm -rf "$root" "$apt"
	mkdir -p "$root" "$apt/state/lists/partial" "$apt/cache/archives/partial"
	: >"$apt/state/status"
	cat >"$apt/conf" <<-END
		APT::Architecture "arm64";
		APT::Architectures { "arm64"; };
		APT::Sandbox::User "$(id -un)";
		Dir::State "$apt/state";
		Dir::State::status "$apt/state/status";
		Dir::Cache "$apt/cache";
	END
	# shellcheck disable=SC2086 # a list of words
	APT_CONFIG=$apt/conf sh -ec "apt-get update -q
		apt-get install -q -y --no-install-recommends --download-only $(echo $libraries)"
	for package in "$apt"/cache/archives/*.deb; do
		dpkg-deb -x "$package" "$root"
	done
	touch "$root/complete"
}

[ -e "$root/complete" ] || unpack
sed "s|@root@|$root|" packaging/arm64.ini.in >"$build/arm64.ini"
[ -e "$build/meson/build.ninja" ] ||
	meson setup "$build/meson" --cross-file "$build/arm64.ini" -Dwerror=true -Dtests=enabled
ninja -C "$build/meson"
# what else is in the suite sim tries the tests, not the architecture
for tests in "--suite unit" sim; do
	# shellcheck disable=SC2086 # a list of words
	meson test -C "$build/meson" --no-rebuild --print-errorlogs --timeout-multiplier 10 $tests
done
