/* SPDX-License-Identifier: ISC */
/*
 * conf_table.c -- the table of configuration keys, and finding one by a name or near it.
 *
 * Process:  all.  Threads: any; constant data.
 */
#include "common/conf_priv.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "common/blockmath.h"
#include "common/check.h"

/* The short names that conf_keys.def uses. */
enum {
	S3 = CONF_S3,
	CACHE = CONF_CACHE,
	MOUNT = CONF_MOUNT,
	ALL = CONF_ALL
};
enum {
	OLD = KEY_OLD,
	SECRET = KEY_SECRET,
	GONE = KEY_GONE,
	POW2 = KEY_POW2,
	EMPTY = KEY_EMPTY,
	LIVE = KEY_LIVE
};

const struct conf_key conf_keys[CONF_NKEYS] = {
#define CONF_KEY(id, name, type, field, def, min, max, flags, who, arg, help)                      \
	[CONF_##id] = {name, TYPE_##type, offsetof(struct conf, field), def, min, max, flags, who, \
	    arg, help},
#include "common/conf_keys.def"
};

const char *
conf_key_name(enum conf_id id)
{
	MUST((unsigned)id < CONF_NKEYS);
	return (conf_keys[id].name);
}

int
conf_key_find(const char *name)
{
	for (int i = 0; i < CONF_NKEYS; i++)
		if (strcmp(conf_keys[i].name, name) == 0)
			return (i);
	return (-ENOENT);
}

void *
conf_member(struct conf *conf, enum conf_id id)
{
	return ((char *)conf + conf_keys[id].offset);
}

const void *
conf_member_const(const struct conf *conf, enum conf_id id)
{
	return ((const char *)conf + conf_keys[id].offset);
}

bool
conf_type_is_text(enum conf_type type)
{
	return (type == TYPE_STRING || type == TYPE_PATH || type == TYPE_FLAGSTR);
}

const char *
conf_enum_word(enum conf_id id, uint32_t value)
{
	/* Four, so that a caller may use several words in one line. */
	static _Thread_local char words[4][64];
	static _Thread_local unsigned turn;
	char *word = words[turn++ % 4];
	const char *p = conf_keys[id].arg, *end;
	size_t len;

	for (; value > 0 && p != NULL; value--)
		if ((p = strchr(p, '|')) != NULL)
			p++;
	if (p == NULL || conf_keys[id].type != TYPE_ENUM)
		return ("?");
	end = strchrnul(p, '|');
	len = (size_t)min_u64((uint64_t)(end - p), sizeof(words[0]) - 1);
	memcpy(word, p, len);
	word[len] = '\0';
	return (word);
}

#define NAME_MAX_LEN 40

/* Letters to change, add, drop or swap with their neighbour; case counts for nothing. */
static unsigned
edit_distance(const char *a, const char *b)
{
	unsigned row[3][NAME_MAX_LEN + 1];
	unsigned *before = row[0], *prev = row[1], *cur = row[2], *spare, best;
	size_t alen = strlen(a), blen = strlen(b);

	if (alen > NAME_MAX_LEN || blen > NAME_MAX_LEN)
		return (NAME_MAX_LEN);
	for (size_t j = 0; j <= blen; j++)
		prev[j] = (unsigned)j;
	for (size_t i = 1; i <= alen; i++) {
		cur[0] = (unsigned)i;
		for (size_t j = 1; j <= blen; j++) {
			int ca = tolower((unsigned char)a[i - 1]);
			int cb = tolower((unsigned char)b[j - 1]);

			best = prev[j - 1] + (ca != cb);
			best = prev[j] + 1 < best ? prev[j] + 1 : best;
			best = cur[j - 1] + 1 < best ? cur[j - 1] + 1 : best;
			if (i > 1 && j > 1 && ca == tolower((unsigned char)b[j - 2]) &&
			    cb == tolower((unsigned char)a[i - 2]) && before[j - 2] + 1 < best)
				best = before[j - 2] + 1;
			cur[j] = best;
		}
		spare = before;
		before = prev;
		prev = cur;
		cur = spare;
	}
	return (prev[blen]);
}

const char *
conf_key_suggest(const char *name)
{
	unsigned best = NAME_MAX_LEN, distance;
	const char *found = NULL;

	for (int i = 0; i < CONF_NKEYS; i++) {
		distance = edit_distance(name, conf_keys[i].name);
		if (distance < best) {
			best = distance;
			found = conf_keys[i].name;
		}
	}
	/* A third of the letters wrong is still a slip; more is another word. */
	return (best <= 3 && best * 3 <= strlen(name) ? found : NULL);
}
