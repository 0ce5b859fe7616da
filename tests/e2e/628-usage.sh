#!/bin/bash
# SPDX-License-Identifier: ISC
#
# What the disk asks of the store is counted by day and month, over restarts of every kind, and shown
# in dollars.

LIMIT=60 NEEDS="fuse"
. "$(dirname "$0")/lib.sh"

store s3
write_conf blockCacheFile="$work/cache" blockCacheSize=50 pricePut=1000 priceGet=10 priceOut=0 priceStored=1024 \
    readAhead=0
puts() { status usage.thisMonth.put; }
must_start
put "$file" 0 $((16 << 16)) one
ctl flush >/dev/null
first=$(puts)
le 16 "$first" "sixteen PUTs and the rest"
le "$first" 30 "and little more"
is "$(status 'usage.thisMonth.dollars == .usage.thisMonth.put + .usage.thisMonth.get / 100')" true "at the prices of the configuration"
is "$(status usage.stored.bytes)" $((16 << 16)) "what is stored"
is "$(status "usage.stored.dollarsPerMonth == 1")" true "and what that costs"
has "$(ctl status)" '^  cost +today about \$[0-9.]+: [0-9]+ PUT, [0-9]+ GET, 1.0 MiB up' "the page has it"
has "$(ctl status)" '1.0 MiB stored: \$1.0000 a month' "with what is stored"
has "$(ctl metrics)" '^s3backer_cost_estimate_dollars\{disk="disk",period="month"\} [1-9]' "and the metrics"
s3backerd -c "$conf" restart
le "$first" "$(puts)" "restart: they go on"
le "$(puts)" $((first + 5)) "and are not counted twice"
stop_disk
has "$(cat "$work/cache.usage")" "^month $(date -u +%Y-%m) [1-9]" "kept beside the cache file"
before=$(awk '$1 == "month" { print $3 }' "$work/cache.usage")
must_start
put "$file" $((20 << 16)) $((4 << 16)) two
ctl flush >/dev/null
le $((before + 4)) "$(puts)" "a new start adds to them"
le "$(puts)" $((before + 14)) "only what is new"
le "$(status usage.sinceStart.put)" 14 "since the start it is less"
fresh_day() { sed -i "s/^day [^ ]*/day 2001-01-01/; s/^month [^ ]*/month 2001-01/" "$work/cache.usage"; }
stop_disk
fresh_day
must_start
le "$(puts)" 12 "another month begins at nothing"
stop_disk
echo garbage >"$work/cache.usage"
must_start
ok $? "a file that is spoilt is begun anew"
stop_disk
has "$(cat "$work/cache.usage")" '^s3backer usage 1$' "and written"

write_conf idle prefix=i/ leaseTime=60s usageFile="$work/my.usage"
must_start
is "$(status usage.file)" "$work/my.usage" "usageFile"
is "$(status "usage.leasePerDay == 288")" true "the lease of an idle disk"
is "$(status usage.idle)" false "it has just begun"
stop_disk
has "$(cat my.usage)" '^disk bkt$' "is where it was told to be"
write_conf bad pricePut=cheap
has "$(s3backerd -c "$conf" check-config 2>&1)" 'pricePut: .*no price' "a price that is none"
done_testing
