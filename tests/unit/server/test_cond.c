/* SPDX-License-Identifier: ISC */
/*
 * test_cond.c -- conditions, ranges, dates and escapes, as the test server reads them.
 */
#include "tests/server/cond.h"
#include "tests/server/uri.h"
#include "tests/unit/tap.h"

static void
test_etags(void)
{
	ok(cond_etag_in("\"abc\"", "abc"), "quoted");
	ok(cond_etag_in("abc", "abc"), "unquoted");
	ok(cond_etag_in("W/\"abc\"", "abc"), "weak");
	ok(cond_etag_in("\"x\", \"abc\"", "abc"), "in a list");
	ok(cond_etag_in("*", "abc"), "a star");
	ok(!cond_etag_in("\"abcd\"", "abc"), "not a longer one");
	ok(!cond_etag_in("\"ab\"", "abc"), "not a shorter one");
	ok(!cond_etag_in("", "abc"), "not nothing");
}

static void
test_reads(void)
{
	static const char then[] = "Fri, 24 May 2013 00:00:00 GMT";
	time_t t = 0;
	struct cond_read c = {0};

	ok(date_parse(then, &t) == 0, "a date");
	is_int(t, 1369353600, "is that second");
	is_int(cond_read_check(&c, "e", t), 0, "no condition");
	c.if_modified_since = then;
	is_int(cond_read_check(&c, "e", t), 304, "not modified since");
	is_int(cond_read_check(&c, "e", t + 1), 0, "modified since");
	c.if_none_match = "\"other\"";
	is_int(cond_read_check(&c, "e", t), 0, "If-None-Match overrules If-Modified-Since");
	c.if_none_match = "\"e\"";
	is_int(cond_read_check(&c, "e", t + 1), 304, "both ways");
	c.if_match = "\"other\"";
	is_int(cond_read_check(&c, "e", t), 412, "If-Match comes first");
	c = (struct cond_read){.if_unmodified_since = then};
	is_int(cond_read_check(&c, "e", t + 1), 412, "modified since If-Unmodified-Since");
}

static void
check_range(const char *range, uint64_t size, int status, uint64_t off, uint64_t len)
{
	uint64_t got_off = 0, got_len = 0;
	int got = cond_range(range, size, &got_off, &got_len);

	ok(got == status && (status == 416 || (got_off == off && got_len == len)),
	    "%s of %llu: %d %llu+%llu", range, (unsigned long long)size, got,
	    (unsigned long long)got_off, (unsigned long long)got_len);
}

static void
test_ranges(void)
{
	check_range("bytes=0-9", 100, 206, 0, 10);
	check_range("bytes=90-200", 100, 206, 90, 10);
	check_range("bytes=99-", 100, 206, 99, 1);
	check_range("bytes=-10", 100, 206, 90, 10);
	check_range("bytes=-1000", 100, 206, 0, 100);
	check_range("bytes=100-", 100, 416, 0, 0);
	check_range("bytes=-0", 100, 416, 0, 0);
	check_range("bytes=0-", 0, 416, 0, 0);
	check_range("bytes=9-3", 100, 200, 0, 100);
	check_range("bytes=0-1,5-6", 100, 200, 0, 100);
	check_range("items=0-1", 100, 200, 0, 100);
	check_range("bytes=x-", 100, 200, 0, 100);
}

static void
test_dates(void)
{
	char text[40];
	time_t t = 0;

	date_http(1369353600, text);
	is_str(text, "Fri, 24 May 2013 00:00:00 GMT", "the HTTP form");
	date_iso(1369353600, text);
	is_str(text, "2013-05-24T00:00:00.000Z", "the listing's form");
	ok(date_parse("20130524T000000Z", &t) == 0 && t == 1369353600, "the signature's form");
	ok(date_parse("Tue, 27 Mar 2007 19:36:42 +0000", &t) == 0 && t == 1175024202, "with +0000");
	ok(date_parse("20130524T000000", &t) < 0, "refused: no Z");
	ok(date_parse("Fri, 24 Foo 2013 00:00:00 GMT", &t) < 0, "refused: no such month");
	ok(date_parse("yesterday", &t) < 0, "refused: words");
}

static void
test_escapes(void)
{
	struct query q;
	char *s = NULL;

	ok(uri_decode("a%2Fb%20c+d", 11, false, &s) == 0, "a path");
	is_str(s, "a/b c+d", "its plus is a plus");
	free(s);
	ok(uri_decode("a+b", 3, true, &s) == 0, "a query");
	is_str(s, "a b", "its plus is a blank");
	free(s);
	ok(uri_decode("%4", 2, false, &s) < 0, "refused: cut short");
	ok(uri_decode("%", 1, false, &s) < 0, "refused: cut shorter");
	ok(uri_decode("%g0", 3, false, &s) < 0, "refused: not hex");
	ok(uri_decode("%00", 3, false, &s) < 0, "refused: NUL");
	ok(query_parse("delete&a=b=c&&e=", &q) == 0, "a query string");
	is_int(q.n, 3, "three parameters");
	is_str(query_get(&q, "delete"), "", "one without a value");
	is_str(query_get(&q, "a"), "b=c", "one with two equal signs");
	ok(query_get(&q, "x") == NULL, "one that is not there");
	query_free(&q);
}

int
main(void)
{
	test_etags();
	test_reads();
	test_ranges();
	test_dates();
	test_escapes();
	return (tap_done());
}
