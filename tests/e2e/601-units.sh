#!/bin/bash
# SPDX-License-Identifier: ISC
#
# The systemd units as they are installed: systemd-analyze reads them without a complaint, what they
# take away from the service is as much as a service that mounts can do without, and each MESSAGE_ID
# has its explanation.

LIMIT=90 NEEDS="systemd-analyze make"
. "$(dirname "$0")/lib.sh"

# Nothing is built: the units are text.
B=$work/b
quietly env -u MAKEFLAGS -u MFLAGS make -s -C "$root" B="$B" SBINDIR="$S3B_BIN" systemd-units
ok $? "both units are made"
units=$B/systemd

for u in s3backerd.service s3backerd@.service; do
	out=$(systemd-analyze verify --man=no "${units}/${u/@/@mail}" 2>&1 | grep -F s3backerd)
	is "$out" "" "systemd-analyze verify $u"
	has "$(cat "$units/$u")" "^ExecStart=$S3B_BIN/s3backerd -f -c /etc/s3backer(/%i)?\.conf start" "starts the disk"
	has "$(cat "$units/$u")" '^Type=notify' "and waits until it is ready"
	is "$(grep -c '@[A-Z]*@' "$units/$u")" 0 "nothing is left to be filled in"
done

# Anything that gives the service a mount namespace would hide the disk from everybody else.  These do
# not count then; of all the others the exposure is below 3.
cat >policy.json <<'END'
{"PrivateTmp": {"weight": 0}, "PrivateDevices": {"weight": 0}, "PrivateMounts": {"weight": 0},
 "PrivateUsers": {"weight": 0}, "ProtectSystem": {"weight": 0}, "ProtectHome": {"weight": 0},
 "ProtectProc": {"weight": 0}, "ProcSubset": {"weight": 0}, "ProtectKernelTunables": {"weight": 0},
 "ProtectKernelModules": {"weight": 0}, "ProtectKernelLogs": {"weight": 0},
 "ProtectControlGroups": {"weight": 0}, "RootDirectoryOrRootImage": {"weight": 0},
 "UserOrDynamicUser": {"weight": 0}, "CapabilityBoundingSet_CAP_SYS_ADMIN": {"weight": 0},
 "SystemCallFilter_mount": {"weight": 0}}
END
out=$(systemd-analyze security --offline=true --no-pager --security-policy=policy.json --threshold=30 \
    "$units/s3backerd.service" 2>&1)
ok $? "exposure, without what a mount forbids: $(grep -o 'level for.*' <<<"$out")" ||
    grep -v '^✓' <<<"$out" | sed 's/^/# /' >&2
is "$(grep -cE '^(Private(Tmp|Devices|Mounts|Users)|Protect(System|Home|Proc|Kernel|Control)|Mount|Bind|Temp|.*Paths)[A-Za-z]*=' \
    "$units/s3backerd.service")" 0 "and nothing that hides the mount is set"

defined=$(sed -n 's/^LOG_EVENT(.*"\([0-9a-f]*\)").*/\1/p' "$root/common/log_events.def" | sort)
is "$(sed -n 's/^-- //p' "$root/etc/systemd/s3backerd.catalog" | sort)" "$defined" "each MESSAGE_ID is explained"
mkdir -p root/usr/lib/systemd/catalog root/var/lib/systemd/catalog
cp "$root/etc/systemd/s3backerd.catalog" root/usr/lib/systemd/catalog/
if command -v journalctl >/dev/null; then
	quietly journalctl --update-catalog --root="$work/root"
	ok $? "journalctl takes the explanations"
fi
if command -v apparmor_parser >/dev/null; then # its kernel need not be there
	quietly apparmor_parser -Q -K "$root/etc/apparmor/usr.sbin.s3backerd"
	ok $? "apparmor_parser takes the profile"
fi
done_testing
