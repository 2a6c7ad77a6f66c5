#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Unloading the module: refused while sockets or mappings exist, possible
# afterwards; many rounds of loading and unloading with lingering streams and
# held cursors still pending; an address family that is taken is refused in
# words; the library without /sys. WEIR_KO is the module (default /weir.ko).

dir=$(dirname "$0")
# shellcheck source=tests/selftests/selftest.sh
. "$dir/selftest.sh"

ko=${WEIR_KO:-/weir.ko}
load=$dir/unload_load
tmp=/tmp/unload.$$

is_ready() {
	grep -q ready "$tmp.out"
}

no_sockets() {
	[ "$(stat sockets)" = 0 ]
}

[ "$(id -u 2>/dev/null || echo 0)" = 0 ] || skip_all "needs root"
[ -f "$ko" ] || skip_all "no module at $ko: set WEIR_KO"
[ -x "$load" ] || load=unload_load
loaded || insmod "$ko" || skip_all "the module cannot be loaded"

# A fifo keeps the load's standard input open until it is to end.
busy() { # WHAT WORDS
	rm -f "$tmp.in" "$tmp.out"
	mkfifo "$tmp.in"
	"$load" "$1" <"$tmp.in" >"$tmp.out" 2>&1 &
	pid=$!
	exec 9>"$tmp.in"
	until_ok is_ready
	ok $? "$2: load runs"
	bad=0
	for _ in 1 2 3 4 5; do
		rmmod weir 2>/dev/null && bad=1
	done
	loaded || bad=1
	ok $bad "$2: the module cannot be unloaded"
	exec 9>&-
	wait $pid
	ok $? "$2: and the load goes on to its end"
	until_ok no_sockets
	ok $? "$2: no socket is left"
}

busy hold "sockets"
busy map "mappings without descriptors"

"$load" chroot >"$tmp.out" && grep -q 'family 18' "$tmp.out"
ok $? "the library works without /sys: $(cat "$tmp.out")"

rmmod weir
ok $? "unloaded when idle"
"$load" chroot >"$tmp.out" &&
	grep -q 'family -.*/sys/module/weir/parameters/family' "$tmp.out"
ok $? "without the module either it names the file: $(cat "$tmp.out")"
insmod "$ko" family=25 && "$load" chroot >"$tmp.out" &&
	grep -q 'family 25' "$tmp.out"
ok $? "and finds another family: $(cat "$tmp.out")"
rmmod weir

# each round has every kind of leftover; more rounds are other moments of them
bad=0
round=0
rounds=$(scaled 20 5)
while [ $round -lt "$rounds" ]; do
	round=$((round + 1))
	insmod "$ko" || bad=1
	"$load" linger >"$tmp.out" 2>&1 || bad=2
	[ "$(stat rings)" -ge 20 ] || bad=3
	[ "$(stat readers)" -ge 10 ] || bad=4
	rmmod weir || bad=5
	[ $bad = 0 ] || break
done
ok $bad "$round rounds with streams that linger and cursors that are held ($bad)"

# by which the kernel would load it for a socket() of anybody's
! grep -aq 'alias=' "$ko"
ok $? "the module has no alias by which a socket call loads it"
# a family of somebody else: 1 is AF_UNIX
insmod "$ko" family=1 2>"$tmp.out"
[ $? != 0 ]
ok $? "a family that is taken is refused"
# EEXIST would tell modprobe that the module is loaded
grep -q 'busy' "$tmp.out"
ok $? "as busy: $(cat "$tmp.out")"
if [ -f "/lib/modules/$(uname -r)/modules.dep" ]; then
	modprobe weir family=1 2>/dev/null
	[ $? != 0 ]
	ok $? "modprobe fails, too"
fi
loaded
[ $? != 0 ]
ok $? "and nothing of the module stays"
dmesg | grep -q 'weir: address family 1 is taken'
ok $? "and the kernel log says so"
# and somebody has threads poll while there is something to write to
while :; do
	echo 0 >/sys/kernel/weir/tunables/poll_cpus
done 2>/dev/null &
pid=$!
round=0
while [ $round -lt "$(scaled 60 10)" ]; do
	round=$((round + 1))
	insmod "$ko" family=1 2>/dev/null
done
kill $pid
! cat /proc/[0-9]*/comm 2>/dev/null | grep -q weir_poll
ok $? "no polling thread outlives $round inits that fail"
for family in 0 46 99; do
	insmod "$ko" family=$family 2>"$tmp.out"
	[ $? != 0 ] && grep -qi 'invalid' "$tmp.out" &&
		dmesg | grep -q "weir: address family $family does not exist"
	ok $? "family $family, which does not exist, is refused as invalid"
	rmmod weir 2>/dev/null
done
insmod "$ko" family=19 && [ "$(cat /sys/module/weir/parameters/family)" = 19 ] &&
	"$load" linger && rmmod weir
ok $? "another free family works"

insmod "$ko"
ok $? "loaded again"
[ "$(taint)" = 0 ]
ok $? "the kernel is clean (taint $(taint))"
rm -f "$tmp.in" "$tmp.out"
plan
