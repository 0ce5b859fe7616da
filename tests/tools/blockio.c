/* SPDX-License-Identifier: ISC */
/*
 * blockio.c -- reads, writes and trims a disk at random and compares it with a model.
 *
 *	blockio run    -d DISK -m MODEL [options]	random operations, each also done to MODEL
 *	blockio verify -d DISK -m MODEL [options]	DISK must equal MODEL
 *
 * The model is a plain file of the disk's size.  Every byte belongs to exactly one thread, so each
 * thread knows at any time what its bytes must be, and a read that shows anything else is reported
 * with offset, length and the seed that repeats it.  Stripes decide what belongs to whom: as they
 * are smaller than a block and not aligned to one, all threads work in the same blocks all the
 * time, each in its own bytes.
 *
 * Threads: -t of them, and nothing shared but the two files and the counters.
 * Exit:    0 equal, 1 different or an error, 2 usage.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/falloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define STRIPE_DEFAULT 20480u /* 5 pages: never a divisor or multiple of a block */

enum kind {
	OP_READ,
	OP_WRITE,
	OP_PUNCH,
	OP_ZERO,
	OP_FSYNC,
	OP_KINDS
};

static struct {
	const char *disk, *model;
	uint64_t seed;
	uint64_t ops;	  /* of all threads */
	uint64_t seconds; /* 0: until ops are done */
	uint64_t threads;
	uint64_t max_len;
	uint64_t stripe;
	uint64_t align;		/* of offsets and lengths */
	uint64_t from, to;	/* part of the disk that is used */
	unsigned pct[OP_KINDS]; /* reads, writes ... in percent; what is left over reads */
	unsigned pct_zeros;	/* of the writes, that write zeros */
	bool direct;
	bool sync_at_end;
} opt = {.threads = 4,
    .ops = 2000,
    .max_len = 256 << 10,
    .stripe = STRIPE_DEFAULT,
    .align = 1,
    .pct = {40, 45, 8, 6, 1},
    .pct_zeros = 5,
    .to = UINT64_MAX};

static uint64_t disk_size;
static _Atomic uint64_t done_ops, done_bytes;
static _Atomic bool failed;

struct worker {
	pthread_t thread;
	unsigned index;
	int disk, model;
	uint64_t rng;
	uint8_t *buf, *want;
	uint64_t count[OP_KINDS];
};

/* splitmix64: small, good enough, and the same everywhere. */
static uint64_t
next(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return (z ^ (z >> 31));
}

static uint64_t
below(uint64_t *state, uint64_t n)
{
	return (n == 0 ? 0 : next(state) % n);
}

static double
now_s(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return ((double)t.tv_sec + (double)t.tv_nsec / 1e9);
}

static void
complain(const struct worker *w, const char *what, uint64_t off, uint64_t len)
{
	printf("# %s: %s at %llu + %llu, thread %u, seed %llu: %s\n", opt.disk, what,
	    (unsigned long long)off, (unsigned long long)len, w->index,
	    (unsigned long long)opt.seed, errno != 0 ? strerror(errno) : "wrong data");
	fflush(stdout);
	atomic_store(&failed, true);
}

static bool
all_in(int fd, uint8_t *buf, uint64_t len, uint64_t off)
{
	while (len > 0) {
		ssize_t n = pread(fd, buf, len, (off_t)off);

		if (n <= 0) {
			if (n == 0)
				errno = ENODATA;
			return (false);
		}
		buf += n, off += (uint64_t)n, len -= (uint64_t)n;
	}
	return (true);
}

static bool
all_out(int fd, const uint8_t *buf, uint64_t len, uint64_t off)
{
	while (len > 0) {
		ssize_t n = pwrite(fd, buf, len, (off_t)off);

		if (n <= 0)
			return (false);
		buf += n, off += (uint64_t)n, len -= (uint64_t)n;
	}
	return (true);
}

/* ---- one operation -------------------------------------------------------------------------- */

/* First byte that differs, for the report: which block it is in, and what is there instead. */
static void
show_difference(const struct worker *w, uint64_t off, uint64_t len)
{
	uint64_t first = 0, bad = 0;

	while (first < len && w->buf[first] == w->want[first])
		first++;
	for (uint64_t i = first; i < len; i++)
		bad += w->buf[i] != w->want[i];
	errno = 0;
	complain(w, "read", off, len);
	printf("#   %llu bytes differ, the first at %llu: got %02x, want %02x\n",
	    (unsigned long long)bad, (unsigned long long)(off + first), w->buf[first],
	    w->want[first]);
}

static bool
compare(struct worker *w, uint64_t off, uint64_t len)
{
	errno = 0;
	if (!all_in(w->disk, w->buf, len, off)) {
		complain(w, "read", off, len);
		return (false);
	}
	if (!all_in(w->model, w->want, len, off)) {
		complain(w, "read of the model", off, len);
		return (false);
	}
	if (memcmp(w->buf, w->want, len) == 0)
		return (true);
	show_difference(w, off, len);
	return (false);
}

static bool
write_both(struct worker *w, uint64_t off, uint64_t len)
{
	if (below(&w->rng, 100) < opt.pct_zeros) {
		memset(w->buf, 0, len);
	} else {
		uint64_t seed = next(&w->rng);

		for (uint64_t i = 0; i < len; i += 8) {
			uint64_t word = next(&seed);

			memcpy(w->buf + i, &word, len - i < 8 ? len - i : 8);
		}
	}
	errno = 0;
	if (!all_out(w->disk, w->buf, len, off)) {
		complain(w, "write", off, len);
		return (false);
	}
	if (!all_out(w->model, w->buf, len, off)) {
		complain(w, "write of the model", off, len);
		return (false);
	}
	return (true);
}

static bool
zero_both(struct worker *w, enum kind kind, uint64_t off, uint64_t len)
{
	int mode =
	    FALLOC_FL_KEEP_SIZE | (kind == OP_PUNCH ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE);

	if (fallocate(w->disk, mode, (off_t)off, (off_t)len) < 0) {
		complain(w, kind == OP_PUNCH ? "punch" : "zero", off, len);
		return (false);
	}
	memset(w->want, 0, len);
	errno = 0;
	if (!all_out(w->model, w->want, len, off)) {
		complain(w, "write of the model", off, len);
		return (false);
	}
	return (true);
}

static bool
sync_disk(struct worker *w)
{
	if (fsync(w->disk) == 0)
		return (true);
	complain(w, "fsync", 0, 0);
	return (false);
}

/* ---- what belongs to whom ------------------------------------------------------------------- */

/* A place within one stripe of this thread; short lengths are as frequent as long ones. */
static void
choose_place(struct worker *w, uint64_t *ret_off, uint64_t *ret_len)
{
	uint64_t size = opt.to - opt.from, nstripes = (size + opt.stripe - 1) / opt.stripe;
	uint64_t mine = (nstripes + opt.threads - 1 - w->index) / opt.threads;
	uint64_t stripe = below(&w->rng, mine) * opt.threads + w->index;
	uint64_t start = stripe * opt.stripe, room = size - start;
	uint64_t off, len, bits = 0;

	if (room > opt.stripe)
		room = opt.stripe;
	off = below(&w->rng, room) / opt.align * opt.align;
	room -= off;
	if (room > opt.max_len)
		room = opt.max_len;
	while ((UINT64_C(1) << bits) < room)
		bits++;
	len = 1 + below(&w->rng, UINT64_C(1) << below(&w->rng, bits + 1));
	len = (len + opt.align - 1) / opt.align * opt.align;
	*ret_off = opt.from + start + off;
	*ret_len = len < room ? len : room;
}

static enum kind
choose_kind(struct worker *w)
{
	uint64_t r = below(&w->rng, 100);

	for (int k = 0; k < OP_KINDS; k++) {
		if (r < opt.pct[k])
			return ((enum kind)k);
		r -= opt.pct[k];
	}
	return (OP_READ);
}

static bool
one_operation(struct worker *w)
{
	enum kind kind = choose_kind(w);
	uint64_t off, len;

	choose_place(w, &off, &len);
	w->count[kind]++;
	atomic_fetch_add(&done_bytes, len);
	switch (kind) {
	case OP_WRITE:
		return (write_both(w, off, len));
	case OP_PUNCH:
	case OP_ZERO:
		return (zero_both(w, kind, off, len));
	case OP_FSYNC:
		return (sync_disk(w));
	default:
		return (compare(w, off, len));
	}
}

static void
open_both(struct worker *w)
{
	w->disk = open(opt.disk, O_RDWR | O_CLOEXEC | (opt.direct ? O_DIRECT : 0));
	if (w->disk < 0 && (errno == EACCES || errno == EROFS))
		w->disk = open(opt.disk, O_RDONLY | O_CLOEXEC | (opt.direct ? O_DIRECT : 0));
	if (w->disk < 0)
		err(1, "%s", opt.disk);
	w->model = open(opt.model, O_RDWR | O_CLOEXEC);
	if (w->model < 0)
		err(1, "%s", opt.model);
	if (posix_memalign((void **)&w->buf, 4096, opt.max_len + 8) != 0 ||
	    posix_memalign((void **)&w->want, 4096, opt.max_len + 8) != 0)
		errx(1, "out of memory");
}

static void *
run_worker(void *arg)
{
	struct worker *w = arg;
	double end = now_s() + (double)opt.seconds;

	while (!atomic_load(&failed)) {
		if (opt.seconds > 0 ? now_s() >= end : atomic_load(&done_ops) >= opt.ops)
			break;
		if (!one_operation(w))
			break;
		atomic_fetch_add(&done_ops, 1);
	}
	if (!atomic_load(&failed) && opt.sync_at_end)
		(void)sync_disk(w);
	return (NULL);
}

/* Pieces one after the other, each thread every n-th: readers in parallel. */
static void *
verify_worker(void *arg)
{
	struct worker *w = arg;
	uint64_t piece = opt.max_len;

	for (uint64_t off = opt.from + w->index * piece; off < opt.to && !atomic_load(&failed);
	     off += piece * opt.threads) {
		uint64_t len = opt.to - off < piece ? opt.to - off : piece;

		if (!compare(w, off, len))
			break;
		w->count[OP_READ]++;
		atomic_fetch_add(&done_bytes, len);
	}
	return (NULL);
}

/* ---- options -------------------------------------------------------------------------------- */

static uint64_t
number(const char *text)
{
	static const char units[] = "kmg";
	const char *unit;
	char *end;
	uint64_t n = strtoull(text, &end, 0);

	if (end != text && *end != '\0' && (unit = strchr(units, *end)) != NULL) {
		n <<= 10 * (unit - units + 1);
		end++;
	}
	if (end == text || *end != '\0')
		errx(2, "not a number: %s", text);
	return (n);
}

static void
usage(void)
{
	fputs("usage: blockio run|verify -d DISK -m MODEL [options]\n"
	      "  -s SEED    the same operations again (default: by time)\n"
	      "  -t N       threads (4)          -n N       operations, all threads (2000)\n"
	      "  -T SEC     run for a time instead\n"
	      "  -l BYTES   longest operation (256k), or piece to verify\n"
	      "  -S BYTES   stripes in which the disk belongs to the threads (20k)\n"
	      "  -a BYTES   alignment (1; with -D at least 512)\n"
	      "  -f OFF -e OFF   use the disk from here to there only\n"
	      "  -p R,W,P,Z,F    percent reads, writes, punches, zero ranges, fsyncs\n"
	      "  -D         O_DIRECT             -F         fsync at the end\n",
	    stderr);
	exit(2);
}

static void
set_percent(const char *text)
{
	if (sscanf(text, "%u,%u,%u,%u,%u", &opt.pct[0], &opt.pct[1], &opt.pct[2], &opt.pct[3],
		&opt.pct[4]) != OP_KINDS)
		errx(2, "not five numbers: %s", text);
}

static const struct {
	int letter;
	uint64_t *value;
} numbers[] = {{'s', &opt.seed}, {'t', &opt.threads}, {'n', &opt.ops}, {'T', &opt.seconds},
    {'l', &opt.max_len}, {'S', &opt.stripe}, {'a', &opt.align}, {'f', &opt.from}, {'e', &opt.to}};
#define NNUMBERS (sizeof(numbers) / sizeof(numbers[0]))

static void
parse(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "d:m:s:t:n:T:l:S:a:f:e:p:DF")) != -1) {
		unsigned i = 0;

		while (i < NNUMBERS && numbers[i].letter != c)
			i++;
		if (i < NNUMBERS)
			*numbers[i].value = number(optarg);
		else if (c == 'd')
			opt.disk = optarg;
		else if (c == 'm')
			opt.model = optarg;
		else if (c == 'p')
			set_percent(optarg);
		else if (c == 'D')
			opt.direct = true;
		else if (c == 'F')
			opt.sync_at_end = true;
		else
			usage();
	}
	if (opt.disk == NULL || opt.model == NULL || opt.threads == 0 || opt.threads > 256 ||
	    opt.max_len == 0 || opt.align == 0 || optind != argc)
		usage();
	if (opt.seed == 0)
		opt.seed = (uint64_t)time(NULL) * 1000003 + (uint64_t)getpid();
	if (opt.direct && opt.align < 512)
		opt.align = 512;
	if (opt.stripe % opt.align != 0 || opt.max_len % opt.align != 0)
		errx(2, "stripe and longest operation must be multiples of %llu",
		    (unsigned long long)opt.align);
}

static void
measure(void)
{
	struct stat st;

	if (stat(opt.disk, &st) < 0)
		err(1, "%s", opt.disk);
	disk_size = (uint64_t)st.st_size;
	if (opt.to > disk_size)
		opt.to = disk_size;
	if (opt.from >= opt.to)
		errx(1, "%s: nothing between %llu and %llu", opt.disk, (unsigned long long)opt.from,
		    (unsigned long long)opt.to);
	if (stat(opt.model, &st) < 0 || (uint64_t)st.st_size != disk_size)
		errx(1, "%s is not a model of %s: truncate -s %llu %s first", opt.model, opt.disk,
		    (unsigned long long)disk_size, opt.model);
}

int
main(int argc, char **argv)
{
	struct worker *workers;
	uint64_t count[OP_KINDS] = {0};
	void *(*what)(void *);
	double start = now_s();

	if (argc > 1 && strcmp(argv[1], "run") == 0)
		what = run_worker;
	else if (argc > 1 && strcmp(argv[1], "verify") == 0)
		what = verify_worker;
	else
		usage();
	parse(argc - 1, argv + 1);
	measure();
	printf("# blockio %s: seed=%llu threads=%llu from=%llu to=%llu max=%llu align=%llu%s\n",
	    argv[1], (unsigned long long)opt.seed, (unsigned long long)opt.threads,
	    (unsigned long long)opt.from, (unsigned long long)opt.to,
	    (unsigned long long)opt.max_len, (unsigned long long)opt.align,
	    opt.direct ? " direct" : "");
	fflush(stdout);
	workers = calloc(opt.threads, sizeof(*workers));
	if (workers == NULL)
		err(1, "calloc");
	for (unsigned i = 0; i < opt.threads; i++) {
		workers[i].index = i;
		workers[i].rng = opt.seed ^ (i * UINT64_C(0xd1342543de82ef95));
		open_both(&workers[i]);
		if (pthread_create(&workers[i].thread, NULL, what, &workers[i]) != 0)
			errx(1, "no thread");
	}
	for (unsigned i = 0; i < opt.threads; i++) {
		pthread_join(workers[i].thread, NULL);
		for (int k = 0; k < OP_KINDS; k++)
			count[k] += workers[i].count[k];
	}
	printf("# reads=%llu writes=%llu punches=%llu zeros=%llu fsyncs=%llu bytes=%llu in %.1f s: "
	       "%s\n",
	    (unsigned long long)count[OP_READ], (unsigned long long)count[OP_WRITE],
	    (unsigned long long)count[OP_PUNCH], (unsigned long long)count[OP_ZERO],
	    (unsigned long long)count[OP_FSYNC], (unsigned long long)atomic_load(&done_bytes),
	    now_s() - start, atomic_load(&failed) ? "DIFFERENT" : "equal");
	return (atomic_load(&failed) ? EXIT_FAILURE : EXIT_SUCCESS);
}
