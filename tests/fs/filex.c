/* SPDX-License-Identifier: ISC */
/*
 * filex.c -- one file, random operations, every byte compared with a model in memory: what fsx does.
 *
 *	filex [-s SEED] [-n OPERATIONS] [-l LONGEST_FILE] [-m MODEL] [-v] FILE
 *
 * read and write (buffered, O_DIRECT, mapped), truncate, punch, zero, collapse, insert, allocate, copy
 * within the file, fsync, forget the cached pages, close and open.  What the file system cannot do is
 * asked first, and left out; a seed decides everything else, so the same seed does the same on another
 * disk, and what is printed must be the same too.  MODEL gets what FILE must hold at the end.
 *
 * Process, threads: one.
 * Exit: 0, 1 wrong data or an error (the last operations are printed), 2 usage.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/fs/seeded.h"

#define UNIT	4096u /* of O_DIRECT, collapse, insert */
#define LAST	40    /* operations shown when one fails */
#define LONGEST (160u << 10)

enum kind {
	READ,
	READ_DIRECT,
	READ_MAPPED,
	WRITE,
	WRITE_DIRECT,
	WRITE_MAPPED,
	TRUNCATE,
	PUNCH,
	ZERO,
	ZERO_KEEP,
	ALLOCATE,
	ALLOCATE_KEEP,
	COLLAPSE,
	INSERT,
	COPY,
	FSYNC,
	FDATASYNC,
	FORGET,
	REOPEN,
	KINDS
};

static const struct {
	const char *name;
	unsigned weight;
} kinds[KINDS] = {{"read", 10}, {"read direct", 6}, {"read mapped", 8}, {"write", 16},
    {"write direct", 10}, {"write mapped", 12}, {"truncate", 6}, {"punch", 6}, {"zero", 4},
    {"zero keep size", 3}, {"allocate", 3}, {"allocate keep size", 3}, {"collapse", 4},
    {"insert", 4}, {"copy", 4}, {"fsync", 1}, {"fdatasync", 1}, {"forget", 2}, {"reopen", 1}};

static const char *path;
static uint64_t seed, rng, longest = 1 << 20, nops = 10000, op;
static bool verbose, can[KINDS];
static uint64_t count[KINDS];
static int fd = -1, direct = -1;
static uint8_t *model, *buf;
static uint64_t size;
static char last[LAST][96];

static void give_up(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
static void
give_up(const char *fmt, ...)
{
	int error = errno;
	va_list args;

	printf("# %s, seed %llu, operation %llu: ", path, (unsigned long long)seed,
	    (unsigned long long)op);
	va_start(args, fmt);
	(void)vprintf(fmt, args);
	va_end(args);
	printf(": %s\n", error != 0 ? strerror(error) : "wrong data");
	for (uint64_t i = op < LAST ? 1 : op - LAST + 1; i <= op; i++)
		printf("#   %llu: %s\n", (unsigned long long)i, last[i % LAST]);
	(void)fflush(stdout);
	_exit(1);
}

static void
open_file(void)
{
	fd = open(path, O_RDWR | O_CLOEXEC);
	direct = open(path, O_RDWR | O_CLOEXEC | O_DIRECT);
	if (fd < 0 || direct < 0)
		give_up("open");
}

/* ---- what must be there ------------------------------------------------------------------- */

static void
compare(const uint8_t *got, uint64_t off, uint64_t len)
{
	uint64_t i = 0, bad = 0;

	if (memcmp(got, model + off, len) == 0)
		return;
	while (got[i] == model[off + i])
		i++;
	for (uint64_t j = i; j < len; j++)
		bad += got[j] != model[off + j];
	errno = 0;
	give_up("%llu bytes differ, the first at %llu: got %02x, want %02x",
	    (unsigned long long)bad, (unsigned long long)(off + i), got[i], model[off + i]);
}

static void
check_size(void)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		give_up("fstat");
	errno = 0;
	if ((uint64_t)st.st_size != size)
		give_up("size %llu, must be %llu", (unsigned long long)st.st_size,
		    (unsigned long long)size);
}

static void
read_range(int from, uint64_t off, uint64_t len)
{
	uint64_t want = off >= size ? 0 : size - off < len ? size - off : len, done = 0;

	while (done < want) {
		ssize_t n = pread(from, buf + done, len - done, (off_t)(off + done));

		if (n <= 0) {
			errno = n == 0 ? ENODATA : errno;
			give_up("read at %llu", (unsigned long long)(off + done));
		}
		done += (uint64_t)n;
	}
	compare(buf, off, want);
}

static uint8_t *
map(uint64_t off, uint64_t len, int prot)
{
	uint8_t *p = mmap(NULL, len, prot, MAP_SHARED, fd, (off_t)off);

	if (p == MAP_FAILED)
		give_up("mmap");
	return (p);
}

/* Up to the end of the last page: behind the end of the file it shows zeros. */
static void
read_mapped(uint64_t off, uint64_t len)
{
	uint64_t start = off / UNIT * UNIT, end = off + len < size ? off + len : size;
	uint8_t *p;

	if (off >= size)
		return;
	p = map(start, end - start, PROT_READ);
	compare(p + (off - start), off, end - off);
	if (end == size)
		for (uint64_t i = end - start; i % UNIT != 0; i++)
			if (p[i] != 0) {
				errno = 0;
				give_up("behind the end at %llu: %02x",
				    (unsigned long long)(start + i), p[i]);
			}
	(void)munmap(p, end - start);
}

static void
check_all(void)
{
	check_size();
	for (uint64_t off = 0; off < size; off += LONGEST)
		read_range(fd, off, LONGEST);
}

/* ---- what changes it ---------------------------------------------------------------------- */

static void
grow(uint64_t end)
{
	if (end > size)
		size = end; /* the model is zero there */
}

static void
fill(uint64_t off, uint64_t len)
{
	uint64_t s = seeded_next(&rng);

	for (uint64_t i = 0; i < len; i += 8) {
		uint64_t word = seeded_next(&s);

		memcpy(buf + i, &word, len - i < 8 ? len - i : 8);
	}
	memcpy(model + off, buf, len);
}

static void
write_range(int to, uint64_t off, uint64_t len)
{
	uint64_t done = 0;

	fill(off, len);
	while (done < len) {
		ssize_t n = pwrite(to, buf + done, len - done, (off_t)(off + done));

		if (n <= 0)
			give_up("write at %llu", (unsigned long long)(off + done));
		done += (uint64_t)n;
	}
	grow(off + len);
}

static void
write_mapped(uint64_t off, uint64_t len)
{
	uint64_t start = off / UNIT * UNIT;
	uint8_t *p;

	if (off + len > size && ftruncate(fd, (off_t)(off + len)) < 0)
		give_up("ftruncate");
	grow(off + len);
	fill(off, len);
	p = map(start, off + len - start, PROT_READ | PROT_WRITE);
	memcpy(p + (off - start), buf, len);
	if (seeded_below(&rng, 2) == 0 && msync(p, off + len - start, MS_SYNC) < 0)
		give_up("msync");
	(void)munmap(p, off + len - start);
}

static void
truncate_to(uint64_t to)
{
	if (ftruncate(fd, (off_t)to) < 0)
		give_up("ftruncate");
	if (to < size)
		memset(model + to, 0, size - to);
	size = to;
}

static void
change(int mode, uint64_t off, uint64_t len)
{
	if (fallocate(fd, mode, (off_t)off, (off_t)len) < 0)
		give_up("fallocate");
	if ((mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) != 0 && off < size)
		memset(model + off, 0, off + len < size ? len : size - off);
	if ((mode & FALLOC_FL_KEEP_SIZE) == 0)
		grow(off + len);
}

/* Whole units in the middle of the file go, or come in as zeros. */
static void
collapse(uint64_t off, uint64_t len)
{
	if (off + len >= size)
		return;
	if (fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, (off_t)off, (off_t)len) < 0)
		give_up("collapse");
	memmove(model + off, model + off + len, size - off - len);
	memset(model + size - len, 0, len);
	size -= len;
}

static void
insert(uint64_t off, uint64_t len)
{
	if (off >= size || size + len > longest)
		return;
	if (fallocate(fd, FALLOC_FL_INSERT_RANGE, (off_t)off, (off_t)len) < 0)
		give_up("insert");
	memmove(model + off + len, model + off, size - off);
	memset(model + off, 0, len);
	size += len;
}

static void
copy(uint64_t off, uint64_t len)
{
	uint64_t to = seeded_below(&rng, longest - len), left;
	off_t in = (off_t)off, out = (off_t)to;

	if (off >= size)
		return;
	left = len = size - off < len ? size - off : len;
	if (to < off + len && off < to + len)
		return; /* the kernel wants them apart */
	while (left > 0) {
		ssize_t n = copy_file_range(fd, &in, fd, &out, left, 0);

		if (n <= 0)
			give_up("copy_file_range");
		left -= (uint64_t)n;
	}
	memcpy(model + to, model + off, len);
	grow(to + len);
}

static void
forget(void)
{
	if (fsync(fd) < 0 || posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) != 0)
		give_up("forget");
	check_all();
}

static void
reopen(void)
{
	if (close(fd) < 0 || close(direct) < 0)
		give_up("close");
	open_file();
	check_all();
}

/* ---- one after the other ------------------------------------------------------------------ */

/* On a file beside it: what the file system says it cannot do. */
static void
ask(void)
{
	static const struct {
		enum kind kind;
		int mode;
	} asked[] = {{PUNCH, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE},
	    {ZERO, FALLOC_FL_ZERO_RANGE}, {ZERO_KEEP, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE},
	    {ALLOCATE, 0}, {ALLOCATE_KEEP, FALLOC_FL_KEEP_SIZE},
	    {COLLAPSE, FALLOC_FL_COLLAPSE_RANGE}, {INSERT, FALLOC_FL_INSERT_RANGE}};
	off_t in = 0, out = 8 * (off_t)UNIT;
	char name[4096];
	int f;

	(void)snprintf(name, sizeof(name), "%s.ask", path);
	f = open(name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (f < 0)
		give_up("%s", name);
	memset(can, true, sizeof(can));
	memset(buf, 1, LONGEST);
	if (pwrite(f, buf, 16 * UNIT, 0) != 16 * (int)UNIT)
		give_up("write");
	for (unsigned i = 0; i < sizeof(asked) / sizeof(asked[0]); i++)
		can[asked[i].kind] = fallocate(f, asked[i].mode, UNIT, UNIT) == 0;
	can[COPY] = copy_file_range(f, &in, f, &out, UNIT, 0) > 0;
	(void)close(f);
	(void)unlink(name);
}

static enum kind
choose(void)
{
	uint64_t all = 0, r;
	int k;

	for (k = 0; k < KINDS; k++)
		all += kinds[k].weight;
	r = seeded_below(&rng, all);
	for (k = 0; r >= kinds[k].weight; k++)
		r -= kinds[k].weight;
	return ((enum kind)k);
}

static void
act(enum kind kind, uint64_t off, uint64_t len)
{
	switch (kind) {
	case READ:
	case READ_DIRECT:
		read_range(kind == READ ? fd : direct, off, len);
		break;
	case READ_MAPPED:
		read_mapped(off, len);
		break;
	case WRITE:
	case WRITE_DIRECT:
		write_range(kind == WRITE ? fd : direct, off, len);
		break;
	case WRITE_MAPPED:
		write_mapped(off, len);
		break;
	case TRUNCATE:
		truncate_to(off);
		break;
	case PUNCH:
		change(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, off, len);
		break;
	case ZERO:
		change(FALLOC_FL_ZERO_RANGE, off, len);
		break;
	case ZERO_KEEP:
		change(FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, off, len);
		break;
	case ALLOCATE:
		change(0, off, len);
		break;
	case ALLOCATE_KEEP:
		change(FALLOC_FL_KEEP_SIZE, off, len);
		break;
	case COLLAPSE:
		collapse(off, len);
		break;
	case INSERT:
		insert(off, len);
		break;
	case COPY:
		copy(off, len);
		break;
	case FSYNC:
	case FDATASYNC:
		if ((kind == FSYNC ? fsync(fd) : fdatasync(fd)) < 0)
			give_up("%s", kinds[kind].name);
		break;
	case FORGET:
		forget();
		break;
	default:
		reopen();
	}
}

static bool
whole_units(enum kind kind)
{
	return (kind == READ_DIRECT || kind == WRITE_DIRECT || kind == COLLAPSE || kind == INSERT);
}

/* The file grows and shrinks: more often than not an operation meets bytes that are there. */
static void
one(void)
{
	enum kind kind = choose();
	uint64_t room = seeded_below(&rng, 4) == 0 || size < UNIT ? longest : size;
	uint64_t off = seeded_below(&rng, room), len;

	len = 1 + seeded_below(&rng, UINT64_C(1) << (1 + seeded_below(&rng, 17)));
	if (off + len > longest)
		len = longest - off;
	if (whole_units(kind)) {
		off = off / UNIT * UNIT;
		len = (len + UNIT - 1) / UNIT * UNIT;
	}
	(void)snprintf(last[op % LAST], sizeof(last[0]), "%s %llu + %llu, size %llu%s",
	    kinds[kind].name, (unsigned long long)off, (unsigned long long)len,
	    (unsigned long long)size, can[kind] ? "" : ": cannot");
	if (verbose)
		printf("%llu: %s\n", (unsigned long long)op, last[op % LAST]);
	if (!can[kind])
		return;
	count[kind]++;
	act(kind, off, len);
	check_size();
}

static void
keep_model(const char *name)
{
	FILE *f = fopen(name, "we");

	if (f == NULL || fwrite(model, 1, size, f) != size || fclose(f) != 0)
		err(1, "%s", name);
}

int
main(int argc, char **argv)
{
	const char *keep = NULL;
	int c;

	while ((c = getopt(argc, argv, "s:n:l:m:v")) != -1)
		switch (c) {
		case 's':
			seed = strtoull(optarg, NULL, 0);
			break;
		case 'n':
			nops = strtoull(optarg, NULL, 0);
			break;
		case 'l':
			longest = strtoull(optarg, NULL, 0) / UNIT * UNIT;
			break;
		case 'm':
			keep = optarg;
			break;
		case 'v':
			verbose = true;
			break;
		default:
			return (2);
		}
	if (optind + 1 != argc || longest < 2 * LONGEST)
		errx(2, "usage: filex [-s SEED] [-n OPERATIONS] [-l LONGEST] [-m MODEL] [-v] FILE");
	path = argv[optind];
	rng = seed;
	model = calloc(1, longest + LONGEST);
	if (model == NULL || posix_memalign((void **)&buf, UNIT, LONGEST + 8) != 0)
		err(1, "memory");
	if ((fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)) < 0)
		err(1, "%s", path);
	(void)close(fd);
	ask();
	open_file();
	for (op = 1; op <= nops; op++)
		one();
	op = nops;
	forget();
	if (keep != NULL)
		keep_model(keep);
	for (c = 0; c < KINDS; c++)
		printf("%s %llu%s\n", kinds[c].name, (unsigned long long)count[c],
		    can[c] ? "" : " cannot");
	printf("size %llu, hash %016llx\n", (unsigned long long)size,
	    (unsigned long long)seeded_hash(SEEDED_HASH, model, size));
	return (0);
}
