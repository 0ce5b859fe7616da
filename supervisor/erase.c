/* SPDX-License-Identifier: ISC */
#include "supervisor/erase.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/bar.h"
#include "common/conf.h"
#include "common/ctlsock.h"
#include "common/timeutil.h"

#include "supervisor/pidlock.h"
#include "supervisor/release.h"
#include "supervisor/start.h"
#include "supervisor/storetool.h"
#include "supervisor/super.h"
#include "supervisor/token.h"

#include "supervisor/guard.h"

#define PAGE_US	 (600 * US_PER_S)
#define ASK_US	 (60 * US_PER_S)
#define NAME_LEN 2048
#define PASSES	 4 /* a listing may lag behind: until one finds nothing */

static int
fail(char *error, int r)
{
	(void)fprintf(stderr, "s3backerd: %s\n", error != NULL ? error : strerror(-r));
	free(error);
	return (EXIT_FAILED);
}

/* What is there, in words; false: there is nothing. */
static bool
describe(struct storetool *t, char *buf, size_t len)
{
	uint64_t size = storetool_number(t->answer, "size", 10);
	uint64_t block = storetool_number(t->answer, "blocksize", 10);
	char empty[8], a[24], b[24];

	if (storetool_number(t->answer, "found", 10) != 0)
		(void)snprintf(buf, len, "a disk of %s in blocks of %s", bar_bytes(size, a),
		    bar_bytes(block, b));
	else
		(void)snprintf(buf, len, "the blocks of a disk that does not say its size");
	return (!storetool_value(t->answer, "empty", empty, sizeof(empty)) || empty[0] != '1');
}

/* A prefix tells disks in one bucket apart, so it belongs to the name. */
static const char *
name_of(const struct super *s, char buf[NAME_LEN])
{
	const char *prefix = s->conf->prefix != NULL ? s->conf->prefix : "";

	(void)snprintf(
	    buf, NAME_LEN, "%s%s%s", s->conf->bucket, *prefix != '\0' ? "/" : "", prefix);
	return (buf);
}

static bool
confirmed(const struct super *s, const char *what)
{
	char line[NAME_LEN + 2], name[NAME_LEN];

	if (s->opt.sure)
		return (true);
	(void)fprintf(stderr,
	    "%s holds %s.\nErasing cannot be undone. To go on, type the name of the disk, %s: ",
	    name_of(s, name), what, name_of(s, name));
	(void)fflush(stderr);
	if (fgets(line, sizeof(line), stdin) == NULL)
		line[0] = '\0';
	line[strcspn(line, "\n")] = '\0';
	if (!isatty(STDIN_FILENO))
		(void)fputc('\n', stderr);
	if (strcmp(line, name_of(s, name)) == 0)
		return (true);
	(void)fprintf(
	    stderr, "s3backerd: that is not its name; nothing was erased (scripts: --force)\n");
	return (false);
}

/* All blocks but the first, until a listing finds none any more. */
static int
erase_blocks(struct storetool *t, uint64_t *ret_total, char **ret_error)
{
	uint64_t began = now_us();
	struct bar bar;
	int r = 0;

	bar_begin(&bar, stderr);
	for (unsigned pass = 0; pass < PASSES && r == 0; pass++) {
		uint64_t before = *ret_total;
		bool more = true;

		while (more && (r = storetool_ask(t, PAGE_US, ret_error, "erase-page")) == 0) {
			char words[96];
			double s = (double)(now_us() - began) / US_PER_S;

			*ret_total += storetool_number(t->answer, "deleted", 10);
			more = storetool_number(t->answer, "more", 10) != 0;
			(void)snprintf(words, sizeof(words), "erased %llu blocks, %.0f a second",
			    (unsigned long long)*ret_total,
			    (double)*ret_total / (s > 0.1 ? s : 0.1));
			bar_show(&bar, words, 0, 0, 0, 0);
		}
		if (*ret_total == before)
			break;
	}
	bar_end(&bar);
	return (r);
}

static int
erase_with(struct super *s, struct storetool *t, char **ret_error)
{
	uint64_t total = 0;
	char what[160], name[NAME_LEN];
	int r;

	if ((r = storetool_ask(t, ASK_US, ret_error, "detect")) < 0)
		return (r);
	if (!describe(t, what, sizeof(what))) {
		(void)printf("%s holds no blocks of this disk\n", name_of(s, name));
		return (0);
	}
	if (!confirmed(s, what))
		return (-ECANCELED);
	s->conf->force = false; /* R1: whatever the configuration allows a start */
	if ((r = token_acquire(s, t, NULL, ret_error)) < 0)
		return (r);
	r = erase_blocks(t, &total, ret_error);
	if (r == 0)
		r = storetool_ask(t, ASK_US, ret_error, "erase-first");
	if (r == 0)
		r = token_drop(s, t, ret_error);
	if (r < 0) {
		(void)fprintf(stderr,
		    "s3backerd: interrupted after %llu blocks; the same command again goes on\n",
		    (unsigned long long)total);
		return (r);
	}
	(void)printf(
	    "erased: %llu blocks of %s\n", (unsigned long long)total + 1, name_of(s, name));
	if (s->conf->cache_file != NULL && access(s->conf->cache_file, F_OK) == 0)
		(void)printf("its cache file is of no use any more: rm %s\n", s->conf->cache_file);
	return (0);
}

int
erase_disk(struct super *s)
{
	struct storetool t = {.sock = -1, .err_fd = -1};
	pid_t other = 0;
	char *error = NULL;
	int r;

	if (s->conf->read_only) {
		(void)fprintf(stderr, "s3backerd: %s says readOnly = yes; nothing was erased\n",
		    s->opt.config_real);
		return (EXIT_FAILED);
	}
	if (pidlock_take(s->paths.pid, &s->pid_fd, &other) < 0) {
		(void)fprintf(stderr,
		    "s3backerd: %s is mounted here, pid %d: stop it first (s3backerd -c %s stop)\n",
		    s->opt.config_real, (int)other, s->opt.config);
		return (EXIT_FAILED);
	}
	if ((r = release_open_tool(s, &t, &error)) == 0)
		r = erase_with(s, &t, &error);
	storetool_close(&t);
	pidlock_drop(s->paths.pid, &s->pid_fd);
	if (r == -ECANCELED && error == NULL)
		return (EXIT_FAILED);
	return (r < 0 ? fail(error, r) : EXIT_DONE);
}
