# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# For tests of the whole of weirctl: a fake module (fake.c) with a scene of its
# own, and checks of what weirctl says. To be sourced by the tests.

here=$(cd "$(dirname "$0")" && pwd)
PATH=$here:$PATH
FAKE=$(mktemp -d)
export FAKE
trap 'rm -rf "$FAKE"' EXIT
# shellcheck source=tests/tap/tap.sh
. "$here/tap.sh"

# A module with these tunables, and what the scene on standard input has.
scene() {
	local pair
	rm -rf "$FAKE"
	mkdir -p "$FAKE"/sys/module/weir/parameters \
		"$FAKE"/sys/kernel/weir/{tunables,stats,drops}
	echo 18 >"$FAKE/sys/module/weir/parameters/family"
	for pair in ring_bytes=65536 ring_bytes_max=1073741824 \
		inbox_bytes=16384 user_bytes_max=1073741824 \
		user_objects_max=65536 streams_max=16384; do
		echo "${pair#*=}" >"$FAKE/sys/kernel/weir/tunables/${pair%%=*}"
	done
	for pair in ring_bytes=8192 evictions=0 missed=0; do
		echo "${pair#*=}" >"$FAKE/sys/kernel/weir/stats/${pair%%=*}"
	done
	echo 3 >"$FAKE/sys/kernel/weir/drops/limit"
	cat >"$FAKE/scene.json"
	: >"$FAKE/log"
}

tunable() {
	cat "$FAKE/sys/kernel/weir/tunables/$1"
}

# does WORDS COMMAND...: it succeeds; its output is in $out.
does() {
	local words=$1 status=0
	shift
	out=$("$@" 2>&1) || status=$?
	ok $status "$words"
}

# says WORDS PATTERN...: $out has a line with each.
says() {
	local words=$1 pattern status=0
	shift
	for pattern; do
		grep -qE -- "$pattern" <<<"$out" || status=1
	done
	ok $status "$words"
}

# refuses STATUS WORDS COMMAND...: it fails so, with these words.
refuses() {
	local want=$1 words=$2 status=0
	shift 2
	out=$("$@" 2>&1) || status=$?
	if [ "$status" = "$want" ] && grep -qF -- "$words" <<<"$out"; then
		status=0
	else
		status=1
	fi
	ok $status "$* is refused: $words"
}

# did LINE...: these changes were sent, and no others, since the last time.
did() {
	local status=0
	printf '%s\n' "$@" | sed '/^$/d' | cmp -s - "$FAKE/log" || {
		status=1
		out=$(cat "$FAKE/log")
	}
	: >"$FAKE/log"
	ok $status "the kernel was asked: ${*:-nothing}"
}
