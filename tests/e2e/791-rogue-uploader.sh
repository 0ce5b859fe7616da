#!/bin/bash
# SPDX-License-Identifier: ISC
#
# An uploader that was taken over writes garbage to each ring and all memory that it can reach
# (tests/tools/rogue.c).  Nobody else falls or hangs, what it was not given stays right in the cache and
# gets to the bucket, it is reported, and a good one takes its place.

LIMIT=150 NEEDS="root fuse"
. "$(dirname "$0")/lib.sh"

case ${S3B_VARIANT:-} in *thread*) skip_all "races are what it is made of" ;; esac

# A copy of the programs, in which the rogue stands in for the uploader.
mkdir bin && cp "$S3B_BIN"/s3back* bin/ && mv bin/s3backer-uploader bin/s3backer-uploader.real &&
    cp "$S3B_BIN/rogue" bin/s3backer-uploader || skip_all "the programs cannot be copied"
PATH=$work/bin:$PATH S3B_BIN=$work/bin
export S3B_ROGUE=$work/word

store s3
write_conf blockCacheFile="$work/cache" blockCacheSize=256 uploaders=2 blockCacheWriteDelay=1000 \
    initialRetryPause=50ms
must_start
put "$file" 0 4000000 clean
ctl flush >/dev/null
ok $? "blocks in the cache and in the bucket"
cp put.tmp want

frontend=$(role_pid frontend)
super=$(disk_pid)
logged() { [ "$(grep -c "$1" "$run/log")" -ge "$2" ]; }
begun=0

rogue() { # rogue WORD SEED
	local word=$1 old
	export S3B_SEED=$2
	begun=$((begun + 1))
	put "$file" 4194304 1000000 "dirty$begun" # is being uploaded meanwhile
	cp put.tmp "want.dirty"
	echo "$word" >word.new && mv word.new word
	old=$(role_pid uploader.0)
	kill -KILL "$old"
	wait_for 30 logged "rogue: begins" $begun
	ok $? "$word: an uploader is taken over"
	is "$(get "$file" 0 4000000 | sum)" "$(sum <want)" "$word: meanwhile what is cached reads right"
	put "$file" 6000000 500000 "more$begun"
	ok $? "$word: and writes are taken"
	cp put.tmp want.more
	# Its own end, or that of all uploaders, when cachemgr sees what it does.
	wait_for 40 logged "s3backerd: uploader.0 \(died\|ended\)" $((begun * 2))
	ok $? "$word: its end is reported"
	wait_for 40 good
	ok $? "$word: good ones work"
	is "$(get "$file" 0 4000000 | sum) $(get "$file" 4194304 1000000 | sum) $(get "$file" 6000000 500000 | sum)" \
	    "$(sum <want) $(sum <want.dirty) $(sum <want.more)" "$word: all bytes are right"
	timeout $((60 * slow)) s3backerctl -c "$conf" flush >/dev/null
	ok $? "$word: all gets to the bucket"
	is "$(role_pid frontend) $(disk_pid)" "$frontend $super" "$word: frontend and s3backerd are the same"
}
good() { [ "$(status_json | jq -r '[.processes[] | select(.role | startswith("uploader")) | select(.pid > 0)] | length')" = 2 ]; }

rogue messages 1
has "$(grep -a bad_messages "$mnt/stats" || ctl metrics | grep bad_messages)" "[1-9]" "messages that do not hold together are counted"
rogue memory 2
rogue rings 3
note "$(grep -h 'rogue: m' "$run/log" | sed 's/.*rogue/rogue/' | sort | uniq -c | head -n 20)"
has "$(grep -h 'rogue: memory' "$run/log")" "wrote=[1-9][0-9]* refused=[1-9]" "memory: some is its own, most is not"

# What the bucket has, to one who knows nothing else.
stop_disk
ok $? "stop"
empty_cache
must_start
is "$(get "$file" 0 4000000 | sum) $(get "$file" 4194304 1000000 | sum) $(get "$file" 6000000 500000 | sum)" \
    "$(sum <want) $(sum <want.dirty) $(sum <want.more)" "the bucket has the right bytes"
stop_disk
ok $? "stop again"
done_testing
