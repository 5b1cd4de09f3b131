#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# format.sh ROOT - every C file is as .clang-format wants it; to mend: make format
set -eu

command -v clang-format-14 >/dev/null || {
	echo "clang-format-14 is not installed"
	exit 77
}
cd "$1"
# shellcheck disable=SC2046 # no file name of ours has a space
exec clang-format-14 --dry-run -Werror $(packaging/c-files.sh)
