/* SPDX-License-Identifier: ISC */
#include "ctl/page.h"

#include <stdint.h>
#include <string.h>

#include "common/bar.h"
#include "common/timeutil.h"

#include "ctl/guard.h"

static uint64_t
number(json_t *o, const char *key)
{
	json_int_t n = json_integer_value(json_object_get(o, key));

	return (n < 0 ? 0 : (uint64_t)n);
}

static const char *
text(json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return (s != NULL ? s : "");
}

static const char *
seconds(double s, char buf[48])
{
	return (duration_text(us_of_seconds(s), buf, 48));
}

/* What to do about it, where that is always the same. */
static const char *
advice(const char *state)
{
	static const struct {
		const char *state, *text;
	} what[] = {
	    {"fenced",
		"nothing is uploaded any more; FENCED DISKS in s3backerctl(8) says what to do"},
	    {"degraded",
		"it goes on; what a loss of this machine would take along is in the next line"},
	    {"drained", "writes go to the bucket first; s3backerctl resume takes that back"},
	    {"stopping", "it is unmounted when everything is in the bucket"},
	};

	for (unsigned i = 0; i < sizeof(what) / sizeof(what[0]); i++)
		if (strcmp(what[i].state, state) == 0)
			return (what[i].text);
	return (NULL);
}

static void
put_health(json_t *st, FILE *out)
{
	json_t *disk = json_object_get(st, "disk");
	const char *why = text(st, "why");

	(void)fprintf(out, "%s: %s%s%s\n",
	    *text(disk, "file") != '\0' ? text(disk, "file") : text(st, "name"), text(st, "state"),
	    *why != '\0' ? ": " : "", why);
	if (advice(text(st, "state")) != NULL)
		(void)fprintf(out, "  note       %s\n", advice(text(st, "state")));
}

/* What a loss of this machine would take along. */
static void
put_risk(json_t *st, FILE *out)
{
	json_t *cache = json_object_get(st, "cache"), *d = json_object_get(st, "durability");
	uint64_t bytes = number(d, "behindBytes"), blocks = number(cache, "dirtyBlocks");
	uint64_t rate = number(json_object_get(st, "transfers"), "uploadBytesPerSec");
	uint64_t deletes = number(cache, "pendingDeletes");
	double age = json_real_value(json_object_get(cache, "oldestDirtySec"));
	char a[24], r[24], t[48], t2[48];

	(void)fprintf(out, "  at risk    ");
	/* Writes of the last moment have a number before cachemgr knows their blocks. */
	if (bytes == 0 && deletes == 0) {
		if (number(d, "acked") > number(d, "bucket"))
			(void)fprintf(out, "%llu writes not in the bucket yet\n",
			    (unsigned long long)(number(d, "acked") - number(d, "bucket")));
		else
			(void)fprintf(out, "nothing: the bucket holds every write\n");
		return;
	}
	(void)fprintf(out, "%s in %llu blocks not in the bucket yet, the oldest for %s",
	    bar_bytes(bytes, a), (unsigned long long)blocks, seconds(age, t));
	/* The rate is that of the last uploads: without one under way it promises nothing. */
	if (rate > 0 && bytes > 0 && number(json_object_get(st, "transfers"), "inFlight") > 0)
		(void)fprintf(out, "; done in about %s at %s/s",
		    seconds((double)bytes / (double)rate, t2), bar_bytes(rate, r));
	if (deletes > 0)
		(void)fprintf(out, "; %llu blocks to delete", (unsigned long long)deletes);
	(void)fprintf(out, "\n");
}

static void
put_durability(json_t *st, FILE *out)
{
	json_t *d = json_object_get(st, "durability");

	(void)fprintf(out,
	    "  fsync      waits for %s; writes acknowledged %llu, committed %llu, in the "
	    "bucket %llu\n",
	    strcmp(text(d, "flushTo"), "cache") == 0 ? "the cache file" : "the bucket",
	    (unsigned long long)number(d, "acked"), (unsigned long long)number(d, "local"),
	    (unsigned long long)number(d, "bucket"));
}

static void
put_disk(json_t *st, FILE *out)
{
	json_t *d = json_object_get(st, "disk");
	json_t *lease = json_object_get(d, "leaseSec");
	char a[24], b[24], l[64] = "", t[48];

	if (json_is_real(lease) && json_real_value(lease) > 0)
		(void)snprintf(
		    l, sizeof(l), ", may write for %s", seconds(json_real_value(lease), t));
	else if (json_is_real(lease))
		(void)snprintf(l, sizeof(l), ", asks before it writes");
	(void)fprintf(out, "  disk       %s in %llu blocks of %s, bucket %s, fence %s%s%s\n",
	    bar_bytes(number(d, "size"), a), (unsigned long long)number(d, "blocks"),
	    bar_bytes(number(d, "blockSize"), b), text(d, "bucket"), text(d, "fence"), l,
	    json_is_true(json_object_get(d, "readOnly")) ? ", read-only" : "");
}

static void
put_cache(json_t *st, FILE *out)
{
	json_t *c = json_object_get(st, "cache");
	uint64_t block = number(json_object_get(st, "disk"), "blockSize");
	uint64_t hits = number(c, "readHits"), misses = number(c, "readMisses");
	char a[24], b[24];

	(void)fprintf(out, "  cache      %s of %s used (%s)",
	    bar_bytes(number(c, "used") * block, a), bar_bytes(number(c, "slots") * block, b),
	    *text(c, "file") != '\0' ? text(c, "file") : "in memory");
	if (hits + misses > 0)
		(void)fprintf(out, ", %.1f %% of reads were hits",
		    100.0 * (double)hits / (double)(hits + misses));
	(void)fprintf(out, ", %llu evictions\n", (unsigned long long)number(c, "evictions"));
}

static void
put_verb(json_t *transfers, const char *verb, const char *name, FILE *out)
{
	json_t *v = json_object_get(transfers, verb);
	char a[24];

	if (number(v, "ok") + number(v, "retried") + number(v, "failed") == 0)
		return;
	(void)fprintf(
	    out, "             %-7s %llu done", name, (unsigned long long)number(v, "ok"));
	if (json_object_get(v, "bytes") != NULL)
		(void)fprintf(out, ", %s", bar_bytes(number(v, "bytes"), a));
	if (number(v, "retried") > 0)
		(void)fprintf(out, ", %llu sent again", (unsigned long long)number(v, "retried"));
	if (number(v, "failed") > 0)
		(void)fprintf(out, ", %llu failed", (unsigned long long)number(v, "failed"));
	(void)fprintf(out, "\n");
}

static void
put_transfers(json_t *st, FILE *out)
{
	json_t *t = json_object_get(st, "transfers");
	char a[24];

	(void)fprintf(
	    out, "  requests   %llu in flight", (unsigned long long)number(t, "inFlight"));
	if (number(t, "uploadBytesPerSec") > 0)
		(void)fprintf(
		    out, ", uploading %s/s", bar_bytes(number(t, "uploadBytesPerSec"), a));
	(void)fprintf(out, "\n");
	put_verb(t, "get", "GET", out);
	put_verb(t, "put", "PUT", out);
	put_verb(t, "delete", "DELETE", out);
	put_verb(t, "list", "LIST", out);
}

static void
put_errors(json_t *st, FILE *out)
{
	json_t *e = json_object_get(st, "errors");
	const char *key;
	json_t *value;
	unsigned n = 0;

	json_object_foreach(e, key, value) if (json_integer_value(value) > 0)(void)
	    fprintf(out, "%s%s %lld", n++ == 0 ? "  errors     " : ", ", key,
		(long long)json_integer_value(value));
	(void)fprintf(out, n > 0 ? "\n" : "  errors     none\n");
}

static void
put_processes(json_t *st, FILE *out)
{
	const char *label = "processes";
	json_t *p;
	size_t i;
	char t[48];

	json_array_foreach(json_object_get(st, "processes"), i, p)
	{
		(void)fprintf(out, "  %-10s %-11s ", label, text(p, "role"));
		label = "";
		if (number(p, "pid") == 0)
			(void)fprintf(out, "not running");
		else
			(void)fprintf(out, "pid %-8llu up %s", (unsigned long long)number(p, "pid"),
			    seconds(json_number_value(json_object_get(p, "uptimeSec")), t));
		if (number(p, "restarts") > 0)
			(void)fprintf(out, ", started again %llu times",
			    (unsigned long long)number(p, "restarts"));
		(void)fprintf(out, "\n");
	}
}

static void
put_period(json_t *usage, const char *key, const char *name, FILE *out)
{
	json_t *u = json_object_get(usage, key);
	char a[24], b[24];

	(void)fprintf(out, "%s $%.4f: %llu PUT, %llu GET, %s up, %s down", name,
	    json_real_value(json_object_get(u, "dollars")), (unsigned long long)number(u, "put"),
	    (unsigned long long)number(u, "get"), bar_bytes(number(u, "bytesUp"), a),
	    bar_bytes(number(u, "bytesDown"), b));
}

/* An estimate; and that a disk which nobody uses costs nothing but its lease. */
static void
put_cost(json_t *st, FILE *out)
{
	json_t *u = json_object_get(st, "usage"), *stored = json_object_get(u, "stored");
	double lease = json_real_value(json_object_get(u, "leasePerDay"));
	char a[24];

	if (u == NULL)
		return;
	(void)fprintf(out, "  cost       ");
	put_period(u, "today", "today about", out);
	(void)fprintf(out, "\n             ");
	put_period(u, "thisMonth", "this month", out);
	(void)fprintf(out, "\n");
	if (stored != NULL)
		(void)fprintf(out, "             %s stored: $%.4f a month\n",
		    bar_bytes(number(stored, "bytes"), a),
		    json_real_value(json_object_get(stored, "dollarsPerMonth")));
	if (!json_is_true(json_object_get(u, "idle")))
		return;
	if (lease > 0)
		(void)fprintf(out,
		    "             idle: nothing but the lease is asked for, %.0f requests a day, "
		    "$%.4f a month\n",
		    lease, json_real_value(json_object_get(u, "leaseDollarsPerMonth")));
	else
		(void)fprintf(out, "             idle: nothing is asked of the store\n");
}

static void
put_scrub(json_t *st, FILE *out)
{
	json_t *s = json_object_get(st, "scrub");
	uint64_t total = number(s, "totalBlocks");

	if (s == NULL)
		return;
	if (json_is_true(json_object_get(s, "running")))
		(void)fprintf(out, "  scrub      %.1f %% done, ",
		    total == 0 ? 100.0 : 100.0 * (double)number(s, "doneBlocks") / (double)total);
	else
		(void)fprintf(out, "  scrub      the last one%s: ",
		    json_is_true(json_object_get(s, "cancelled")) ? ", cancelled" : "");
	(void)fprintf(out, "%llu objects read, %llu bad, %llu repaired\n",
	    (unsigned long long)number(s, "read"), (unsigned long long)number(s, "bad"),
	    (unsigned long long)number(s, "repaired"));
}

void
page_print(json_t *st, FILE *out)
{
	put_health(st, out);
	if (json_object_get(st, "disk") == NULL)
		return;
	put_risk(st, out);
	put_durability(st, out);
	put_disk(st, out);
	put_cache(st, out);
	put_transfers(st, out);
	put_cost(st, out);
	put_scrub(st, out);
	put_errors(st, out);
	put_processes(st, out);
}
