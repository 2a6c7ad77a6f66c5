# SPDX-License-Identifier: LGPL-2.1 OR MIT
# bash completion of weirctl(8)

# The paths or ids in a list: _weirctl_json KEY COMMAND...
_weirctl_json()
{
	local key=$1
	shift
	weirctl "$@" --json 2>/dev/null |
		sed -nE "s/^ *\"$key\": \"?([^\"\\\\,]*)\"?,*\$/\\1/p" | sort -u
}

# The keys of routes, as weirctl's help has them.
_weirctl_keys()
{
	weirctl route set --help 2>/dev/null |
		sed -nE 's/^  ([a-z-]+) .*/\1=/p'
}

# _weirctl_reply CUR WORD...: those that begin with CUR.
_weirctl_reply()
{
	local cur=$1 word
	shift
	for word; do
		[[ $word == "$cur"* ]] && COMPREPLY+=("$word")
	done
}

# Words without a space behind them: keys, which want a value.
_weirctl_reply_keys()
{
	compopt -o nospace 2>/dev/null
	_weirctl_reply "$@"
}

# _weirctl_value KEY CUR: values of KEY=.
_weirctl_value()
{
	case $1 in
	policy) _weirctl_reply "$2" any weighted shard primary all quorum ;;
	breaker) _weirctl_reply "$2" on off ;;
	probe) _weirctl_reply "$2" off ;;
	mirror | fallback)
		mapfile -t words < <(_weirctl_json path route)
		_weirctl_reply "$2" "${words[@]}" ;;
	fallback-file) mapfile -t COMPREPLY < <(compgen -f -- "$2") ;;
	esac
}

_weirctl_options()
{
	case $1 in
	top) echo "--json --bytes --interval --iterations --once" ;;
	apply) echo "--dry-run --prune" ;;
	save) ;;
	doctor) echo "--json" ;;
	trace) echo "--for" ;;
	"") echo "--help --usage --version --json --bytes" ;;
	*) echo "--json --bytes" ;;
	esac
}

# _weirctl_route CUR VERB ARGUMENT...
_weirctl_route()
{
	local words
	case $#:${2-} in
	1:) _weirctl_reply "$1" list show set del ;;
	2:list | 2:show | 2:set | 2:del)
		mapfile -t words < <(_weirctl_json path route)
		_weirctl_reply "$1" "${words[@]}" ;;
	*:set)
		mapfile -t words < <(_weirctl_keys)
		_weirctl_reply_keys "$1" "${words[@]}" ;;
	esac
}

# _weirctl_target CUR VERB ARGUMENT...
_weirctl_target()
{
	local words
	case $#:${2-} in
	1:) _weirctl_reply "$1" list add set del shift ;;
	2:list | 2:add | 2:set | 2:del | 2:shift | 3:add)
		mapfile -t words < <(_weirctl_json path route)
		_weirctl_reply "$1" "${words[@]}" ;;
	3:set | 3:del | 3:shift | 4:shift)
		mapfile -t words < <(_weirctl_json id target list "$3"
			_weirctl_json path target list "$3" |
				grep -vxF -- "$3")
		_weirctl_reply "$1" "${words[@]}" ;;
	*:add | *:set) _weirctl_reply_keys "$1" weight= ;;
	*:shift) _weirctl_reply_keys "$1" steps= every= ;;
	esac
}

# _weirctl_breaker CUR VERB ARGUMENT...
_weirctl_breaker()
{
	local words
	case $#:${2-} in
	1:) _weirctl_reply "$1" list open auto ;;
	2:list)
		mapfile -t words < <(_weirctl_json path route)
		_weirctl_reply "$1" "${words[@]}" ;;
	2:open | 2:auto)
		mapfile -t words < <(_weirctl_json id breaker)
		_weirctl_reply "$1" "${words[@]}" ;;
	esac
}

# _weirctl_tunable CUR FILTER: names of tunables.
_weirctl_tunable()
{
	local words
	mapfile -t words < <(weirctl tune --json 2>/dev/null |
		sed -nE "s/^ *\"([a-z_]*$2)\": .*/\\1/p")
	_weirctl_reply "$1" "${words[@]}"
}

_weirctl()
{
	local cur word words=() args=() i

	COMPREPLY=()
	# bash cuts words at =; KEY=VALUE is one argument
	for ((i = 1; i <= COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		if [ ${#words[@]} -gt 0 ] &&
			[[ $word == = || ${words[-1]} == *= ]]; then
			words[-1]+=$word
		else
			words+=("$word")
		fi
	done
	cur=${words[-1]}
	unset 'words[-1]'
	case ${words[*]: -1} in
	-i | --interval | -n | --iterations | -f | --for | --root) return ;;
	esac
	for word in "${words[@]}"; do
		[[ $word == -* ]] || args+=("$word")
	done
	if [[ $cur == -* ]]; then
		mapfile -t words < <(_weirctl_options "${args[0]-}" | tr ' ' '\n')
		_weirctl_reply "$cur" "${words[@]}"
		return
	fi
	if [[ $cur == *=* ]]; then
		_weirctl_value "${cur%%=*}" "${cur#*=}"
		return
	fi
	case ${args[0]-} in
	"")
		_weirctl_reply "$cur" socket path stream cursor top stat route \
			target breaker tune limit apply save doctor trace ;;
	route | target | breaker) "_weirctl_${args[0]}" "$cur" "${args[@]:1}" ;;
	tune) [ ${#args[@]} = 1 ] && _weirctl_tunable "$cur" "" ;;
	limit)
		[ ${#args[@]} = 1 ] && _weirctl_reply "$cur" list set
		[ ${#args[@]} = 2 ] && _weirctl_tunable "$cur" _max ;;
	apply | save) mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
	trace)
		mapfile -t words < <(_weirctl_json path route)
		_weirctl_reply "$cur" "${words[@]}" ;;
	socket | path | stream | cursor | top)
		[ "${args[0]}" = top ] || [ ${#args[@]} -gt 1 ] ||
			_weirctl_reply "$cur" list
		mapfile -t words < <(_weirctl_json path path)
		_weirctl_reply "$cur" "${words[@]}" ;;
	esac
	return 0
}

complete -F _weirctl weirctl
