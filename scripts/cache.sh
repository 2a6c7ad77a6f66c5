# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Sourced by the other scripts: where the cache is, how an entry is made in
# it without ever being seen half made, and how packages of any Debian suite
# are fetched into it. The suites' package lists live in apt directories of
# our own, so the machine's apt configuration is read but never changed.

WEIR_CACHE=${WEIR_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/weir}
mkdir -p "$WEIR_CACHE/lock"

die() { echo "${0##*/}: $*" >&2; exit 1; }
say() { echo "${0##*/}: $*" >&2; }

# locked NAME COMMAND...: runs it while no other run holds NAME.
locked() {
	local fd
	exec {fd}>"$WEIR_CACHE/lock/$1"
	flock -n "$fd" || {
		say "waiting for another run that is making $1"
		flock "$fd"
	}
	shift
	"$@"
	exec {fd}>&-
}

# The address that the machine's own apt takes Debian 12 from.
apt_mirror() {
	local file address
	for file in /etc/apt/sources.list.d/*.sources; do
		[ -f "$file" ] || continue
		address=$(awk -v RS= '/(^|\n)Suites:[^\n]*[ \t]bookworm([ \t\n]|$)/ {
			for (i = 1; i <= NF; i++)
				if ($i == "URIs:") { print $(i + 1); exit }
		}' "$file")
		[ -z "$address" ] || { echo "$address"; return; }
	done
	for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
		[ -f "$file" ] || continue
		address=$(sed -E 's/\[[^]]*\]//' "$file" |
			awk '$1 == "deb" && $3 == "bookworm" { print $2; exit }')
		[ -z "$address" ] || { echo "$address"; return; }
	done
	die "no source of Debian bookworm in /etc/apt"
}

# apt_suite SUITE TOOL ARGUMENT...: apt-get or apt-cache on that suite alone.
# SUITE:ARCHITECTURE is the suite for another architecture than amd64.
apt_suite() {
	local root=$WEIR_CACHE/apt/${1/:/-} tool=$2 arch=amd64
	case $1 in *:*) arch=${1#*:} ;; esac
	shift 2
	"$tool" -q -o Dir::Etc::sourcelist="$root/sources.list" \
		-o Dir::Etc::sourceparts=/dev/null \
		-o Dir::Etc::preferencesparts=/dev/null \
		-o Dir::State="$root/state" -o Dir::State::status=/dev/null \
		-o Dir::Cache="$root/cache" -o Dir::Cache::pkgcache=pkgcache.bin \
		-o APT::Sandbox::User= -o Acquire::Languages=none \
		-o APT::Architecture="$arch" -o APT::Architectures="$arch" "$@"
}

# apt_lists SUITE [MINUTES]: has the suite's lists, no older than MINUTES.
apt_lists() { locked "lists-$1" apt_lists_fetch "$@"; }

apt_lists_fetch() {
	local suite=$1 root=$WEIR_CACHE/apt/${1/:/-}
	local keyring=/usr/share/keyrings/debian-archive-keyring.gpg
	if [ -e "$root/updated" ] && { [ $# -lt 2 ] ||
		[ -n "$(find "$root/updated" -mmin "-$2")" ]; }; then
		return
	fi
	mkdir -p "$root/state/lists/partial" "$root/cache/archives/partial"
	echo "deb [signed-by=$keyring] $(apt_mirror) ${suite%:*} main" \
		>"$root/sources.list"
	apt_suite "$suite" apt-get update >"$root/log" 2>&1 || {
		cat "$root/log" >&2
		die "no package lists of $suite"
	}
	touch "$root/updated"
}

# apt_versions SUITE PACKAGE...: a line for each, "name version".
apt_versions() {
	apt_suite "$1" apt-cache show --no-all-versions "${@:2}" |
		awk '/^Package:/ { name = $2 } /^Version:/ { print name, $2 }'
}

# apt_unpack SUITE DIR PACKAGE...: downloads them and unpacks them into DIR.
apt_unpack() {
	local suite=$1 dir=$2 debs package
	shift 2
	debs=$(mktemp -d "$WEIR_CACHE/debs.XXXXXX")
	(cd "$debs" && apt_suite "$suite" apt-get download "$@") \
		>"$debs/log" 2>&1 || {
		cat "$debs/log" >&2
		rm -rf "$debs"
		die "could not download from $suite: $*"
	}
	mkdir -p "$dir"
	for package in "$debs"/*.deb; do
		dpkg-deb -x "$package" "$dir"
	done
	rm -rf "$debs"
}

# A short name for what standard input says.
cache_key() { sha256sum | cut -c1-12; }
