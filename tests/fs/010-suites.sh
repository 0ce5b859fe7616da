#!/bin/bash
# SPDX-License-Identifier: ISC
#
# A file system on the disk answers every operation as it does on a plain file, and has the same in it.
#
#	filex		as fsx: several files, every byte compared with a model
#	calls		as pjdfstest: what each call on names must answer, to whom
#	generic		as the generic group of xfstests: holes, shifts, mixes, clones, a log that is replayed
#	treeload	as fsstress: many processes change one tree; each result, and the tree in the end
#
# All at the same time, with sync and fstrim between; then everything once more from the bucket.

. "$(dirname "$0")/pair.sh"
. "$(dirname "$0")/generic.sh"
files=$([ "$long" ] && echo 4 || echo 2)
file_operations=$([ "$long" ] && echo 20000 || echo 400)
processes=$([ "$long" ] && echo 10 || echo 6)
operations=$([ "$long" ] && echo 20000 || echo 400)

# ---- what runs in each of the two directories --------------------------------------------------

in_file() { # in_file N: short, middle and long files
	filex -s $((SEED * 100 + $1)) -n "$file_operations" -l $((1 << 20 << $1 % 3)) -m "model.$1" \
	    "fs/file.$1"
}

all_at_once() {
	local i pids=() status=0 p
	mkdir fs/tree logs
	for ((i = 0; i < files; i++)); do
		in_file $i >"filex.$i" 2>&1 &
		pids+=($!)
	done
	treeload -s "$SEED" -p "$processes" -n "$operations" -l "$PWD/logs" fs/tree &
	pids+=($!)
	mkdir fs/calls && calls fs/calls >calls &
	pids+=($!)
	housekeeping &
	for p in "${pids[@]}"; do wait "$p" || status=1; done
	touch enough
	wait
	cat filex.* >filex
	[ "$status" = 0 ] || { cat filex; grep '^not' calls; }
	cat logs/* >log
	return "$status"
}

housekeeping() {
	until [ -e enough ]; do
		sync -f fs && fstrim fs || touch unclean
		sleep 0.3
	done
}

in_generic() { generic_cases "$type" "$long" >generic 2>&1; }

list() {
	local i
	for ((i = 0; i < files; i++)); do cmp "model.$i" "fs/file.$i" || return 1; done
	treelist fs >list
}

# ---- what must be the same ---------------------------------------------------------------------

suites() {
	pair_up
	on_both all_at_once
	ok $? "$type: $files files, $file_operations operations each; $processes processes, $operations each"
	same filex "$type: filex: the same operations, sizes and contents"
	same calls "$type: calls: the same answers ($(grep -c '^ok' disk/calls) right, $(grep -c '^says' disk/calls) as they say)"
	same log "$type: treeload: the same results ($(wc -l <disk/log), $(grep -c ' = [0-9]' disk/log) without error)"
	[ ! -e plain/unclean ] && [ ! -e disk/unclean ]
	ok $? "$type: sync and fstrim"
	on_both in_generic
	ok $? "$type: generic"
	same generic "$type: generic: the same output ($(wc -l <disk/generic) lines)"
	on_both list
	ok $? "$type: list"
	same list "$type: the same names, modes, links, sizes, contents, attributes ($(wc -l <disk/list))"
	mv disk/list disk/list.1
	pair_cold
	on_both list
	ok $? "$type: list, from the bucket; files as their models"
	same list "$type: the same names, modes, links, sizes, contents, attributes"
	is "$(sum <disk/list)" "$(sum <disk/list.1)" "$type: as before"
	pair_down
}

note "seed $SEED"
for_each_fs suites
done_testing
