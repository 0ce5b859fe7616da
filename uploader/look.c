/* SPDX-License-Identifier: ISC */
#include "uploader/look.h"

#include <string.h>

#include "common/blockmath.h"

#include "uploader/guard.h"

#define PLAIN_LEN  8
#define HASHED_LEN 17

/* Does the name end in that of a block, whatever stands before? */
static bool
ends_in_block(const char *key, size_t len, bool hashed)
{
	size_t tail = hashed ? HASHED_LEN : PLAIN_LEN;
	struct names n = {"", 0, hashed, 0};
	uint32_t block;

	return (len >= tail && name_parse(&n, key + len - tail, tail, &block));
}

static void
note_elsewhere(struct look *l, const char *key, size_t len)
{
	static const char token[] = NAME_TOKEN;
	size_t tail = 0;

	if (ends_in_block(key, len, true))
		tail = HASHED_LEN;
	else if (ends_in_block(key, len, false) &&
		 (len == PLAIN_LEN || key[len - PLAIN_LEN - 1] == '/'))
		tail = PLAIN_LEN; /* a guess: only where it looks like a directory of blocks */
	else if (len >= strlen(token) && strcmp(key + len - strlen(token), token) == 0)
		tail = strlen(token);
	if (tail == 0 || len - tail >= sizeof(l->prefix))
		return;
	l->elsewhere = true;
	l->elsewhere_hashed = tail == HASHED_LEN;
	memcpy(l->prefix, key, len - tail);
	l->prefix[len - tail] = '\0';
}

void
look_note(struct look *l, const struct names *n, const char *key, size_t len)
{
	struct names other = *n;
	uint32_t block;

	other.hashed = !n->hashed;
	if (name_parse(n, key, len, &block)) {
		if (l->ours < LOOK_SOME)
			l->some[l->ours] = block;
		l->ours++;
	} else if (name_parse(&other, key, len, &block)) {
		l->flipped++;
	} else if (!l->elsewhere && !(len == n->prefix_len + strlen(NAME_TOKEN) &&
					memcmp(key, n->prefix, n->prefix_len) == 0)) {
		note_elsewhere(l, key, len);
	}
}
