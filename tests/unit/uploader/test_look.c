/* SPDX-License-Identifier: ISC */
/* test_look.c -- what names say about the prefix and blockHashPrefix of a configuration. */
#include <string.h>

#include "tests/unit/tap.h"
#include "uploader/look.h"

static struct look
look(const char *prefix, bool hashed, const char *const *keys)
{
	struct names n = {prefix, strlen(prefix), hashed, 0};
	struct look l = {0};

	for (; *keys != NULL; keys++)
		look_note(&l, &n, *keys, strlen(*keys));
	return (l);
}

int
main(void)
{
	static const char *const plain[] = {"00000003", "00000007", "s3backer-mounted", "x", NULL};
	static const char *const hashed[] = {"6a03ab82-00000005", "c448b72c-00000000", NULL};
	static const char *const sub[] = {"a/readme", "one/0000000a", "one/s3backer-mounted", NULL};
	static const char *const odd[] = {"6a03ab83-00000005", "photo-deadbeef", "0000000A", NULL};
	static const char *const deep[] = {"p-6a03ab82-00000005", NULL};
	static const char *const token[] = {"new/s3backer-mounted", NULL};
	struct look l;

	l = look("", false, plain);
	ok(l.ours == 2 && l.some[0] == 3 && l.some[1] == 7 && l.flipped == 0 && !l.elsewhere,
	    "plain names under a plain configuration");
	l = look("", true, plain);
	ok(l.ours == 0 && l.flipped == 2, "and under a hashed one");
	l = look("", true, hashed);
	ok(l.ours == 2 && l.some[0] == 5 && l.some[1] == 0 && l.flipped == 0, "hashed names");
	l = look("", false, hashed);
	ok(l.ours == 0 && l.flipped == 2, "and under a plain configuration");
	l = look("", false, sub);
	ok(l.ours == 0 && l.elsewhere && strcmp(l.prefix, "one/") == 0 && !l.elsewhere_hashed,
	    "a disk in a sub-directory");
	l = look("two/", false, plain);
	ok(l.ours == 0 && l.elsewhere && strcmp(l.prefix, "") == 0, "a disk without a prefix");
	l = look("one/", false, sub);
	ok(l.ours == 1 && l.some[0] == 10 && !l.elsewhere, "the right prefix, its token included");
	l = look("", false, odd);
	ok(l.ours == 0 && l.flipped == 0 && !l.elsewhere, "what only looks like a name");
	l = look("", false, deep);
	ok(l.elsewhere && strcmp(l.prefix, "p-") == 0 && l.elsewhere_hashed,
	    "a hashed name proves itself behind any prefix");
	l = look("", false, token);
	ok(l.elsewhere && strcmp(l.prefix, "new/") == 0, "so does a token");
	return (tap_done());
}
