#!/bin/bash
# SPDX-License-Identifier: ISC
#
# Connections break, stall and crawl at each phase of GETs and PUTs, and answers come late: no error for
# the user, never wrong data.

LIMIT=120
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/faults.sh"

through get:slow=1B/s:nth=1 put:slow=1B/s:nth=1
through get:reset=before:count=2 put:reset=before:count=2
through get:reset=body:count=2 put:reset=body:count=2
through get:reset=after:count=2 put:reset=after:count=2
through get:stall=3s:nth=1 put:stall=3s:nth=1
through get:stallbody=3s:nth=1
through get:short:count=2 get:truncate=100:count=4
through get:wronglength:nth=1 get:wronglength=-1:nth=2
through put:late=1500ms:nth=1
at_the_end
stop_disk
done_testing
