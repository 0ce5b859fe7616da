/* SPDX-License-Identifier: ISC */
#include "supervisor/probe.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/bar.h"
#include "common/blockmath.h"
#include "common/conf.h"
#include "common/ctlsock.h"
#include "common/timeutil.h"

#include "supervisor/release.h"
#include "supervisor/storetool.h"
#include "supervisor/super.h"

#include "supervisor/guard.h"

#define ASK_US	  (120 * US_PER_S)
#define RATE_SIZE (1u << 20)
#define MANY	  32u

struct result {
	bool checksums, range, overwrite, list, bulk, absent, if_none_match, if_match;
	uint64_t put_us, get_us, delete_us, list_us; /* of 4 KiB, one after the other */
	double put_one, put_many, get_one, get_many; /* bytes per second, in MiB objects */
	uint64_t block_size;			     /* suggested */
	unsigned max_transfers;
};

static bool
yes(const struct storetool *t, const char *key)
{
	return (storetool_number(t->answer, key, 10) != 0);
}

static int
ask_features(struct storetool *t, struct result *r, char **ret_error)
{
	char text[16];
	int e = storetool_ask(t, ASK_US, ret_error, "probe-features");

	if (e < 0)
		return (e);
	r->range = yes(t, "range");
	r->overwrite = yes(t, "same") && yes(t, "overwrite");
	r->list = yes(t, "list");
	r->bulk = yes(t, "bulk");
	r->absent = yes(t, "absent");
	r->if_none_match = yes(t, "if-none-match");
	r->if_match = yes(t, "if-match");
	(void)storetool_value(t->answer, "checksums", text, sizeof(text));
	r->checksums = strcmp(text, "taken") == 0;
	return (0);
}

static int
ask_latency(struct storetool *t, struct result *r, char **ret_error)
{
	int e = storetool_ask(t, ASK_US, ret_error, "probe-latency");

	r->put_us = storetool_number(t->answer, "put", 10);
	r->get_us = storetool_number(t->answer, "get", 10);
	r->delete_us = storetool_number(t->answer, "delete", 10);
	r->list_us = storetool_number(t->answer, "list", 10);
	return (e);
}

static int
ask_rate(struct storetool *t, const char *dir, unsigned at_once, double *ret_rate, char **ret_error)
{
	int e = storetool_ask(
	    t, ASK_US, ret_error, "probe-rate dir=%s size=%u at-once=%u", dir, RATE_SIZE, at_once);
	uint64_t us = storetool_number(t->answer, "us", 10);

	if (e == 0)
		*ret_rate = (double)storetool_number(t->answer, "bytes", 10) * US_PER_S /
			    (double)max_u64(us, 1);
	return (e);
}

/*
 * A block as large as what one connection moves in the time of one round trip: below, most of the time
 * is waiting; above, a small write costs more than it has to.  And as many transfers as it then takes
 * to fill the line in both directions, with half of it in reserve.
 */
static void
suggest(struct result *r)
{
	double lat = (double)max_u64(r->get_us, 100) / US_PER_S, best;
	uint64_t block = 64u << 10;
	double one, fill;

	one = r->get_one > r->put_one ? r->get_one : r->put_one;
	best = r->get_many > r->put_many ? r->get_many : r->put_many;
	while (block < (1u << 20) && (double)block * 1.4 < one * lat)
		block *= 2;
	fill = best * (lat + (double)block / (one > 1 ? one : 1)) / (double)block * 1.5;
	r->block_size = block;
	r->max_transfers = 8;
	while (r->max_transfers < 256 && r->max_transfers < fill)
		r->max_transfers *= 2;
}

static const char *
word(bool can)
{
	return (can ? "yes" : "no");
}

static void
print_text(const struct super *s, const struct result *r)
{
	char a[24], b[24];

	(void)printf("store              %s%s%s\n", s->conf->bucket,
	    s->conf->base_url != NULL ? " at " : "",
	    s->conf->base_url != NULL ? s->conf->base_url : "");
	(void)printf("conditional PUT    If-None-Match: %s, If-Match: %s%s\n",
	    word(r->if_none_match), word(r->if_match),
	    r->if_none_match ? "" : " (weak fence: a start looks twice)");
	if (!s->conf->store_is_dir)
		(void)printf("checksums          %s\n",
		    r->checksums ? "CRC-32 is stored and compared"
				 : "not taken; MD5 is used where it can be");
	(void)printf("ranges             %s\n", word(r->range));
	(void)printf(
	    "listing            %s\n", r->list ? "shows what was just written" : "LAGS BEHIND");
	(void)printf("bulk delete        %s\n", word(r->bulk));
	(void)printf("consistency        %s\n", r->overwrite && r->absent
						    ? "reads see the last write and delete"
						    : "READS SEE OLD OBJECTS: not fit for a disk");
	(void)printf("latency            GET %.1f ms, PUT %.1f ms, DELETE %.1f ms, LIST %.1f ms (4 "
		     "KiB, median)\n",
	    (double)r->get_us / 1e3, (double)r->put_us / 1e3, (double)r->delete_us / 1e3,
	    (double)r->list_us / 1e3);
	(void)printf(
	    "download           %s/s, with %u at once ", bar_bytes((uint64_t)r->get_one, a), MANY);
	(void)printf("%s/s\n", bar_bytes((uint64_t)r->get_many, b));
	(void)printf(
	    "upload             %s/s, with %u at once ", bar_bytes((uint64_t)r->put_one, a), MANY);
	(void)printf("%s/s\n", bar_bytes((uint64_t)r->put_many, b));
	(void)printf(
	    "\n# for this store from here, for a new disk:\nblockSize = %lluk\nmaxTransfers = %u\n",
	    (unsigned long long)r->block_size >> 10, r->max_transfers);
}

static void
print_json(const struct super *s, const struct result *r)
{
	json_t *o = json_pack("{s:s, s:{s:b, s:b}, s:b, s:b, s:b, s:b, s:b}", "bucket",
	    s->conf->bucket, "conditionalPut", "ifNoneMatch", r->if_none_match, "ifMatch",
	    r->if_match, "checksums", r->checksums, "ranges", r->range, "listing", r->list,
	    "bulkDelete", r->bulk, "consistent", r->overwrite && r->absent);

	(void)json_object_set_new(o, "latencySec",
	    json_pack("{s:f, s:f, s:f, s:f}", "get", (double)r->get_us / US_PER_S, "put",
		(double)r->put_us / US_PER_S, "delete", (double)r->delete_us / US_PER_S, "list",
		(double)r->list_us / US_PER_S));
	(void)json_object_set_new(o, "bytesPerSec",
	    json_pack("{s:f, s:f, s:f, s:f}", "download1", r->get_one, "download", r->get_many,
		"upload1", r->put_one, "upload", r->put_many));
	(void)json_object_set_new(o, "suggest",
	    json_pack("{s:I, s:i}", "blockSize", (json_int_t)r->block_size, "maxTransfers",
		(int)r->max_transfers));
	(void)json_dumpf(o, stdout, JSON_INDENT(1));
	(void)putchar('\n');
	json_decref(o);
}

static int
measure(struct storetool *t, struct result *r, char **ret_error)
{
	struct bar bar;
	int e;

	bar_begin(&bar, stderr);
	bar_show(&bar, "trying what the store can do", 0, 0, 0, 0);
	e = storetool_ask(t, ASK_US, ret_error, "probe-begin");
	if (e == 0)
		e = ask_features(t, r, ret_error);
	bar_show(&bar, "measuring latency", 0, 0, 0, 0);
	if (e == 0)
		e = ask_latency(t, r, ret_error);
	bar_show(&bar, "measuring upload", 0, 0, 0, 0);
	if (e == 0)
		e = ask_rate(t, "put", 1, &r->put_one, ret_error);
	if (e == 0)
		e = ask_rate(t, "put", MANY, &r->put_many, ret_error);
	bar_show(&bar, "measuring download", 0, 0, 0, 0);
	if (e == 0)
		e = ask_rate(t, "get", 1, &r->get_one, ret_error);
	if (e == 0)
		e = ask_rate(t, "get", MANY, &r->get_many, ret_error);
	if (e == 0)
		e = storetool_ask(t, ASK_US, ret_error, "probe-end");
	bar_end(&bar);
	return (e);
}

int
probe_store(struct super *s)
{
	struct storetool t = {.sock = -1, .err_fd = -1, .cancel_fd = -1, .parent_fd = -1};
	struct result r = {0};
	char *error = NULL;
	int e;

	if (s->conf->read_only) {
		(void)fprintf(
		    stderr, "s3backerd: probe writes objects of its own, and readOnly = yes\n");
		return (EXIT_FAILED);
	}
	if ((e = release_open_tool(s, &t, &error)) == 0)
		e = measure(&t, &r, &error);
	storetool_close(&t);
	if (e < 0) {
		(void)fprintf(stderr, "s3backerd: %s\n", error != NULL ? error : strerror(-e));
		free(error);
		return (EXIT_FAILED);
	}
	suggest(&r);
	if (s->opt.json)
		print_json(s, &r);
	else
		print_text(s, &r);
	return (EXIT_DONE);
}
