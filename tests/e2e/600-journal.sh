#!/bin/bash
# SPDX-License-Identifier: ISC
#
# What systemd's journal gets, which a small script plays: fields that say which disk and which role, a
# MESSAGE_ID where an administrator may want to wait for something, and stderr when nobody listens.

LIMIT=60 NEEDS="fuse unshare perl"
. "$(dirname "$0")/lib.sh"

if [ -z "${IN_NAMESPACE:-}" ]; then
	IN_NAMESPACE=1 exec unshare --mount --propagation private bash "$0"
fi
drop_copies
# A /run of our own, with nothing else in it than the journal's socket.
mount -t tmpfs tmpfs /run || skip_all "no tmpfs here"
mkdir -p /run/systemd/journal

# Each datagram as it came, an empty line after it.
cat >journald.pl <<'END'
use IO::Socket::UNIX;
use Socket;
my $s = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => '/run/systemd/journal/socket') or die("$!\n");
open(my $out, '>>', $ARGV[0]) or die("$!\n");
$out->autoflush(1);
while (defined($s->recv(my $datagram, 65536))) { print $out "$datagram\n"; }
END
perl journald.pl "$work/journal" &
journald=$!
on_exit stop_pid "$journald" perl
wait_for 10 test -S /run/systemd/journal/socket
# Of the datagrams that match a regular expression, one field.
field() { perl -00 -ne "if (/$1/m) { /^$2=(.*)/m; print \"\$1\\n\" }" journal; }
arrived() { [ -n "$(field "$1" MESSAGE)" ]; }
id_of() { sed -n "s/^LOG_EVENT($1, \"\([0-9a-f]*\)\").*/\1/p" "$root/common/log_events.def"; }

store dir
write_conf mail logTo=journal uploaders=1 blockCacheFile="$work/cache"
must_start
wait_for 10 arrived 'MESSAGE=the disk is ready'
is "$(field 'MESSAGE=the disk is ready' MESSAGE_ID)" "$(id_of READY)" "ready, with its MESSAGE_ID"
is "$(field 'MESSAGE=the disk is ready' S3B_DISK)" mail "the disk"
is "$(field 'MESSAGE=the disk is ready' S3B_ROLE)" s3backerd "the role"
is "$(field 'MESSAGE=the disk is ready' S3B_FILE)" "$file" "and what the text says, as fields"
is "$(field 'MESSAGE=the disk is ready' PRIORITY)" 6 "an information"
kill -KILL "$(role_pid uploader.0)"
wait_for 20 arrived "MESSAGE_ID=$(id_of DEATH)"
is "$(field "MESSAGE_ID=$(id_of DEATH)" PRIORITY)" 4 "a death is a warning"
is "$(field "MESSAGE_ID=$(id_of DEATH)" S3B_SIGNAL)" KILL "and says of what"
ctl set logLevel debug >/dev/null
put "$file" 0 100000 x
sync "$file"
quietly s3backerd -c "$conf" restart
stop_disk
wait_for 10 arrived "MESSAGE_ID=$(id_of STOPPED)"
ok $? "stopped"
is "$(field 'S3B_ROLE=(?!s3backerd)' S3B_DISK | sort -u)" mail "the roles know the disk as well"
is "$(field . SYSLOG_IDENTIFIER | sort -u)" s3backerd "all under one name"
nothing_left "nothing is left"

# As systemd starts it: stderr is the stream that JOURNAL_STREAM names, and auto means the journal.
: >journal
write_conf auto logTo=auto uploaders=1
: >stream
JOURNAL_STREAM=$(stat -c %d:%i stream) s3backerd -f -c "$conf" start 2>>stream &
daemon=$!
wait_for 20 arrived 'MESSAGE=the disk is ready'
ok $? "-f with its stderr in the journal: auto is the journal"
is "$(field 'MESSAGE=the disk is ready' S3B_DISK)" auto "with fields"
has "$(field 'MESSAGE=cachemgr is ready' S3B_ROLE)" . "of the roles, too"
kill "$journald"
wait "$journald" 2>/dev/null
rm /run/systemd/journal/socket
kill "$daemon"
wait "$daemon"
is $? 0 "the journal goes away: nobody minds"
has "$(cat stream)" '<6>s3backerd: stopped' "what it would have got is on stderr"
nothing_left "nothing is left"

write_conf none logTo=journal
out=$(s3backerd -f -c "$conf" start 2>&1 & wait_for 20 test -e "$mnt/file" && stop_disk; wait)
has "$out" 'cannot log to journal' "no journal at all: it says so, and starts"
done_testing
