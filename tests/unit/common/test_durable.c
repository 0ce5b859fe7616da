/* SPDX-License-Identifier: ISC */
/*
 * test_durable.c -- whole reads and writes, and files that appear in one step.
 *
 * That bytes survive a power cut is shown by tests/crash; here: what is done, and what is left
 * behind when it fails.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/durable.h"
#include "common/inject.h"
#include "tests/unit/tap.h"

static int
entries(int dirfd)
{
	int n = 0, fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fdopendir(fd);

	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return (n - 2);
}

static void
test_full(int dirfd)
{
	AUTO_FD int fd = openat(dirfd, "data", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	char buf[8192], back[8192];
	struct rlimit limit, small;

	memset(buf, 'x', sizeof(buf));
	is_int(pwrite_full(fd, buf, sizeof(buf), 100), 0, "pwrite_full");
	is_int(pread_full(fd, back, sizeof(back), 100), 0, "pread_full");
	ok(memcmp(buf, back, sizeof(buf)) == 0, "reads what was written");
	is_int(pread_full(fd, back, 1, 8292), -EIO, "the end of the file is an error");
	is_int(pread_full(fd, back, sizeof(back), 101), -EIO, "and so is half of it");
	is_int(pread_full(fd, back, 0, 99999), 0, "no bytes can be read anywhere");
	is_int(durable_sync(fd), 0, "durable_sync");
	is_int(pwrite_full(-1, buf, 1, 0), -EBADF, "a write to nothing");
	is_int(durable_sync(-1), -EBADF, "a sync of nothing");

	/* The kernel writes what fits below the limit; the rest must end in an error. */
	getrlimit(RLIMIT_FSIZE, &limit);
	small = limit;
	small.rlim_cur = 10000;
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &small);
	is_int(pwrite_full(fd, buf, sizeof(buf), 8000), -EFBIG, "a write that only half fits");
	setrlimit(RLIMIT_FSIZE, &limit);
}

static void *
read_slowly(void *arg)
{
	int fd = *(int *)arg;
	char buf[5000];
	long total = 0;
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0)
		total += n;
	return ((void *)total);
}

static void
test_pipe(void)
{
	enum {
		SIZE = 1 << 20
	};
	char *buf = calloc(1, SIZE);
	pthread_t reader;
	void *total;
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) != 0)
		return;
	pthread_create(&reader, NULL, read_slowly, &fds[0]);
	is_int(write_full(fds[1], buf, SIZE), 0, "write_full of more than a pipe holds");
	close(fds[1]);
	pthread_join(reader, &total);
	is_int((long)total, SIZE, "all of it arrives");
	close(fds[0]);
	signal(SIGPIPE, SIG_IGN);
	if (pipe2(fds, O_CLOEXEC) == 0) {
		close(fds[0]);
		is_int(write_full(fds[1], buf, SIZE), -EPIPE, "write_full to nobody");
		close(fds[1]);
	}
	free(buf);
}

static void
test_files(int dirfd)
{
	AUTO_FD int fd = -1, sub = -1, old = -1;
	char back[16] = "";
	struct stat st;
	int before = entries(dirfd);

	umask(0077);
	is_int(durable_write_file(dirfd, "f", "one", 3, 0640), 0, "durable_write_file");
	fstatat(dirfd, "f", &st, 0);
	is_int(st.st_mode & 07777, 0640, "has the mode it was given, whatever the umask");
	is_int(entries(dirfd), before + 1, "and leaves nothing else");
	old = openat(dirfd, "f", O_RDONLY | O_CLOEXEC);
	is_int(durable_write_file(dirfd, "f", "three", 5, 0600), 0, "again");
	is_int(pread_full(old, back, 3, 0), 0, "who had the old file open");
	is_str(back, "one", "still reads the old bytes");
	fd = openat(dirfd, "f", O_RDONLY | O_CLOEXEC);
	is_int(pread_full(fd, back, 5, 0), 0, "who opens it now");
	is_str(back, "three", "reads the new ones");

	is_int(durable_write_file(dirfd, "none/f", "x", 1, 0600), -ENOENT, "no such directory");
	mkdirat(dirfd, "sub", 0700);
	sub = openat(dirfd, "sub", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	is_int(durable_write_file(dirfd, "sub/f", "x", 1, 0600), 0, "a file in a directory below");
	mkdirat(dirfd, "sub/d", 0700);
	is_int(durable_write_file(sub, "d", "x", 1, 0600), -EISDIR, "a directory is in the way");
	is_int(entries(sub), 2, "no temporary file is left");
	is_int(durable_unlink(dirfd, "sub/f"), 0, "durable_unlink");
	is_int(entries(sub), 1, "removes the file");
	is_int(durable_unlink(dirfd, "sub/f"), 0, "a file that is gone is gone");
	is_int(durable_sync_dir(sub), 0, "durable_sync_dir");
#ifdef S3B_INJECT
	inject_set("durable.sync:fail");
	is_int(durable_sync(fd), -EIO, "a sync that fails says so");
	is_int(durable_sync(fd), 0, "once");
	inject_set("durable.pwrite:fail:2");
	is_int(pwrite_full(-1, "", 0, 0), 0, "the first write goes through");
	is_int(pwrite_full(-1, "", 0, 0), -ENOSPC, "the second fails");
	inject_set("");
#else
	skip(4, "built without injection points");
#endif
}

int
main(void)
{
	char dir[] = "/tmp/s3b-test-durable.XXXXXX", command[64];
	int dirfd;

	if (mkdtemp(dir) == NULL || (dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		return (EXIT_FAILURE);
	test_full(dirfd);
	test_pipe();
	test_files(dirfd);
	close(dirfd);
	snprintf(command, sizeof(command), "rm -r '%s'", dir);
	if (system(command) != 0)
		return (EXIT_FAILURE);
	return (tap_done());
}
