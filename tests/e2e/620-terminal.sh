#!/bin/bash
# SPDX-License-Identifier: ISC
#
# s3backerctl on a terminal: top follows the size of the window and ends with q; Ctrl-C ends the
# watching and never the work; every command says what it does.

LIMIT=60 NEEDS="fuse python3"
. "$(dirname "$0")/lib.sh"

onpty() { timeout $((60 * slow)) python3 "$root/tests/tools/onpty.py" "$@"; }

# ---- help --------------------------------------------------------------------------------------
out=$(s3backerctl --help)
is $? 0 "--help"
names=$(sed -n '/^$/,/^$/s/^  \([a-z-]*\)  *.*/\1/p' <<<"$out")
le 8 "$(wc -w <<<"$names")" "lists the commands"
silent=
for c in $names; do
	s3backerctl "$c" --help 2>&1 | sed -n 1p | grep -q "^usage: .* $c" || silent="$silent $c"
done
is "$silent" "" "each has a --help of its own"
has "$(s3backerctl flush --clean 2>&1; echo "exit $?")" 'option that it does not know' \
    "an option of another command is refused"

# ---- a disk whose store can be made to wait ----------------------------------------------------
store s3
write_conf blockCacheFile="$work/cache" blockCacheWriteDelay=10m maxDirtyAge=20m
must_start

# ---- top ---------------------------------------------------------------------------------------
onpty --size 20x60 'wait=processes' 'size=8x40' 'wait=at risk' mark 'wait=at risk' 'send=q' \
    -- s3backerctl -c "$conf" top >out
is $? 0 "top: q ends it"
has "$(tail -c 20 out)" '\[\?1049l' "and gives the old screen back"
widest=$(sed 's/\x1b\[[0-9;]*H/\n/g; s/\x1b\[[0-9;?]*[a-zA-Z]//g; s/\r//g' out | awk '{ if (length > n) n = length } END { print n }')
le "$widest" 40 "after the window shrank no line is wider than it"
onpty 'wait=processes' 'send=\x03' -- s3backerctl -c "$conf" top >/dev/null
is $? 0 "Ctrl-C ends it as well"
onpty 'wait=at risk' -- s3backerctl -c "$conf" --timeout 3s top >/dev/null
is $? 0 "and --timeout"
has "$(ctl --timeout 3s top)" 'at risk' "in a pipe: plain pages"

# ---- Ctrl-C ------------------------------------------------------------------------------------
fault 'any:503'
put "$file" 0 $((40 << 16)) one
onpty 'wait=uploading' 'send=\x03' -- s3backerctl -c "$conf" flush >out
is $? 130 "Ctrl-C ends the watching of flush"
has "$(cat out)" 'the disk goes on uploading' "and says that the work goes on"
no_fault
wait_for 30 is_clean
ok $? "which it does"
put "$file" 0 $((40 << 16)) two
onpty 'wait=uploading' 'send=\x03' -- s3backerctl -c "$conf" wait --clean >out
is $? 130 "Ctrl-C ends wait"
has "$(cat out)" 'nothing was changed by waiting' "which changes nothing"
stop_disk
ok $? "stop"
done_testing
