#!/bin/bash
# SPDX-License-Identifier: ISC
#
# The rules of the uploader, broken on purpose one after the other: the test that is there for each of
# them must fail then.  A test that cannot fail shows nothing.

LIMIT=300 NEEDS=inject
. "$(dirname "$0")/lib.sh"

units=$S3B_BIN/../unit/uploader
[ -x "$units/test_pool.t" ] || skip_all "the unit tests are not built"

broken() { # broken MUTATION TEST
	local out
	[ -x "$units/$2.t" ] || { ok 1 "$1: no $2.t"; return; }
	out=$(S3B_INJECT="mutate.$1:fail:0" timeout 100 "$units/$2.t" 2>/dev/null)
	has "$out" '^not ok' "$1: $2 fails"
}

broken p6-no-fence test_lease
broken p1-any-body test_verify
broken p1-missing-is-zero test_landing
broken p2-trust-the-dead test_landing
broken p2-last-answer-wins test_pool
broken p1-two-in-a-slot test_hedge
done_testing
