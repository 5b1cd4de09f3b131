#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# purity.sh ALLOWED LIBRARY - a sans-I/O library needs only what is listed: no system call, no clock, no allocation
set -eu

allowed=$1
library=$2
patterns=$(sed 's/ *#.*//; /^$/d' "$allowed")
own=$(nm --defined-only "$library" | awk 'NF == 3 { print $3 }')
[ -n "$own" ] || {
	echo "$library defines nothing: is it the right file?"
	exit 1
}
bad=0
for symbol in $(nm -u "$library" | awk 'NF == 2 { print $2 }' | sort -u); do
	if echo "$symbol" | grep -qxE -e "$patterns" || echo "$own" | grep -qxF -e "$symbol"; then
		continue
	fi
	echo "'$symbol' is not in $allowed, and is used in:"
	nm -uA "$library" | awk -v s="$symbol" '$NF == s { print "    " $1 }' | sort -u
	bad=1
done
exit $bad
