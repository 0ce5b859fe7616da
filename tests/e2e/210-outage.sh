#!/bin/bash
# SPDX-License-Identifier: ISC
#
# The store is away for a while: writes go on while the cache has room, cached blocks are read, others
# wait; few requests are sent; and a few seconds after it is back, so is everything.

LIMIT=120
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/outage.sh"

# ---- nobody listens ----------------------------------------------------------------------------
stop_server
during "connection refused" 40
wait_for 10 grep -q 'asking once a second' "$run/log"
ok $? "connection refused: noticed, once" || disk_log
waits "connection refused"
start_server --dir "$objects"
back=$(now_ms)
healed "connection refused" 40
begun() { grep -cE 'the store (serves no reads|takes no changes), asking once a second' "$run/log"; }
ended() { grep -cE 'the store (serves reads|takes changes) again' "$run/log"; }
has_ended() { [ "$(begun)" = "$(ended)" ]; }
wait_for 20 has_ended
ok $? "connection refused: its end is noticed, too" || disk_log
before=$(begun)

# ---- it answers, but only with errors: what does an hour cost? ----------------------------------
fault 'any:503'
during "503" 80
has_begun() { [ "$(begun)" -gt "$before" ]; }
wait_for 20 has_begun
ok $? "503: noticed" || disk_log
server_reset
from=$(now_ms)
wait_for 20 eval '[ $(($(now_ms) - from)) -ge 6000 ]'
n=$(server_stats requests) span=$(($(now_ms) - from))
waits "503"
# One probe a second for reads and one for changes, however many uploaders; a token may be renewed besides, and on a slow machine the
# server has some of those before it in hand.  80 blocks that are tried again are hundreds.
le "$n" $((span / 1000 * 2 + 12)) "503: requests in $span ms"
le 2 "$n" "503: but it is probed"
no_fault
back=$(now_ms)
healed "503" 80

stop_disk
empty_cache
must_start
quietly cmp <(get "$file" 0 $((16 << 20))) old
ok $? "in the end all that was there before is there"
stop_disk
done_testing
