#!/bin/bash
# SPDX-License-Identifier: ISC
#
# What one program has written the other reads, byte for byte, and both store the same objects.

LIMIT=300
. "$(dirname "$0")/lib.sh"

there_and_here() {
	new_model
	old_start --size=16m --blockSize=64k
	ok $? "$combination: the old program makes a disk" || return
	scribble 1 model "$old_file"
	old_stop
	ok $? "and writes"
	local theirs
	theirs=$(server_keys "$prefix" | grep -cE '[0-9a-f]{8}$')
	le 10 "$theirs" "objects"

	ours
	start_disk
	ok $? "ours finds the size, and starts" || { disk_log; return; }
	is "$(status disk.size) $(status disk.blockSize)" "$SIZE $BLOCK" "the same size and block size"
	same_as "$file" "written there, read here"
	scribble 2 model "$file"
	same_as "$file" "changed here, read here"
	stop_disk
	ok $? "stop" || disk_log
	is "$(server_keys "$prefix" | grep -c mounted)" 0 "no token is left"

	old_start
	ok $? "the old program finds the size, and starts"
	same_as "$old_file" "written here, read there"
	scribble 3 model "$old_file"
	old_stop
	ok $? "and ends"
	ours listBlocks=no
	start_disk
	same_as "$file" "changed there in blocks of ours, read here"
	stop_disk
	is "$(server_stats signature_failures)" 0 "no request was signed wrongly"
}

# What grew when it was compressed ours stores as it is: the same is done to the objects of the old one.
plain_where_larger() {
	local key sizes
	server_keys "$prefix" | while read -r key; do
		object "$key" >body
		[ "$(stat -c %s body)" -gt $BLOCK ] || continue
		get model $((16#${key: -8} * BLOCK)) $BLOCK >body
		sizes=()
		[ "${key: -8}" != 00000000 ] ||
		    sizes=(-H "x-amz-meta-s3backer-blocksize: $BLOCK" -H "x-amz-meta-s3backer-filesize: $SIZE")
		adm -T body -H 'Content-Type: application/x-s3backer-block' "${sizes[@]}" \
		    "$admin/object/bkt/$key" >/dev/null
		echo "$key"
	done
}

# Nothing in the format is left to chance, so the same content must be the same objects.
same_objects() {
	local theirs
	new_model
	scribble 1 model
	old_start --size=16m --blockSize=64k
	piece model "$old_file" 0 $SIZE
	old_stop
	if [ "$combination" = deflate ]; then
		le 5 "$(plain_where_larger | wc -l)" "blocks that the old program made larger"
	fi
	theirs=$(block_objects)
	wipe_bucket
	ours size=16m blockSize=64k
	start_disk
	ok $? "ours makes a disk" || { disk_log; return; }
	piece model "$file" 0 $SIZE
	stop_disk
	is "$(block_objects)" "$theirs" "the same content: the same names, bytes and headers"
	le 10 "$(wc -l <<<"$theirs")" "lines compared"
	old_start
	same_as "$old_file" "made here, read there"
	old_stop
}

for_each_combination there_and_here same_objects
done_testing
