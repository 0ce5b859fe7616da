#!/bin/bash
# SPDX-License-Identifier: ISC
#
# The examples of the manual, run as they stand there, line by line.
#
# s3backer-recipes(7) begins with what its marks mean.  On that page each display has one; on other
# pages those that have one are run.  Buckets become directories, and sizes smaller.

LIMIT=240 NEEDS="fuse loop ext4 overlay unshare mkfs.ext4 perl"
. "$(dirname "$0")/lib.sh"
. "$root/tests/e2e/ownroot.sh"
own_root

mkdir -p /etc/s3backer store
chmod 700 /etc/s3backer

# Steps of a page: "NUMBER SECTION<tab>MARK", and the display in step.NUMBER.
steps() { # steps PAGE
	perl -e '
	my ($n, $section, $mark) = (0, "", "");
	my $in;
	while (<>) {
		$section = $1 if /^\.S[hs] (.*)/;
		if (/^\.\\" EXAMPLE (.*)/) {
			$mark = $1;
			if ($mark =~ /^(begin|event)/) { print "0\t$section\t$mark\n"; $mark = ""; }
			next;
		}
		if (/^\.Bd/) {
			$n++;
			print "$n\t$section\t", ($mark || "none"), "\n";
			open($in, ">", "step.$n") or die;
			next;
		}
		if (/^\.Ed/) { close($in); undef($in); $mark = ""; next; }
		if (/^\.Dl # (.*)/ && $mark) { $n++; print "$n\t$section\t$mark\n"; open(my $o, ">", "step.$n"); print $o "# $1\n"; $mark = ""; }
		if ($in) { s/\\e/\\/g; s/\\-/-/g; print $in $_; }
	}' "$1"
}

scaled() { # a configuration for here
	sed -E "s|^(bucket *= *)([^f].*)|\1file://$work/store/\2|; /^(region|accessFile) /d
		s/= *[0-9]+g\$/= 600m/; s/^(blockCacheSize *=).*/\1 100m/" "$1"
	echo "logTo = $work/disk.log"
}
bucket_of() { sed -n "s|^bucket *= *file://||p" "$1" | tail -n 1; }
# What its "# " lines are for a shell; the others are what they print, unless a backslash goes before.
commands() { sed 's/ 200g$/ 1200m/' "$1" | awk '/^# / { print substr($0, 3); on = /\\$/; next } on { print; on = /\\$/ }'; }

everything_down() {
	local p dir
	umount -a -t ext4,xfs,btrfs 2>/dev/null
	for dir in /srv/mail /mnt/mail /mnt/mail1m; do
		while grep -q " $dir " /proc/self/mounts; do umount "$dir" 2>/dev/null || umount -l "$dir"; done
	done
	for p in /etc/s3backer.conf /etc/s3backer/*.conf; do s3backerd -c "$p" stop >/dev/null 2>&1; done
}
# A disk "mail" as at the beginning of the page, and perhaps a file system with something on it.
begin() {
	local want=$1
	everything_down
	rm -rf store/* /var/cache/s3backer /etc/fstab
	mkdir -p /var/cache/s3backer /mnt/mail /srv/mail
	: >/etc/fstab
	cp mail.conf "${2:-/etc/s3backer/mail.conf}"
	mkdir -p "$(bucket_of mail.conf)"
	quietly s3backerd -c "${2:-/etc/s3backer/mail.conf}" start || return 1
	before=$want
	[ "$want" = fs ] || return 0
	quietly mkfs.ext4 -q /mnt/mail/file && mount -o loop,discard /mnt/mail/file /srv/mail &&
	    random_file /srv/mail/something 3000000 x && sync /srv/mail/something
	something=$(sum </srv/mail/something)
}
all_killed() {
	local p
	p=$(pgrep '^s3backer')
	# shellcheck disable=SC2086
	[ -z "$p" ] || { kill -STOP $p && kill -KILL $p && wait_for 10 all_gone $p; }
	umount -l /srv/mail 2>/dev/null
	umount -l /mnt/mail
}
event() {
	case $1 in
	crash) all_killed ;;
	machine-lost)
		all_killed
		rm -f /var/cache/s3backer/* /run/s3backer/*
		! s3backerd -c /etc/s3backer/mail.conf start >refused 2>&1
		;;
	new-machine) rm -rf /var/cache/s3backer/* /run/s3backer ;;
	*) false ;;
	esac
}
have() {
	local t
	for t; do
		case $t in
		xfs | btrfs) grep -qw "$t" /proc/filesystems || modprobe -q "$t" 2>/dev/null || return 1 ;;
		dm-crypt) [ -e /dev/mapper/control ] || return 1 ;;
		*) command -v "$t" >/dev/null || return 1 ;;
		esac
	done
}

ran=0 unmarked='' before=''
play() { # play PAGE [CONFIGURATION]: with one, each example begins with a fresh disk
	local n section mark what arg fresh=${2:-}
	steps "$1" >steps
	while IFS=$'\t' read -r n section mark; do
		read -r what arg <<<"$mark"
		section="${1##*/}, $section"
		case $what in
		begin) begin $arg || ok 1 "$section: a disk to begin with" ;;
		event) event "$arg" || ok 1 "$section: $arg" ;;
		file | append)
			scaled "step.$n" >"file.$n"
			[ "$what" = append ] && cat "step.$n" >>"$arg" && continue
			install -m 600 "file.$n" "$arg"
			[ "$arg" != /etc/s3backer/mail.conf ] || cp "file.$n" mail.conf
			mkdir -p "$(bucket_of "file.$n")"
			;;
		run)
			# shellcheck disable=SC2086
			have $arg || { note "not run, needs $arg: $section"; continue; }
			[ -z "$fresh" ] || begin disk "$fresh" || ok 1 "$section: a disk to begin with"
			commands "step.$n" >"commands.$n"
			[ -s "commands.$n" ] || ok 1 "$section: something to run"
			quietly timeout 60 bash -ex "commands.$n" </dev/null
			ok $? "$section: $(head -n 1 "commands.$n")" || disk_log
			ran=$((ran + 1))
			if [ "$before" = fs ] && grep -q ' /srv/mail ' /proc/self/mounts; then
				is "$(sum </srv/mail/something)" "$something" "$section: nothing is lost by it"
			fi
			;;
		check)
			cat "step.$n" >"check.$n"
			grep -q mountPoint "check.$n" || echo "mountPoint = $work" >>"check.$n"
			quietly s3backerd -c "check.$n" check-config
			ok $? "$section: $(head -n 1 "check.$n")"
			ran=$((ran + 1))
			;;
		shown:) ;;
		none) unmarked="$unmarked ${section// /_}" ;;
		*) ok 1 "$section: a mark that means something: $mark" ;;
		esac
	done <steps
	everything_down
}

play "$root/man/s3backer-recipes.7"
[ "$ran" -ge 14 ]
ok $? "$ran examples were run"
is "$unmarked" "" "each display says whether it can run"

rm -f /etc/s3backer/*
for f in home.password home.keys; do install -m 600 /dev/null /etc/s3backer/$f; done
for page in s3backerd.8 s3backerctl.8 s3backer.conf.5; do
	play "$root/man/$page" /etc/s3backer.conf
done
done_testing
