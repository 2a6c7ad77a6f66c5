#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Memory that runs out anywhere: slab and page allocations of one process are
# made to fail at several rates while it uses everything that allocates. Calls
# may be refused, nothing may leak or break. Needs a kernel with fault
# injection and debugfs.

debug=/sys/kernel/debug
dir=$(dirname "$0")
load=$dir/faults_load
[ -x "$load" ] || load=faults_load
n=0
failed=0

ok() { # STATUS WORDS
	n=$((n + 1))
	if [ "$1" = 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		failed=1
	fi
}

skip() {
	echo "1..0 # SKIP $1"
	exit 77
}

stat() {
	cat "/sys/kernel/weir/stats/$1"
}

nothing_left() {
	[ "$(stat sockets) $(stat rings) $(stat ring_bytes) $(stat readers)" = "$before" ]
}

until_ok() {
	i=0
	while ! "$@"; do
		i=$((i + 1))
		[ $i -lt 600 ] || return 1
		sleep 0.1
	done
}

taint() {
	echo $(($(cat /proc/sys/kernel/tainted) & ~(1 << 12 | 1 << 13 | 1 << 18)))
}

[ -d $debug/failslab ] || mount -t debugfs none $debug 2>/dev/null
[ -d $debug/failslab ] || skip "no fault injection (failslab) in this kernel"
[ -d /sys/kernel/weir ] || skip "the weir module is not loaded"
[ -f /proc/self/make-it-fail ] || skip "no /proc/self/make-it-fail"
before="$(stat sockets) $(stat rings) $(stat ring_bytes) $(stat readers)"

# faults WHERE PERCENT INTERVAL ROUNDS
faults() {
	where=$debug/$1
	[ -d "$where" ] || return 0
	echo Y >"$where/task-filter"
	echo "$2" >"$where/probability"
	echo "$3" >"$where/interval"
	echo -1 >"$where/times"
	echo 0 >"$where/verbose"
	echo 0 >"$where/space"
	[ -f "$where/ignore-gfp-wait" ] && echo N >"$where/ignore-gfp-wait"
	[ -f "$where/cache-filter" ] && echo N >"$where/cache-filter"
	[ -f "$where/min-order" ] && echo 0 >"$where/min-order"
	"$load" "$4"
	ret=$?
	echo 0 >"$where/probability"
	ok $ret "$1, $2 % of every ${3}th: what was not refused worked ($ret)"
	until_ok nothing_left
	ok $? "and nothing is left: $(stat sockets) $(stat rings) $(stat ring_bytes) $(stat readers)"
}

faults failslab 1 1 100
faults failslab 10 1 100
faults failslab 30 1 100
# each allocation in its turn: every n-th fails for certain
for nth in 2 3 5 7 11 13 17 19 23 29 31 37 41 43 47 53; do
	faults failslab 100 $nth 30
done
faults fail_page_alloc 1 1 100
faults fail_page_alloc 10 1 100
for nth in 3 5 7 11 13 17 23; do
	faults fail_page_alloc 100 $nth 30
done

[ "$(taint)" = 0 ]
ok $? "the kernel is clean (taint $(taint))"
echo "1..$n"
exit $failed
