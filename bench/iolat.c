/* SPDX-License-Identifier: ISC */
/*
 * iolat.c -- latencies of single reads or writes of a file, as a database sees them.
 *
 *	iolat -r|-w [-s] [-d] [-1] [-t THREADS] [-T SECONDS] [-b BYTES] [-S STRIDE] [-o OFFSET]
 *	      [-n PLACES] [-R RATE] FILE
 *	  -s	fdatasync after each write; the pair is one operation
 *	  -d	O_DIRECT
 *	  -1	each place once, in an order that looks random; ends after the last
 *	  -b	bytes of one operation (4096)
 *	  -S -n	places, STRIDE bytes apart (4096); the operation is anywhere within its place
 *	  -R	operations per second at most, all threads together
 *
 * What fio does not do: a place of its own for each operation, however many threads there are, and
 * write and sync as one figure.  Prints one line of JSON; latencies in microseconds.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define OPS_MAX (UINT32_C(1) << 20) /* per thread, whose latencies are kept */

static bool writing, syncing, once;
static unsigned threads = 1;
static size_t bytes = 4096;
static uint64_t stride = 4096, offset, places = 1024, step;
static double seconds = 5, pace;
static int fd;
static double start_s;
static _Atomic uint64_t counter, errors;

struct worker {
	pthread_t id;
	uint32_t n, max;
	uint64_t ops, seed;
	uint32_t *us;
};

static double
now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return ((double)t.tv_sec + (double)t.tv_nsec / 1e9);
}

static uint64_t
rnd(struct worker *w)
{
	w->seed ^= w->seed << 13;
	w->seed ^= w->seed >> 7;
	w->seed ^= w->seed << 17;
	return (w->seed);
}

static uint64_t
gcd(uint64_t a, uint64_t b)
{
	return (b == 0 ? a : gcd(b, a % b));
}

static int
operate(struct worker *w, char *buf, uint64_t i)
{
	uint64_t place = once ? i * step % places : rnd(w) % places;
	off_t at = (off_t)(offset + place * stride + rnd(w) % (stride / bytes) * bytes);
	ssize_t n;

	if (writing) {
		*(uint64_t *)(void *)buf = rnd(w);
		n = pwrite(fd, buf, bytes, at);
	} else {
		n = pread(fd, buf, bytes, at);
	}
	if (n != (ssize_t)bytes || (syncing && fdatasync(fd) < 0))
		return (-EIO);
	return (0);
}

static void *
work(void *arg)
{
	struct worker *w = arg;
	char *buf = aligned_alloc(4096, bytes);

	memset(buf, 0xa5, bytes);
	for (;;) {
		uint64_t i = atomic_fetch_add(&counter, 1);
		double t = now(), due = start_s + (double)i / pace;
		uint32_t us;

		if ((once && i >= places) || t - start_s > seconds)
			break;
		if (pace > 0 && due > t) {
			(void)usleep((useconds_t)((due - t) * 1e6));
			t = now();
		}
		if (operate(w, buf, i) < 0)
			errors++;
		us = (uint32_t)((now() - t) * 1e6);
		w->ops++;
		w->max = us > w->max ? us : w->max;
		if (w->n < OPS_MAX)
			w->us[w->n++] = us;
	}
	free(buf);
	return (NULL);
}

static int
by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x < y ? -1 : x > y);
}

static void
report(const struct worker *w, double took)
{
	uint64_t n = 0, ops = 0;
	uint32_t *all, max = 0;

	for (unsigned i = 0; i < threads; i++)
		n += w[i].n;
	all = malloc((n + 1) * sizeof(*all));
	n = 0;
	for (unsigned i = 0; i < threads; i++) {
		memcpy(all + n, w[i].us, w[i].n * sizeof(*all));
		n += w[i].n;
		ops += w[i].ops;
		max = w[i].max > max ? w[i].max : max;
	}
	qsort(all, n, sizeof(*all), by_value);
	(void)printf("{\"seconds\":%.3f,\"ops\":%llu,\"perSec\":%.1f,\"MBps\":%.1f,\"p50us\":%u,"
		     "\"p99us\":%u,\"maxus\":%u,\"errors\":%llu}\n",
	    took, (unsigned long long)ops, (double)ops / took,
	    (double)ops * (double)bytes / took / 1e6, n > 0 ? all[n / 2] : 0,
	    n > 0 ? all[n * 99 / 100] : 0, max, (unsigned long long)errors);
}

int
main(int argc, char **argv)
{
	struct worker *w;
	int c, flags = 0;

	while ((c = getopt(argc, argv, "rwsd1t:T:b:S:o:n:R:")) != -1) {
		switch (c) {
		case 'r':
			writing = false;
			break;
		case 'w':
			writing = true;
			break;
		case 's':
			syncing = true;
			break;
		case 'd':
			flags |= O_DIRECT;
			break;
		case '1':
			once = true;
			break;
		case 't':
			threads = (unsigned)atoi(optarg);
			break;
		case 'T':
			seconds = atof(optarg);
			break;
		case 'b':
			bytes = strtoull(optarg, NULL, 0);
			break;
		case 'S':
			stride = strtoull(optarg, NULL, 0);
			break;
		case 'o':
			offset = strtoull(optarg, NULL, 0);
			break;
		case 'n':
			places = strtoull(optarg, NULL, 0);
			break;
		case 'R':
			pace = atof(optarg);
			break;
		default:
			return (2);
		}
	}
	if (optind + 1 != argc || places == 0 || stride < bytes || bytes < 4096 ||
	    (w = calloc(threads, sizeof(*w))) == NULL) {
		(void)fprintf(stderr, "usage: iolat -r|-w [options] FILE\n");
		return (2);
	}
	if ((fd = open(argv[optind], (writing ? O_RDWR : O_RDONLY) | flags)) < 0) {
		perror(argv[optind]);
		return (1);
	}
	for (step = 2654435761; gcd(step, places) != 1; step++)
		;
	start_s = now();
	for (unsigned i = 0; i < threads; i++) {
		w[i].seed = 88172645463325252 + i * UINT64_C(0x9E3779B97F4A7C15);
		w[i].us = malloc(OPS_MAX * sizeof(uint32_t));
		if (pthread_create(&w[i].id, NULL, work, &w[i]) != 0)
			return (1);
	}
	for (unsigned i = 0; i < threads; i++)
		(void)pthread_join(w[i].id, NULL);
	report(w, now() - start_s);
	return (errors > 0);
}
