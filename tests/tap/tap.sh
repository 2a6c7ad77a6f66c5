# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# What every test in shell prints: the Test Anything Protocol, as tap.h does for
# those in C. A test calls ok for each thing that it proves and ends with plan.
# To be sourced.

n=0
failed=0
out=

# ok STATUS WORDS: one result. When it is bad, $out is shown, if it is set.
ok() {
	n=$((n + 1))
	if [ "$1" = 0 ]; then
		echo "ok $n - $2"
		return
	fi
	failed=1
	echo "not ok $n - $2"
	[ -z "$out" ] || echo "$out" | sed 's/^/# /'
}

# empty WORDS: good when standard input is empty, else that is what's wrong.
empty() {
	out=$(cat)
	if [ -z "$out" ]; then
		ok 0 "$1"
	else
		ok 1 "$1"
	fi
	out=
}

# skip WORDS WHY: a part that cannot be done here; shown, and not a pass.
skip() {
	n=$((n + 1))
	echo "ok $n - $1 # SKIP $2"
}

# subtest NAME COMMAND...: a test with lines of its own, indented by four, and a
# line for its exit status, which is good if it is 0, or 77: all was skipped. No
# program copies the lines, as it might keep the last ones of a guest that dies;
# and they end with the test, though a process that it leaves may keep them open.
subtest() {
	subtest_name=$1
	subtest_end="# end of $1, $$"
	shift
	echo "# Subtest: $subtest_name"
	{
		subtest_status=$({
			{
				n=0 failed=0 subtest_status=0
				"$@" 3>&- 4>&- 2>&1 || subtest_status=$?
				echo "$subtest_status" >&3
				echo "$subtest_end"
			} | while IFS= read -r line; do
				case $line in
				"$subtest_end") break ;;
				*"$subtest_end")
					printf '    %s\n' "${line%"$subtest_end"}"
					break ;;
				esac
				printf '    %s\n' "$line"
			done >&4
		} 3>&1)
	} 4>&1
	[ "$subtest_status" = 0 ] || [ "$subtest_status" = 77 ]
	ok $? "$subtest_name"
}

# The whole test cannot be run here.
skip_all() { # WHY
	echo "1..0 # SKIP $1"
	exit 77
}

# The end of every test.
plan() {
	echo "1..$n"
	exit $failed
}
