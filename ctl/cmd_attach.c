/* SPDX-License-Identifier: ISC */
/*
 * cmd_attach.c -- a file system of the disk in one step: `attach DIR`, and back: `detach DIR`.
 *
 *	attach	what is there (blkid) -> loop device, direct I/O -> mkfs if told to -> mount
 *	detach	sync -> unmount -> the loop device ends
 *
 * Idempotent: what is attached there already is a success, and so is detaching what is not attached.
 * A file system is only made where blkid finds nothing at all.  The loop device ends with its last
 * user, so nothing is left of an attach that fails or is killed.
 *
 * The sector size of the device is 4096: smaller writes would be read-modify-write in a page of the
 * cache.  A file system that was made for smaller ones gets those, or it could not be mounted.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <mntent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bsd/string.h>

#include "common/cleanup.h"
#include "common/holders.h"

#include "ctl/command.h"
#include "ctl/fs.h"
#include "ctl/loopdev.h"

#include "ctl/guard.h"

#define SECTOR	   4096u
#define MOUNT_TYPE "fuse.s3backerd"

struct attach {
	char dir[PATH_MAX];  /* real path */
	char file[PATH_MAX]; /* of the disk */
	bool read_only;
	unsigned block_size;
	uint64_t size;
	const char *type; /* NULL: what is found */
	bool mkfs;
	const char *options;
	struct fs_found found;
	struct loopdev loop;
};

static int complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static int
complain(const char *fmt, ...)
{
	va_list ap;

	(void)fprintf(stderr, "s3backerctl: ");
	va_start(ap, fmt);
	(void)vfprintf(stderr, fmt, ap);
	va_end(ap);
	(void)fprintf(stderr, "\n");
	return (EXIT_FAILED);
}

/* ---- what is mounted where ------------------------------------------------------------------ */

/* Of the line in /proc/self/mounts that counts (the last) for this directory, or for this device. */
static bool
find_mount(const char *dir, const char *dev, char source[PATH_MAX], char type[64], char *at)
{
	FILE *f = setmntent("/proc/self/mounts", "re");
	const struct mntent *m;
	bool found = false;

	while (f != NULL && (m = getmntent(f)) != NULL) {
		if ((dir != NULL && strcmp(m->mnt_dir, dir) != 0) ||
		    (dev != NULL && strcmp(m->mnt_fsname, dev) != 0))
			continue;
		(void)strlcpy(source, m->mnt_fsname, PATH_MAX);
		(void)strlcpy(type, m->mnt_type, 64);
		if (at != NULL)
			(void)strlcpy(at, m->mnt_dir, PATH_MAX);
		found = true;
	}
	if (f != NULL)
		(void)endmntent(f);
	return (found);
}

bool
attach_find(const char *dev, char at[], char type[64])
{
	char source[PATH_MAX];

	return (find_mount(NULL, dev, source, type, at));
}

/* Does this file lie in the mount of a disk of ours? */
static bool
is_disk_file(const char *file)
{
	char dir[PATH_MAX], source[PATH_MAX], type[64], *slash;

	(void)strlcpy(dir, file, sizeof(dir));
	if ((slash = strrchr(dir, '/')) == NULL || slash == dir)
		return (false);
	*slash = '\0';
	return (find_mount(dir, NULL, source, type, NULL) && strcmp(type, MOUNT_TYPE) == 0);
}

static int
real_directory(const char *name, char real[PATH_MAX])
{
	struct stat st;

	if (realpath(name, real) == NULL)
		return (complain("%s: %s%s%s%s", name, strerror(errno),
		    errno == ENOENT ? " (mkdir -p " : "", errno == ENOENT ? name : "",
		    errno == ENOENT ? ")" : ""));
	if (stat(real, &st) < 0 || !S_ISDIR(st.st_mode))
		return (complain("%s is not a directory", name));
	return (EXIT_DONE);
}

static int
say(const struct attach *a, const char *dev, const char *type, bool json, bool already)
{
	if (json)
		put_json(json_pack("{s:s, s:s, s:s, s:s, s:b, s:b}", "dir", a->dir, "device", dev,
		    "fs", type, "file", a->file, "readOnly", a->read_only, "already", already));
	else
		(void)printf("%s: %s of %s on %s%s%s\n", a->dir, type, a->file, dev,
		    a->read_only ? ", read-only" : "", already ? ", attached already" : "");
	return (EXIT_DONE);
}

/* ---- attach --------------------------------------------------------------------------------- */

/* -1: nothing is mounted on the directory; else the exit code. */
static int
look_at_directory(const struct attach *a, bool json)
{
	char source[PATH_MAX], type[64], backing[PATH_MAX];

	if (!find_mount(a->dir, NULL, source, type, NULL))
		return (-1);
	if (loopdev_backing(source, backing, sizeof(backing)) == 0 && strcmp(backing, a->file) == 0)
		return (say(a, source, type, json, true));
	return (complain("%s is in use: %s (%s) is mounted there", a->dir, source, type));
}

/* Another device on the same file would see other bytes than this one's page cache has. */
static int
look_for_loop(const struct attach *a)
{
	char dev[32], source[PATH_MAX], type[64], at[PATH_MAX];

	if (loopdev_find(a->file, dev) < 0)
		return (EXIT_DONE);
	if (find_mount(NULL, dev, source, type, at))
		return (complain("the disk is attached already: %s is mounted on %s (s3backerctl "
				 "detach %s)",
		    dev, at, at));
	return (complain("%s has a loop device already: %s (losetup -d %s)", a->file, dev, dev));
}

static int
check_found(struct attach *a)
{
	const struct fs_found *f = &a->found;
	char what[256];
	bool nothing = f->type[0] == '\0' && f->table[0] == '\0' && !f->several;

	fs_describe(f, what, sizeof(what));
	if (a->mkfs && !nothing)
		return (complain("--mkfs: the disk holds %s already, which would be lost (without "
				 "--mkfs it is mounted; wipefs -a %s removes it)",
		    what, a->file));
	if (a->mkfs && a->read_only)
		return (complain("--mkfs: the disk is read-only"));
	if (a->mkfs)
		return (EXIT_DONE);
	if (nothing)
		return (complain("there is no file system on %s (attach --mkfs --fs ext4 %s makes "
				 "one)",
		    a->file, a->dir));
	if (strcmp(f->usage, "filesystem") != 0)
		return (complain("the disk holds %s, not a file system (losetup --find --show "
				 "--partscan --direct-io=on %s)",
		    what, a->file));
	if (a->type != NULL && strcmp(a->type, f->type) != 0)
		return (complain("--fs %s: the disk holds %s", a->type, what));
	a->type = f->type;
	return (EXIT_DONE);
}

static unsigned
sector_size(const struct attach *a)
{
	unsigned sector = a->block_size >= SECTOR && a->size % SECTOR == 0 ? SECTOR : 512;
	unsigned fs = a->found.block;

	if (fs >= 512 && fs < sector && (fs & (fs - 1)) == 0)
		sector = fs;
	return (sector);
}

static int
set_up(struct attach *a)
{
	char options[512];
	int r;

	r = loopdev_make(a->file, a->read_only, sector_size(a), &a->loop);
	if (r < 0)
		return (complain("no loop device for %s: %s%s", a->file, strerror(-r),
		    r == -ENOENT		  ? " (modprobe loop)"
		    : r == -EACCES || r == -EPERM ? " (as root)"
						  : ""));
	if (!a->loop.direct)
		(void)fprintf(stderr,
		    "s3backerctl: note: %s works without direct I/O, so everything is in memory "
		    "twice\n",
		    a->loop.path);
	if (a->mkfs && fs_make(a->type, a->loop.path) < 0)
		return (EXIT_FAILED);
	/* Deleted files give their objects back; what was given comes later and so wins. */
	(void)snprintf(options, sizeof(options), "%s%s%s",
	    a->read_only	? "ro"
	    : fs_known(a->type) ? "discard"
				: "rw",
	    a->options != NULL ? "," : "", a->options != NULL ? a->options : "");
	if (fs_mount(a->type, a->loop.path, a->dir, options) < 0)
		return (EXIT_FAILED);
	return (EXIT_DONE);
}

static int
ask_about_disk(struct ask *ask, struct attach *a)
{
	json_t *st, *disk;
	const char *file;
	int code = ask_simple(ask, "status", &st);

	if (code != EXIT_DONE)
		return (code);
	disk = json_object_get(st, "disk");
	file = json_string_value(json_object_get(disk, "file"));
	if (file == NULL || strlcpy(a->file, file, sizeof(a->file)) >= sizeof(a->file))
		code = complain("the disk does not say where its file is");
	a->read_only = json_is_true(json_object_get(disk, "readOnly"));
	a->block_size = (unsigned)json_integer_value(json_object_get(disk, "blockSize"));
	a->size = (uint64_t)json_integer_value(json_object_get(disk, "size"));
	json_decref(st);
	return (code);
}

int
cmd_attach(struct ask *ask, const struct options *o, char **args)
{
	struct attach a = {
	    .loop = {.fd = -1}, .type = o->fs, .mkfs = o->mkfs, .options = o->options};
	int code;

	if (a.mkfs && a.type == NULL)
		a.type = "ext4";
	if (a.mkfs && !fs_known(a.type))
		return (wrong_usage("--mkfs makes ext4, xfs or btrfs, not ", a.type));
	if ((code = real_directory(args[0], a.dir)) != EXIT_DONE ||
	    (code = ask_about_disk(ask, &a)) != EXIT_DONE)
		return (code);
	if ((code = look_at_directory(&a, o->json)) >= 0)
		return (code);
	if ((code = look_for_loop(&a)) != EXIT_DONE)
		return (code);
	if (fs_probe(a.file, &a.found) < 0)
		return (EXIT_FAILED);
	if ((code = check_found(&a)) == EXIT_DONE && (code = set_up(&a)) == EXIT_DONE)
		code = say(&a, a.loop.path, a.type, o->json, false);
	loopdev_close(&a.loop);
	return (code);
}

/* ---- detach --------------------------------------------------------------------------------- */

/* Everything that programs have written, while an error can still be told. */
static int
sync_fs(const char *dir)
{
	AUTO_FD int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || syncfs(fd) < 0)
		return (complain("%s: cannot write back what is in memory: %s (the disk or its "
				 "cache file is in trouble: s3backerctl status)",
		    dir, strerror(errno)));
	return (EXIT_DONE);
}

static int
unmount(const char *dir)
{
	char who[1024];

	if (umount2(dir, UMOUNT_NOFOLLOW) == 0)
		return (EXIT_DONE);
	if (errno != EBUSY)
		return (complain("cannot unmount %s: %s%s", dir, strerror(errno),
		    errno == EPERM ? " (as root)" : ""));
	holders_describe(dir, who, sizeof(who));
	return (complain("%s is in use%s%s", dir,
	    *who != '\0' ? " by "
			 : ": nobody was found, so "
			   "perhaps by another mount on top of it, a swap file, or in another "
			   "mount namespace",
	    who));
}

int
cmd_detach(struct ask *ask, const struct options *o, char **args)
{
	char dir[PATH_MAX], source[PATH_MAX], type[64], file[PATH_MAX];
	int code, r;

	(void)ask;
	if ((code = real_directory(args[0], dir)) != EXIT_DONE)
		return (code);
	if (!find_mount(dir, NULL, source, type, NULL)) {
		if (o->json)
			put_json(json_pack("{s:s, s:b}", "dir", dir, "already", true));
		else
			(void)printf("%s: nothing is mounted there\n", dir);
		return (EXIT_DONE);
	}
	if (loopdev_backing(source, file, sizeof(file)) < 0 || !is_disk_file(file))
		return (complain("%s: %s (%s) is mounted there, which is not a disk of s3backer "
				 "(umount %s)",
		    dir, source, type, dir));
	if ((code = sync_fs(dir)) != EXIT_DONE || (code = unmount(dir)) != EXIT_DONE)
		return (code);
	if ((r = loopdev_end(source)) < 0)
		return (complain("%s is unmounted, but %s is still in use: %s (losetup -d %s)", dir,
		    source, strerror(-r), source));
	if (o->json)
		put_json(json_pack("{s:s, s:s, s:s, s:b}", "dir", dir, "device", source, "file",
		    file, "already", false));
	else
		(void)printf("%s: detached; %s runs on\n", dir, file);
	return (EXIT_DONE);
}
