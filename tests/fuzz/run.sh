#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# run.sh SECONDS - run each fuzzer for so long; what it finds goes to build-fuzz/found/<name>, a crash to build-fuzz/crash-*
#
# A find that a test should keep is copied by hand to tests/fuzz/corpus/<name>/.
set -eu

seconds=$1
cd "$(dirname "$0")/../.."
[ -f build-fuzz/build.ninja ] ||
	CC=clang-14 meson setup build-fuzz -Dfuzz=true -Db_sanitize=address,undefined -Dwerror=true
ninja -C build-fuzz
cd build-fuzz
for corpus in ../tests/fuzz/corpus/*/; do
	name=$(basename "$corpus")
	mkdir -p "found/$name"
	echo "== $name"
	"tests/fuzz/fuzz_$name" -max_total_time="$seconds" -print_final_stats=1 -artifact_prefix="crash-$name-" \
		"found/$name" "$corpus"
done
