# SPDX-License-Identifier: LGPL-2.1 OR MIT
# bash completion of weirctl(8), by the functions of bash-completion 2.11. Later
# versions have them too. Commands, verbs, keys and options are taken from
# weirctl's help.

# _weirctl_words WORDS...: those that begin with cur, a line each. They are
# quoted, and compgen -W does not get them, because it expands what it is given:
# a path of another user may have $() in it.
_weirctl_words()
{
	local word
	while read -r word; do
		[[ -z $word || $word != "$cur"* ]] ||
			COMPREPLY+=("$(printf %q "$word")")
	done < <(printf '%s\n' "$@")
}

# _weirctl_help PREFIX WORD...: first words of the lines of a help that begin
# with the prefix.
_weirctl_help()
{
	local prefix=$1
	shift
	weirctl "$@" --help 2>/dev/null |
		sed -nE "s/^  $prefix([a-z-]+) .*/\\1/p" | sort -u
}

# _weirctl_json KEY COMMAND...: the paths or ids in a list.
_weirctl_json()
{
	local key=$1
	shift
	weirctl "$@" --json 2>/dev/null |
		sed -nE "s/^ *\"$key\": \"?([^\"\\\\,]*)\"?,*\$/\\1/p" | sort -u
}

# _weirctl_keys KEY=...: words that want a value, and no space behind them.
_weirctl_keys()
{
	compopt -o nospace 2>/dev/null
	_weirctl_words "$@"
}

# _weirctl_value KEY: its values.
_weirctl_value()
{
	case $1 in
	policy) _weirctl_words any weighted shard primary all quorum ;;
	breaker) _weirctl_words on off ;;
	probe) _weirctl_words off ;;
	mirror | fallback) _weirctl_words "$(_weirctl_json path route)" ;;
	fallback-file) _filedir ;;
	esac
}

# _weirctl_routed COMMAND VERB ARGUMENT...: behind the verb.
_weirctl_routed()
{
	case $1:$2:$# in
	breaker:open:2 | breaker:auto:2)
		_weirctl_words "$(_weirctl_json id breaker)" ;;
	*:2 | target:add:3)
		_weirctl_words "$(_weirctl_json path route)" ;;
	route:set:*)
		_weirctl_keys "$(_weirctl_help "" route set | sed 's/$/=/')" ;;
	target:set:3 | target:del:3 | target:drain:3 | target:shift:[34])
		_weirctl_words "$(_weirctl_json id target list "$3"
			_weirctl_json path target list "$3" |
				grep -vxF -- "$3")" ;;
	target:add:*) _weirctl_keys weight= name= ;;
	target:set:*) _weirctl_keys weight= ;;
	target:shift:*) _weirctl_keys steps= every= ;;
	target:drain:*) _weirctl_keys within= ;;
	esac
}

# _weirctl_tunable SUFFIX: tunables whose name ends so.
_weirctl_tunable()
{
	_weirctl_words "$(weirctl tune --json 2>/dev/null |
		sed -nE "s/^ *\"([a-z_]*$1)\": .*/\\1/p")"
}

_weirctl()
{
	# shellcheck disable=SC2034 # _init_completion sets prev
	local cur prev words cword args=() i

	# KEY=VALUE is one word here, though bash cuts it
	_init_completion -n = || return
	for ((i = 1; i < cword; i++)); do
		case ${words[i]} in
		-i | --interval | -n | --iterations | -f | --for | --root | \
			-[crstFw] | --count | --rate | --size | --timeout | --file | \
			--readers) ((i++)) ;;
		-*) ;;
		*) args+=("${words[i]}") ;;
		esac
	done
	# behind an option that wants a value
	((i == cword)) || return
	case $cur in
	-*)
		_weirctl_words "$(_parse_help weirctl "${args[*]:0:2} --help")"
		[[ ${COMPREPLY-} != *= ]] || compopt -o nospace 2>/dev/null
		return ;;
	*=*)
		i=${cur%%=*} cur=${cur#*=}
		_weirctl_value "$i"
		return ;;
	esac
	case ${args[0]-}:${#args[@]} in
	:0 | help:1) _weirctl_words "$(_weirctl_help "")" ;;
	help:2)
		_weirctl_words "$(_weirctl_help "${args[1]} " "${args[1]}")" ;;
	route:1 | target:1 | breaker:1 | limit:1 | bench:1)
		_weirctl_words "$(_weirctl_help "${args[0]} " "${args[0]}")" ;;
	route:* | target:* | breaker:*) _weirctl_routed "${args[@]}" ;;
	tune:1) _weirctl_tunable "" ;;
	limit:2) _weirctl_tunable _max ;;
	apply:1 | save:1) _filedir ;;
	serve:2) compopt -o default 2>/dev/null ;;
	trace:1 | req:1 | serve:1 | ping:1) _weirctl_words "$(_weirctl_json path route)" ;;
	top:1 | pub:1 | sub:1) _weirctl_words "$(_weirctl_json path path)" ;;
	socket:1 | path:1 | stream:1 | cursor:1)
		_weirctl_words list "$(_weirctl_json path path)" ;;
	esac
} && complete -F _weirctl weirctl
