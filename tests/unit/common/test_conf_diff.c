/* SPDX-License-Identifier: ISC */
/*
 * test_conf_diff.c -- what differs between two configurations, and what may.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/conf.h"
#include "common/conf_diff.h"
#include "tests/unit/tap.h"

static struct conf *
load(const char *extra)
{
	const char *with[] = {"bucket=bkt", "accessId=", "size=1m", extra, NULL};
	char *error = NULL;
	struct conf *c = NULL;

	if (conf_load(NULL, with, &c, &error) < 0)
		printf("Bail out! %s\n", error);
	free(error);
	return (c);
}

/* How many keys differ, and the last of them. */
static int
differences(const struct conf *a, const struct conf *b, int *ret_last)
{
	int n = 0;

	for (int i = 0; i < CONF_NKEYS; i++)
		if (!conf_key_same(a, b, (enum conf_id)i)) {
			n++;
			*ret_last = i;
		}
	return (n);
}

int
main(void)
{
	static char access_file[] = "accessFile=/tmp/s3b-diff-XXXXXX";
	int fd = mkstemp(access_file + strlen("accessFile=")); /* 0600, as it has to be */
	const struct {
		const char *change;
		int key;
		bool may;
	} t[] = {
	    {"size=2m", CONF_size, false},
	    {"prefix=x", CONF_prefix, false},
	    {"readOnly=yes", CONF_readOnly, false},
	    {"blockCacheSize=77", CONF_blockCacheSize, false},
	    {"leaseTime=5s", CONF_leaseTime, false},
	    {"fence=strong", CONF_fence, false},
	    {"uploaders=7", CONF_uploaders, false},
	    {"region=eu-west-1", CONF_region, false},
	    {"blockCacheWriteDelay=7s", CONF_blockCacheWriteDelay, true},
	    {"blockCacheMaxDirty=5", CONF_blockCacheMaxDirty, true},
	    {"timeout=7s", CONF_timeout, true},
	    {"logTo=/x", CONF_logTo, true},
	    {"uploadLimit=1m", CONF_uploadLimit, true},
	    {access_file, CONF_accessFile, true},
	};
	struct conf *a = load("quiet=no"), *same = load("quiet=no");
	int last = -1;

	is_int(differences(a, same, &last), 0, "the same text is the same configuration");
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct conf *b = load(t[i].change);

		/* readOnly also changes what fileMode is when it is not given. */
		ok(b != NULL && !conf_key_same(a, b, (enum conf_id)t[i].key) &&
			differences(a, b, &last) <= (t[i].key == CONF_readOnly ? 2 : 1),
		    "%s: that key differs, and no other", t[i].change);
		ok(conf_key_may_change((enum conf_id)t[i].key) == t[i].may, "%s: %s", t[i].change,
		    t[i].may ? "a restart is enough" : "takes a stop and a start");
		conf_free(b);
	}
	conf_free(a);
	conf_free(same);
	ok(fd >= 0 && unlink(access_file + strlen("accessFile=")) == 0, "and nothing is left");
	return (tap_done());
}
