# SPDX-License-Identifier: LGPL-2.1 OR MIT
# bash completion of weirctl(8)

_weirctl()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
	local commands="socket path stream cursor stat tune top"
	local options="--json --bytes --interval --iterations --help --version"
	local word command="" tunable=""

	COMPREPLY=()
	case $prev in
	-i | --interval | -n | --iterations)
		return ;;
	esac
	for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
		case $word in
		-*) ;;
		*)
			if [ -z "$command" ]; then
				command=$word
			else
				tunable=$word
			fi ;;
		esac
	done
	if [[ $cur == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
		return
	fi
	case $command in
	"")
		mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$cur") ;;
	tune)
		[ -n "$tunable" ] && return
		mapfile -t COMPREPLY < <(cd /sys/kernel/weir/tunables 2>/dev/null &&
			compgen -f -- "$cur") ;;
	socket | path | stream | cursor | top)
		mapfile -t COMPREPLY < <(weirctl path --json 2>/dev/null |
			sed -n 's/^ *"path": "\([^"\\]*\)",*$/\1/p' |
			grep -F -- "$cur" | sort -u)
		[ "$command" = top ] ||
			mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -W list -- "$cur") ;;
	esac
}

complete -F _weirctl weirctl
