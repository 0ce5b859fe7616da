#!/bin/bash
# SPDX-License-Identifier: ISC
#
# The store accepts connections and says nothing for a while: writes go on while the cache has room, cached blocks are read, others
# wait; and a few seconds after it is back, so is everything.

LIMIT=120
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/outage.sh"

# ---- it accepts and says nothing ----------------------------------------------------------------
fault 'any:stall=60s'
during "silence" 120
waits "silence"
wait_for 20 grep -q 'no answer for 2' "$run/log"
ok $? "silence: noticed" || disk_log
no_fault
back=$(now_ms)
healed "silence" 120

stop_disk
empty_cache
must_start
quietly cmp <(get "$file" 0 $((16 << 20))) old
ok $? "in the end all that was there before is there"
stop_disk
done_testing
