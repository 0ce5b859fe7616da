#!/bin/bash
# SPDX-License-Identifier: ISC
#
# The mount token: of two machines one gets the disk.  Two run directories play two machines.

LIMIT=90
. "$(dirname "$0")/lib.sh"

refused() {
	local out status
	out=$(s3backerd -c "$conf" start 2>&1)
	status=$?
	is "$status $(wc -l <<<"$out")" "1 1" "$1: one line, exit 1"
	has "$out" "$(hostname)" "it says who holds the disk"
	nothing_left "nothing is left"
}

two_machines() {
	write_conf one
	must_start
	write_conf two
	refused "a second machine"
	write_conf two readOnly=yes
	refused "a second machine, read-only"
	use_disk one
	put "$file" 0 1000 x
	ok $? "the first goes on"
	stop_disk
	is "$(keys | grep -c mounted)" 0 "after stop the token is gone"
	use_disk two
	write_conf two
	start_disk
	ok $? "and the second machine may start" || disk_log
	is "$(get "$file" 0 1000 | sum)" "$(sum <put.tmp)" "with what the first has written"
	stop_disk
}

after_a_crash() {
	write_conf one
	must_start
	kill_disk
	ok $? "all processes killed"
	is "$(keys | grep -c mounted)" 1 "the token stays in the bucket"
	write_conf two
	refused "another machine"
	use_disk one
	start_disk
	ok $? "the same machine takes its own token again" || disk_log
	stop_disk
	is "$(keys | grep -c mounted)" 0 "and drops it at the end"
}

by_force() {
	write_conf one
	must_start
	kill_disk
	write_conf two force=yes
	start_disk
	ok $? "force takes the token of a dead machine" || disk_log
	stop_disk
	is "$(keys | grep -c mounted)" 0 "and drops it"
}

fences() {
	store s3
	write_conf one
	must_start
	is "$(status disk.fence)" strong "fence: strong where the store knows conditional PUTs"
	stop_disk
	write_conf one fence=off
	must_start
	is "$(status disk.fence)" none "fence = off: none"
	stop_disk
	stop_server
	start_server --no-conditional-put
	write_conf one
	must_start
	has "$(status disk.fence)" 'weak|none' "not strong where the store ignores conditions"
	stop_disk
	write_conf one fence=strong
	local out
	out=$(s3backerd -c "$conf" start 2>&1)
	is $? 1 "fence = strong is refused there"
	has "$out" fence "and says why"
	nothing_left "nothing is left"
}

for_each_store two_machines after_a_crash by_force
fences
done_testing
