/* SPDX-License-Identifier: ISC */
#include "supervisor/place.h"

#include <stdio.h>
#include <string.h>

#include "supervisor/start.h"
#include "supervisor/storetool.h"
#include "supervisor/super.h"
#include "supervisor/vault.h"

#include "supervisor/guard.h"

void
place_note(struct super *s, const char *answer)
{
	char note[300];

	if (!storetool_value(answer, "region", s->region, sizeof(s->region)) ||
	    !storetool_value(answer, "style", s->style, sizeof(s->style)))
		return;
	(void)snprintf(note, sizeof(note),
	    "the bucket was found in region %s, its name in the %s: region = %s and %s = yes spare "
	    "the detour",
	    s->region, strcmp(s->style, "vhost") == 0 ? "host name" : "path", s->region,
	    strcmp(s->style, "vhost") == 0 ? "vhost" : "no-vhost");
	start_report_note(s, note);
}

int
place_tell_uploaders(struct super *s)
{
	char text[300], line[620];
	int n, r;

	n = snprintf(text, sizeof(text), "size=%llu\nblockSize=%u", (unsigned long long)s->size,
	    s->shm.geo.block_size);
	/* The user may have said one of the two, wrongly: the later lines win. */
	if (s->region[0] != '\0')
		(void)snprintf(text + n, sizeof(text) - (size_t)n,
		    "\nregion=%s\nvhost=%s\nno-vhost=%s", s->region,
		    strcmp(s->style, "vhost") == 0 ? "yes" : "no",
		    strcmp(s->style, "vhost") == 0 ? "no" : "yes");
	r = vault_append(s->vault, text);
	/* Of a disk that goes on; at a start it comes from the bucket. */
	if (r < 0 || s->key_object[0] == '\0')
		return (r);
	(void)snprintf(line, sizeof(line), "keyObject=%s", s->key_object);
	return (vault_append(s->vault, line));
}
