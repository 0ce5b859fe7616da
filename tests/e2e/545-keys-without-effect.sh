#!/bin/bash
# SPDX-License-Identifier: ISC
#
# Keys that have lost their purpose are accepted, and the log says why; and tests/KEYS.md names a test for
# every key there is.

LIMIT=60
. "$(dirname "$0")/lib.sh"

gone="http11=yes blockCacheThreads=7 blockCacheFileAdvise=yes blockCacheRecoverDirtyBlocks=yes md5CacheSize=9
    md5CacheTime=1s minWriteDelay=1s listBlocksThreads=3"
store dir
# shellcheck disable=SC2086 # a list
write_conf size=1m $gone
must_start
stop_disk
for kv in $gone; do
	has "$(cat "$run/log")" "${kv%%=*} has no effect: [a-zA-Z]" "${kv%%=*}: why it has no effect"
done
in_table=$(grep -A2 '^CONF_KEY' "$root/common/conf_keys.def" | tr -d '\n' | sed 's/CONF_KEY/\n&/g' |
    grep 'OLD | GONE' | sed 's/.*CONF_KEY([^,]*, "\([^"]*\)".*/\1/' | sort | tr '\n' ' ')
is "$(tr ' ' '\n' <<<"$gone" | sed -n 's/=.*//p' | tr -d '\t ' | grep . | sort | tr '\n' ' ')" "$in_table" \
    "and these are all"
for kv in http11=maybe blockCacheThreads=0 md5CacheTime=soon; do
	s3backerd -c "$conf" -o "$kv" check-config >/dev/null 2>&1
	is $? 1 "a value that means nothing is refused all the same: $kv"
done

# ---- every key has a test ----------------------------------------------------------------------------------
table=$root/tests/KEYS.md
bad=
for key in $(sed -n 's/^CONF_KEY([^,]*, "\([^"]*\)".*/\1/p' "$root/common/conf_keys.def"); do
	row=$(grep "^| \`$key\` |" "$table")
	[ "$(grep -c . <<<"$row")" = 1 ] || { bad="$bad $key:no-row" && continue; }
	tests=$(cut -d'|' -f3 <<<"$row" | tr -d '`,')
	[ -n "${tests// /}" ] || bad="$bad $key:no-test"
	for t in $tests; do
		[ -f "$root/tests/$t" ] && grep -qwF -- "$key" "$root/tests/$t" || bad="$bad $key:$t"
	done
done
is "$bad" "" "tests/KEYS.md names a test for each key, and each test names the key"
is "$(sed -n 's/^| `\([^`]*\)`.*/\1/p' "$table" | sort | uniq -d)" "" "no key twice"
rows=$(grep -c '^| `' "$table")
is "$rows" "$(grep -c '^CONF_KEY(' "$root/common/conf_keys.def")" "and no row for a key that is no more"
done_testing
