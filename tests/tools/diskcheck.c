/* SPDX-License-Identifier: ISC */
/*
 * diskcheck.c -- random reads, writes, trims and syncs on a file, checked against a model in memory.
 *
 *	diskcheck [-j JOBS] [-n OPS] [-t SECONDS] [-m MAXLEN] [-S SEED] [-a ALIGN] [-d] [-z] FILE
 *	  -j	processes, each with a part of the file of its own; the parts meet at odd offsets, so
 *		neighbours share blocks and sub-blocks
 *	  -a	offsets and lengths are multiples of it (with -d at least 512)
 *	  -d	O_DIRECT
 *	  -z	no trims
 *
 * The whole file is read back at the end by another process.  The first wrong byte is printed with
 * its offset, what was expected and the operation that wrote it last; exit 1.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <linux/falloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static unsigned jobs = 1, maxlen = 300000, align = 1, seconds = 3600;
static uint64_t ops = 1000, seed;
static bool direct, no_trim;
static const char *path;
static uint64_t size;
static uint8_t *model;	  /* shared: what the file should hold */
static uint32_t *last_op; /* shared, per KiB: the operation that wrote there last */

static uint64_t
rnd(void)
{
	/* xorshift64*: the same sequence for the same seed. */
	seed ^= seed >> 12;
	seed ^= seed << 25;
	seed ^= seed >> 27;
	return (seed * UINT64_C(2685821657736338717));
}

static void
check(const uint8_t *got, uint64_t off, uint64_t len, const char *when)
{
	if (memcmp(got, model + off, len) == 0)
		return;
	for (uint64_t i = 0; i < len; i++) {
		if (got[i] == model[off + i])
			continue;
		(void)printf("diskcheck: %s: byte %" PRIu64
			     " is %02x, not %02x; last written by op %u; "
			     "read was %" PRIu64 "+%" PRIu64 "\n",
		    when, off + i, got[i], model[off + i], last_op[(off + i) >> 10], off, len);
		exit(1);
	}
}

static void
fail(const char *what, uint64_t off, uint64_t len)
{
	(void)printf(
	    "diskcheck: %s at %" PRIu64 "+%" PRIu64 ": %s\n", what, off, len, strerror(errno));
	exit(1);
}

static int
open_file(bool may_direct)
{
	int fd = open(path, O_RDWR | (direct && may_direct ? O_DIRECT : 0));

	if (fd < 0)
		fail("open", 0, 0);
	return (fd);
}

static void
note(uint64_t off, uint64_t len, uint32_t op)
{
	for (uint64_t k = off >> 10; k <= (off + len - 1) >> 10; k++)
		last_op[k] = op;
}

static void
one_op(int fd, uint8_t *buf, uint64_t lo, uint64_t hi, uint32_t op)
{
	uint64_t most = rnd() % 4 == 0 ? maxlen : maxlen / 16 + 1;
	uint64_t len = 1 + rnd() % most, off = lo + rnd() % (hi - lo);
	unsigned what = rnd() % 16;

	off = off / align * align;
	len = (len + align - 1) / align * align;
	if (off < lo)
		off = (lo + align - 1) / align * align;
	if (off + len > hi)
		len = off < hi ? (hi - off) / align * align : 0;
	if (len == 0)
		return;
	if (what < 7) {
		if (!direct) /* else the kernel's pages answer */
			(void)posix_fadvise(fd, (off_t)off, (off_t)len, POSIX_FADV_DONTNEED);
		if (pread(fd, buf, len, (off_t)off) != (ssize_t)len)
			fail("read", off, len);
		check(buf, off, len, "read");
	} else if (what < 13 || (what < 15 && no_trim)) {
		for (uint64_t i = 0; i < len; i += 8)
			((uint64_t *)(void *)buf)[i / 8] = rnd();
		if (pwrite(fd, buf, len, (off_t)off) != (ssize_t)len)
			fail("write", off, len);
		memcpy(model + off, buf, len);
		note(off, len, op);
	} else if (what < 15) {
		int mode = what == 13 ? FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE
				      : FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE;

		if (fallocate(fd, mode, (off_t)off, (off_t)len) < 0)
			fail("trim", off, len);
		memset(model + off, 0, len);
		note(off, len, op);
	} else if (rnd() % 4 == 0 && fdatasync(fd) < 0) {
		fail("fdatasync", 0, 0);
	}
}

static uint8_t *
buffer(uint64_t n)
{
	void *p = NULL;

	if (posix_memalign(&p, 4096, n + 4096) != 0)
		fail("malloc", 0, n);
	return (p);
}

static void
work(unsigned job)
{
	uint64_t lo = size / jobs * job, hi = job + 1 == jobs ? size : size / jobs * (job + 1);
	uint8_t *buf = buffer(maxlen + align);
	int fd = open_file(true);
	time_t until = time(NULL) + (time_t)seconds;

	/* Not a multiple of anything, unless it must be. */
	if (job > 0)
		lo = (lo + (align == 1 ? 777 : 0)) / align * align;
	if (job + 1 < jobs)
		hi = (hi + (align == 1 ? 777 : 0)) / align * align;
	seed = (seed + job + 1) * UINT64_C(0x9E3779B97F4A7C15) | 1;
	for (uint64_t i = 0; i < ops && time(NULL) < until; i++)
		one_op(fd, buf, lo, hi, (uint32_t)i);
	if (fsync(fd) < 0 || close(fd) < 0)
		fail("fsync", 0, 0);
	exit(0);
}

static void
read_back(void)
{
	uint8_t *buf = buffer(1 << 20);
	int fd = open_file(true);

	for (uint64_t off = 0; off < size; off += 1 << 20) {
		uint64_t len = size - off < 1 << 20 ? size - off : 1 << 20;

		if (pread(fd, buf, len, (off_t)off) != (ssize_t)len)
			fail("read", off, len);
		check(buf, off, len, "at the end");
	}
	close(fd);
}

static void
load_model(void)
{
	int fd = open_file(false);
	struct stat st;

	if (fstat(fd, &st) < 0)
		fail("stat", 0, 0);
	size = (uint64_t)st.st_size;
	model = mmap(NULL, size + 1024, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	last_op = mmap(
	    NULL, (size >> 8) + 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (model == MAP_FAILED || last_op == MAP_FAILED)
		fail("mmap", 0, size);
	for (uint64_t off = 0; off < size;) {
		ssize_t n =
		    pread(fd, model + off, size - off < 1 << 20 ? size - off : 1 << 20, (off_t)off);

		if (n <= 0)
			fail("read", off, size - off);
		off += (uint64_t)n;
	}
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	close(fd);
}

int
main(int argc, char **argv)
{
	int c, status, bad = 0;

	seed = (uint64_t)time(NULL);
	while ((c = getopt(argc, argv, "j:n:t:m:S:a:dz")) != -1) {
		switch (c) {
		case 'j':
			jobs = (unsigned)atoi(optarg);
			break;
		case 'n':
			ops = strtoull(optarg, NULL, 0);
			break;
		case 't':
			seconds = (unsigned)atoi(optarg);
			break;
		case 'm':
			maxlen = (unsigned)atoi(optarg);
			break;
		case 'S':
			seed = strtoull(optarg, NULL, 0);
			break;
		case 'a':
			align = (unsigned)atoi(optarg);
			break;
		case 'd':
			direct = true;
			break;
		case 'z':
			no_trim = true;
			break;
		default:
			return (2);
		}
	}
	if (optind + 1 != argc || jobs == 0 || align == 0) {
		(void)fprintf(stderr, "usage: diskcheck [options] FILE\n");
		return (2);
	}
	path = argv[optind];
	(void)printf("diskcheck: seed %" PRIu64 "\n", seed);
	(void)fflush(stdout);
	load_model();
	for (unsigned j = 0; j < jobs; j++)
		if (fork() == 0)
			work(j);
	while (wait(&status) > 0)
		bad |= status;
	if (bad == 0)
		read_back();
	(void)printf("diskcheck: %s\n", bad == 0 ? "all bytes as expected" : "FAILED");
	return (bad == 0 ? 0 : 1);
}
