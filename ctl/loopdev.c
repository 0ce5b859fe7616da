/* SPDX-License-Identifier: ISC */
#include "ctl/loopdev.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/loop.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include <bsd/string.h>

#include "common/cleanup.h"
#include "common/timeutil.h"

#include "ctl/guard.h"

#define TRIES	     64 /* somebody else may take the free number before we do */
#define END_LIMIT_US (5 * US_PER_S)

static int
read_attribute(const char *dev, const char *name, char *buf, size_t len)
{
	AUTO_FILE FILE *f = NULL;
	char path[NAME_MAX + 64];

	(void)snprintf(path, sizeof(path), "/sys/block/%s/loop/%s", strrchr(dev, '/') + 1, name);
	if ((f = fopen(path, "re")) == NULL)
		return (errno == ENOENT ? -ENXIO : -errno);
	if (fgets(buf, (int)len, f) == NULL)
		return (-ENXIO);
	buf[strcspn(buf, "\n")] = '\0';
	return (0);
}

int
loopdev_backing(const char *dev, char *buf, size_t len)
{
	if (strncmp(dev, "/dev/loop", 9) != 0)
		return (-ENXIO);
	return (read_attribute(dev, "backing_file", buf, len));
}

int
loopdev_find(const char *file, char dev[32])
{
	char backing[PATH_MAX], path[NAME_MAX + 8];
	DIR *d = opendir("/sys/block");
	struct dirent *e;
	int r = -ENOENT;

	while (r < 0 && d != NULL && (e = readdir(d)) != NULL) {
		if (strncmp(e->d_name, "loop", 4) != 0)
			continue;
		(void)snprintf(path, sizeof(path), "/dev/%s", e->d_name);
		if (loopdev_backing(path, backing, sizeof(backing)) == 0 &&
		    strcmp(backing, file) == 0 && strlcpy(dev, path, 32) < 32)
			r = 0;
	}
	if (d != NULL)
		closedir(d);
	return (r);
}

static int
configure(struct loopdev *l, int file, const char *name, bool read_only, unsigned sector)
{
	struct loop_config c = {.fd = (uint32_t)file, .block_size = sector};

	c.info.lo_flags =
	    LO_FLAGS_AUTOCLEAR | LO_FLAGS_DIRECT_IO | (read_only ? LO_FLAGS_READ_ONLY : 0);
	(void)strlcpy((char *)c.info.lo_file_name, name, sizeof(c.info.lo_file_name));
	if (ioctl(l->fd, LOOP_CONFIGURE, &c) == 0)
		return (0);
	if (errno != EINVAL)
		return (-errno);
	/* Before Linux 6.14 a file system without direct I/O was an error; it is a loss, no more. */
	c.info.lo_flags &= ~(uint32_t)LO_FLAGS_DIRECT_IO;
	return (ioctl(l->fd, LOOP_CONFIGURE, &c) == 0 ? 0 : -errno);
}

int
loopdev_make(const char *file, bool read_only, unsigned sector, struct loopdev *ret_loop)
{
	AUTO_FD int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	AUTO_FD int backing = open(file, (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
	struct loopdev l = {.fd = -1};
	char dio[8];
	int n, r = -EBUSY;

	if (control < 0 || backing < 0)
		return (-errno);
	for (unsigned i = 0; i < TRIES && r == -EBUSY; i++) {
		if ((n = ioctl(control, LOOP_CTL_GET_FREE)) < 0)
			return (-errno);
		(void)snprintf(l.path, sizeof(l.path), "/dev/loop%d", n);
		if ((l.fd = open(l.path, (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC)) < 0)
			return (-errno);
		if ((r = configure(&l, backing, file, read_only, sector)) < 0)
			loopdev_close(&l);
	}
	if (r < 0)
		return (r);
	l.direct = read_attribute(l.path, "dio", dio, sizeof(dio)) == 0 && dio[0] == '1';
	*ret_loop = l;
	return (0);
}

void
loopdev_close(struct loopdev *l)
{
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
}

int
loopdev_end(const char *dev)
{
	uint64_t deadline = deadline_in_us(END_LIMIT_US);
	struct timespec pause = us_to_timespec(10 * US_PER_MS);
	char was[PATH_MAX], now[PATH_MAX];
	AUTO_FD int fd = -1;

	if (loopdev_backing(dev, was, sizeof(was)) < 0)
		return (0); /* it ended with its last user */
	if ((fd = open(dev, O_RDONLY | O_CLOEXEC)) < 0)
		return (-errno);
	/* With other users this only marks it: it ends when they have gone. */
	if (ioctl(fd, LOOP_CLR_FD, 0) < 0 && errno != ENXIO)
		return (-errno);
	close(fd);
	fd = -1;
	while (loopdev_backing(dev, now, sizeof(now)) == 0 && strcmp(now, was) == 0) {
		if (deadline_passed(deadline))
			return (-EBUSY);
		(void)nanosleep(&pause, NULL);
	}
	return (0);
}
