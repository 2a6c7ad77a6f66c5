# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Sourced by the parts of scripts/soak, which tell there how a part is called.

set -euo pipefail
seed=$1 seconds=$2 out=$3
ends=$((SECONDS + seconds))

tell() { echo "$*" >>"$out/result"; }

# left: the seconds that this part still has.
left() { echo $((ends > SECONDS ? ends - SECONDS : 0)); }

# guest_tests NAME KERNEL SECONDS OPTION... -- WORD...: the chosen selftests, over
# and over in one guest with one seed after the other; its log is OUT/NAME.tap.
# Raises seed by the passes that were made. False, and a find, when one failed.
guest_tests() {
	local name=$1 kernel=$2 for_seconds=$3 options=() status=0 passes bin
	shift 3
	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	shift
	while read -r bin _; do
		case $bin in '' | '#'*) continue ;; esac
		options+=(--bin "$bin")
	done <tests/selftests/guest-bins
	make --no-print-directory -s -C tests/selftests
	scripts/guest --kernel "$kernel" --timeout $((for_seconds + 3600)) \
		--mem 1536 --out "$out/$name" --env "WEIR_TEST_SEED=$seed" \
		--env "WEIR_TEST_SECONDS=$for_seconds" --env WEIR_TEST_TIMEOUT=1800 \
		--file build/selftests:/selftests \
		--file tests/guest/run-selftests:/bin/run-selftests \
		"${options[@]}" -- run-selftests /selftests "$@" \
		>"$out/$name.tap" 2>&1 || status=1
	tests/tap/tally "$out/$name.tap" >"$out/$name.sum" || status=1
	passes=$(sed -n 's/^# passes: //p' "$out/$name.tap")
	seed=$((seed + ${passes:-1}))
	tell "next $seed"
	[ "$status" = 0 ] || tell "find $name: $({
		grep -m 3 '^ *not ok' "$out/$name.tap"
		grep -m 3 '^not ok' "$out/$name.sum"
		grep -m 1 FAILED "$out/$name.tap"
	} | tr '\n' ';')"
	return "$status"
}

# sum PATTERN FILE...: the numbers that PATTERN (one group) finds, added up.
sum() {
	local pattern=$1
	shift
	sed -nE "s/$pattern/\\1/p" "$@" | awk '{ n += $1 } END { print n + 0 }'
}
