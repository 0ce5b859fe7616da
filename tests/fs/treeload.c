/* SPDX-License-Identifier: ISC */
/*
 * treeload.c -- many processes change a tree at random, and do the same again: what fsstress does.
 *
 *	treeload [-s SEED] [-p PROCESSES] [-n OPERATIONS] -l LOGS DIRECTORY
 *
 * Every name belongs to one process: it has the number of the process in it.  Half of the names are in
 * the process's own directory, half in one that all change at the same time.  So what each operation
 * answers is decided by the seed, whatever the scheduler does, and LOGS/N, one line for each operation
 * of process N with its result, must be the same on every disk with that kind of file system.  Only the
 * first file system that is full would make a difference; treeload ends with 1 when that happens.
 *
 * Processes: PROCESSES children, OPERATIONS each; nothing is shared but the directory.  Needs root.
 * Exit: 0, 1 ENOSPC, EIO or a child that died, 2 usage.
 */
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "tests/fs/seeded.h"

#define PAGE	 4096
#define FILE_MAX (256 << 10) /* what is longer is cut: the disk has to hold them all */
#define DATA_MAX (32 << 10)

static unsigned self;
static uint64_t rng;
static FILE *out;
static bool fatal;
static uint8_t *data;

static uint64_t
pick(uint64_t n)
{
	return (seeded_below(&rng, n));
}

/* ---- names -------------------------------------------------------------------------------- */

struct name {
	char s[96];
};

/* Up to two directories and a name of a file; of a directory now and then. */
static struct name
choose_name(bool directory)
{
	struct name n;
	size_t len = (size_t)snprintf(n.s, sizeof(n.s), pick(2) != 0 ? "own%u" : "all", self);

	for (uint64_t depth = pick(5) / 2; depth > 0; depth--)
		len += (size_t)snprintf(
		    n.s + len, sizeof(n.s) - len, "/%ud%u", self, (unsigned)pick(3));
	(void)snprintf(n.s + len, sizeof(n.s) - len, "/%u%c%u", self,
	    directory || pick(16) == 0 ? 'd' : 'n', (unsigned)pick(directory ? 3 : 10));
	return (n);
}

static void
choose_data(size_t len)
{
	uint64_t s = seeded_next(&rng);

	for (size_t i = 0; i < len; i += 8) {
		uint64_t word = seeded_next(&s);

		memcpy(data + i, &word, 8);
	}
}

/* Everything random has been drawn before an operation can fail: the sequence is the same. */
struct range {
	off_t off;
	size_t len;
};

static struct range
choose_range(void)
{
	struct range r = {.off = (off_t)pick(96 << 10), .len = 1 + pick(DATA_MAX - PAGE)};

	if (pick(3) == 0)
		r.off = 0;
	return (r);
}

static struct range
whole_pages(struct range r)
{
	return ((struct range){r.off / PAGE * PAGE, (r.len + PAGE - 1) / PAGE * PAGE});
}

/* ---- files -------------------------------------------------------------------------------- */

/* Opens, acts, closes: the result of the first thing that fails. */
static int
on_file(const char *path, int flags, int (*act)(int fd, struct range), struct range r)
{
	int fd = open(path, flags | O_CLOEXEC | O_NONBLOCK, 0644), result, error;
	struct stat st;

	if (fd < 0)
		return (-1);
	result = act(fd, r);
	error = errno;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > FILE_MAX)
		(void)!ftruncate(fd, FILE_MAX);
	(void)close(fd);
	errno = error;
	return (result);
}

static int
act_write(int fd, struct range r)
{
	return ((int)pwrite(fd, data, r.len, r.off));
}

static int
act_append(int fd, struct range r)
{
	return ((int)write(fd, data, r.len));
}

static int
act_read(int fd, struct range r)
{
	ssize_t n = pread(fd, data, r.len, r.off);

	if (n > 0)
		(void)fprintf(
		    out, " %016llx", (unsigned long long)seeded_hash(SEEDED_HASH, data, (size_t)n));
	return ((int)n);
}

static int
act_map(int fd, struct range r)
{
	struct stat st;
	uint8_t *p;

	if (fstat(fd, &st) < 0)
		return (-1);
	if (st.st_size < r.off + (off_t)r.len && ftruncate(fd, r.off + (off_t)r.len) < 0)
		return (-1);
	p = mmap(NULL, r.len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, r.off);
	if (p == MAP_FAILED)
		return (-1);
	memcpy(p, data, r.len);
	return (munmap(p, r.len));
}

static int fallocate_mode;
static int
act_fallocate(int fd, struct range r)
{
	return (fallocate(fd, fallocate_mode, r.off, (off_t)r.len));
}

static int
act_truncate(int fd, struct range r)
{
	return (ftruncate(fd, r.off));
}

static int
act_sync(int fd, struct range r)
{
	switch (r.len % 4) {
	case 0:
		return (fsync(fd));
	case 1:
		return (fdatasync(fd));
	case 2:
		return (sync_file_range(fd, r.off, (off_t)r.len, SYNC_FILE_RANGE_WRITE));
	default:
		return (syncfs(fd));
	}
}

static int
act_flags(int fd, struct range r)
{
	int flags = 0;

	if (ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0)
		return (-1);
	flags = (flags & ~(FS_NODUMP_FL | FS_NOATIME_FL)) | (r.len % 2 ? FS_NODUMP_FL : 0) |
		(r.len % 3 ? FS_NOATIME_FL : 0);
	return (ioctl(fd, FS_IOC_SETFLAGS, &flags));
}

static const char *source;
static int
act_copy(int fd, struct range r)
{
	int from = open(source, O_RDONLY | O_CLOEXEC | O_NONBLOCK), result, error;

	if (from < 0)
		return (-1);
	if (r.len % 4 == 0)
		result = ioctl(fd, FICLONE, from);
	else
		result = (int)copy_file_range(from, NULL, fd, &r.off, r.len, 0);
	error = errno;
	(void)close(from);
	errno = error;
	return (result);
}

/* ---- the operations: each draws what it needs, says what it does, and does it --------------- */

#define SAY(...) ((void)fprintf(out, __VA_ARGS__))

static int
op_create(void)
{
	struct name a = choose_name(false);

	SAY("create %s", a.s);
	return (on_file(a.s, O_RDWR | O_CREAT | O_EXCL, act_sync, (struct range){0, 2}));
}

static int
op_mkdir(void)
{
	struct name a = choose_name(true);

	SAY("mkdir %s", a.s);
	return (mkdir(a.s, 0755));
}

static int
op_mknod(void)
{
	struct name a = choose_name(false);
	static const mode_t type[] = {S_IFIFO, S_IFCHR, S_IFBLK, S_IFSOCK, S_IFREG};
	unsigned t = (unsigned)pick(5);

	SAY("mknod %s %o", a.s, type[t]);
	return (mknod(a.s, type[t] | 0600, t == 1 ? 0x103 : 0));
}

static int
op_link(void)
{
	struct name a = choose_name(false), b = choose_name(false);

	SAY("link %s %s", a.s, b.s);
	return (link(a.s, b.s));
}

static int
op_symlink(void)
{
	struct name b = choose_name(false);
	char target[64], more[48] = "";
	size_t cut;

	if (pick(3) == 0) /* longer than what fits into an inode */
		for (size_t i = 0; i + 2 < sizeof(more); i += 2)
			memcpy(more + i, "./", 3);
	(void)snprintf(target, sizeof(target), "%ud%u/%s%un%u", self, (unsigned)pick(3), more, self,
	    (unsigned)pick(10));
	cut = pick(2) != 0 ? strcspn(target, "/") + 1 : 0;
	SAY("symlink %s %s", target + cut, b.s);
	return (symlink(target + cut, b.s));
}

static int
op_rename(void)
{
	bool dirs = pick(3) == 0;
	struct name a = choose_name(dirs), b = choose_name(dirs);
	static const unsigned flag[] = {0, 0, 0, 0, RENAME_NOREPLACE, RENAME_EXCHANGE};
	unsigned f = flag[pick(6)];

	SAY("rename %u %s %s", f, a.s, b.s);
	return (renameat2(AT_FDCWD, a.s, AT_FDCWD, b.s, f));
}

static int
op_unlink(void)
{
	struct name a = choose_name(false);

	SAY("unlink %s", a.s);
	return (unlink(a.s));
}

static int
op_rmdir(void)
{
	struct name a = choose_name(true);

	SAY("rmdir %s", a.s);
	return (rmdir(a.s));
}

/* A file without a name gets one. */
static int
op_tmpfile(void)
{
	struct name a = choose_name(false);
	struct range r = choose_range();
	int fd, result, error;

	choose_data(r.len);
	SAY("tmpfile %s", a.s);
	fd = open("all", O_RDWR | O_TMPFILE | O_CLOEXEC, 0640);
	if (fd < 0)
		return (-1);
	result = act_write(fd, r);
	if (result >= 0)
		result = linkat(fd, "", AT_FDCWD, a.s, AT_EMPTY_PATH);
	error = errno;
	(void)close(fd);
	errno = error;
	return (result);
}

static int
op_data(void)
{
	static const struct {
		const char *name;
		int flags;
		int (*act)(int, struct range);
		bool pages;
	} how[] = {{"write", O_RDWR | O_CREAT, act_write, false},
	    {"write", O_RDWR | O_CREAT | O_TRUNC, act_write, false},
	    {"append", O_WRONLY | O_APPEND | O_CREAT, act_append, false},
	    {"direct", O_RDWR | O_CREAT | O_DIRECT, act_write, true},
	    {"write sync", O_RDWR | O_SYNC, act_write, false}, {"map", O_RDWR, act_map, true},
	    {"read", O_RDONLY, act_read, false},
	    {"read direct", O_RDONLY | O_DIRECT, act_read, true},
	    {"truncate", O_RDWR, act_truncate, false}, {"sync", O_RDONLY, act_sync, false},
	    {"flags", O_RDONLY, act_flags, false}};
	struct name a = choose_name(false);
	struct range r = choose_range();
	unsigned h = (unsigned)pick(sizeof(how) / sizeof(how[0]));

	if (how[h].pages)
		r = whole_pages(r);
	choose_data(r.len);
	SAY("%s %s %lld + %zu", how[h].name, a.s, (long long)r.off, r.len);
	return (on_file(a.s, how[h].flags, how[h].act, r));
}

static int
op_fallocate(void)
{
	static const int mode[] = {0, FALLOC_FL_KEEP_SIZE,
	    FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, FALLOC_FL_ZERO_RANGE,
	    FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, FALLOC_FL_COLLAPSE_RANGE,
	    FALLOC_FL_INSERT_RANGE};
	struct name a = choose_name(false);
	struct range r = choose_range();

	fallocate_mode = mode[pick(7)];
	if (pick(2) == 0 || fallocate_mode >= FALLOC_FL_COLLAPSE_RANGE)
		r = whole_pages(r);
	SAY("fallocate %d %s %lld + %zu", fallocate_mode, a.s, (long long)r.off, r.len);
	return (on_file(a.s, O_RDWR, act_fallocate, r));
}

static int
op_copy(void)
{
	struct name a = choose_name(false), b = choose_name(false);
	struct range r = choose_range();

	source = a.s;
	SAY("copy %s %s %lld + %zu", a.s, b.s, (long long)r.off, r.len);
	return (on_file(b.s, O_RDWR, act_copy, r));
}

static int
op_attributes(void)
{
	struct name a = choose_name(pick(3) == 0);
	mode_t mode = (mode_t)pick(010000);
	uid_t owner = (uid_t)pick(5);
	struct timespec t[2] = {{(time_t)pick(900000000), 0}, {(time_t)pick(900000000), 0}};

	switch (pick(3)) {
	case 0:
		SAY("chmod %s %o", a.s, mode);
		return (chmod(a.s, mode));
	case 1:
		SAY("chown %s %u", a.s, owner);
		return (lchown(a.s, owner, owner + 1));
	default:
		SAY("times %s %lld", a.s, (long long)t[1].tv_sec);
		return (utimensat(AT_FDCWD, a.s, t, AT_SYMLINK_NOFOLLOW));
	}
}

static int
op_xattr(void)
{
	struct name a = choose_name(pick(3) == 0);
	unsigned which = (unsigned)pick(4), what = (unsigned)pick(4);
	size_t len = pick(200), got;
	char key[32];

	choose_data(len);
	(void)snprintf(key, sizeof(key), "%s.%u", which == 0 ? "trusted" : "user", which);
	SAY("xattr %u %s %s %zu", what, a.s, key, len);
	if (what == 0)
		return (lremovexattr(a.s, key));
	if (what > 1)
		return (lsetxattr(a.s, key, data, len, 0));
	got = (size_t)lgetxattr(a.s, key, data, 256);
	if (got <= 256)
		SAY(" %016llx", (unsigned long long)seeded_hash(SEEDED_HASH, data, got));
	return ((int)got);
}

/* What is mine in it, in any order. */
static int
op_list(void)
{
	struct name a = choose_name(true);
	char mine[16];
	struct dirent *e;
	uint64_t sum = 0;
	int n = 0;
	DIR *dir;

	if (pick(3) == 0)
		(void)snprintf(a.s, sizeof(a.s), "all");
	SAY("list %s", a.s);
	if ((dir = opendir(a.s)) == NULL)
		return (-1);
	(void)snprintf(mine, sizeof(mine), "%u", self);
	while ((e = readdir(dir)) != NULL)
		if (strncmp(e->d_name, mine, strlen(mine)) == 0 &&
		    (e->d_name[strlen(mine)] == 'n' || e->d_name[strlen(mine)] == 'd')) {
			sum += seeded_hash(e->d_type, e->d_name, strlen(e->d_name));
			n++;
		}
	(void)closedir(dir);
	SAY(" %016llx", (unsigned long long)sum);
	return (n);
}

static const struct {
	int (*run)(void);
	unsigned weight;
} ops[] = {{op_create, 8}, {op_mkdir, 8}, {op_mknod, 2}, {op_link, 6}, {op_symlink, 3},
    {op_rename, 8}, {op_unlink, 5}, {op_rmdir, 2}, {op_tmpfile, 3}, {op_data, 34},
    {op_fallocate, 8}, {op_copy, 4}, {op_attributes, 6}, {op_xattr, 6}, {op_list, 4}};

static void
one(uint64_t number)
{
	unsigned r = 0;
	int result;

	for (unsigned i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		r += ops[i].weight;
	r = (unsigned)pick(r);
	SAY("%llu ", (unsigned long long)number);
	for (unsigned i = 0;; i++) {
		if (r < ops[i].weight) {
			result = ops[i].run();
			break;
		}
		r -= ops[i].weight;
	}
	if (result >= 0) {
		SAY(" = %d\n", result);
		return;
	}
	SAY(" = %s\n", strerrorname_np(errno));
	if (errno == ENOSPC || errno == EIO || errno == EROFS || errno == EUCLEAN) {
		warn("process %u, operation %llu", self, (unsigned long long)number);
		fatal = true;
	}
}

static int
child(const char *logs, uint64_t seed, uint64_t nops)
{
	char name[4096];

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)snprintf(name, sizeof(name), "%s/%u", logs, self);
	out = fopen(name, "we");
	if (out == NULL || posix_memalign((void **)&data, PAGE, DATA_MAX + PAGE) != 0)
		err(1, "%s", name);
	/* No name and no link leads out of here. */
	if (chroot(".") < 0)
		err(1, "chroot");
	rng = seeded_mix(seed * 1000 + self);
	(void)snprintf(name, sizeof(name), "own%u", self);
	(void)mkdir(name, 0755);
	for (unsigned i = 0; i < 3; i++) {
		(void)snprintf(name, sizeof(name), "own%u/%ud%u", self, self, i);
		(void)mkdir(name, 0755);
		(void)snprintf(name, sizeof(name), "all/%ud%u", self, i);
		(void)mkdir(name, 0755);
	}
	for (uint64_t i = 1; i <= nops && !fatal; i++)
		one(i);
	return (fclose(out) != 0 || fatal);
}

int
main(int argc, char **argv)
{
	uint64_t seed = 1, nops = 1000;
	unsigned processes = 6;
	const char *logs = NULL;
	int c, status, bad = 0;

	while ((c = getopt(argc, argv, "s:p:n:l:")) != -1)
		switch (c) {
		case 's':
			seed = strtoull(optarg, NULL, 0);
			break;
		case 'p':
			processes = (unsigned)strtoul(optarg, NULL, 0);
			break;
		case 'n':
			nops = strtoull(optarg, NULL, 0);
			break;
		case 'l':
			logs = optarg;
			break;
		default:
			return (2);
		}
	if (optind + 1 != argc || logs == NULL)
		errx(2, "usage: treeload [-s SEED] [-p PROCESSES] [-n OPERATIONS] -l LOGS DIR");
	(void)umask(0);
	if (chdir(argv[optind]) < 0 || (mkdir("all", 0777) < 0 && errno != EEXIST))
		err(1, "%s", argv[optind]);
	for (self = 0; self < processes; self++)
		switch (fork()) {
		case -1:
			err(1, "fork");
		case 0:
			_exit(child(logs, seed, nops));
		default:
			break;
		}
	while (wait(&status) > 0)
		bad |= status != 0;
	return (bad);
}
