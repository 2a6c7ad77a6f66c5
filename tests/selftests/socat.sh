#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# An unmodified socat connects two processes through AF_WEIR: its generic
# SOCKET addresses with SOCK_SEQPACKET (type=5). Random data goes through a
# server that echoes it, so it is checked in both directions; then several
# clients at once, and the refusal of a connect to nobody.

# shellcheck source=tests/selftests/selftest.sh
. "$(dirname "$0")/selftest.sh"

loaded || skip_all "the weir module is not loaded"
command -v socat >/dev/null || skip_all "no socat"
family=$(cat /sys/module/weir/parameters/family)

# the path in hexadecimal, with its final NUL
hex()
{
	printf %s "$1" | od -An -v -tx1 | tr -d ' \n'
	echo 00
}

dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
address=$family:0:x$(hex /selftest/socat)
opts=type=5
# the side that connects waits for the listener
wait=retry=600,interval=0.1

kib=512
[ "${WEIR_TEST_SCALE:-1}" = 1 ] || kib=64
dd if=/dev/urandom of="$dir/in" bs=1024 count=$kib 2>/dev/null
sum=$(md5sum <"$dir/in")

timeout 120 socat -t 60 -b 8192 "SOCKET-LISTEN:$address,$opts" EXEC:cat &
server=$!
timeout 120 socat -t 60 -b 8192 - "SOCKET-CONNECT:$address,$opts,$wait" \
	<"$dir/in" >"$dir/out"
ok $? "client ends well"
wait $server
ok $? "server ends well"
[ "$(md5sum <"$dir/out")" = "$sum" ]
ok $? "$kib KiB there and back, the checksum is right"

# a server that forks, and clients at once
timeout 120 socat -t 60 "SOCKET-LISTEN:$address,$opts,fork" EXEC:cat &
server=$!
pids=
for i in 1 2 3 4; do
	echo "client $i" >"$dir/in.$i"
	timeout 60 socat -t 30 - "SOCKET-CONNECT:$address,$opts,$wait" \
		<"$dir/in.$i" >"$dir/out.$i" &
	pids="$pids $!"
done
status=0
for p in $pids; do
	wait "$p" || status=1
done
ok $status "four clients end well"
status=0
for i in 1 2 3 4; do
	cmp "$dir/in.$i" "$dir/out.$i" || status=1
done
ok $status "each got its own words back"
kill $server
wait $server 2>/dev/null

echo nobody | timeout 60 socat - "SOCKET-CONNECT:$address,$opts" \
	>/dev/null 2>"$dir/err"
[ $? != 0 ] && grep -qi refused "$dir/err"
ok $? "connect to nobody is refused"

plan
