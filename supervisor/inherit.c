/* SPDX-License-Identifier: ISC */
#include "supervisor/inherit.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/conf.h"
#include "common/log.h"
#include "common/timeutil.h"

#include "supervisor/bury.h"
#include "supervisor/disk.h"
#include "supervisor/letter.h"
#include "supervisor/notify.h"
#include "supervisor/super.h"

#include "supervisor/guard.h"

#define FIRST_FD      3 /* SD_LISTEN_FDS_START */
#define KILL_LIMIT_MS 20000

/* ---- what was passed ------------------------------------------------------------------------ */

static void
replace(int *slot, int fd)
{
	if (*slot >= 0)
		close(*slot);
	*slot = fd;
}

/* To its place by its name; one that is not ours is closed. */
static void
place(struct super *s, const char *name, int fd, int *letter)
{
	static const size_t prefix = sizeof(NOTIFY_FD_PREFIX) - 1;
	struct handed *h = &s->handed;
	unsigned u;

	(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
	if (strncmp(name, NOTIFY_FD_PREFIX, prefix) != 0) {
		close(fd);
		return;
	}
	name += prefix;
	if (strcmp(name, "letter") == 0)
		replace(letter, fd);
	else if (strcmp(name, "shm") == 0)
		replace(&h->shm, fd);
	else if (strcmp(name, "cache") == 0)
		replace(&h->cache, fd);
	else if (strcmp(name, "fuse") == 0)
		replace(&h->fuse, fd);
	else if (strcmp(name, "supbell") == 0)
		replace(&h->supbell, fd);
	else if (sscanf(name, "upbell.%u", &u) == 1 && u < IPC_MAX_UPLOADERS)
		replace(&h->upbell[u], fd);
	else
		close(fd);
}

static int
take_passed(struct super *s)
{
	const char *count = getenv("LISTEN_FDS"), *pid = getenv("LISTEN_PID");
	const char *names = getenv("LISTEN_FDNAMES");
	AUTO_FREE char *copy = strdup(names != NULL ? names : "");
	char *rest = copy, *name;
	int letter = -1, n = 0;

	if (count != NULL && pid != NULL && atoi(pid) == (int)getpid())
		n = atoi(count);
	for (int i = 0; i < n; i++) {
		name = rest != NULL ? strsep(&rest, ":") : NULL;
		place(s, name != NULL ? name : "", FIRST_FD + i, &letter);
	}
	(void)unsetenv("LISTEN_FDS");
	(void)unsetenv("LISTEN_PID");
	(void)unsetenv("LISTEN_FDNAMES");
	return (letter);
}

static void
let_go(struct super *s)
{
	struct handed *h = &s->handed;

	replace(&h->shm, -1);
	replace(&h->cache, -1);
	replace(&h->fuse, -1);
	replace(&h->supbell, -1);
	for (unsigned u = 0; u < IPC_MAX_UPLOADERS; u++)
		replace(&h->upbell[u], -1);
}

/* NULL, or why not. */
static const char *
unfit(const struct super *s, const struct letter *l)
{
	const struct handed *h = &s->handed;

	if (h->shm < 0 || h->cache < 0 || h->fuse < 0 || h->supbell < 0)
		return ("a descriptor is missing");
	if (!letter_fits(l))
		return ("it is of another version");
	if (!letter_is_about(l, s->opt.config_real))
		return ("they are another disk's");
	return (NULL);
}

/* ---- the roles of the dead ------------------------------------------------------------------ */

/* An uploader has mapped it and keeps no descriptor.  proc(5): "FROM-TO PERMS OFFSET MAJ:MIN INODE ..." */
static bool
has_mapped(const char *pid, const struct stat *segment)
{
	char path[NAME_MAX + 32], line[PATH_MAX + 128];
	unsigned major_, minor_;
	unsigned long long inode;
	bool found = false;
	AUTO_FILE FILE *f = NULL;

	(void)snprintf(path, sizeof(path), "/proc/%s/maps", pid);
	if ((f = fopen(path, "re")) == NULL)
		return (false);
	while (!found && fgets(line, sizeof(line), f) != NULL)
		found = sscanf(line, "%*s %*s %*s %x:%x %llu", &major_, &minor_, &inode) == 3 &&
			inode == segment->st_ino && makedev(major_, minor_) == segment->st_dev;
	return (found);
}

/* Does /proc/PID run a program of ours that has the segment? */
static bool
is_role(const char *pid, const struct stat *segment)
{
	char path[NAME_MAX + 32], exe[PATH_MAX];
	const struct dirent *e;
	const char *slash;
	bool found = false;
	struct stat st;
	ssize_t n;
	DIR *d;

	(void)snprintf(path, sizeof(path), "/proc/%s/exe", pid);
	if ((n = readlink(path, exe, sizeof(exe) - 1)) < 0)
		return (false);
	exe[n] = '\0';
	if ((slash = strrchr(exe, '/')) == NULL || strncmp(slash, "/s3backer-", 10) != 0)
		return (false);
	(void)snprintf(path, sizeof(path), "/proc/%s/fd", pid);
	if ((d = opendir(path)) == NULL)
		return (false);
	while (!found && (e = readdir(d)) != NULL)
		found = fstatat(dirfd(d), e->d_name, &st, 0) == 0 && st.st_ino == segment->st_ino &&
			st.st_dev == segment->st_dev;
	(void)closedir(d);
	return (found || has_mapped(pid, segment));
}

/* Opened before it is looked at, so that the number cannot become somebody else's in between. */
static int
kill_role(const char *pid, const struct stat *segment)
{
	AUTO_FD int fd = pidfd_open(atoi(pid), 0);
	struct pollfd p = {.fd = fd, .events = POLLIN};

	if (fd < 0 || !is_role(pid, segment))
		return (0);
	log_info("killing a process of the s3backerd before us: pid=%s", pid);
	if (pidfd_send_signal(fd, SIGKILL, NULL, 0) < 0)
		return (errno == ESRCH ? 0 : -errno);
	return (poll(&p, 1, KILL_LIMIT_MS) > 0 ? 0 : -EBUSY);
}

static int
kill_roles(const struct super *s)
{
	const struct dirent *e;
	struct stat segment;
	int r = 0;
	DIR *d;

	if (fstat(s->handed.shm, &segment) < 0 || (d = opendir("/proc")) == NULL)
		return (-errno);
	while (r == 0 && (e = readdir(d)) != NULL)
		if (isdigit((unsigned char)e->d_name[0]) && atoi(e->d_name) != (int)getpid())
			r = kill_role(e->d_name, &segment);
	(void)closedir(d);
	return (r);
}

/* ---- from outside ---------------------------------------------------------------------------- */

bool
inherit_take(struct super *s)
{
	static struct letter letter;
	int fd = take_passed(s);
	const char *why;

	if (fd < 0 || letter_receive(fd, &letter) < 0) {
		let_go(s);
		return (false);
	}
	why = unfit(s, &letter);
	if (why == NULL) {
		s->letter = &letter;
		return (true);
	}
	log_warn("the descriptors that systemd kept are of no use: %s", why);
	/* With the last copy of the descriptor the mount would only hang; and the cache file is theirs. */
	if (s->handed.shm >= 0)
		(void)kill_roles(s);
	letter_forget_mount(&letter, s->opt.config_real);
	letter_free(&letter);
	let_go(s);
	return (false);
}

int
inherit_adopt(struct super *s)
{
	int r;

	if ((r = kill_roles(s)) < 0 || (r = letter_read_changes(s->letter, s)) < 0 ||
	    (r = letter_read_disk(s->letter, s)) < 0 || (r = disk_attach(s, s->handed.shm)) < 0)
		return (r);
	s->next_req += (uint64_t)1 << 40; /* unlike any that the dead used after the letter */
	bury_strangers(s);
	return (0);
}
