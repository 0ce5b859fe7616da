#!/bin/bash
# SPDX-License-Identifier: ISC
#
# The manual has every figure that a disk gives, with the same words.

LIMIT=60
. "$(dirname "$0")/lib.sh"

# "NAME TYPE HELP" of each family, as it is served, and as it is printed in the manual.
served() {
	ctl metrics | awk '$2 == "HELP" { name = $3; sub(/^# HELP [^ ]* /, ""); help = $0 }
		$2 == "TYPE" { print name, $4, help }' | LC_ALL=C sort
}
printed() {
	awk '/^\.\\" BEGIN metrics/ { on = 1 } /^\.\\" END metrics/ { on = 0 }
		!on { next }
		/^\.It Li/ { if (entry != "") print entry; entry = $3 " " $5; next }
		/^\./ { if (entry != "") print entry; entry = ""; next }
		{ entry = entry " " $0 }' "$root/man/s3backer-metrics.7" | LC_ALL=C sort
}

store dir
write_conf
must_start
put "$file" 0 200000 x
[ "$(served | wc -l)" -ge 40 ]
ok $? "a disk has $(served | wc -l) figures"
is "$(served | comm -23 - <(printed))" "" "the manual has all of them (man/gen-metrics-table)"
stop_disk
nothing_left "nothing is left"
done_testing
