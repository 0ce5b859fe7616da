/* SPDX-License-Identifier: ISC */
#include "supervisor/info.h"

#include <bsd/string.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/bar.h"
#include "common/conf.h"
#include "common/ctlsock.h"
#include "common/timeutil.h"

#include "supervisor/disk.h"
#include "supervisor/haul_impl.h"
#include "supervisor/site.h"
#include "supervisor/super.h"
#include "supervisor/token.h"
#include "supervisor/vault.h"

#include "supervisor/guard.h"

#define ASK_LIMIT_US (120 * US_PER_S)

struct info {
	uint64_t size, block_size; /* recorded; 0: not */
	bool empty, hashed, mixed, counted;
	unsigned looked;
	uint64_t looked_bytes, largest, blocks;
	char encoding[64], region[64];
	bool mounted;
	char *holder;
};

static int
ask(struct site *w, const char *question)
{
	char *error = NULL;
	int r = storetool_ask(&w->tool, ASK_LIMIT_US, &error, "%s", question);

	if (r < 0)
		(void)site_complain(r, "%s", error != NULL ? error : strerror(-r));
	free(error);
	return (r);
}

static int
detect(struct site *w, struct info *i)
{
	char empty[8];

	if (ask(w, "detect") < 0)
		return (-EIO);
	i->size = storetool_number(w->tool.answer, "size", 10);
	i->block_size = storetool_number(w->tool.answer, "blocksize", 10);
	i->empty = storetool_value(w->tool.answer, "empty", empty, sizeof(empty)) &&
		   strcmp(empty, "1") == 0;
	(void)storetool_value(w->tool.answer, "region", i->region, sizeof(i->region));
	return (disk_keep_key(w->s, w->tool.answer));
}

/* The other kind of names: nobody records which it is, and whoever asks may not know. */
static int
try_other_names(struct site *w, struct info *i)
{
	struct super *s = w->s;
	bool hashed = !s->conf->block_hash_prefix;
	struct info other = *i;
	char *error = NULL;
	int r;

	storetool_close(&w->tool);
	r = vault_append(s->vault, hashed ? "blockHashPrefix=yes" : "blockHashPrefix=no");
	if (r == 0)
		r = storetool_open(&w->tool, s->vault, false, &error);
	w->tool.cancel_fd = w->sig_fd;
	if (r < 0)
		(void)site_complain(r, "%s", error != NULL ? error : strerror(-r));
	free(error);
	if (r < 0 || (r = detect(w, &other)) < 0)
		return (r);
	if (other.empty)
		return (
		    vault_append(s->vault, hashed ? "blockHashPrefix=no" : "blockHashPrefix=yes"));
	*i = other;
	s->conf->block_hash_prefix = i->hashed = hashed;
	return (0);
}

static int
look_at_token(struct site *w, struct info *i)
{
	char *error = NULL;
	int r;

	if (ask(w, "token-get") < 0)
		return (-EIO);
	i->mounted = storetool_number(w->tool.answer, "present", 10) != 0;
	if (!i->mounted)
		return (0);
	if ((r = token_show(&w->tool, &i->holder, &error)) < 0)
		(void)site_complain(r, "%s", error != NULL ? error : strerror(-r));
	free(error);
	return (r);
}

static int
sample(struct site *w, struct info *i)
{
	const char *a = w->tool.answer;

	if (ask(w, "sample") < 0)
		return (-EIO);
	i->looked = (unsigned)storetool_number(a, "looked", 10);
	i->looked_bytes = storetool_number(a, "bytes", 10);
	i->largest = storetool_number(a, "largest", 10);
	i->mixed = storetool_number(a, "mixed", 10) != 0;
	(void)storetool_value(a, "encoding", i->encoding, sizeof(i->encoding));
	return (0);
}

static int
count_blocks(struct site *w, struct info *i)
{
	struct haul h = {
	    .verb = "listing", .from = 0, .to = HAUL_IMAGE, .site = {w}, .nsites = 1, .image = -1};
	struct super *s = w->s;
	int r;

	/* Where nothing is recorded, every number that a name can have counts. */
	s->shm.geo.block_size = i->block_size != 0 ? (uint32_t)i->block_size : 4096;
	s->size = i->size != 0 ? i->size : UINT32_MAX * (uint64_t)s->shm.geo.block_size;
	r = haul_open(&h, false);
	if (r == 0)
		r = haul_list(&h, 0, &i->blocks);
	bar_end(&h.bar);
	haul_close(&h, false);
	return (r < 0 ? site_complain(r, "%s", h.why) : 0);
}

/* ---- what is said --------------------------------------------------------------------------- */

/* Stored bytes of all blocks, if they are like those that were looked at. */
static uint64_t
estimate(const struct info *i)
{
	if (i->looked == 0)
		return (0);
	return (i->blocks <= i->looked
		    ? i->looked_bytes
		    : (uint64_t)((double)i->looked_bytes / i->looked * (double)i->blocks));
}

static bool
is_encrypted(const struct info *i)
{
	return (strcasestr(i->encoding, "encrypt-") != NULL);
}

static const char *
cipher(const struct info *i)
{
	const char *p = strcasestr(i->encoding, "encrypt-");

	return (p != NULL ? p + strlen("encrypt-") : "");
}

static const char *
compression(const struct info *i)
{
	return (strcasestr(i->encoding, "deflate") != NULL ? "deflate"
		: strcasestr(i->encoding, "zstd") != NULL  ? "zstd"
							   : "");
}

static void
print_json(const struct super *s, const struct info *i)
{
	char label[1200];
	json_t *o = json_pack(
	    "{s:s, s:I, s:I, s:b, s:b, s:s, s:s, s:b, s:b, s:I, s:I, s:I, s:b, s:s}", "bucket",
	    site_label(s, label, sizeof(label)), "size", (json_int_t)i->size, "blockSize",
	    (json_int_t)i->block_size, "recorded", i->size != 0, "encrypted", is_encrypted(i),
	    "cipher", cipher(i), "compression", compression(i), "mixed", i->mixed, "hashedNames",
	    i->hashed, "blocks", (json_int_t)i->blocks, "dataBytes",
	    (json_int_t)(i->blocks * i->block_size), "storedBytesEstimate", (json_int_t)estimate(i),
	    "mounted", i->mounted, "holder", i->holder != NULL ? i->holder : "");

	(void)json_dumpf(o, stdout, JSON_INDENT(1));
	(void)putchar('\n');
	json_decref(o);
}

static void
print_format(const struct info *i)
{
	const char *c = compression(i);

	if (i->looked == 0)
		(void)printf("  format       unknown: there is no block to look at\n");
	else
		(void)printf("  format       %s%s, %s%s%s%s\n",
		    *c != '\0' ? "compressed with " : "not compressed", c,
		    is_encrypted(i) ? "encrypted with " : "not encrypted", cipher(i),
		    i->mixed ? " (not all alike)" : "",
		    i->hashed ? ", names with a hash (blockHashPrefix = yes)" : "");
}

static void
print_page(const struct super *s, const struct info *i)
{
	char a[24], b[24], label[1200];

	(void)printf("%s: %s\n", site_label(s, label, sizeof(label)),
	    !i->empty	 ? "a disk"
	    : i->mounted ? "a disk without any block yet"
			 : "no disk is here");
	if (i->size != 0)
		(void)printf("  size         %s (%llu), block size %s, %llu blocks\n",
		    bar_bytes(i->size, a), (unsigned long long)i->size, bar_bytes(i->block_size, b),
		    (unsigned long long)(i->size / i->block_size));
	else if (!i->empty)
		(void)printf("  size         not recorded: the first block is zeros%s%s%s\n",
		    i->largest != 0 ? " (an object has up to " : "",
		    i->largest != 0 ? bar_bytes(i->largest, a) : "", i->largest != 0 ? ")" : "");
	if (!i->empty) {
		(void)printf("  in use       %llu blocks", (unsigned long long)i->blocks);
		if (i->size != 0)
			(void)printf(", %s, %.0f %% of the disk",
			    bar_bytes(i->blocks * i->block_size, a),
			    100.0 * (double)(i->blocks * i->block_size) / (double)i->size);
		(void)printf("\n  stored       %s%s\n", i->blocks > i->looked ? "about " : "",
		    bar_bytes(estimate(i), a));
		print_format(i);
	}
	(void)printf("  mounted      %s\n",
	    !i->mounted							  ? "no"
	    : i->holder != NULL && strncmp(i->holder, "mounted ", 8) == 0 ? i->holder + 8
									  : "yes");
}

int
info_disk(struct super *s)
{
	struct info i = {.hashed = s->conf->block_hash_prefix};
	int code = EXIT_FAILED;
	struct site w;

	if (site_open(s, false, &w) == 0 && detect(&w, &i) == 0 &&
	    (!i.empty || i.size != 0 || try_other_names(&w, &i) == 0) &&
	    look_at_token(&w, &i) == 0 && sample(&w, &i) == 0 &&
	    (i.empty || count_blocks(&w, &i) == 0)) {
		if (s->opt.json)
			print_json(s, &i);
		else
			print_page(s, &i);
		code = EXIT_DONE;
	}
	free(i.holder);
	site_close(&w, false);
	return (code);
}
