/* SPDX-License-Identifier: ISC */
/*
 * cmd_scrub.c -- `scrub`: starts one or watches the one under way; what was bad, one line each, and a
 * summary.  Exit 1 when something bad was not repaired, so that a timer's failure is seen.
 */
#include <stdio.h>
#include <string.h>

#include "common/bar.h"
#include "common/timeutil.h"

#include "ctl/command.h"

#include "ctl/guard.h"

static uint64_t
number(json_t *o, const char *key)
{
	return ((uint64_t)json_integer_value(json_object_get(o, key)));
}

static void
print_list(json_t *result)
{
	json_t *blocks = json_object_get(result, "blocks"), *b;
	size_t i;

	json_array_foreach(blocks, i, b)(void) printf("block %llu: %s%s\n",
	    (unsigned long long)number(b, "block"), json_string_value(json_object_get(b, "what")),
	    json_is_true(json_object_get(b, "repaired")) ? ", repaired from the cache" : "");
	if (number(result, "bad") > json_array_size(blocks))
		(void)printf("and %llu more\n",
		    (unsigned long long)(number(result, "bad") - json_array_size(blocks)));
}

static void
print_summary(json_t *r)
{
	uint64_t bad = number(r, "bad"), repaired = number(r, "repaired");
	char t[48];

	(void)printf("%s%llu of %llu blocks have been looked at, %llu objects read, in %s: ",
	    json_is_true(json_object_get(r, "cancelled")) ? "cancelled; " : "",
	    (unsigned long long)number(r, "doneBlocks"),
	    (unsigned long long)number(r, "totalBlocks"), (unsigned long long)number(r, "read"),
	    duration_text(
		us_of_seconds(json_real_value(json_object_get(r, "seconds"))), t, sizeof(t)));
	if (bad == 0)
		(void)printf("all good\n");
	else
		(void)printf("%llu bad (%llu missing), %llu repaired\n", (unsigned long long)bad,
		    (unsigned long long)number(r, "missing"), (unsigned long long)repaired);
	if (bad > repaired && !json_is_true(json_object_get(r, "repair")))
		(void)printf(
		    "s3backerctl scrub --repair puts good copies from the cache over them; what "
		    "the cache has not must come from a backup\n");
	else if (bad > repaired)
		(void)printf(
		    "the cache has no good copy of the others: their bytes read as errors, until "
		    "they are written again from a backup\n");
}

int
cmd_scrub(struct ask *a, const struct options *o, char **args)
{
	json_t *r;
	int code;

	(void)args;
	if (o->repair && o->cancel)
		return (wrong_usage("scrub: --repair or --cancel, not both", ""));
	a->goes_on = "the scrub goes on; `s3backerctl scrub` watches it, `scrub --cancel` ends it";
	code = ask_run(a,
	    json_pack("{s:s, s:b, s:b}", "cmd", "scrub", "repair", o->repair, "cancel", o->cancel),
	    &r);
	if (code != EXIT_DONE)
		return (code);
	if (a->json) {
		put_json(r);
	} else {
		print_list(r);
		print_summary(r);
	}
	if (number(r, "bad") > number(r, "repaired"))
		code = EXIT_FAILED;
	json_decref(r);
	return (code);
}
