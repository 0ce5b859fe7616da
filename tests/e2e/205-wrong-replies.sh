#!/bin/bash
# SPDX-License-Identifier: ISC
#
# The store gives every kind of wrong answer, to GETs and PUTs: no error for the user, never wrong data.

LIMIT=120
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/faults.sh"

through get:200error:count=2 put:200error:count=2
through get:404=NoSuchKey:count=3
through get:404=NoSuchBucket:count=2 put:404=NoSuchBucket:count=2
through put:409=OperationAborted:count=2 put:412:count=2
through any:429:count=4
through any:500:count=4
through any:503:count=4
through any:503:retry-after=1:count=2
through any:403=ExpiredToken:count=2
through any:403=RequestTimeTooSkewed:count=2
through any:400=RequestTimeout:count=4
through any:301:count=2
through any:307:count=2
through put:etag=bad:nth=1
through get:garbage:count=3
at_the_end
stop_disk
done_testing
