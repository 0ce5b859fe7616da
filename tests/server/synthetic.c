/* SPDX-License-Identifier: ISC */
/*
 * synthetic.c -- blocks that are listed and read and take no memory (see synthetic.h).
 */
#include "tests/server/synthetic.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/server/digest.h"
#include "tests/server/store.h"
#include "tests/server/text.h"

#define DIGITS 8

static struct {
	uint64_t n, step;
	char *prefix;
	size_t prefix_len;
	struct object *object;
	_Atomic uint64_t *gone;
} all;

int
synthetic_set(const char *text)
{
	unsigned long long n, step = 1, bytes = 4096;
	struct body *body;
	char etag[33];
	int at = 0;

	if (sscanf(text, "%llu%n:%llu%n:%llu%n:%n", &n, &at, &step, &at, &bytes, &at, &at) < 1 ||
	    n == 0 || step == 0 || bytes == 0 || bytes > 1u << 30 || n > (UINT32_MAX - 1) / step)
		return (-EINVAL);
	if (text[at] != '\0' && text[at - 1] != ':')
		return (-EINVAL);
	all.n = n;
	all.step = step;
	all.prefix = xstrdup(text + at);
	all.prefix_len = strlen(all.prefix);
	body = body_new(bytes);
	body->len = bytes;
	memset(body->data, 'S', bytes);
	digest_hex(DIGEST_MD5, body->data, bytes, etag);
	all.object = object_new(body, etag);
	all.gone = xcalloc(n / 64 + 1, sizeof(*all.gone));
	return (0);
}

static bool
is_gone(uint64_t i)
{
	return ((atomic_load(&all.gone[i / 64]) >> (i & 63) & 1) != 0);
}

/* Which one has this key? */
static bool
index_of(const char *key, uint64_t *ret_i)
{
	uint64_t block = 0;

	if (all.n == 0 || strncmp(key, all.prefix, all.prefix_len) != 0)
		return (false);
	key += all.prefix_len;
	if (strlen(key) != DIGITS || strspn(key, "0123456789abcdef") != DIGITS)
		return (false);
	block = strtoull(key, NULL, 16);
	*ret_i = block / all.step;
	return (block % all.step == 0 && *ret_i < all.n);
}

struct object *
synthetic_get(const char *key)
{
	uint64_t i;

	return (index_of(key, &i) && !is_gone(i) ? all.object : NULL);
}

void
synthetic_delete(const char *key)
{
	uint64_t i;

	if (index_of(key, &i))
		atomic_fetch_or(&all.gone[i / 64], UINT64_C(1) << (i & 63));
}

static char *
key_of(uint64_t i)
{
	size_t size = all.prefix_len + DIGITS + 1;
	char *key = xmalloc(size);

	(void)snprintf(key, size, "%s%08" PRIx64, all.prefix, i * all.step);
	return (key);
}

/* Keys of one length in order of their numbers: the first that is not below, by halves. */
char *
synthetic_next(const char *from, bool inclusive)
{
	uint64_t lo = 0, hi = all.n, i;

	/* The key before, mostly. */
	if (index_of(from, &i))
		lo = hi = inclusive ? i : i + 1;
	while (lo < hi) {
		uint64_t mid = lo + (hi - lo) / 2;
		char *key = key_of(mid);
		int c = strcmp(key, from);

		free(key);
		if (c < 0 || (c == 0 && !inclusive))
			lo = mid + 1;
		else
			hi = mid;
	}
	while (lo < all.n && is_gone(lo))
		lo++;
	return (lo < all.n ? key_of(lo) : NULL);
}
