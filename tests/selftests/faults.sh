#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Memory that runs out anywhere: slab and page allocations of one process are
# made to fail at several rates while it uses everything that allocates. Calls
# may be refused, nothing may leak or break. Needs a kernel with fault
# injection and debugfs.

dir=$(dirname "$0")
# shellcheck source=tests/selftests/selftest.sh
. "$dir/selftest.sh"

debug=/sys/kernel/debug
load=$dir/faults_load
[ -x "$load" ] || load=faults_load

nothing_left() {
	[ "$(stat sockets) $(stat rings) $(stat ring_bytes) $(stat readers)" = "$before" ]
}

[ -d $debug/failslab ] || mount -t debugfs none $debug 2>/dev/null
[ -d $debug/failslab ] || skip_all "no fault injection (failslab) in this kernel"
loaded || skip_all "the weir module is not loaded"
[ -f /proc/self/make-it-fail ] || skip_all "no /proc/self/make-it-fail"
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
plan
