#!/bin/bash
# SPDX-License-Identifier: ISC
#
# Trimmed and zeroed blocks have gone from the bucket, whoever did it, and are zeros for the other.

LIMIT=300 NEEDS="fuse loop"
. "$(dirname "$0")/lib.sh"

block_names() { server_keys "$prefix" | grep -oE '[0-9a-f]{8}$' | LC_ALL=C sort | tr '\n' ' '; }
want() { printf '%08x ' "$@"; }
range() { piece /dev/zero "$1" $(($2 * BLOCK)) $(($3 * BLOCK)); }
holes() { fallocate -p -o $(($2 * BLOCK)) -l $(($3 * BLOCK)) "$1"; }

trimmed_here() {
	new_model
	random_file noise $((32 * BLOCK)) 1
	piece noise model 0 $((32 * BLOCK))
	old_start --size=16m --blockSize=64k
	piece model "$old_file" 0 $((32 * BLOCK))
	old_stop
	is "$(block_names)" "$(want {0..31})" "$combination: 32 blocks written there"
	ours
	start_disk || { ok 1 "start"; disk_log; return; }
	holes "$file" 4 4 && range model 4 4
	ok $? "a hole here: blocks 4 to 7"
	fallocate -z -o $((12 * BLOCK)) -l $((2 * BLOCK)) "$file" && range model 12 2
	ok $? "a range zeroed: 12 and 13"
	piece /dev/zero "$file" $((16 * BLOCK)) $((2 * BLOCK)) && range model 16 2
	ok $? "zeros written: 16 and 17"
	fallocate -p -o $((20 * BLOCK + 100)) -l $((2 * BLOCK)) "$file"
	piece /dev/zero model $((20 * BLOCK + 100)) $((2 * BLOCK))
	ok $? "a hole with odd ends: 21, and parts of 20 and 22"
	loop_up "$file"
	quietly blkdiscard -o $((24 * BLOCK)) -l $((4 * BLOCK)) "$loop" && range model 24 4
	ok $? "discarded through a loop device: 24 to 27"
	loop_down "$loop"
	same_as "$file" "zeros here"
	stop_disk
	ok $? "stop"
	is "$(block_names)" "$(want {0..3} {8..11} 14 15 {18..20} 22 23 {28..31})" "gone from the bucket"
	old_start
	same_as "$old_file" "zeros there"
	old_stop
}

trimmed_there() {
	new_model
	ours size=16m blockSize=64k
	start_disk || { ok 1 "start"; disk_log; return; }
	random_file noise $((16 * BLOCK)) 2
	piece noise model 0 $((16 * BLOCK)) && piece noise "$file" 0 $((16 * BLOCK))
	stop_disk
	is "$(block_names)" "$(want {0..15})" "16 blocks written here"
	old_start
	holes "$old_file" 0 2 && range model 0 2
	ok $? "a hole there: blocks 0 and 1, and with block 0 the size"
	piece /dev/zero "$old_file" $((8 * BLOCK)) $((3 * BLOCK)) && range model 8 3
	ok $? "zeros written: 8 to 10"
	old_stop
	is "$(block_names)" "$(want {2..7} {11..15})" "gone from the bucket"
	ours
	has "$(s3backerd -c "$conf" start 2>&1)" 'size' "without block 0 the bucket does not say the size: ours asks for it"
	ours size=16m blockSize=64k
	start_disk
	same_as "$file" "zeros here"
	holes "$file" 0 256 && range model 0 256
	ok $? "the whole disk trimmed here"
	stop_disk
	is "$(server_keys)" "" "the bucket is empty"
	old_start --size=16m --blockSize=64k
	same_as "$old_file" "all zeros there"
	old_stop
}

for_each_combination trimmed_here trimmed_there
done_testing
