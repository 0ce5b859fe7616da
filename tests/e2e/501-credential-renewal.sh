#!/bin/bash
# SPDX-License-Identifier: ISC
#
# Keys that run out are renewed in time and cost a few requests; a failure to renew them is said once
# and healed; a key that the store refuses is looked for again.

LIMIT=120
. "$(dirname "$0")/lib.sh"

store s3
export AWS_CONTAINER_CREDENTIALS_FULL_URI=$url/_aws/container/x
set_aws() { adm -X POST "$admin/aws?$1" >/dev/null; }
issued() { adm "$admin/aws" | sed 's/^issued=\([0-9]*\).*/\1/'; }
issued_above() { [ "$(issued)" -gt "$1" ]; }
answers() { grep -c "code=$1 " requests.log; } # answers CODE
asked() { awk '$3 ~ "^/_aws/"' requests.log | wc -l; }
write_some() { put "$file" "$1" 100000 "$1" && ctl flush >/dev/null; }
changes() { grep -c 'the credentials have changed' "$run/log"; }
changed() { [ "$(changes)" -gt "$1" ]; }

# Nine seconds each: renewed after six.
set_aws lifetime=9
write_conf accessId= accessKey= uploaders=1 blockCacheWriteDelay=50 maxRetryPause=60s
must_start
write_some 0
ok $? "written with the first keys"
wait_for 30 changed 0
ok $? "they are renewed"
write_some 200000
ok $? "written with the second ones"
le "$(answers ExpiredToken)" 2 "before they had run out"
le "$(issued)" 15 "they were not asked for all the time"

# The endpoint fails.  The old keys are used to their end, and the line comes once.
set_aws fail=500
wait_for 30 grep -q 'cannot renew the credentials, going on with the old ones' "$run/log"
ok $? "a failure is said"
before=$(asked)
tries_three() { [ "$(asked)" -ge $((before + 3)) ]; }
wait_for 40 tries_three
ok $? "it is tried again"
is "$(grep -c 'cannot renew the credentials' "$run/log")" 1 "without saying so again"
has_expired() { [ "$(answers ExpiredToken)" -ge 1 ]; }
put "$file" 400000 100000 z
keep_writing() { put "$file" 400000 100000 "$RANDOM"; has_expired; }
wait_for 40 keep_writing
ok $? "in the end the store refuses the old keys"
le "$(($(asked) - before))" 40 "which did not make a storm of questions"
set_aws "fail=0&lifetime=3600"
ctl flush >/dev/null
ok $? "the endpoint is back: everything gets written"
is "$(get "$file" 0 100000 | sum)" "$(random_file x 100000 0 && sum <x)" "and is what it was"

# The store refuses keys before their time.
n=$(changes)
fault "put:400=ExpiredToken:for=5s"
put "$file" 600000 100000 z
wait_for 20 changed "$n"
ok $? "ExpiredToken: others are fetched"
ctl flush >/dev/null
ok $? "and used"
no_fault
n=$(changes)
id=$(adm "$admin/aws" | sed 's/.* id=\([A-Z0-9]*\).*/\1/')
adm -X DELETE "$admin/credential?id=$id" >/dev/null
put "$file" 800000 100000 z
wait_for 20 changed "$n"
ok $? "a key that the store does not know any more: likewise"
ctl flush >/dev/null
ok $? "and used"
stop_disk
ok $? "stop"
done_testing
