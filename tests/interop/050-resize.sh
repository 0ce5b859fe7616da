#!/bin/bash
# SPDX-License-Identifier: ISC
#
# A disk grows with force and a larger size, and goes back; in both programs, seen by both.

LIMIT=300
. "$(dirname "$0")/lib.sh"

header_size() {
	adm -I -X GET "$admin/object/bkt/$(server_keys "$prefix" | grep -E '00000000$')" |
	    tr -d '\r' | sed -n 's/^x-amz-meta-s3backer-filesize: //Ip'
}
resize_model() { truncate -s "$1" model; }

by_ours() {
	new_model
	old_start --size=16m --blockSize=64k
	scribble 1 model "$old_file"
	old_stop
	is "$(header_size)" $((16 << 20)) "$combination: 16 MiB made there"

	ours size=24m
	local out
	out=$(s3backerd -c "$conf" start 2>&1)
	is $? 1 "another size without force is refused"
	has "$out" 'size' "and says so"
	ours size=24m force=yes
	start_disk
	ok $? "with force it grows to 24 MiB" || { disk_log; return; }
	resize_model 24m
	same_as "$file" "the old part is there, the new part is zeros"
	piece noise "$file" $((20 << 20)) 700000 && piece noise model $((20 << 20)) 700000
	piece noise "$file" $(((24 << 20) - 5000)) 5000 && piece noise model $(((24 << 20) - 5000)) 5000
	piece text "$file" 100 5000 && piece text model 100 5000
	stop_disk
	is "$(header_size)" $((24 << 20)) "the bucket says 24 MiB"
	old_start
	ok $? "the old program finds it"
	same_as "$old_file" "all of it is there"
	old_stop

	ours
	start_disk
	is "$(status disk.size)" $((24 << 20)) "ours, too, without being told"
	stop_disk
	ours size=16m force=yes
	start_disk
	ok $? "and back to 16 MiB"
	resize_model 16m
	same_as "$file" "the first 16 MiB are there"
	piece text "$file" 200 5000 && piece text model 200 5000
	stop_disk
	is "$(header_size)" $((16 << 20)) "the bucket says so"
	old_start
	same_as "$old_file" "and the old program sees them"
	old_stop
}

by_old() {
	new_model
	ours size=16m blockSize=64k
	start_disk || { ok 1 start; disk_log; return; }
	scribble 1 model "$file"
	stop_disk
	is "$(header_size)" $((16 << 20)) "$combination: 16 MiB made here"
	old_start --force --size=24m
	resize_model 24m
	same_as "$old_file" "grown there"
	piece noise "$old_file" $((20 << 20)) 700000 && piece noise model $((20 << 20)) 700000
	piece text "$old_file" 100 5000 && piece text model 100 5000
	old_stop
	ours
	start_disk
	is "$(status disk.size)" $((24 << 20)) "ours finds 24 MiB"
	same_as "$file" "all of it is there"
	stop_disk
	old_start --force --size=16m
	resize_model 16m
	piece text "$old_file" 300 5000 && piece text model 300 5000
	old_stop
	ours
	start_disk
	is "$(status disk.size)" $((16 << 20)) "back to 16 MiB there, found here"
	same_as "$file" "the first 16 MiB are there"
	stop_disk
	le "$(server_keys "$prefix" | grep -cE '[0-9a-f]{8}$')" 64 "objects, what lay behind the end among them"
}

for_each_combination by_ours by_old
done_testing
