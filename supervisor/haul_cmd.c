/* SPDX-License-Identifier: ISC */
/*
 * haul_cmd.c -- export, import and copy: what is locked, what may be overwritten, what is said.
 */
#include <bsd/string.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/blockmath.h"
#include "common/conf.h"
#include "common/ctlsock.h"
#include "common/durable.h"
#include "common/timeutil.h"

#include "supervisor/haul.h"
#include "supervisor/haul_impl.h"
#include "supervisor/load.h"
#include "supervisor/sizes.h"
#include "supervisor/super.h"

#include "supervisor/guard.h"

#define DETECT_LIMIT_US (90 * US_PER_S)

/* One sentence of what is carried: the head of the progress file. */
static void
name_disk(const struct super *s, char *buf, size_t len)
{
	const struct conf *c = s->conf;

	(void)snprintf(buf, len, "%s/%s size %llu block %u%s",
	    c->store_is_dir ? c->store_dir : c->bucket_name, c->prefix_full,
	    (unsigned long long)s->size, s->shm.geo.block_size,
	    c->block_hash_prefix ? " hashed" : "");
}

static int
finish(struct haul *h, const char *what, int r)
{
	bool json = h->site[0]->s->opt.json;
	uint64_t bytes = h->carried_blocks * h->block_size;
	char a[24], b[24];

	if (r < 0) {
		(void)site_complain(r,
		    "%s: %s; %llu blocks were carried, and the same command goes "
		    "on from there",
		    what, h->why, (unsigned long long)h->carried_blocks);
		return (EXIT_FAILED);
	}
	if (json)
		(void)printf("{\"size\":%llu,\"blockSize\":%u,\"carriedBlocks\":%llu,"
			     "\"carriedBytes\":%llu,\"badBlocks\":%llu}\n",
		    (unsigned long long)(h->nblocks * h->block_size), h->block_size,
		    (unsigned long long)h->carried_blocks, (unsigned long long)bytes,
		    (unsigned long long)h->bad_blocks);
	else
		(void)printf("%s: a disk of %s, %s in %llu blocks carried\n", what,
		    bar_bytes(h->nblocks * h->block_size, a), bar_bytes(bytes, b),
		    (unsigned long long)h->carried_blocks);
	if (h->bad_blocks > 0)
		(void)site_complain(-EIO, "%llu blocks could not be read: they are zeros there",
		    (unsigned long long)h->bad_blocks);
	return (h->bad_blocks > 0 ? EXIT_FAILED : EXIT_DONE);
}

/* ---- export --------------------------------------------------------------------------------- */

static int
open_target(struct haul *h, const char *name, bool resumed)
{
	uint64_t size = h->nblocks * h->block_size;
	struct stat st;

	if (fstat(h->image, &st) < 0)
		return (site_complain(-errno, "%s: %s", name, strerror(errno)));
	if (!resumed && st.st_size > 0 && !h->force)
		return (
		    site_complain(-EEXIST, "%s is there already (--force overwrites it)", name));
	/* What an earlier file held must not show through where the disk has zeros. */
	if (!resumed && ftruncate(h->image, 0) < 0)
		return (site_complain(-errno, "%s: %s", name, strerror(errno)));
	if (ftruncate(h->image, (off_t)size) < 0)
		return (site_complain(-errno, "%s: cannot be made %llu bytes long: %s%s", name,
		    (unsigned long long)size, strerror(errno),
		    errno == EFBIG ? " (a file system for larger files)" : ""));
	h->image_size = size;
	return (0);
}

static int
export_marks(struct haul *h, const char *name, bool *ret_resumed)
{
	char path[1100], disk[1500], what[2048];
	struct stat st;
	int r;

	h->image = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (h->image < 0 || fstat(h->image, &st) < 0)
		return (site_complain(-errno, "%s: %s", name, strerror(errno)));
	if (!S_ISREG(st.st_mode))
		return (site_complain(-EINVAL, "%s is not a regular file", name));
	name_disk(h->site[0]->s, disk, sizeof(disk));
	(void)snprintf(what, sizeof(what), "s3backer export 1: %s to file %llu", disk,
	    (unsigned long long)st.st_ino);
	(void)snprintf(path, sizeof(path), "%s.s3backer", name);
	r = marks_open(&h->marks, path, what, h->nblocks, ret_resumed);
	return (r < 0 ? site_complain(r, "%s: %s", path, strerror(-r)) : 0);
}

static int
open_or_say(struct haul *h, bool writes)
{
	int r = haul_open(h, writes);

	return (r < 0 ? site_complain(r, "%s", h->why) : 0);
}

static int
export_to(struct site *w, const char *name)
{
	struct haul h = {.verb = "exporting",
	    .from = 0,
	    .to = HAUL_IMAGE,
	    .site = {w},
	    .nsites = 1,
	    .force = w->s->opt.sure,
	    .image = -1,
	    .image_name = name};
	bool resumed = false;
	int code = EXIT_FAILED, r;

	if (open_or_say(&h, false) == 0 && export_marks(&h, name, &resumed) == 0) {
		if (resumed && !w->s->opt.json)
			(void)fprintf(stderr, "s3backerd: going on with %s\n", name);
		if (open_target(&h, name, resumed) == 0) {
			r = haul_run(&h);
			if (r == 0 && (r = site_check_idle(w, h.force)) < 0)
				(void)snprintf(h.why, sizeof(h.why), "it was mounted meanwhile");
			code = finish(&h, name, r);
			haul_close(&h, r == 0);
			return (code);
		}
	}
	haul_close(&h, !resumed);
	return (code);
}

int
haul_export(struct super *s)
{
	int code = EXIT_FAILED;
	struct site w;

	if (site_open(s, true, &w) == 0 && site_check_idle(&w, s->opt.sure) == 0 &&
	    site_sizes(&w) == 0)
		code = export_to(&w, s->opt.args[0]);
	site_close(&w, false);
	return (code);
}

/* ---- import --------------------------------------------------------------------------------- */

static int
open_source(struct haul *h, const char *name)
{
	off_t end;

	h->image_name = name;
	h->image = open(name, O_RDONLY | O_CLOEXEC);
	if (h->image < 0 || (end = lseek(h->image, 0, SEEK_END)) < 0)
		return (site_complain(-errno, "%s: %s", name, strerror(errno)));
	h->image_size = (uint64_t)end;
	if (end == 0)
		return (site_complain(-EINVAL, "%s is empty", name));
	return (0);
}

/* A new disk without a size gets that of the image, and room to the end of a block. */
static int
size_from_image(struct site *w, uint64_t image_size)
{
	struct conf *c = w->s->conf;
	char *error = NULL;
	uint64_t block;
	int r;

	if (conf_is_set(c, CONF_size))
		return (0);
	r = storetool_ask(&w->tool, DETECT_LIMIT_US, &error, "detect");
	if (r < 0)
		(void)site_complain(r, "%s", error != NULL ? error : strerror(-r));
	free(error);
	if (r < 0 || storetool_number(w->tool.answer, "found", 10) != 0)
		return (r);
	block = c->block_size != 0 ? c->block_size : sizes_new_block(round_up(image_size, 4 << 20));
	c->size = round_up(image_size, block);
	return (0);
}

/* The progress of what writes to a store lies where the disk's state does. */
static int
store_marks(struct haul *h, const struct super *to, const char *what, bool *ret_resumed)
{
	char path[1100];
	int r;

	(void)snprintf(path, sizeof(path), "%s.marks", to->paths.state);
	r = marks_open(&h->marks, path, what, h->nblocks, ret_resumed);
	return (r < 0 ? site_complain(r, "%s: %s", path, strerror(-r)) : 0);
}

/* U3. */
static int
check_destination(struct haul *h, bool resumed)
{
	const struct super *to = h->site[h->to]->s;
	char label[1200];
	uint64_t n = 0;

	if (haul_list(h, (unsigned)h->to, &n) < 0)
		return (site_complain(h->error, "%s", h->why));
	if (n == 0 || resumed || to->opt.sure || h->force)
		return (0);
	return (site_complain(-EEXIST,
	    "%s holds a disk already, with %llu blocks (--force replaces it)",
	    site_label(to, label, sizeof(label)), (unsigned long long)n));
}

static bool
block0_is_zero(const struct haul *h)
{
	static const uint8_t none[16];

	return (memcmp(h->listed[h->to][0], none, 16) == 0);
}

static void
say_sizes(const struct haul *h)
{
	const struct super *to = h->site[h->to]->s;

	if (block0_is_zero(h) && !conf_is_set(to->conf, CONF_size))
		(void)fprintf(stderr,
		    "s3backerd: note: the first block is zeros, so the bucket does not record the "
		    "sizes: %s needs size = %llu and blockSize = %u\n",
		    to->opt.config_real, (unsigned long long)(h->nblocks * h->block_size),
		    h->block_size);
}

/* With destination open and sizes known; r of the work. */
static int
carry_to_store(struct haul *h, const char *what, const char *name)
{
	struct site *to = h->site[h->to];
	bool resumed = false;
	int code = EXIT_FAILED, r;

	if (site_take(to) < 0)
		return (EXIT_FAILED);
	if (open_or_say(h, true) < 0 || store_marks(h, to->s, what, &resumed) < 0 ||
	    check_destination(h, resumed) < 0) {
		haul_close(h, !resumed);
		site_close(to, resumed);
		return (EXIT_FAILED);
	}
	if (resumed && !h->site[0]->s->opt.json)
		(void)fprintf(stderr, "s3backerd: going on with %s\n", name);
	r = haul_run(h);
	if (r == 0 && h->from != HAUL_IMAGE && (r = site_check_idle(h->site[h->from], false)) < 0)
		(void)snprintf(h->why, sizeof(h->why), "it was mounted meanwhile");
	if (r == 0)
		say_sizes(h);
	code = finish(h, name, r);
	if (r < 0 && to->s->token.value != 0)
		(void)fprintf(stderr,
		    "s3backerd: until then the disk is marked as mounted (s3backerctl -c %s "
		    "reset-mounted-flag gives it up)\n",
		    to->s->opt.config_real);
	if (r == -ESTALE)
		to->s->token.value = 0; /* another's by now: not ours to drop */
	haul_close(h, r == 0);
	site_close(to, r < 0);
	return (code);
}

static int
import_from(struct site *w, struct haul *h, const char *name)
{
	char disk[1500], what[2048], a[24], b[24];
	struct stat st;

	if (fstat(h->image, &st) < 0)
		return (EXIT_FAILED);
	if (h->image_size > w->s->size) {
		(void)site_complain(-EFBIG,
		    "%s has %s, the disk only %s (s3backerctl resize makes "
		    "it larger)",
		    name, bar_bytes(h->image_size, a), bar_bytes(w->s->size, b));
		return (EXIT_FAILED);
	}
	name_disk(w->s, disk, sizeof(disk));
	(void)snprintf(what, sizeof(what),
	    "s3backer import 1: file %llu:%llu size %llu time %lld.%09ld to %s",
	    (unsigned long long)st.st_dev, (unsigned long long)st.st_ino,
	    (unsigned long long)h->image_size, (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec,
	    disk);
	(void)site_label(w->s, disk, sizeof(disk));
	return (carry_to_store(h, what, disk));
}

int
haul_import(struct super *s)
{
	struct haul h = {
	    .verb = "importing", .from = HAUL_IMAGE, .to = 0, .nsites = 1, .image = -1};
	const char *name = s->opt.args[0];
	int code = EXIT_FAILED;
	struct site w;

	h.site[0] = &w;
	h.force = s->opt.sure;
	if (site_open(s, true, &w) == 0 && open_source(&h, name) == 0 &&
	    size_from_image(&w, h.image_size) == 0 && site_sizes(&w) == 0)
		code = import_from(&w, &h, name);
	if (h.image >= 0)
		close(h.image);
	site_close(&w, false);
	return (code);
}

/* ---- copy ----------------------------------------------------------------------------------- */

static bool
same_place(const struct super *a, const struct super *b)
{
	const struct conf *x = a->conf, *y = b->conf;

	if (x->store_is_dir != y->store_is_dir || strcmp(x->prefix_full, y->prefix_full) != 0)
		return (false);
	if (x->store_is_dir)
		return (strcmp(x->store_dir, y->store_dir) == 0);
	return (
	    strcmp(x->bucket_name, y->bucket_name) == 0 && strcmp(x->base_url, y->base_url) == 0);
}

/* The new disk is like the old one where its configuration does not say otherwise. */
static int
copy_sizes(struct site *from, struct site *to)
{
	struct conf *c = to->s->conf;
	char a[24], b[24];

	if (c->block_size == 0)
		c->block_size = from->s->shm.geo.block_size;
	if (c->size == 0)
		c->size = from->s->size;
	if (site_sizes(to) < 0)
		return (-EINVAL);
	if (to->s->shm.geo.block_size != from->s->shm.geo.block_size)
		return (site_complain(-EINVAL,
		    "%s has blockSize = %u, %s has %u: a copy keeps it (export and import change "
		    "it)",
		    from->s->opt.config_real, from->s->shm.geo.block_size, to->s->opt.config_real,
		    to->s->shm.geo.block_size));
	if (to->s->size < from->s->size)
		return (site_complain(-EFBIG, "%s is a disk of %s, too small for %s",
		    to->s->opt.config_real, bar_bytes(to->s->size, a),
		    bar_bytes(from->s->size, b)));
	return (0);
}

static int
copy_between(struct site *from, struct site *to)
{
	struct haul h = {.verb = "copying",
	    .from = 0,
	    .to = 1,
	    .site = {from, to},
	    .nsites = 2,
	    .force = from->s->opt.sure,
	    .image = -1};
	char a[1500], b[1500], what[4000];

	if (copy_sizes(from, to) < 0)
		return (EXIT_FAILED);
	name_disk(from->s, a, sizeof(a));
	name_disk(to->s, b, sizeof(b));
	(void)snprintf(what, sizeof(what), "s3backer copy 1: %s to %s", a, b);
	return (carry_to_store(&h, what, site_label(to->s, b, sizeof(b))));
}

int
haul_copy(struct super *s)
{
	static struct super other;
	struct site from, to;
	int code = EXIT_FAILED;

	super_init(&other);
	other.opt.config = s->opt.args[0];
	other.opt.sure = s->opt.sure;
	if (super_load(&other) < 0)
		goto out;
	if (same_place(s, &other)) {
		(void)site_complain(
		    -EINVAL, "%s and %s are the same disk", s->opt.config, other.opt.config);
		goto out;
	}
	if (site_open(s, true, &from) == 0 && site_check_idle(&from, false) == 0 &&
	    site_sizes(&from) == 0) {
		if (site_open(&other, true, &to) == 0)
			code = copy_between(&from, &to);
		site_close(&to, false);
	}
	site_close(&from, false);
out:
	super_close(&other);
	return (code);
}
