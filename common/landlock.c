/* SPDX-License-Identifier: ISC */
#include "common/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/cleanup.h"

/*
 * By number, because the headers of the system that builds this may be older than the kernel that
 * runs it.  linux/landlock.h names them.
 */
#ifndef __NR_landlock_create_ruleset
#define __NR_landlock_create_ruleset 444
#define __NR_landlock_add_rule	     445
#define __NR_landlock_restrict_self  446
#endif
#define ASK_VERSION  1u
#define PATH_BENEATH 1

#define FS_EXECUTE     (1u << 0)
#define FS_WRITE_FILE  (1u << 1)
#define FS_READ_FILE   (1u << 2)
#define FS_READ_DIR    (1u << 3)
#define FS_REMOVE_DIR  (1u << 4)
#define FS_REMOVE_FILE (1u << 5)
#define FS_MAKE_DIR    (1u << 7)
#define FS_MAKE_REG    (1u << 8)
#define FS_REFER       (1u << 13) /* version 2 */
#define FS_TRUNCATE    (1u << 14) /* version 3 */
#define FS_IOCTL_DEV   (1u << 15) /* version 5 */
#define FS_FIRST       ((1u << 13) - 1)
#define FS_ON_A_FILE   (FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE | FS_IOCTL_DEV)
#define NET_BIND       (1u << 0) /* version 4 */
#define NET_CONNECT    (1u << 1)
#define SCOPE_ABSTRACT (1u << 0) /* version 6 */
#define SCOPE_SIGNAL   (1u << 1)

struct ruleset {
	uint64_t fs, net, scoped;
};
struct beneath {
	uint64_t fs;
	int32_t fd;
} __attribute__((packed));

/* The single files, and which they were. */
#define NSINGLE 24
static struct {
	const char *path;
	dev_t dev;
	ino_t ino; /* 0: there was none */
} single[NSINGLE];
static unsigned nsingle;

static uint64_t
fs_of(int version)
{
	return (FS_FIRST | (version >= 2 ? FS_REFER : 0) | (version >= 3 ? FS_TRUNCATE : 0) |
		(version >= 5 ? FS_IOCTL_DEV : 0));
}

static void
remember(const char *path, const struct stat *st)
{
	if (nsingle == NSINGLE)
		return;
	single[nsingle].path = path;
	single[nsingle].dev = st->st_dev;
	single[nsingle].ino = st->st_ino;
	nsingle++;
}

static int
add_path(int rules, const struct landlock_path *p, uint64_t handled)
{
	static const struct stat none;
	AUTO_FD int fd = open(p->path, O_PATH | O_CLOEXEC);
	struct beneath b = {.fs = FS_READ_FILE | FS_READ_DIR, .fd = fd};
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0) {
		remember(p->path, &none);
		return (0);
	}
	if (p->use == LANDLOCK_CHANGE)
		b.fs |= FS_WRITE_FILE | FS_TRUNCATE | FS_MAKE_REG | FS_MAKE_DIR | FS_REMOVE_FILE |
			FS_REMOVE_DIR | FS_REFER;
	b.fs &= handled & (S_ISDIR(st.st_mode) ? UINT64_MAX : FS_ON_A_FILE);
	if (S_ISREG(st.st_mode))
		remember(p->path, &st);
	return (syscall(__NR_landlock_add_rule, rules, PATH_BENEATH, &b, 0) < 0 ? -errno : 0);
}

int
landlock_confine(const struct landlock_path *path, unsigned n, bool connect_tcp)
{
	int version = (int)syscall(__NR_landlock_create_ruleset, NULL, 0, ASK_VERSION), r;
	struct ruleset s = {.fs = fs_of(version)};
	AUTO_FD int rules = -1;

	if (version < 1)
		return (-ENOSYS); /* or switched off at boot: the same to us */
	if (version >= 4)
		s.net = NET_BIND | (connect_tcp ? 0 : NET_CONNECT);
	if (version >= 6)
		s.scoped = SCOPE_ABSTRACT | SCOPE_SIGNAL;
	/* A kernel accepts a longer struct than it knows when the rest is zero. */
	rules = (int)syscall(__NR_landlock_create_ruleset, &s, sizeof(s), 0);
	if (rules < 0)
		return (-errno);
	for (unsigned i = 0; i < n; i++)
		if ((r = add_path(rules, &path[i], s.fs)) < 0)
			return (r);
	return (syscall(__NR_landlock_restrict_self, rules, 0) < 0 ? -errno : 0);
}

const char *
landlock_stale(void)
{
	for (unsigned i = 0; i < nsingle; i++) {
		struct stat st = {0};

		if (stat(single[i].path, &st) < 0)
			st.st_ino = 0;
		/* One that has gone is perhaps about to be replaced; there is nothing to read. */
		if (st.st_ino != 0 && (st.st_ino != single[i].ino || st.st_dev != single[i].dev))
			return (single[i].path);
	}
	return (NULL);
}
