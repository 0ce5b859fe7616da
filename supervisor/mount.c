/* SPDX-License-Identifier: ISC */
#include "supervisor/mount.h"

#include <bsd/string.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "common/timeutil.h"

#include "supervisor/refuse.h"
#include "supervisor/spawn.h"

#include "supervisor/guard.h"

#define PROBE_LIMIT_US (3 * US_PER_S)
#define LEAVE_LIMIT_US (12 * US_PER_S) /* a frontend takes up to ten for what it has read */

/* mountinfo writes space, tab, newline and backslash as three octal digits. */
static void
unescape(char *s)
{
	char *out = s;

	for (; *s != '\0'; out++) {
		unsigned c;

		if (s[0] == '\\' && sscanf(s + 1, "%3o", &c) == 1) {
			*out = (char)c;
			s += 4;
		} else {
			*out = *s++;
		}
	}
	*out = '\0';
}

/* "36 35 98:0 /root /dir opts [optional...] - type source superopts": proc(5). */
static bool
parse_line(char *line, struct mount_entry *e)
{
	char *dash = strstr(line, " - ");

	if (dash == NULL || sscanf(line, "%*s %*s %*u:%u %*s %4095s", &e->minor, e->dir) != 2 ||
	    sscanf(dash + 3, "%127s %4095s", e->type, e->source) != 2)
		return (false);
	unescape(e->dir);
	unescape(e->source);
	return (true);
}

int
mount_find(const char *dir, struct mount_entry *ret_entry)
{
	AUTO_FILE FILE *f = fopen("/proc/self/mountinfo", "re");
	struct mount_entry e;
	AUTO_FREE char *line = NULL;
	size_t size = 0;
	int r = -ENOENT;

	if (f == NULL)
		return (-errno);
	while (getline(&line, &size, f) > 0) {
		if (!parse_line(line, &e) || strcmp(e.dir, dir) != 0)
			continue;
		*ret_entry = e; /* a later line lies on top of an earlier one */
		r = 0;
	}
	return (r);
}

/*
 * Asked by a process of its own, because the question may never be answered.  Attributes are
 * cached by the kernel, the figures of the file system never are.
 */
static bool
is_dead(const char *dir)
{
	const char *const argv[] = {"s3backerd", "--probe-mount", dir, NULL};
	uint64_t deadline = deadline_in_us(PROBE_LIMIT_US);
	struct timespec pause = us_to_timespec(5 * US_PER_MS);
	int status = 0;
	pid_t pid;

	if (spawn_self(argv, &pid) < 0)
		return (false);
	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (deadline_passed(deadline))
			(void)kill(pid, SIGKILL);
		(void)nanosleep(&pause, NULL);
	}
	return (WIFEXITED(status) &&
		(WEXITSTATUS(status) == ENOTCONN || WEXITSTATUS(status) == ECONNABORTED));
}

/* We have the pid file's lock, so whoever mounted it is dead, and its roles are on their way out. */
static bool
dies(const char *dir)
{
	uint64_t deadline = deadline_in_us(LEAVE_LIMIT_US);
	struct timespec pause = us_to_timespec(50 * US_PER_MS);

	while (!is_dead(dir)) {
		if (deadline_passed(deadline))
			return (false);
		(void)nanosleep(&pause, NULL);
	}
	return (true);
}

int
mount_main_probe(const char *dir)
{
	struct statvfs fs;

	return (statvfs(dir, &fs) < 0 ? errno : 0);
}

int
mount_check_dir(const char *dir, const char *config, char **ret_error)
{
	struct mount_entry e;
	struct stat st;

	/* Before the stat(), which hangs on the mount of a server that is away. */
	if (mount_find(dir, &e) == 0) {
		if (strcmp(e.type, MOUNT_TYPE) != 0 || strcmp(e.source, config) != 0)
			return (refuse(-EBUSY, ret_error,
			    "mount point %s is in use: %s (%s) is mounted there", dir, e.source,
			    e.type));
		if (!dies(dir))
			return (refuse(-EBUSY, ret_error,
			    "mount point %s is in use: an earlier start of this disk is mounted "
			    "there",
			    dir));
		log_warn("removing the dead mount that an earlier s3backerd left: dir=%s", dir);
		mount_detach(dir);
	}
	if (stat(dir, &st) < 0 && errno == ENOENT)
		return (refuse(
		    -ENOENT, ret_error, "mount point %s does not exist (mkdir -p %s)", dir, dir));
	if (stat(dir, &st) < 0)
		return (refuse(-errno, ret_error, "mount point %s: %s", dir, strerror(errno)));
	if (!S_ISDIR(st.st_mode))
		return (refuse(-ENOTDIR, ret_error, "mount point %s is not a directory", dir));
	return (0);
}

int
mount_open_fuse(int *ret_fd, char **ret_error)
{
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);

	if (fd >= 0) {
		*ret_fd = fd;
		return (0);
	}
	switch (errno) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
		return (refuse(-errno, ret_error,
		    "/dev/fuse is not there (modprobe fuse; in a container: give it the device)"));
	case EACCES:
	case EPERM:
		return (
		    refuse(-errno, ret_error, "/dev/fuse: %s (start as root)", strerror(errno)));
	default:
		return (refuse(-errno, ret_error, "/dev/fuse: %s", strerror(errno)));
	}
}

int
mount_do(const char *dir, const char *config, int fuse_fd, bool read_only, char **ret_error)
{
	unsigned long flags = MS_NOSUID | MS_NODEV | (read_only ? MS_RDONLY : 0);
	char data[256];

	(void)snprintf(data, sizeof(data),
	    "fd=%d,rootmode=40000,user_id=%u,group_id=%u,allow_other,default_permissions", fuse_fd,
	    (unsigned)geteuid(), (unsigned)getegid());
	if (mount(config, dir, MOUNT_TYPE, flags, data) == 0)
		return (0);
	if (errno == EPERM)
		return (refuse(-EPERM, ret_error,
		    "cannot mount on %s: not permitted (start as root, or with CAP_SYS_ADMIN)",
		    dir));
	return (refuse(-errno, ret_error, "cannot mount on %s: %s", dir, strerror(errno)));
}

void
mount_detach(const char *dir)
{
	if (umount2(dir, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 && errno != EINVAL && errno != ENOENT)
		log_err(-errno, "cannot unmount: dir=%s", dir);
}

bool
mount_alive(int fuse_fd)
{
	struct pollfd p = {.fd = fuse_fd};

	return (poll(&p, 1, 0) <= 0 || (p.revents & (POLLERR | POLLHUP)) == 0);
}
