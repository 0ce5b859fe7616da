#!/bin/bash
# SPDX-License-Identifier: ISC
#
# Completion in bash and zsh offers every command and option that the programs have, without being told
# of a new one; and the programs and their manuals agree on what there is.

LIMIT=60 NEEDS="make"
. "$(dirname "$0")/lib.sh"

quietly env -u MAKEFLAGS -u MFLAGS make -s -C "$root" B="$work/b" completion
ok $? "both are made"
bash_text=$work/b/completion/s3backer.bash zsh_text=$work/b/completion/s3backer.zsh

# What bash offers for a command line that ends in its last argument, which may be empty.
offers() {
	bash --norc --noprofile -c '
		. "$1"
		shift
		compopt() { :; }
		COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
		_s3backer "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
		printf "%s\n" "${COMPREPLY[@]}"' - "$bash_text" "$@" | LC_ALL=C sort -u | sed '/^$/d'
}
# Commands and options by another way than the completion reads them: as the tables in the sources.
daemon_commands() { sed -n '/^} commands/,/^};/s/^ *{"\([a-z-]*\)",.*/\1/p' "$root/supervisor/main.c" | LC_ALL=C sort; }
ctl_commands() { sed -n '/commands\[\] = {/,/^};/s/^ *{"\([a-z-]*\)",.*/\1/p' "$root/ctl/commands.c"; }

offers s3backerctl '' >ctl.offers
is "$(cat ctl.offers)" "$(ctl_commands | LC_ALL=C sort)" "s3backerctl: its commands"
# What s3backerctl has s3backerd do is not offered twice.
is "$(daemon_commands | comm -23 - <(offers s3backerd '') | LC_ALL=C comm -23 - ctl.offers)" "" "s3backerd: its commands"
is "$(offers s3backerd '' | LC_ALL=C comm -23 - <(daemon_commands))" "" "and no others"
le 5 "$(daemon_commands | wc -l)" "there are commands"
le 10 "$(ctl_commands | wc -l)" "and more of them"

# Every long option that a help text mentions at the beginning of a line is offered with its command.
long_options() { # long_options PROGRAM [COMMAND]
	"$@" --help | grep -oE -- '^ +(-., )?--[a-z-]+' | grep -oE -- '--[a-z-]+'
}
for p in s3backerd s3backerctl; do
	page=$p.8
	missing=$(for c in '' $(offers $p ''); do
		offered=$(offers $p $c --)
		long_options $p $c | while read -r o; do grep -qx -- "$o=\?" <<<"$offered" || echo "$c $o"; done
	done | grep -vE '^[a-z-]* --(dirty|keep-dirty)$')
	is "$missing" "" "$p: all the long options of --help, and of COMMAND --help"
	le 5 "$(for c in '' $(offers $p ''); do long_options $p $c; done | sort -u | wc -l)" "there are some"
	missing=$(offers $p '' | while read -r c; do grep -qE "^\.(It|Op) .*Cm.* ?$c\b" "$root/man/$page" || echo "$c"; done)
	is "$missing" "" "$p: the manual has every command"
	missing=$(for c in '' $(offers $p ''); do long_options $p $c; done | sort -u | while read -r o; do
		grep -qE -- "Fl -${o#--}\b|-{1,2}${o#--}\b" "$root/man/$page" || echo "$o"; done)
	is "$missing" "" "$p: the manual has every option"
	out=$("$p" --help) && has "$out" '^usage: ' "$p --help"
	for c in $(offers $p ''); do
		"$p" "$c" --help >help.out 2>&1 && grep -q '^usage: ' help.out || ok 1 "$p $c --help"
	done
done

is "$(offers s3backerd start --di) $(offers s3backerd stop --k)" "--dirty= --keep-dirty" "an option beside its command"
is "$(offers s3backerd stop --di)" "" "not beside another one"
is "$(offers s3backerd st)" "$(printf 'start\nstatus\nstop\n')" "what has been begun"
is "$(offers s3backerd start --dirty = up)" upload "a value after an equals sign"
is "$(offers s3backerd -o prefi)" "prefix=" "keys of the configuration"
has "$(offers s3backerctl wait --)" '^--age$' "options of one command"
has "$(offers s3backerctl wait --)" '^--json$' "and of all"
is "$(offers s3backerctl status --ag)" "" "not those of another one"
has "$(offers s3backerctl set uploadL)" '^uploadLimit$' "keys that can change"
is "$(offers s3backerctl set bucke)" "" "and no others"
is "$(offers s3backerctl -c x.conf set upl)" "uploadLimit" "words of options do not count"
touch here.conf other
is "$(offers s3backerd -c her)" here.conf "configurations"
is "$(offers s3backerd -c oth)" "" "no other files"

if command -v zsh >/dev/null; then
	# As zsh would call it, with the functions of its completion system played.
	zoffers() {
		zsh -f -c '
			_describe() { [[ $1 == -o ]] && shift; print -l -- ${(P)2%%:*}; }
			compadd() { [[ $1 == -S ]] && shift 2; [[ $1 == -a ]] && print -l -- ${(P)2} || print -l -- "$@"; }
			compset() { :; }
			_files() { print files; }
			words=("${@:2}") CURRENT=$(($# - 1))
			. $1' - "$zsh_text" "$@" | LC_ALL=C sort -u | sed '/^$/d'
	}
	is "$(zoffers s3backerctl '')" "$(offers s3backerctl '')" "zsh: the same commands"
	is "$(zoffers s3backerd '')" "$(offers s3backerd '')" "of both programs"
	is "$(zoffers s3backerctl wait --)" "$(offers s3backerctl wait -)" "the same options"
	is "$(zoffers s3backerd start --)" "$(offers s3backerd start -)" "the same options"
	is "$(zoffers s3backerctl set '')" "$(offers s3backerctl set '')" "the same keys"
else
	note "no zsh here"
fi
done_testing
