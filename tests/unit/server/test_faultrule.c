/* SPDX-License-Identifier: ISC */
/*
 * test_faultrule.c -- which requests a fault rule hits, and what it then says.
 */
#include "tests/server/fault.h"
#include "tests/server/text.h"
#include "tests/unit/tap.h"

static void
add(const char *rule)
{
	const char *why = "";

	if (!ok(fault_add(rule, 1, &why) == 0, "accepted: %s", rule))
		printf("# %s\n", why);
}

/* Draw n times; '1' where the fault hit. */
static const char *
pattern(enum fault_op op, const char *key, int n)
{
	static char out[65];
	struct fault f;

	for (int i = 0; i < n; i++)
		out[i] = fault_draw(op, key, &f) ? '1' : '0';
	out[n] = '\0';
	return (out);
}

static void
test_selectors(void)
{
	struct fault f;

	is_str(pattern(OP_PUT, "k", 3), "000", "no rules, no faults");
	add("put:503:nth=3");
	is_str(pattern(OP_PUT, "k", 5), "00100", "nth=3 is the third, once");
	is_str(pattern(OP_GET, "k", 5), "00000", "other operations are left alone");
	fault_clear();
	add("any:reset:every=2");
	is_str(pattern(OP_LIST, NULL, 6), "010101", "every=2 is every other");
	fault_clear();
	add("get:503:after=2:count=3");
	is_str(pattern(OP_GET, "k", 8), "00111000", "after=2 lets two pass, count=3 hits three");
	fault_clear();
	add("get:503:key=blk-*7");
	is_str(pattern(OP_GET, "blk-0006", 1), "0", "another key");
	is_str(pattern(OP_GET, "blk-0007", 1), "1", "a key that matches the glob");
	fault_clear();
	add("get:503:for=0s");
	is_str(pattern(OP_GET, "k", 2), "00", "for=0s is over at once");
	fault_clear();
	add("get:503:nth=1");
	add("get:404");
	ok(fault_draw(OP_GET, "k", &f) && f.status == 503, "the first rule that fires wins");
	ok(fault_draw(OP_GET, "k", &f) && f.status == 404, "then the next one");
	fault_clear();
	add("any:refuse:count=1");
	is_str(pattern(OP_GET, "k", 2), "00", "refuse is not about requests");
	is_str(pattern(OP_ACCEPT, NULL, 2), "10", "but about connections");
	fault_clear();
}

static void
test_rate(void)
{
	char first[65];
	struct fault f;
	int hits = 0;

	add("get:503:rate=0.25");
	snprintf(first, sizeof(first), "%s", pattern(OP_GET, "k", 64));
	fault_clear();
	add("get:503:rate=0.25");
	is_str(pattern(OP_GET, "k", 64), first, "the same seed, the same faults");
	for (int i = 0; i < 10000; i++)
		hits += fault_draw(OP_GET, "k", &f);
	ok(hits > 2200 && hits < 2800, "a quarter of ten thousand, roughly (%d)", hits);
	fault_clear();
}

static void
test_actions(void)
{
	struct fault f;

	add("any:403=ExpiredToken");
	ok(fault_draw(OP_BULK, NULL, &f), "any includes bulk delete");
	is_int(f.status, 403, "the status");
	is_str(f.code, "ExpiredToken", "the code");
	fault_clear();
	add("get:stall=250ms:truncate=100:slow=1B/s:retry-after=2:garbage:etag=bad");
	fault_draw(OP_GET, "k", &f);
	is_int(f.stall_us, 250000, "stall=250ms");
	is_int(f.truncate, 100, "truncate=100");
	is_int((long long)f.slow, 1, "slow=1B/s");
	is_int(f.retry_after_s, 2, "retry-after=2");
	ok(f.garbage && f.bad_etag, "garbage, etag=bad");
	fault_clear();
	add("any:skew=-3600s");
	fault_draw(OP_GET, "k", &f);
	is_int(f.skew_s, -3600, "skew may be negative");
	is_int(f.truncate, -1, "no truncation unless asked for");
	fault_clear();
	add("put:late=2s:reset=after");
	fault_draw(OP_PUT, "k", &f);
	ok(f.late_us == 2000000 && f.reset == RESET_AFTER, "late=2s, reset=after");
	fault_clear();
	add("put:200error");
	fault_draw(OP_PUT, "k", &f);
	ok(f.error_200 && f.status == 0, "200error is a word, not a status");
	fault_clear();
}

static void
test_refused(void)
{
	static const char *const bad[] = {"", "put", "fetch:503", "put:99", "put:5033", "put:nth=3",
	    "put:503:nth=0", "put:503:nth=x", "put:503:rate=2", "put:503:for=ever", "get:stall",
	    "get:reset=never", "get:wronglength=0", "get:etag=good", "get:garbage=1", "get:what",
	    "get:stall=-1s", "get:truncate=inf", "get:slow=0"};
	const char *why;
	struct text t = TEXT_EMPTY;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ok(fault_add(bad[i], 0, &why) < 0, "refused: \"%s\"", bad[i]);
	add("get:503:nth=2");
	pattern(OP_GET, "k", 3);
	fault_show(&t);
	is_str(t.s, "get:503:nth=2 seen=3 fired=1\n", "only the good rule is listed, with counts");
	text_free(&t);
	fault_clear();
}

int
main(void)
{
	test_selectors();
	test_rate();
	test_actions();
	test_refused();
	return (tap_done());
}
