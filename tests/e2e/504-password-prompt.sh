#!/bin/bash
# SPDX-License-Identifier: ISC
#
# The password of a disk that has none in its configuration: asked for on a terminal, without echo;
# where there is none, by systemd-ask-password; and if that is not there either, a line says what to do.

LIMIT=120 NEEDS="fuse script setsid"
. "$(dirname "$0")/lib.sh"

store s3
write_conf encrypt=yes
password=correct-horse
# The first disk says what the password was: it wrote a block, and another one must not read it.
write_conf first encrypt=yes password=$password
use_disk first
must_start
put "$file" 0 100000 x
want=$(sum <put.tmp)
stop_disk

# script(1) gives a terminal and types when the question is there, as a user does.
use_disk disk
mkfifo keys
script -qefc "s3backerd -c $conf start" typescript <keys >/dev/null 2>&1 &
exec 9>keys
wait_for 60 grep -q "Password of disk bkt: " typescript
ok $? "the question names the disk"
echo "$password" >&9
exec 9>&-
wait $!
is $? 0 "start with a password from a terminal"
is "$(grep -c "$password" typescript)" 0 "it is not echoed"
is "$(get "$file" 0 100000 | sum)" "$want" "the disk can be read"
is "$(grep -rc "$password" "$run/log")" 0 "it is not in the log"
quietly s3backerd -c "$conf" restart
ok $? "restart asks nobody"
drop_pages
is "$(get "$file" 0 100000 | sum)" "$want" "and still has it"
stop_disk
ok $? "stop"

# A stand-in for systemd-ask-password.
mkdir -p agent
cat >agent/systemd-ask-password <<END
#!/bin/sh
printf '%s\n' "\$*" >$work/asked
[ -e $work/no-answer ] && exit 1
echo $password
END
chmod 755 agent/systemd-ask-password
quietly setsid -w env PATH="$work/agent:$PATH" s3backerd -c "$conf" start </dev/null
ok $? "start without a terminal"
has "$(cat asked)" "^--id=s3backer .*Password of disk bkt: $" "systemd-ask-password was asked"
is "$(get "$file" 0 100000 | sum)" "$want" "the disk can be read"
stop_disk

start_alone() { setsid -w env PATH="$1" "$S3B_BIN/s3backerd" -c "$conf" start 2>&1 </dev/null; }
touch no-answer
out=$(start_alone "$work/agent:$PATH")
is $? 1 "no answer: exit 1"
is "$out" "s3backerd: encrypt: no password: systemd-ask-password got no answer (passwordFile, or start it on a terminal)" \
    "and the line says what to do"
mkdir -p empty
out=$(PATH=$PATH start_alone "$work/empty")
is "$out" "s3backerd: encrypt: no password (passwordFile, or start it on a terminal; systemd-ask-password is not there)" \
    "neither a terminal nor systemd-ask-password"
nothing_left "nothing is left of these"
done_testing
