#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# c-files.sh - list our C files, for the formatter and its lint
for dir in src tests bpf bench lab modules include packaging; do
	[ ! -d "$dir" ] || find "$dir" -name '*.[ch]'
done
