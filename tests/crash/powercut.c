/* SPDX-License-Identifier: ISC */
/*
 * powercut.c -- cuts the power of a disk again and again, and looks at what is left.
 *
 *	powercut [-n CUTS] [-s SEED] [-i IMAGES] [-l CHAIN] [-d DIR] [-b BIN] [-f FAULT] [-RkvL]
 *	powercut -e EVIDENCE [-b BIN]		check what a failed run has kept once more
 *
 *	-n CUTS	  power cuts to do (100), each counts that was checked
 *	-i IMAGES post-cut images made of each moment beside the one the disk goes on with (3)
 *	-l CHAIN  cuts one disk lives through before a new one is made (10)
 *	-d DIR	  where the work is done (/dev/shm, so that real syncs cost nothing)
 *	-f FAULT  the disk under the cache fails before each cut: enospc readonly eio-write eio-fsync
 *		  eio-some eio-once eio-read eio-all
 *	-R	  no cuts during recovery
 *	-k	  keep the work directory    -v   say more
 *	-L	  forgetfs lies: syncs do nothing.  Such a run must fail.
 *
 * Exit: 0 no cut lost anything, 1 something was wrong (the evidence is kept), 2 usage.
 */
#include <err.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/crash/evidence.h"

struct options opt = {
    .base = "/dev/shm", .seed = 1, .cuts = 100, .chain = 10, .images = 3, .crash_recovery = true};
struct shape shape;

static pthread_mutex_t out_lock = PTHREAD_MUTEX_INITIALIZER;
static bool wrong;
static unsigned cuts_done, moments, recoveries_cut;

/* ---- talking ----------------------------------------------------------------------------- */

void
fail(const char *fmt, ...)
{
	va_list ap;

	(void)pthread_mutex_lock(&out_lock);
	if (!wrong) { /* the first is what matters; the rest follows from it */
		(void)fputs("# WRONG: ", stdout);
		va_start(ap, fmt);
		(void)vprintf(fmt, ap);
		va_end(ap);
		(void)fputc('\n', stdout);
		(void)fflush(stdout);
	}
	wrong = true;
	(void)pthread_mutex_unlock(&out_lock);
}

bool
failed(void)
{
	bool w;

	(void)pthread_mutex_lock(&out_lock);
	w = wrong;
	(void)pthread_mutex_unlock(&out_lock);
	return (w);
}

void
note(const char *fmt, ...)
{
	va_list ap;

	if (!opt.verbose)
		return;
	va_start(ap, fmt);
	(void)fputs("# ", stdout);
	(void)vprintf(fmt, ap);
	(void)fputc('\n', stdout);
	(void)fflush(stdout);
	va_end(ap);
}

uint64_t
mix64(uint64_t a, uint64_t b)
{
	uint64_t x = a * UINT64_C(0x9E3779B97F4A7C15) + b + UINT64_C(0xD1B54A32D192ED03);

	x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
	return (x ^ (x >> 31));
}

uint32_t
rng_next(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return ((uint32_t)(*state >> 33));
}

/* ---- a disk ------------------------------------------------------------------------------ */

/* Small caches beside large ones: eviction and reuse of slots, or everything dirty at once. */
static void
choose_shape(uint64_t seed)
{
	static const uint32_t sizes[] = {4096, 16384, 65536, 262144};
	static const uint32_t delays[] = {0, 2, 20, 200, 5000};
	uint64_t r = mix64(seed, 77);

	shape = (struct shape){.seed = seed};
	shape.block_size = sizes[rng_next(&r) % 4];
	shape.nblocks = (4u << 20) / shape.block_size;
	if (shape.nblocks > 256)
		shape.nblocks = 256;
	shape.slots = rng_next(&r) % 3 == 0 ? shape.nblocks + 16 : shape.nblocks / 3 + 12;
	shape.delay_ms = delays[rng_next(&r) % 5];
	/* A mapped page that could not be written back is forgotten by the kernel: not our matter. */
	shape.direct = rng_next(&r) % 2 == 0 || opt.fault != NULL;
	shape.list = rng_next(&r) % 2 == 0;
	shape.to_bucket = rng_next(&r) % 5 == 0;
	shape.threads = 2 + rng_next(&r) % 3;
	shape.per_block = shape.block_size / SECTOR;
	shape.sectors = shape.nblocks * shape.per_block;
	note("seed %llu: block=%u blocks=%u slots=%u delay=%ums %s threads=%u list=%d flushTo=%s",
	    (unsigned long long)seed, shape.block_size, shape.nblocks, shape.slots, shape.delay_ms,
	    shape.direct ? "direct" : "buffered", shape.threads, shape.list,
	    shape.to_bucket ? "bucket" : "cache");
}

/* Runs until a sync or a write from now, which hangs then. */
static void
run_to_the_cut(uint64_t *rng)
{
	/* Most cuts come soon; a few after enough to fill the journal. */
	static const uint32_t syncs[] = {2, 4, 8, 100}, ops[] = {10, 50, 300, 2000};
	uint32_t k = rng_next(rng) % 10 == 0 ? 3 : rng_next(rng) % 3;

	if (rng_next(rng) % 2 == 0)
		(void)forget("arm sync %u", 1 + rng_next(rng) % syncs[k]);
	else
		(void)forget("arm op %u", 1 + rng_next(rng) % ops[k]);
	(void)forget("wait 3000");
	if (strcmp(forget_answer(), "ok held") != 0)
		(void)forget("hold");
}

/* The machine is off: no process of the disk does anything more, and the image is cut. */
static void
power_off(const struct place *p, uint64_t seed)
{
	disk_kill_begin();
	(void)forget("cut %llu auto", (unsigned long long)seed);
	(void)forget("fault none");
	disk_kill_end(p);
	boot_new();
}

/* The recovery is cut, too, after some writes. */
static void
cut_the_recovery(const struct place *p, uint64_t *rng)
{
	pid_t pid;

	(void)forget("arm op %u", 1 + rng_next(rng) % 12);
	pid = disk_start_begin(p);
	for (unsigned i = 0; i < 500; i++) {
		siginfo_t si = {.si_pid = 0};

		(void)forget("wait 10");
		if (strcmp(forget_answer(), "ok held") == 0 ||
		    waitid(P_PID, (id_t)pid, &si, WEXITED | WNOHANG | WNOWAIT) < 0 ||
		    si.si_pid != 0)
			break;
	}
	(void)forget("hold");
	disk_stop_all();
	power_off(p, mix64(*rng, 1));
	(void)forget("revive");
	recoveries_cut++;
}

static void
look_at_live_disk(const struct place *p, const char *evidence)
{
	uint8_t *disk = malloc((size_t)shape.sectors * SECTOR);
	int error;

	/* A disk may be told to flush elsewhere from one start to the next. */
	shape.to_bucket = mix64(shape.seed, cuts_done) % 4 == 0;
	if (disk == NULL || place_conf(p) < 0 || disk_start(p) < 0)
		fail("the disk does not start: see %s and %s", p->log, evidence);
	else if ((error = disk_read(p, disk)) < 0)
		fail("the disk cannot be read: %s", strerror(-error));
	else if (model_allows(disk, evidence))
		model_adopt(disk);
	free(disk);
}

static void
keep_model(const char *dir)
{
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%.4000s/model", dir);
	(void)model_save(path);
}

/* From one moment: `images` post-cut images that are checked by themselves, and one to go on with. */
static void
round_of(const struct place *p, const char *dir, unsigned round, uint64_t *rng)
{
	char evidence[PATH_MAX], scratch[PATH_MAX];
	uint64_t seed = mix64(shape.seed, round + 1);

	if (opt.fault != NULL) {
		fault_round(p, seed);
	} else if (work_start(p, seed) < 0) {
		fail("cannot use the mounted file: %s", p->file);
		return;
	}
	if (opt.fault != NULL && !failed() && rng_next(rng) % 4 == 0) {
		fault_heal(p);
		cuts_done++;
		return;
	}
	run_to_the_cut(rng);
	disk_stop_all();
	for (unsigned i = 0; i <= opt.images; i++) {
		(void)snprintf(evidence, sizeof(evidence), "%.3900s/cut.%u", dir, i);
		if (evidence_take(evidence, p->bucket, mix64(seed, i)) < 0)
			fail("cannot copy the moment of the cut to %s", evidence);
	}
	work_stopping();
	power_off(p, mix64(seed, 0));
	work_join();
	moments++;
	for (unsigned i = opt.images + 1; i-- > 0 && !failed();) {
		(void)snprintf(evidence, sizeof(evidence), "%.3900s/cut.%u", dir, i);
		(void)snprintf(scratch, sizeof(scratch), "%.3900s/check", dir);
		keep_model(evidence);
		if (i > 0) {
			evidence_check(evidence, scratch, mix64(seed, i) % 16 == 0);
		} else {
			(void)forget("revive");
			while (opt.crash_recovery && !failed() && rng_next(rng) % 3 == 0)
				cut_the_recovery(p, rng);
			look_at_live_disk(p, evidence);
		}
		cuts_done++;
		if (!failed())
			(void)remove_tree(evidence);
	}
}

static void
run_disk(uint64_t seed)
{
	char dir[PATH_MAX], mnt[PATH_MAX], sock[PATH_MAX], log[PATH_MAX], cache[PATH_MAX],
	    disk[PATH_MAX], link_path[PATH_MAX];
	uint64_t rng = mix64(seed, 5);
	struct place p;

	choose_shape(seed);
	(void)snprintf(dir, sizeof(dir), "%.3000s/powercut.%u", opt.base, opt.id);
	(void)snprintf(mnt, sizeof(mnt), "%.3900s/forgetfs", dir);
	(void)snprintf(sock, sizeof(sock), "%.3900s/sock", dir);
	(void)snprintf(log, sizeof(log), "%.3900s/forgetfs.log", dir);
	(void)snprintf(cache, sizeof(cache), "%.3900s/forgetfs/cache", dir);
	(void)snprintf(disk, sizeof(disk), "%.3900s/disk", dir);
	(void)snprintf(link_path, sizeof(link_path), "%.3900s/bucket", dir);
	(void)mkdir(dir, 0700);
	(void)mkdir(mnt, 0700);
	if (forget_start(mnt, sock, log) < 0 || place_make(&p, disk, cache, link_path) < 0 ||
	    model_open() < 0)
		errx(2, "cannot set up %s (root and /dev/fuse are needed)", dir);
	if (opt.lie)
		(void)forget("lie on");
	if (disk_start(&p) < 0)
		fail("the new disk does not start: see %s", p.log);
	for (unsigned r = 0; r < opt.chain && cuts_done < opt.cuts && !failed(); r++)
		round_of(&p, dir, r, &rng);
	disk_kill_begin();
	disk_kill_end(&p);
	forget_stop(mnt);
	if (failed()) {
		printf("# again: powercut -s %llu -n %u -i %u -l %u%s\n", (unsigned long long)seed,
		    opt.chain * (opt.images + 1), opt.images, opt.chain, opt.lie ? " -L" : "");
		if (opt.fault != NULL)
			printf("#        -f %s\n", opt.fault);
		printf("# kept: %s (powercut -e %s/cut.N checks one image again)\n", dir, dir);
	} else if (!opt.keep) {
		(void)remove_tree(dir);
	}
}

static int
check_again(const char *evidence)
{
	char path[PATH_MAX], scratch[PATH_MAX], real[PATH_MAX];

	if (realpath(evidence, real) == NULL)
		err(2, "%s", evidence);
	evidence = real;
	(void)snprintf(path, sizeof(path), "%.4000s/model", evidence);
	if (model_load(path) < 0)
		errx(2, "%s: no model", evidence);
	(void)snprintf(scratch, sizeof(scratch), "%.3000s/powercut.%u", opt.base, opt.id);
	evidence_check(evidence, scratch, true);
	printf("# %s\n", failed() ? "still wrong" : "all is allowed");
	if (failed())
		printf("# kept: %s\n", scratch);
	return (failed());
}

static void
find_programs(void)
{
	static char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (opt.bin != NULL || n <= 0)
		return;
	self[n] = '\0';
	*strrchr(self, '/') = '\0';
	opt.bin = self;
}

int
main(int argc, char **argv)
{
	const char *evidence = NULL;
	struct timespec t0, t1;
	int c;

	while ((c = getopt(argc, argv, "n:s:i:l:d:b:e:f:RkvL")) != -1) {
		switch (c) {
		case 'n':
			opt.cuts = (unsigned)strtoul(optarg, NULL, 0);
			break;
		case 's':
			opt.seed = strtoull(optarg, NULL, 0);
			break;
		case 'i':
			opt.images = (unsigned)strtoul(optarg, NULL, 0);
			break;
		case 'l':
			opt.chain = (unsigned)strtoul(optarg, NULL, 0);
			break;
		case 'd':
			opt.base = optarg;
			break;
		case 'b':
			opt.bin = optarg;
			break;
		case 'e':
			evidence = optarg;
			break;
		case 'f':
			opt.fault = optarg;
			if (!fault_known(optarg))
				errx(2, "no fault %s", optarg);
			break;
		case 'R':
			opt.crash_recovery = false;
			break;
		case 'k':
			opt.keep = true;
			break;
		case 'v':
			opt.verbose = true;
			break;
		case 'L':
			opt.lie = true;
			break;
		default:
			return (2);
		}
	}
	find_programs();
	(void)signal(SIGPIPE, SIG_IGN);
	world_enter();
	if (evidence != NULL)
		return (check_again(evidence));
	(void)clock_gettime(CLOCK_MONOTONIC, &t0);
	for (uint64_t seed = opt.seed; cuts_done < opt.cuts && !failed(); seed++)
		run_disk(seed);
	(void)clock_gettime(CLOCK_MONOTONIC, &t1);
	printf("# cuts=%u moments=%u recoveries_cut=%u flushes=%llu wrong=%d seconds=%ld\n",
	    cuts_done, moments, recoveries_cut, (unsigned long long)work_flushes(), failed(),
	    (long)(t1.tv_sec - t0.tv_sec));
	return (failed());
}
