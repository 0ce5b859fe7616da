/* SPDX-License-Identifier: ISC */
#include "supervisor/resize.h"

#include <bsd/stdlib.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bsd/libutil.h>

#include "common/bar.h"
#include "common/conf.h"
#include "common/ctlsock.h"
#include "common/log.h"
#include "common/timeutil.h"

#include "supervisor/carrier.h"
#include "supervisor/control.h"
#include "supervisor/disk.h"
#include "supervisor/haul_impl.h"
#include "supervisor/site.h"
#include "supervisor/place.h"
#include "supervisor/super.h"

#include "supervisor/guard.h"

#define DETECT_LIMIT_US (90 * US_PER_S)
#define STAMP_LIMIT_US	(20 * US_PER_S) /* users of the disk wait meanwhile */

int
resize_parse(const char *text, uint32_t block_size, uint64_t *ret_size, char **ret_error)
{
	const char *why = NULL;
	uint64_t size = 0;

	if (*text < '0' || *text > '9' || expand_number(text, &size) < 0 || size == 0)
		why = "is not a size (a number with k, m, g, t, p or e, such as 20g)";
	else if (size % block_size != 0)
		why = "is not a multiple of the block size";
	else if (size / block_size > UINT32_MAX || size > INT64_MAX)
		why = "is more than 2^32 - 1 blocks";
	if (why == NULL) {
		*ret_size = size;
		return (0);
	}
	if (asprintf(ret_error, "resize: %s %s (blockSize = %u)", text, why, block_size) < 0)
		*ret_error = NULL;
	return (-EINVAL);
}

/* ---- the headers of block 0 ----------------------------------------------------------------- */

struct stamp {
	struct carrier c;
	bool done, zero;
	int status;
};

static void
on_done(void *arg, unsigned store, const struct ipc_msg *m)
{
	struct stamp *t = arg;

	(void)store;
	if (m->type != IPC_DONE)
		return;
	t->done = true;
	t->status = m->status;
	t->zero = (m->flags & IPC_F_ZERO) != 0;
}

static int
await(struct stamp *t, uint64_t deadline, const char *what, char **ret_error)
{
	char words[480];
	int r = 0;

	while (!t->done && r == 0 && !deadline_passed(deadline))
		r = carrier_wait(&t->c, deadline, ret_error);
	if (r < 0)
		return (r);
	r = t->done ? t->status : -ETIMEDOUT;
	if (r < 0) {
		carrier_words(&t->c, words, sizeof(words));
		if (asprintf(ret_error, "the first block cannot be %s: %s%s%s", what, strerror(-r),
			*words != '\0' ? ": " : "", words) < 0)
			*ret_error = NULL;
	}
	t->done = false;
	return (r);
}

int
resize_stamp(struct super *s, uint64_t limit_us, bool *ret_recorded, char **ret_error)
{
	const struct super *owner[1] = {s};
	uint64_t deadline = deadline_in_us(limit_us);
	struct stamp t = {.done = false};
	int r;

	*ret_recorded = false;
	r = carrier_open(owner, 1, true, 1, &t.c, ret_error);
	t.c.done = on_done;
	t.c.arg = &t;
	if (r == 0 && carrier_get(&t.c, 0, 0, 0))
		r = await(&t, deadline, "read", ret_error);
	if (r == 0 && !t.zero && carrier_put(&t.c, 0, 0, 0, 0)) {
		r = await(&t, deadline, "written", ret_error);
		*ret_recorded = r == 0 && !t.zero;
	}
	carrier_close(&t.c);
	return (r);
}

/* ---- a disk that runs ----------------------------------------------------------------------- */

/*
 * N3: nobody else writes at this moment.  What fails here leaves the disk as it was, and those
 * who use it have only waited.
 */
void
resize_grow(struct super *s)
{
	uint64_t before = s->size;
	char *error = NULL;
	bool recorded;
	int r;

	if (s->resize_to <= before)
		return;
	s->size = s->resize_to;
	r = place_tell_uploaders(s);
	if (r == 0)
		r = resize_stamp(s, STAMP_LIMIT_US, &recorded, &error);
	if (r < 0) {
		s->size = before;
		(void)place_tell_uploaders(s);
		log_err(r, "the size stays: %s", error != NULL ? error : "");
		control_restart_refused(s, error != NULL ? error : strerror(-r));
	} else {
		log_info("the disk has grown: size=%llu before=%llu recorded=%d",
		    (unsigned long long)s->size, (unsigned long long)before, recorded);
	}
	s->resize_to = 0;
	free(error);
}

/* ---- a disk that does not run --------------------------------------------------------------- */

/* What the bucket records counts; the configuration may have the old size, or the new one. */
static int
sizes_now(struct site *w)
{
	struct conf *c = w->s->conf;
	char *error = NULL;
	int r = storetool_ask(&w->tool, DETECT_LIMIT_US, &error, "detect");

	if (r < 0)
		(void)site_complain(r, "%s", error != NULL ? error : strerror(-r));
	free(error);
	if (r < 0)
		return (r);
	if (storetool_number(w->tool.answer, "found", 10) != 0)
		c->size = 0;
	return (site_sizes(w));
}

static int
delete_behind(struct haul *h, uint64_t first)
{
	for (uint64_t b = first; b < h->nblocks && h->error == 0;) {
		if (haul_is_listed(h, 0, b)) {
			if (!haul_delete(h, b)) {
				(void)haul_wait(h);
				continue;
			}
		}
		b++;
	}
	while (h->error == 0 && h->deleting > 0)
		(void)haul_wait(h);
	return (h->error);
}

/* N2. */
static int
clear_behind(struct site *w, uint64_t size)
{
	struct haul h = {
	    .verb = "deleting", .from = HAUL_IMAGE, .to = 0, .site = {w}, .nsites = 1, .image = -1};
	uint64_t first = size / w->s->shm.geo.block_size, n = 0, last = 0, all;
	char a[24];
	int r;

	if ((r = haul_open(&h, true)) == 0)
		r = haul_list(&h, 0, &all);
	for (uint64_t b = first; r == 0 && b < h.nblocks; b++) {
		if (haul_is_listed(&h, 0, b)) {
			n++;
			last = b;
		}
	}
	if (r < 0) {
		(void)site_complain(r, "%s", h.why);
	} else if (n > 0 && !w->s->opt.sure) {
		r = site_complain(-EBUSY,
		    "%llu blocks behind the new end hold data, the last one at %s: make the file "
		    "system smaller first, then discard what lies behind it (blkdiscard --offset "
		    "%llu on the loop device), then stop the disk; --force deletes these blocks",
		    (unsigned long long)n, bar_bytes(last * h.block_size, a),
		    (unsigned long long)size);
	} else if (n > 0 && (r = delete_behind(&h, first)) < 0) {
		(void)site_complain(r, "%s", h.why);
	}
	bar_end(&h.bar);
	haul_close(&h, false);
	return (r);
}

static int
apply(struct site *w, uint64_t size)
{
	struct super *s = w->s;
	uint64_t before = s->size;
	bool recorded = false;
	char *error = NULL, a[24], b[24], label[1200];
	int r;

	if (size < before && (r = clear_behind(w, size)) < 0)
		return (r);
	s->size = size;
	r = place_tell_uploaders(s);
	if (r == 0)
		r = resize_stamp(s, TIME_NEVER / 2, &recorded, &error);
	if (r < 0) {
		(void)site_complain(r, "%s", error != NULL ? error : strerror(-r));
		free(error);
		return (r);
	}
	(void)printf("%s: %s, was %s\n", site_label(s, label, sizeof(label)), bar_bytes(size, a),
	    bar_bytes(before, b));
	if (!recorded)
		(void)printf(
		    "the first block is zeros, so the bucket does not record this: set size "
		    "= %llu in %s\n",
		    (unsigned long long)size, s->opt.config_real);
	else if (conf_is_set(s->conf, CONF_size))
		(void)printf("%s says size: change that, or leave it out\n", s->opt.config_real);
	return (0);
}

int
resize_disk(struct super *s)
{
	char *error = NULL, label[1200];
	int code = EXIT_FAILED;
	uint64_t size;
	struct site w;

	if (site_open(s, true, &w) == 0 && sizes_now(&w) == 0) {
		if (resize_parse(s->opt.args[0], s->shm.geo.block_size, &size, &error) < 0)
			(void)site_complain(-EINVAL, "%s", error != NULL ? error : "no memory");
		else if (size == s->size)
			code = (printf("%s has this size already\n",
				    site_label(s, label, sizeof(label))),
			    EXIT_DONE);
		else if (site_take(&w) == 0 && apply(&w, size) == 0)
			code = EXIT_DONE;
	}
	free(error);
	site_close(&w, false);
	return (code);
}
