#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# What README and the manual say to paste works as printed, whichever of the
# programs starts first: each block is run as it is, and again with one of its
# programs a second late. "paste" has made the files in pasted/.

# shellcheck source=tests/selftests/selftest.sh
. "$(dirname "$0")/selftest.sh"

loaded || skip_all "the weir module is not loaded"
for program in perl socat; do
	command -v $program >/dev/null || skip_all "no $program"
done
pasted=$(cd "$(dirname "$0")/pasted" && pwd)
rounds=$(scaled 2 1)
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
mkdir bin
F=$(cat /sys/module/weir/parameters/family)
export F LATE

# A program by its name in the blocks: a second late if its words match LATE.
late() { # PROGRAM REAL
	cat >"$1" <<-END
		#!/bin/sh
		case "$1 \$*" in \$LATE) sleep 1 ;; esac
		exec $2 "\$@"
	END
	chmod +x "$1"
}
late tour "$pasted/tour"
late upper "$pasted/upper"
late bin/perl "$(command -v perl)"
late bin/socat "$(command -v socat)"
ln -s "${pasted%/*}/tools/weirctl" bin/weirctl
PATH=$dir/bin:$PATH

# shellcheck disable=SC2317 # functions that others call

# Has the block printed what matches the pattern?
printed() { # PATTERN
	# shellcheck disable=SC2254 # a pattern
	case $(cat out) in $1) return 0 ;; esac
	return 1
}

# The processes of the block's group, without those that have ended.
members() { # GROUP
	cat /proc/[0-9]*/stat 2>/dev/null |
		awk -v group="$1" '$5 == group && $3 != "Z" { print $1 }'
}

# Ends them; kill of a group does not when its leader has ended.
gone() { # GROUP
	left=$(members "$1")
	# shellcheck disable=SC2086 # one word each
	[ -z "$left" ] || ! kill -9 $left 2>/dev/null
}

# Runs the block once, and "after" behind it, until it has printed its words.
once() { # BLOCK PATTERN
	setsid sh "$1" >out 2>&1 &
	group=$!
	until_ok printed "$2" && $after
	status=$?
	until_ok gone "$group"
	wait "$group" 2>/dev/null
	[ $status = 0 ] || sed 's/^/# /' out
	return $status
}

# Runs the block in each order of start, several times.
orders() { # BLOCK PATTERN LATE...
	block=$1 pattern=$2
	shift 2
	for LATE in none "$@"; do
		round=0 good=0
		while [ $round -lt "$rounds" ]; do
			round=$((round + 1))
			! once "$block" "$pattern" || good=$((good + 1))
		done
		[ $good = "$rounds" ]
		ok $? "${block##*/}: whole $good times of $rounds, late: $LATE"
	done
}

# "Kill one of the two and call again: the other answers."
kill_one() {
	kill -9 "$(pidof upper | cut -d' ' -f1)" || return 1
	./upper again >>out 2>&1
	printed '*AGAIN'
}

# Runs each line by itself; some go on until they are stopped.
each_line() { # FILE SECONDS
	while read -r line; do
		[ -n "$line" ] || continue
		timeout -s INT "$2" sh -c "$line" >out 2>&1 </dev/null
		status=$?
		case $line in
		*' top '* | *' trace '*) [ $status != 1 ] && [ $status != 2 ] ;;
		# what it finds wrong with this guest is no failure
		*' doctor '*) [ $status != 2 ] ;;
		*) [ $status = 0 ] ;;
		esac
		status=$?
		[ $status = 0 ] || sed 's/^/# /' out
		ok $status "$line"
	done <"$1"
}

items=$(for i in 0 1 2 3 4; do echo "/tour/news: item $i"; done)
for block in "$pasted"/[0-9]*.sh; do
	after=true
	case $(cat "$block") in
	*./tour*) orders "$block" "$items" '*subscribe*' '*publish*' ;;
	*./upper*)
		after=kill_one
		orders "$block" HELLO '*upper ' '*hello*' ;;
	*perl*) orders "$block" '*:*:*' '*bind*' '*connect*' ;;
	*socat*) orders "$block" hello '*LISTEN*' '*CONNECT*' ;;
	*'weirctl stream'*) each_line "$block" 5 ;;
	*'weirctl route set'*) each_line "$block" 60 ;;
	*)
		sed 's/^/# /' "$block"
		ok 1 "${block##*/}: there is a test for this block" ;;
	esac
done

# two terminals, and a line that is typed into the publisher's
after=true
cat >terminals.sh <<END
sh $pasted/perl-2.sh &
echo typed | sh $pasted/perl-1.sh
END
orders "$dir/terminals.sh" 'typed*' '*bind*' '*connect*'

# its example shifts once more, and sets a tunable for all that run later
mkdir -p /etc/weir
ring_bytes=$(weirctl tune ring_bytes --bytes)
weirctl target set /svc/kv /svc/blue weight=1
each_line "$pasted/weirctl.sh" 100
weirctl tune ring_bytes "$ring_bytes"
for target in blue green; do
	weirctl target del /svc/kv /svc/$target
done
weirctl route del /svc/kv
[ "$(weirctl tune ring_bytes --bytes)" = "$ring_bytes" ]
ok $? "what the examples have set is as before"

# the tests that follow count rings: the examples' streams linger for ten seconds
# shellcheck disable=SC2317 # until_ok calls it
no_rings() {
	[ "$(stat rings)" = 0 ]
}
until_ok no_rings
ok $? "and their streams have ended"

plan
