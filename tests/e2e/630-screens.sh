#!/bin/bash
# SPDX-License-Identifier: ISC
#
# What status, top, flush and scrub look like.  As a test: they look like something.  With SCREENS=FILE
# (`make screens`) they become the page man/screens.md.

LIMIT=60 NEEDS="fuse python3"
. "$(dirname "$0")/lib.sh"

onpty() { timeout $((50 * slow)) python3 "$root/tests/tools/onpty.py" --size 30x100 "$@"; }
# Paths of this test as a user would have them.
neat() { sed -e "s|$mnt|/mnt/disk|g; s|$work/cache|/var/cache/s3backer/disk|g; s|$conf|/etc/s3backer.conf|g; s|$url|https://s3.example.com|g; s/[[:space:]]*\$//"; }
unescape() { sed 's/\x1b\[[0-9;?]*[A-Za-z]//g'; }

store s3
write_conf blockCacheFile="$work/cache" blockCacheSize=200 maxTransfers=4 uploaders=1 blockCacheWriteDelay=1m
must_start
put "$file" 0 $((100 << 16)) one
ctl flush >/dev/null
get "$file" 0 $((100 << 16)) >/dev/null
put "$file" $((200 << 16)) $((60 << 16)) two
sixty_blocks() { [ "$(status cache.dirtyBlocks)" = 60 ]; }
wait_for 10 sixty_blocks
ctl status | neat >status.txt
has "$(sed -n 1p status.txt)" '^/mnt/disk/file: running$' "status begins with the health"
has "$(sed -n 2p status.txt)" 'at risk +3.8 MiB in 60 blocks' "and what is at risk"

onpty 'wait=quit' 'send=q' -- s3backerctl -c "$conf" top >top.raw
ok $? "top"
python3 - top.raw <<'END' | unescape | tr -d '\r' | neat >top.txt
import sys
data = open(sys.argv[1], "rb").read().decode()
print(data.split("\x1b[H")[-1].split("\x1b[J")[0], end="")
END
has "$(cat top.txt)" 'processes +s3backerd' "shows the page"

# As a line of about 50 Mbit/s.
fault 'put:slow=400kB/s'
onpty 'wait=\[####' -- s3backerctl -c "$conf" flush >flush.raw
is $? 0 "flush"
no_fault
tr '\r' '\n' <flush.raw | unescape | grep -E '^\[#{8,}\.' | sed -n 1p | neat >flush.txt
has "$(cat flush.txt)" '^\[#+\.+\] uploading [0-9.]+ [KM]iB of 3.8 MiB, .* left$' "with a bar"
tr '\r' '\n' <flush.raw | unescape | grep . | tail -n 1 | neat >>flush.txt

adm -X DELETE "$admin/object/bkt/00000007" >/dev/null
ctl scrub 2>/dev/null | neat >scrub.txt
has "$(cat scrub.txt)" '^block 7: missing' "scrub"
stop_disk

if [ "${SCREENS:-}" ]; then
	{
		echo "# What it looks like"
		echo
		echo "Made by \`make screens\`, of a disk that was just used."
		for s in status top flush scrub; do
			printf '\n\t# s3backerctl %s\n' "$s"
			sed 's/^/\t/' "$s.txt"
		done
	} >"$SCREENS"
fi
done_testing
