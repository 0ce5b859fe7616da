/* SPDX-License-Identifier: ISC */
/*
 * promise.c -- files of known contents, and a ledger of what fsync has promised to keep.
 *
 *	promise keep  -l LEDGER [-s SEED] [-p PROCESSES] DIRECTORY	until something fails, or killed
 *	promise check -l LEDGER [-s SEED] [-p PROCESSES] DIRECTORY	after the crash
 *
 * Each process has three things in DIRECTORY, and of each the ledger has the last version that was
 * acknowledged.  There the next may be as well, wholly or in part as the thing allows, and nothing else:
 *
 *	files	written beside, synced, renamed over the old, directory synced: one whole version.
 *		Every fifth version is that there is none: removed, directory synced
 *	log	records appended, one sync for each: all that were acknowledged, in order
 *	pages	written in place, O_DIRECT and O_DSYNC: each sector of one of two versions
 *
 * LEDGER lies elsewhere and is mapped: it keeps what was stored even if all processes are killed.
 *
 * Processes: PROCESSES children that share nothing but the directory.
 * Exit: keep: 0 when the disk has gone; check: 1 when a promise was not kept.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/fs/seeded.h"

#define FILES	8
#define PAGES	32
#define PAGE	4096u
#define SECTOR	512u
#define RECORD	1500u /* no divisor of a page */
#define RECORDS 400u
#define LONGEST (120u << 10)
#define PROCS	64
#define GONE(v) ((v) % 5 == 4) /* this version of a file is that there is none */

struct ledger {
	struct {
		volatile uint32_t file[FILES], page[PAGES], records;
	} of[PROCS];
};

static struct ledger *ledger;
static uint64_t seed = 1;
static unsigned nprocs = 4, self;
static int dir;
static int broken;
static uint8_t *buf, *want;

static void not_kept(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void
not_kept(const char *fmt, ...)
{
	va_list args;

	printf("# process %u: ", self);
	va_start(args, fmt);
	(void)vprintf(fmt, args);
	va_end(args);
	printf("\n");
	broken = 1;
}

/* ---- contents ----------------------------------------------------------------------------- */

/* what: 'f' file, 'l' log, 'p' page; the version stands in front. */
static void
contents(uint8_t *to, size_t len, char what, unsigned index, uint32_t version)
{
	uint64_t s = seeded_mix(
	    seed ^ (uint64_t)self << 56 ^ (uint64_t)what << 48 ^ (uint64_t)index << 32 ^ version);

	for (size_t i = 0; i < len; i += 8) {
		uint64_t word = i == 0 ? version : seeded_next(&s);

		memcpy(to + i, &word, len - i < 8 ? len - i : 8);
	}
}

static size_t
length(unsigned index, uint32_t version)
{
	return (8 + seeded_mix(seed + self * 1000003u + index * 7919u + version) % (LONGEST - 8));
}

static void
page_contents(uint8_t *to, unsigned page, uint32_t version)
{
	for (unsigned s = 0; s < PAGE / SECTOR; s++)
		contents(to + s * SECTOR, SECTOR, 'p', page * 8 + s, version);
}

static void
name_of(char name[32], const char *what, unsigned index)
{
	(void)snprintf(name, 32, "%s.%u.%u", what, self, index);
}

/* ---- keep --------------------------------------------------------------------------------- */

static bool
written(int fd, const uint8_t *from, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, from, len);

		if (n <= 0)
			return (false);
		from += n, len -= (size_t)n;
	}
	return (true);
}

static bool
next_file(unsigned i)
{
	uint32_t version = ledger->of[self].file[i] + 1;
	char name[32], beside[32];
	size_t len = length(i, version);
	bool fine;
	int fd;

	name_of(name, "file", i);
	name_of(beside, "beside", i);
	if (GONE(version)) {
		fine = unlinkat(dir, name, 0) == 0;
	} else {
		fd = openat(dir, beside, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		if (fd < 0)
			return (false);
		contents(buf, len, 'f', i, version);
		fine = written(fd, buf, len) && (version % 2 ? fsync(fd) : fdatasync(fd)) == 0;
		(void)close(fd);
		fine = fine && renameat(dir, beside, dir, name) == 0;
	}
	if (!fine || fsync(dir) < 0)
		return (false);
	ledger->of[self].file[i] = version;
	return (true);
}

static bool
next_record(int fd)
{
	uint32_t n = ledger->of[self].records;

	if (n == RECORDS)
		return (true);
	contents(buf, RECORD, 'l', 0, n + 1);
	if (!written(fd, buf, RECORD) || (n % 2 ? fsync(fd) : fdatasync(fd)) < 0)
		return (false);
	ledger->of[self].records = n + 1;
	return (true);
}

static bool
next_page(int fd, unsigned i)
{
	uint32_t version = ledger->of[self].page[i] + 1;

	page_contents(buf, i, version);
	if (pwrite(fd, buf, PAGE, (off_t)i * PAGE) != (ssize_t)PAGE)
		return (false);
	ledger->of[self].page[i] = version;
	return (true);
}

static void
keep(void)
{
	uint64_t rng = seeded_mix(seed * 64 + self);
	char name[32];
	int log, pages;
	bool fine;

	name_of(name, "log", 0);
	log = openat(dir, name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	name_of(name, "pages", 0);
	pages = openat(dir, name, O_RDWR | O_CREAT | O_DIRECT | O_DSYNC | O_CLOEXEC, 0600);
	fine = log >= 0 && pages >= 0 && fsync(dir) == 0;
	for (unsigned n = 0; fine; n++) {
		uint64_t r = seeded_below(&rng, 10);

		if (n == 10 && self == 0) {
			printf("enough to look at\n");
			(void)fflush(stdout);
		}
		fine = r < 4   ? next_file((unsigned)seeded_below(&rng, FILES))
		       : r < 7 ? next_record(log)
			       : next_page(pages, (unsigned)seeded_below(&rng, PAGES));
	}
	if (errno == ENOSPC)
		err(3, "full");
}

/* ---- check -------------------------------------------------------------------------------- */

static ssize_t
all_of(const char *name, size_t max)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	size_t have = 0;
	ssize_t n = -1;

	if (fd < 0)
		return (-1);
	while (have < max && (n = read(fd, buf + have, max - have)) > 0)
		have += (size_t)n;
	(void)close(fd);
	return (n < 0 ? -1 : (ssize_t)have);
}

static void
check_file(unsigned i)
{
	uint32_t acked = ledger->of[self].file[i], version = 0;
	char name[32];
	ssize_t len;

	name_of(name, "file", i);
	errno = 0;
	len = all_of(name, LONGEST + 1);
	if (len < 0) {
		if (errno != ENOENT || !(acked == 0 || GONE(acked) || GONE(acked + 1)))
			not_kept("%s: version %u is not there: %s", name, acked, strerror(errno));
		return;
	}
	if (len >= 4)
		memcpy(&version, buf, 4);
	if ((version != acked && version != acked + 1) || version == 0 || GONE(version)) {
		not_kept("%s: version %u instead of %u, length %zd", name, version, acked, len);
		return;
	}
	contents(want, length(i, version), 'f', i, version);
	if ((size_t)len != length(i, version) || memcmp(buf, want, (size_t)len) != 0)
		not_kept("%s: version %u is damaged, length %zd", name, version, len);
}

static void
check_log(void)
{
	uint32_t acked = ledger->of[self].records;
	char name[32];
	ssize_t len;

	name_of(name, "log", 0);
	len = all_of(name, (size_t)RECORD * RECORDS);
	if (len < (ssize_t)(acked * RECORD)) {
		not_kept("%s: %zd bytes of %u", name, len, acked * RECORD);
		return;
	}
	for (uint32_t n = 0; n < acked; n++) {
		contents(want, RECORD, 'l', 0, n + 1);
		if (memcmp(buf + (size_t)n * RECORD, want, RECORD) != 0)
			not_kept("%s: record %u of %u is damaged", name, n + 1, acked);
	}
}

static void
check_pages(void)
{
	char name[32];
	ssize_t len;

	name_of(name, "pages", 0);
	memset(buf, 0, (size_t)PAGES * PAGE);
	len = all_of(name, (size_t)PAGES * PAGE);
	for (unsigned i = 0; i < PAGES; i++) {
		uint32_t acked = ledger->of[self].page[i];

		if (acked == 0)
			continue;
		for (unsigned s = 0; s < PAGE / SECTOR; s++) {
			const uint8_t *got = buf + (size_t)i * PAGE + s * SECTOR;
			bool fine = false;

			for (uint32_t v = acked; v <= acked + 1 && !fine; v++) {
				contents(want, SECTOR, 'p', i * 8 + s, v);
				fine = memcmp(got, want, SECTOR) == 0;
			}
			if (!fine || len < 0)
				not_kept("%s: sector %u of page %u is not of version %u", name, s,
				    i, acked);
		}
	}
}

static void
check(void)
{
	unsigned long long files = 0, records = 0, pages = 0;

	for (self = 0; self < nprocs; self++) {
		for (unsigned i = 0; i < FILES; i++) {
			check_file(i);
			files += ledger->of[self].file[i];
		}
		if (ledger->of[self].records > 0)
			check_log();
		check_pages();
		records += ledger->of[self].records;
		for (unsigned i = 0; i < PAGES; i++)
			pages += ledger->of[self].page[i];
	}
	printf("promises: files %llu records %llu pages %llu\n", files, records, pages);
}

int
main(int argc, char **argv)
{
	const char *path = NULL;
	int c, fd;

	if (argc < 2 || (strcmp(argv[1], "keep") != 0 && strcmp(argv[1], "check") != 0))
		return (2);
	while ((c = getopt(argc - 1, argv + 1, "l:s:p:")) != -1)
		switch (c) {
		case 'l':
			path = optarg;
			break;
		case 's':
			seed = strtoull(optarg, NULL, 0);
			break;
		case 'p':
			nprocs = (unsigned)strtoul(optarg, NULL, 0);
			break;
		default:
			return (2);
		}
	if (path == NULL || optind + 2 != argc || nprocs > PROCS)
		errx(2, "usage: promise keep|check -l LEDGER [-s SEED] [-p PROCESSES] DIRECTORY");
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, sizeof(*ledger)) < 0)
		err(2, "%s", path);
	ledger = mmap(NULL, sizeof(*ledger), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	dir = open(argv[optind + 1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (ledger == MAP_FAILED || dir < 0 || posix_memalign((void **)&buf, PAGE, 1 << 20) != 0 ||
	    (want = malloc(LONGEST + 8)) == NULL)
		err(2, "%s", argv[optind + 1]);
	if (strcmp(argv[1], "check") == 0) {
		check();
		return (broken);
	}
	for (self = 0; self < nprocs; self++)
		switch (fork()) {
		case -1:
			err(2, "fork");
		case 0:
			(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
			keep();
			_exit(0);
		default:
			break;
		}
	for (c = 0; wait(&fd) > 0;)
		c |= WIFEXITED(fd) ? WEXITSTATUS(fd) : 0;
	return (c);
}
