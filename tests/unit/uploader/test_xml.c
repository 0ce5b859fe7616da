/* SPDX-License-Identifier: ISC */
/* test_xml.c -- documents of stores, kind and hostile. */
#include <errno.h>
#include <string.h>

#include "tests/unit/tap.h"
#include "uploader/xml.h"

static char keys[4096];

static int
on_key(void *arg, const char *key, size_t len, const char *etag)
{
	(void)arg;
	(void)snprintf(
	    keys + strlen(keys), sizeof(keys) - strlen(keys), "%.*s%s|", (int)len, key, etag);
	return (0);
}

/* Fed in pieces of `step` bytes, as the network would. */
static int
list(const char *text, size_t step, bool *ret_truncated, char *ret_next)
{
	struct xml_list *l;
	size_t len = strlen(text);
	int error = 0;

	keys[0] = '\0';
	if (xml_list_new(on_key, NULL, &l) < 0)
		return (-ENOMEM);
	for (size_t at = 0; at < len && error == 0; at += step)
		error = xml_list_feed(l, text + at, len - at < step ? len - at : step);
	error = xml_list_end(l, ret_truncated);
	if (ret_next != NULL)
		(void)snprintf(ret_next, 64, "%s", xml_list_next(l));
	xml_list_free(l);
	return (error);
}

#define LIST                                                                                       \
	"<?xml version=\"1.0\"?>\n<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/"          \
	"2006-03-01/\"><Name>b</Name><IsTruncated>true</IsTruncated>"                              \
	"<NextContinuationToken>t1</NextContinuationToken>"                                        \
	"<Contents><Key>a/0000&amp;1</Key><Owner><ID>x</ID><Key>no</Key></Owner></Contents>"       \
	"<Contents><ETag>&quot;e2&quot;</ETag><Key>a/2</Key><Size>4</Size></Contents>"             \
	"<Contents><Key>b</Key></Contents></ListBucketResult>"

int
main(void)
{
	struct xml_error e;
	struct xml_deleted d;
	bool more = false;
	char next[64], big[3000];
	const char *lol = "<!DOCTYPE x [<!ENTITY a \"aa\">]><Error><Code>&a;</Code></Error>";
	const char *err = "<Error><Code>NoSuchBucket</Code><Message>m</Message></Error>";

	is_int(list(LIST, 1000, &more, next), 0, "a list");
	is_str(keys, "a/0000&1|a/2\"e2\"|b|", "its keys, and no others");
	ok(more, "truncated");
	is_str(next, "t1", "continuation token");
	is_int(list(LIST, 1, &more, NULL), 0, "the same, byte by byte");
	is_str(keys, "a/0000&1|a/2\"e2\"|b|", "gives the same keys");
	is_int(list("<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>", 9,
		   &more, NULL),
	    0, "an empty list");
	ok(!more, "not truncated");
	is_int(
	    list("<ListBucketResult><Contents><Key>a</Key>", 9, &more, NULL), -EILSEQ, "cut off");
	is_int(
	    list("<html><body>hello</body></html>", 9, &more, NULL), -EILSEQ, "another document");
	is_int(list("", 9, &more, NULL), -EILSEQ, "nothing");
	is_int(list(err, 9, &more, NULL), -EILSEQ, "an error instead of a list");
	(void)snprintf(big, sizeof(big), "<ListBucketResult><Contents><Key>%2000d</Key>", 1);
	is_int(list(big, 100, &more, NULL), -EILSEQ, "a key beyond all bounds");
	is_int(list("<a><a><a><a><a><a><a><a><a><a>", 3, &more, NULL), -EILSEQ, "too deep");

	is_int(xml_error_parse(err, strlen(err), &e), 0, "an error");
	ok(strcmp(e.code, "NoSuchBucket") == 0 && strcmp(e.message, "m") == 0, "code and message");
	ok(xml_error_parse(lol, strlen(lol), &e) == -EILSEQ && e.code[0] == '\0', "own entities");
	ok(xml_error_parse("gateway", 7, &e) == -EILSEQ && e.code[0] == '\0', "no XML at all");

	is_int(xml_deleted_parse("<DeleteResult/>", 15, &d), 0, "all deleted");
	is_int(d.nerrors, 0, "no errors");
	err =
	    "<DeleteResult><Deleted><Key>a</Key></Deleted><Error><Key>k</Key><Code>NoSuchKey</Code>"
	    "</Error><Error><Key>k</Key><Code>AccessDenied</Code><Message>no</Message></Error>"
	    "</DeleteResult>";
	is_int(xml_deleted_parse(err, strlen(err), &d), 0, "a result with errors");
	ok(d.nerrors == 1 && strcmp(d.code, "AccessDenied") == 0, "what was not there is no error");
	return (tap_done());
}
