# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# What the selftests in shell share, as selftest.h is for those in C. To be
# sourced: . "$(dirname "$0")/selftest.sh"

# shellcheck source=tests/tap/tap.sh
. "$(dirname "$0")/tap.sh"

# Waits at most a minute until a command succeeds.
until_ok() { # COMMAND...
	i=0
	while ! "$@"; do
		i=$((i + 1))
		[ $i -lt 600 ] || return 1
		sleep 0.1
	done
}

loaded() {
	[ -d /sys/module/weir ]
}

# A counter of the module. No program is run: that is slow in some guests.
stat() { # NAME
	read -r counter <"/sys/kernel/weir/stats/$1"
	echo "$counter"
}

# N scaled by WEIR_TEST_SCALE, at least LEAST.
scaled() { # N LEAST
	awk -v n="$1" -v least="$2" -v scale="${WEIR_TEST_SCALE:-1}" 'BEGIN {
		n = int(scale > 0 ? n * scale : n)
		print (n > least ? n : least)
	}'
}

# What the kernel complains of; without: out of tree, unsigned, test.
taint() {
	echo $(($(cat /proc/sys/kernel/tainted) & ~(1 << 12 | 1 << 13 | 1 << 18)))
}
