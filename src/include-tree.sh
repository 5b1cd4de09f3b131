#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# include-tree.sh SRC INC NAME=FOLDER,... - make INC/NAME with a link to each folder that NAME may include
#
# Run by meson when it configures. The relay is not a folder but a part of intercept/: it gets links to its own headers.
set -eu

src=$1
inc=$2
shift 2
rm -rf "$inc"
for tree in "$@"; do
	name=${tree%%=*}
	mkdir -p "$inc/$name"
	for folder in $(echo "${tree#*=}" | tr , ' '); do
		ln -s "$src/$folder" "$inc/$name/$folder"
	done
done
mkdir -p "$inc/relay/intercept"
for header in "$src"/intercept/relay*.h; do
	[ ! -e "$header" ] || ln -s "$header" "$inc/relay/intercept/"
done
