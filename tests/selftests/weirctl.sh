#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# weirctl's commands for people at a terminal, on the real module: pub and sub,
# serve and req, ping, bench, and trace of calls that are refused. WEIRCTL is the
# program (default tools/weirctl beside this).

dir=$(dirname "$0")
# shellcheck source=tests/selftests/selftest.sh
. "$dir/selftest.sh"

ctl=${WEIRCTL:-$dir/tools/weirctl}
loaded || skip_all "the weir module is not loaded"
[ -x "$ctl" ] || skip_all "no weirctl at $ctl"
tmp=$(mktemp -d) || exit 1
pids=
trap 'kill $pids 2>/dev/null; rm -rf "$tmp"' EXIT

# in_background NAME ARGUMENT...: weirctl, whose output is $tmp/NAME.
in_background() {
	name=$1
	shift
	"$ctl" "$@" >"$tmp/$name" 2>"$tmp/$name.err" &
	pid=$!
	pids="$pids $pid"
}

serves() {
	"$ctl" target list "$1" --json | grep -q '"socket"'
}

is_lines() { # FILE TEXT
	[ "$(cat "$tmp/$1")" = "$2" ]
	status=$?
	[ $status = 0 ] || sed 's/^/# /' "$tmp/$1" "$tmp/$1.err"
	return $status
}

# --- pub and sub

in_background sub sub --count 3 '/wctl/**'
sub=$pid
"$ctl" pub --readers 1 /wctl/news one "two words" three
ok $? "three messages are published"
wait $sub
ok $? "and a subscriber ends after three"
is_lines sub "/wctl/news: one
/wctl/news: two words
/wctl/news: three"
ok $? "which it has shown"

in_background json sub --json --count 2 /wctl/news
sub=$pid
printf 'a line\nanother\n' | "$ctl" pub --readers 1 --json /wctl/news \
	>"$tmp/pub"
ok $? "lines of standard input are published"
wait $sub
grep -q '"seq":.*"data":"another"' "$tmp/json" &&
	grep -q '^{"messages":2,"bytes":13,"failed":0,' "$tmp/pub"
ok $? "both sides say so in JSON"

head -c 50000 /dev/urandom >"$tmp/file"
in_background raw sub --raw --count 1 /wctl/news
sub=$pid
"$ctl" pub --readers 1 --file "$tmp/file" /wctl/news
ok $? "a file is published"
wait $sub
cmp "$tmp/file" "$tmp/raw"
ok $? "and arrives as it is"

in_background rate pub --rate 20 --count 6 --json /wctl/slow x
wait $pid
ok $? "six messages at 20 a second"
awk -F'"seconds":' '{ exit !($2 + 0 >= 0.24) }' "$tmp/rate"
ok $? "take a quarter of a second"

# --- serve, req and ping

in_background serve serve /wctl/upper tr a-z A-Z
until_ok serves /wctl/upper
ok $? "a command serves"
"$ctl" req /wctl/upper hello "and more" >"$tmp/req" 2>"$tmp/req.err"
ok $? "two requests"
is_lines req "HELLO
AND MORE"
ok $? "are answered by it"
seq 3 | sed 's/$/ a/' | "$ctl" req --json /wctl/upper >"$tmp/req"
[ "$(grep -c '"data":"[1-3] A"' "$tmp/req")" = 3 ]
ok $? "lines of standard input too, in JSON"

in_background fails serve --count 1 /wctl/fails sh -c 'cat >/dev/null; exit 3'
until_ok serves /wctl/fails
"$ctl" req /wctl/fails x >"$tmp/req" 2>&1
[ $? = 1 ]
ok $? "a command that fails is an error of the request"
grep -q 'the service answers with an error: sh: exit status 3' "$tmp/req"
ok $? "in words: $(cat "$tmp/req")"
wait $pid
grep -q 'sh: exit status 3' "$tmp/fails.err"
ok $? "and its exit status is shown"

in_background late serve --timeout 100ms --count 1 /wctl/late sleep 60
until_ok serves /wctl/late
! "$ctl" req /wctl/late x >"$tmp/req" 2>&1
ok $? "a command that takes too long is killed"
wait $pid
grep -q 'sleep took too long' "$tmp/late.err"
ok $? "in words"

in_background echo serve --json /wctl/echo
until_ok serves /wctl/echo
dd if=/dev/zero bs=1000 count=1 2>/dev/null | tr '\0' x >"$tmp/file"
"$ctl" req --raw --file "$tmp/file" /wctl/echo >"$tmp/req"
cmp "$tmp/file" "$tmp/req"
ok $? "without a command a request is answered with itself"
"$ctl" ping --rate 50 --count 3 --size 100 /wctl/echo >"$tmp/ping"
ok $? "ping"
[ "$(grep -c '^/wctl/echo: 100 bytes, ' "$tmp/ping")" = 3 ] &&
	grep -q '^3 replies, 0 failed; least .*, median ' "$tmp/ping"
ok $? "has a line for each reply, and a sum"
"$ctl" ping --rate 50 --count 2 --json /wctl/nobody >"$tmp/ping" 2>&1
[ $? = 1 ] && [ "$(grep -c '"error":"' "$tmp/ping")" = 2 ]
ok $? "and fails when nobody answers"

# --- drain

# server NAME: a target whose replies take a moment, and wait while there is a
# file "hold"; its id is $id.
server() {
	in_background "$1" serve /wctl/roll \
		sh -c 'sleep 0.3; while [ -e "$0" ]; do sleep 0.1; done; cat' "$tmp/hold"
	server=$pid
	until_ok target_of "$server"
}

target_of() { # PID
	id=$("$ctl" target list /wctl/roll | awk -v pid="$1" '
		{ for (i = 1; i < NF; i++)
			if ($i == "pid" && $(i + 1) == pid) print $1 }')
	[ -n "$id" ]
}

is_called() {
	"$ctl" target list /wctl/roll --json | grep -q '"in_flight": *1'
}

is_drained() { # its weight is 0
	"$ctl" target list /wctl/roll --json | grep -q '"weight": *0'
}

calls_until_enough() {
	n=0
	while [ ! -e "$tmp/enough" ]; do
		[ "$("$ctl" req --timeout 60s /wctl/roll hello 2>&1)" = hello ] ||
			echo lost >>"$tmp/lost"
		n=$((n + 1))
	done
	echo $n >"$tmp/calls"
}

server roll0
: >"$tmp/lost"
calls_until_enough &
caller=$!
status=0
for i in 1 2 3; do
	old=$server
	from=$id
	# the only target has a call, which it answers once it is drained
	: >"$tmp/hold"
	until_ok is_called
	server "roll$i"
	"$ctl" target drain /wctl/roll "$from" &
	drain=$!
	until_ok is_drained
	rm "$tmp/hold"
	wait $drain || status=1
	kill "$old"
	wait "$old"
done
ok $status "servers that end are drained before, one after the other"
: >"$tmp/enough"
wait $caller
[ ! -s "$tmp/lost" ] && [ "$(cat "$tmp/calls")" -ge 3 ]
ok $? "no call has failed meanwhile"

: >"$tmp/hold"
in_background slow req --timeout 60s /wctl/roll hello
until_ok is_called
"$ctl" target drain /wctl/roll "$id" within=1ms 2>"$tmp/drain"
[ $? = 1 ] && grep -q 'has not answered' "$tmp/drain"
ok $? "a drain that takes too long says so"
rm "$tmp/hold"
wait $pid
is_lines slow hello
ok $? "and the request is answered nevertheless"

# --- what is listed

"$ctl" socket | grep -q ' serving .* /wctl/echo$'
ok $? "a socket that serves is listed so"
"$ctl" cursor | grep -q ',router '
ok $? "and the router's cursors"

# --- bench

count=$(scaled 20000 1000)
"$ctl" bench pub --count "$count" --json >"$tmp/bench"
ok $? "bench of publishing"
grep -q "^{\"messages\":$count,\"size\":64,\"received\":$count," "$tmp/bench"
ok $? "all was received"
count=$(scaled 500 50)
"$ctl" bench req --count "$count" --size 1000 --json >"$tmp/bench"
ok $? "bench of requests"
grep -q "^{\"messages\":$count,\"bytes\":${count}000,\"failed\":0,.*\"p99_ns\":" \
	"$tmp/bench"
ok $? "all were answered"

# --- trace

watches() {
	grep -q '"watching"' "$tmp/trace"
}

sees() {
	grep -q "$1" "$tmp/trace"
}

in_background trace trace --json '/wctl/**'
if until_ok watches; then
	"$ctl" req /wctl/nobody x >"$tmp/req" 2>&1
	grep -q 'nobody\|no route\|no_route' "$tmp/req"
	ok $? "a call to nobody says so: $(cat "$tmp/req")"
	until_ok sees '"event":"refuse".*"no_route".*"/wctl/nobody"'
	ok $? "and the trace shows it"
else
	ok 1 "trace watches: $(cat "$tmp/trace.err")"
fi
kill $pids 2>/dev/null
wait
"$ctl" trace --for 100ms /wctl/nobody | grep -q 'there is no such path'
ok $? "it says what a message meets now"
plan
