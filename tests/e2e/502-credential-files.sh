#!/bin/bash
# SPDX-License-Identifier: ISC
#
# Files with keys that only root may read, while the uploader is somebody else: read, and read again
# when they change, by the process that it has left behind for that.

LIMIT=120
. "$(dirname "$0")/lib.sh"

store s3
chmod 711 "$work"
mkdir -p "$HOME/.aws" && chmod 700 "$HOME" "$HOME/.aws"
uid_of() { sed -n 's/^Uid:\t*\([0-9]*\).*/\1/p' "/proc/$1/status"; }
reader_of() { pgrep -P "$(role_pid "$1")"; }
changes() { grep -c 'the credentials have changed' "$run/log"; }
changed() { [ "$(changes)" -gt "$1" ]; }
add_key() { adm --data-binary "$1:$2" "$admin/credential" >/dev/null; }
drop_key() { adm -X DELETE "$admin/credential?id=$1" >/dev/null; }
write_some() { put "$file" "$1" 100000 "$1" && ctl flush >/dev/null; }
add_key ONE secret1
drop_key "$ID"

# ---- accessFile ----------------------------------------------------------------------------------
printf '# keys\nONE:secret1\n' >keys && chmod 600 keys
write_conf user=nobody accessId= accessKey= accessFile="$work/keys" uploaders=1
must_start
write_some 0
ok $? "written with the key of a file that only root may read"
is "$(uid_of "$(role_pid uploader.0)")" "$(id -u nobody)" "the uploader is nobody"
reader=$(reader_of uploader.0)
is "$(uid_of "$reader")" 0 "its reader is who started the disk"
is "$(ls "/proc/$reader/fd" | tr '\n' ' ')" "0 1 2 3 " "which has nothing open but the way to it"
has "$(tr -d '\0' <"/proc/$reader/cmdline")" "s3backer-uploader: bkt .reads credentials." "ps says what it is"

n=$(changes)
add_key TWO secret2
printf 'TWO:secret2\n' >keys.new && chmod 600 keys.new && mv keys.new keys
wait_for 40 changed "$n"
ok $? "another file in its place is noticed"
drop_key ONE
write_some 200000
ok $? "written with the new key"
printf 'nothing\n' >keys
wait_for 40 grep -q 'cannot renew the credentials.*has no line ID:KEY' "$run/log"
ok $? "a file without keys: a line in the log"
write_some 400000
ok $? "and the old key"
printf 'TWO:secret2\n' >keys

# ---- the second life -------------------------------------------------------------------------------
old=$(role_pid uploader.0)
add_key THREE secret3
printf 'THREE:secret3\n' >keys
drop_key TWO
kill -KILL "$old"
is_new() { local p; p=$(role_pid uploader.0); [ -n "$p" ] && [ "$p" != 0 ] && [ "$p" != "$old" ]; }
wait_for 40 is_new
ok $? "a new uploader"
wait_for 10 gone "$reader"
ok $? "the reader has gone with the old one"
write_some 600000
ok $? "it has what is in the file now, not what was there at the start"
reader=$(reader_of uploader.0)
stop_disk
ok $? "stop"
wait_for 10 gone "$reader"
ok $? "no reader is left"

# ---- a profile -------------------------------------------------------------------------------------
conf_of() { printf '[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n' "$1" "$2"; }
mkdir "$HOME/.aws/a" "$HOME/.aws/b"
conf_of THREE secret3 >"$HOME/.aws/a/credentials"
conf_of FOUR secret4 >"$HOME/.aws/b/credentials"
chmod 600 "$HOME"/.aws/?/credentials
ln -s a/credentials "$HOME/.aws/credentials"
write_conf second user=nobody accessId= accessKey= profile=default uploaders=1 prefix=second-
use_disk second
must_start
write_some 0
ok $? "written with the key of a profile"
n=$(changes)
add_key FOUR secret4
ln -s b/credentials "$HOME/.aws/new" && mv -T "$HOME/.aws/new" "$HOME/.aws/credentials"
wait_for 40 changed "$n"
ok $? "a link that leads elsewhere is noticed"
drop_key THREE
write_some 200000
ok $? "written with the new key"
quietly s3backerd -c "$conf" restart
ok $? "restart"
write_some 400000
ok $? "written after it"
stop_disk
ok $? "stop"
done_testing
