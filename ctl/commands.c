/* SPDX-License-Identifier: ISC */
/*
 * commands.c -- the table of commands, and the help that is made of it.
 */
#include <stdio.h>
#include <string.h>

#include "ctl/command.h"

#include "ctl/guard.h"

#define WATCHING                                                                                   \
	"On a terminal a bar shows how far it is, elsewhere a line now and then, on stderr.\n"     \
	"Ctrl-C ends the watching, not the work.\n"

const struct command commands[] = {
    {"status", 0, 0, true, 0, cmd_status, "health, what is at risk, cache, requests, processes",
	"Health comes first, then what would be lost with this machine, then the figures.\n"
	"With --json the same as one object, for programs; its members are in s3backerctl(8).\n",
	""},
    {"top", 0, 0, true, 0, cmd_top, "the status page, again each second",
	"q ends it, space looks at once.  Not on a terminal: one page after the other, until\n"
	"--timeout.\n",
	""},
    {"flush", 0, 0, true, 0, cmd_flush, "upload what has changed and wait",
	"Uploads all that is dirty at this moment, and waits until the bucket holds it.\n" WATCHING,
	""},
    {"drain", 0, 0, true, 0, cmd_drain, "the same, then every write goes to the bucket first",
	"Like flush; afterwards each write is in the bucket before it is acknowledged, until\n"
	"`s3backerctl resume`.  The cache file may then be deleted and the machine taken "
	"away.\n" WATCHING,
	""},
    {"resume", 0, 0, true, 0, cmd_resume, "back to normal after drain",
	"Writes are acknowledged again as soon as the cache has them.\n", ""},
    {"wait", 0, 0, true, OF_CLEAN | OF_AGE, cmd_wait,
	"until the bucket holds everything (or all older than T)",
	"For scripts and shutdown hooks; it changes nothing, it only waits.\n"
	"  --clean    until the bucket holds everything\n"
	"  --age T    until nothing older than T (30, 500ms, 5m) is missing from it\n" WATCHING,
	"--clean | --age T"},
    {"set", 2, 2, true, 0, cmd_set, "change a limit, level or size while running",
	"KEY and VALUE as in s3backer.conf(5).  What cannot change while the disk runs is\n"
	"refused, with what to do instead.  The configuration file stays as it is.\n",
	"KEY VALUE"},
    {"metrics", 0, 0, true, 0, cmd_metrics, "figures for Prometheus",
	"The figures in Prometheus' text format, as metricsListen serves them.\n", ""},
    {"scrub", 0, 0, true, OF_REPAIR | OF_CANCEL, cmd_scrub, "read every block back and check it",
	"Reads each object of the disk from the bucket, at low priority and past the cache, and\n"
	"checks length, checksum and HMAC.  Lists what is damaged or missing; exit 1 when "
	"anything\n"
	"of that was not repaired.  It is the disk's work: it goes on over restarts and when the\n"
	"watching is ended with Ctrl-C, and `scrub` again watches the one under way.\n"
	"  --repair   put good copies that are in the cache over bad objects\n"
	"  --cancel   end the one under way\n"
	"A block that is not listed any more with an object counts as zeros, not as missing.\n",
	"[--repair | --cancel]"},
    {"mounted-flag", 0, 0, false, 0, cmd_mounted_flag, "who holds the mount token (-c FILE)",
	"Asks the bucket.  Needs -c FILE; the disk need not run.\n", ""},
    {"reset-mounted-flag", 0, 0, false, OF_FORCE, cmd_reset_mounted_flag,
	"release the mount token that a dead machine left (-c FILE)",
	"Shows who held it, then releases it.  Do this only when that machine is really gone:\n"
	"two that write the same disk destroy it.  Needs -c FILE.  --force, which the old program\n"
	"wants, is accepted and changes nothing.\n",
	"[--force]"},
    {"probe", 0, 0, false, 0, cmd_probe, "what the store can do, how fast, what to set (-c FILE)",
	"Tries conditional PUT, checksums, ranges, listing and bulk delete, measures latency and\n"
	"rates, and suggests blockSize and maxTransfers.  About ten seconds, up to a GiB of "
	"traffic\n"
	"on a fast line.  Works with objects of its own, which it removes; the disk may run or "
	"not.\n",
	""},
    {"erase", 0, 0, false, OF_FORCE, cmd_erase, "remove the disk from its bucket (-c FILE)",
	"Shows what is there and asks for the name of the disk; --force does not ask.  Never "
	"while\n"
	"it is mounted, here or elsewhere.  Only objects that are blocks of this disk are "
	"removed,\n"
	"then its mount token.  What was interrupted goes on with the same command.\n",
	"[--force]"},
    {"attach", 1, 1, true, OF_FS | OF_MKFS | OF_OPTIONS, cmd_attach,
	"mount the file system of the disk on a directory",
	"Makes a loop device on the disk's file, with direct I/O and sectors of 4096 bytes (what\n"
	"is there may want smaller ones), and mounts it.  The disk must be running.  What is\n"
	"attached there already is a success; after a failure nothing stays attached.\n"
	"  --mkfs     make a file system first; never over anything that blkid(8) knows\n"
	"  --fs TYPE  ext4, xfs or btrfs; without --mkfs: what must be there\n"
	"  -o OPTS    for mount(8), after `discard`\n",
	"[--fs TYPE] [--mkfs] [-o OPTS] DIR"},
    {"detach", 1, 1, false, 0, cmd_detach, "unmount it again; the disk runs on",
	"Writes back what is in memory, unmounts, and ends the loop device.  Says who keeps it\n"
	"busy.  A directory on which nothing is mounted is a success.\n",
	"DIR"},
    {"info", 0, 1, false, OF_OPTIONS, cmd_info, "what is in a bucket (-c FILE, or its name)",
	"Size, block size, how it is stored, how many blocks there are, who has it mounted.\n"
	"Changes nothing; the disk may run or not, and may be one of the old program.  Without a\n"
	"configuration keys come from where the AWS tools have them.\n"
	"  -o KEY=VALUE,...  more lines of the configuration: -o region=eu-west-1\n",
	"[-o KEY=VALUE,...] [BUCKET]"},
    {"export", 1, 1, false, OF_FORCE, cmd_export, "the disk as an image file (-c FILE)",
	"Blocks that do not exist become holes.  The disk must not be mounted anywhere.  The\n"
	"same command goes on with what was interrupted; what changed meanwhile is fetched again.\n"
	"  --force    overwrite a file; go on behind blocks that cannot be read\n",
	"[--force] IMAGE"},
    {"import", 1, 1, false, OF_FORCE, cmd_import, "an image file as the disk (-c FILE)",
	"Blocks of zeros are not uploaded.  A new disk without a size gets that of the image.\n"
	"While it works the disk is marked as mounted; the same command goes on with what was\n"
	"interrupted.\n"
	"  --force    replace a disk that is there\n",
	"[--force] IMAGE"},
    {"copy", 1, 1, false, OF_FORCE, cmd_copy, "the disk to another bucket or prefix (-c FILE)",
	"OTHER is the configuration of the new disk: its bucket, its password, its compression.\n"
	"The old one must not be mounted; the new one is marked as mounted while it works.  The\n"
	"same command goes on with what was interrupted.\n"
	"  --force    replace a disk that is there; go on behind blocks that cannot be read\n",
	"[--force] OTHER"},
    {"resize", 1, 1, false, OF_FORCE, cmd_resize, "another size for the disk",
	"A disk that runs can only grow: the mount stays, and those who use it wait a moment; "
	"what\n"
	"to do about a loop device and the file system on it is said.  One that does not run "
	"takes\n"
	"any size (-c FILE).  Shrinking is refused while there are blocks behind the new end.\n"
	"  --force    delete these blocks\n",
	"[--force] SIZE"},
    {"rekey", 0, 1, false, 0, cmd_rekey, "change the password (AES-256-GCM, -c FILE)",
	"Wraps the key of a disk with encrypt = AES-256-GCM under another password: the first\n"
	"line of FILE, or what is typed twice.  No block is uploaded again, and the disk may be\n"
	"running.  The next start needs the new password.  Needs -c FILE.\n",
	"[FILE]"},
    {.name = NULL},
};

const struct command *
command_find(const char *name)
{
	const struct command *c = commands;

	while (c->name != NULL && strcmp(c->name, name) != 0)
		c++;
	return (c->name != NULL ? c : NULL);
}

void
command_list(void)
{
	(void)puts("usage: s3backerctl [-c FILE | -s SOCKET] [--json] [--timeout T] COMMAND\n");
	for (const struct command *c = commands; c->name != NULL; c++)
		(void)printf("  %-19s %s\n", c->name, c->brief);
	(void)puts("\n"
		   "  -c, --config FILE   the disk of this configuration\n"
		   "  -s, --socket PATH   the disk behind this control socket\n"
		   "      --json          answers as JSON\n"
		   "      --timeout T     give up after T (30, 500ms, 5m): exit 4\n"
		   "  -h, --help          this text; after a command, what it does\n"
		   "      --version       version\n"
		   "\n"
		   "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not running, 4 timed out.");
}

void
command_help(const struct command *c)
{
	(void)printf("usage: s3backerctl [-c FILE | -s SOCKET] %s%s%s\n\n%s", c->name,
	    *c->args != '\0' ? " " : "", c->args, c->help);
}
