/* SPDX-License-Identifier: ISC */
/*
 * replay.c -- a fuzz target as a test: every input of its corpus, and mutations of them by seed.
 *
 *	NAME.t [CORPUS-DIR [MUTATIONS [SEED]]]
 *
 * libFuzzer finds inputs, with clang and coverage (make fuzz); this repeats them with any compiler
 * and any sanitizer in make check, and guards against what a change breaks.  The target itself
 * aborts when something is wrong; the input is then in ./crash.NAME, for the target to be given again.
 */
#include <bsd/string.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"
#include "tests/unit/tap.h"

#define INPUT_MAX 65536u

const unsigned fuzz_mutations __attribute__((weak)) = 2000;

static uint8_t input[INPUT_MAX];
static size_t input_len;
static char crash_file[256];

/* Async-signal-safe: what was being tried is kept. */
static void
on_crash(int sig)
{
	int fd = open(crash_file, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	if (fd >= 0 && write(fd, input, input_len) == (ssize_t)input_len)
		(void)close(fd);
	(void)signal(sig, SIG_DFL);
	(void)raise(sig);
}

static uint64_t
next_random(uint64_t *state) /* xorshift64*, Marsaglia 2003, Vigna 2016 */
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return (*state * UINT64_C(2685821657736338717));
}

/* One to four changes: flip, set, insert, delete, cut, repeat a piece elsewhere. */
static void
mutate(uint64_t *rnd)
{
	unsigned n = 1 + (unsigned)(next_random(rnd) % 4);

	while (n-- > 0) {
		size_t at = input_len > 0 ? next_random(rnd) % input_len : 0;
		size_t len = input_len > at ? 1 + next_random(rnd) % (input_len - at) : 0;

		switch (next_random(rnd) % 6) {
		case 0:
			if (len > 0)
				input[at] ^= (uint8_t)(1u << (next_random(rnd) % 8));
			break;
		case 1:
			if (len > 0)
				input[at] = (uint8_t)next_random(rnd);
			break;
		case 2:
			if (input_len < INPUT_MAX) {
				memmove(input + at + 1, input + at, input_len - at);
				input[at] = (uint8_t)next_random(rnd);
				input_len++;
			}
			break;
		case 3:
			memmove(input + at, input + at + len, input_len - at - len);
			input_len -= len;
			break;
		case 4:
			input_len = at;
			break;
		default:
			if (len > 0 && len <= INPUT_MAX - input_len) {
				memmove(input + input_len, input + at, len);
				input_len += len;
			}
		}
	}
}

static bool
load(const char *dir, const char *name)
{
	char path[4096];
	ssize_t n;
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDONLY);
	n = fd >= 0 ? read(fd, input, sizeof(input)) : -1;
	if (fd >= 0)
		(void)close(fd);
	input_len = n > 0 ? (size_t)n : 0;
	return (n >= 0);
}

int
main(int argc, char **argv)
{
	const char *slash = strrchr(argv[0], '/');
	char dir[512], name[64];
	unsigned long mutations = argc > 2 ? strtoul(argv[2], NULL, 10) : fuzz_mutations;
	uint64_t rnd = argc > 3 ? strtoull(argv[3], NULL, 10) : 1;
	unsigned files = 0;
	struct dirent *e;
	DIR *d;

	(void)strlcpy(name, slash != NULL ? slash + 1 : argv[0], sizeof(name));
	name[strcspn(name, ".")] = '\0';
	(void)snprintf(dir, sizeof(dir), "tests/fuzz/corpus/%s", name);
	(void)snprintf(crash_file, sizeof(crash_file), "crash.%s", name);
	d = opendir(argc > 1 ? argv[1] : dir);
	if (d == NULL)
		return (printf("Bail out! no corpus %s: %s\n", dir, strerror(errno)), 1);
	(void)signal(SIGABRT, on_crash);
	(void)signal(SIGSEGV, on_crash);
	(void)signal(SIGBUS, on_crash);
	rnd += UINT64_C(0x9e3779b97f4a7c15);
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		ok(load(argc > 1 ? argv[1] : dir, e->d_name), "%s", e->d_name);
		(void)LLVMFuzzerTestOneInput(input, input_len);
		/* What libFuzzer kept (it names them by their SHA-1) is tried as it is. */
		for (unsigned long i = 0; i < mutations && strlen(e->d_name) != 40; i++) {
			if (!load(argc > 1 ? argv[1] : dir, e->d_name))
				break;
			mutate(&rnd);
			(void)LLVMFuzzerTestOneInput(input, input_len);
		}
		files++;
	}
	(void)closedir(d);
	ok(files > 0, "%u inputs, each with %lu mutations", files, mutations);
	return (tap_done());
}
