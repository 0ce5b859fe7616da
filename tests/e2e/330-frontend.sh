#!/bin/bash
# SPDX-License-Identifier: ISC
#
# The frontend against a cache manager that only plays one (fakecm) and is as nasty as the rules
# allow: it freezes, thaws and evicts at random, answers late, forgets what it was asked, and kills
# the frontend again and again.  Every byte must stay right and nobody may see an error.

LIMIT=240 NEEDS="root fuse"
. "$(dirname "$0")/lib.sh"

fe=$S3B_BIN/s3backer-frontend
mnt=$work/fe
mkdir -p "$mnt"
file=$mnt/file

resends() {
	local v
	v=$(uname -r)
	[ "$(printf '%s\n6.9\n' "${v%%-*}" | sort -V | head -n 1)" = 6.9 ]
}

start_fe() { # start_fe OPTIONS...
	"$S3B_BIN/fakecm" "$@" "$mnt" "$fe" >fakecm.log 2>&1 &
	fakecm=$!
	on_exit stop_pid "$fakecm" fakecm
	on_exit umount -l "$mnt"
	wait_for 10 test -e "$file" || { sed 's/^/# /' fakecm.log; echo "Bail out! no mount"; exit 1; }
}

stop_fe() { # stop_fe SENTENCE
	kill "$fakecm" && wait "$fakecm"
	ok $? "$*: ended well, every dirty slot announced, every awaited hazard rung" ||
	    tail -n 5 fakecm.log | cut -c1-400 | sed 's/^/# /'
}

figure() { tail -n 1 fakecm.log | grep -oE "\<$1=[0-9]+" | cut -d= -f2; }

hammer() { # hammer SENTENCE OPTIONS...
	local what=$1
	shift
	start_fe "$@"
	quietly diskcheck -j 4 -n 4000 -t 5 "$file"
	ok $? "$what: random writes, reads and trims through the page cache"
	quietly diskcheck -j 3 -n 4000 -t 3 -d -a 512 "$file"
	ok $? "$what: the same with O_DIRECT"
	stop_fe "$what"
}

hammer "64k blocks" -s 33554432 -b 65536 -n 40 -x -f -d 1500
hammer "4k blocks" -s 16777216 -b 4096 -n 500 -x -d 300
hammer "512-byte blocks" -s 4194304 -b 512 -n 5000 -x -a
hammer "4m blocks, 5 slots" -s 33554432 -b 4194304 -n 5 -x -a -d 500
hammer "forgetful cache manager" -s 33554432 -b 65536 -n 40 -x -d 3000 -r 60
le 10 "$(figure restarts)" "it forgot often enough"
if resends; then
	hammer "frontend killed" -s 33554432 -b 65536 -n 40 -x -d 1500 -k 250
	le 10 "$(figure kills)" "it was killed often enough"
	# Large requests and a cold mapping: most deaths fall into the kernel's copying.
	start_fe -s 67108864 -b 1048576 -n 70 -k 40
	quietly diskcheck -j 3 -n 100000 -t 5 -d -a 4096 -m 1048576 "$file"
	ok $? "frontend killed in the middle of large requests"
	stop_fe "large requests"
	le 20 "$(figure kills)" "it was killed often enough"
	hammer "both" -s 33554432 -b 65536 -n 40 -x -d 1500 -k 400 -r 150 -t -i
else
	note "Linux before 6.9: nobody can take over a mount"
fi

# What the file says yes and no to.
start_fe -s 8388608 -b 65536 -n 200 -e 3
is "$(stat -c '%s %a' "$file")" "8388608 600" "size and mode"
truncate -s 4m "$file" 2>/dev/null
is "$?" 1 "a disk cannot be truncated"
truncate -s 8m "$file"
ok $? "to its own size it can"
dd if=/dev/zero of="$file" bs=64k count=1 2>/dev/null
is "$?" 1 "nor opened with O_TRUNC"
dd if=/dev/zero of="$file" bs=64k seek=128 count=1 conv=notrunc 2>err
has "$(cat err)" "No space left" "a write behind the end is refused"
fallocate -l 8m "$file"
ok $? "allocating what is there is no change"
fallocate -l 9m "$file" 2>err
has "$(cat err)" "No space left" "allocating more is refused"
chmod 666 "$file" 2>/dev/null
is "$?" 1 "its mode is the configuration's"
rm -f "$file" 2>/dev/null
is "$?" 1 "it cannot be removed"
dd if=/dev/zero of="$file" bs=4k count=5 oflag=direct,dsync conv=notrunc 2>/dev/null
dd if=/dev/zero of="$file" bs=4k count=5 oflag=dsync conv=notrunc 2>/dev/null
dd if="$file" of=/dev/null bs=64k count=20 iflag=direct 2>err
has "$(cat err)" "Input/output error" "a block that cannot be had is an error"
dd if="$file" of=/dev/null bs=64k count=20 iflag=direct 2>/dev/null
ok $? "and is had when it can be again"
has "$(cat "$mnt/stats")" "^io_errors +[1-9]" "counted in the stats file"
rm "$mnt/stats" && has "$(cat "$mnt/stats")" "^io_errors +0 " "whose removal sets it back"
stop_fe "one disk"
is "$(figure FLUSH)" 11 "each O_DSYNC write was a flush, with O_DIRECT and without (and fallocate)"

# Writers at 4 MB/s: slower than they want, none stalled.
start_fe -s 8388608 -b 65536 -n 200 -w 4000000
began=$(now_ms)
dd if=/dev/zero of="$file" bs=64k count=100 oflag=direct conv=notrunc 2>/dev/null
took=$(($(now_ms) - began))
le 1400 "$took" "6.5 MB at 4 MB/s take their time, ms"
dd if="$file" of=/dev/null bs=64k count=100 iflag=direct 2>/dev/null
stop_fe "throttled"
le 1000000 "$(figure throttled_us)" "which is counted"
done_testing
