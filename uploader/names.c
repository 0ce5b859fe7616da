/* SPDX-License-Identifier: ISC */
#include "uploader/names.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "uploader/guard.h"

uint32_t
name_hash(uint32_t block)
{
	uint32_t h = block;

	for (uint32_t k = 12; k >= 1; k--) {
		h ^= h >> 8;
		h *= 0x6b;
		h += k;
	}
	return (h);
}

int
name_of_block(const struct names *n, uint32_t block, char buf[NAME_SIZE])
{
	int len;

	if (n->hashed)
		len = snprintf(buf, NAME_SIZE, "%s%08x-%08x", n->prefix, name_hash(block), block);
	else
		len = snprintf(buf, NAME_SIZE, "%s%08x", n->prefix, block);
	return (len < NAME_SIZE ? 0 : -ENAMETOOLONG);
}

int
name_of_token(const struct names *n, char buf[NAME_SIZE])
{
	int len = snprintf(buf, NAME_SIZE, "%s%s", n->prefix, NAME_TOKEN);

	return (len < NAME_SIZE ? 0 : -ENAMETOOLONG);
}

int
name_of_key(const struct names *n, char buf[NAME_SIZE])
{
	int len = snprintf(buf, NAME_SIZE, "%s%s", n->prefix, NAME_KEY);

	return (len < NAME_SIZE ? 0 : -ENAMETOOLONG);
}

/* Exactly eight digits, lower case: "0000000A" is somebody else's object. */
static bool
parse_hex8(const char *p, uint32_t *ret_value)
{
	uint32_t v = 0;

	for (unsigned i = 0; i < 8; i++) {
		unsigned d;

		if (p[i] >= '0' && p[i] <= '9')
			d = (unsigned)(p[i] - '0');
		else if (p[i] >= 'a' && p[i] <= 'f')
			d = (unsigned)(p[i] - 'a') + 10;
		else
			return (false);
		v = v << 4 | d;
	}
	*ret_value = v;
	return (true);
}

bool
name_parse(const struct names *n, const char *key, size_t len, uint32_t *ret_block)
{
	size_t want = n->prefix_len + (n->hashed ? 17 : 8);
	uint32_t hash = 0, block;

	if (len != want || memcmp(key, n->prefix, n->prefix_len) != 0)
		return (false);
	key += n->prefix_len;
	if (n->hashed) {
		if (!parse_hex8(key, &hash) || key[8] != '-')
			return (false);
		key += 9;
	}
	if (!parse_hex8(key, &block) || (n->hashed && hash != name_hash(block)))
		return (false);
	if (block == UINT32_MAX || (n->nblocks != 0 && block >= n->nblocks))
		return (false);
	*ret_block = block;
	return (true);
}

size_t
name_encode(const char *raw, bool keep_slash, char *buf, size_t size)
{
	static const char hex[] = "0123456789ABCDEF";
	size_t n = 0;

	for (const unsigned char *p = (const unsigned char *)raw; *p != '\0' && n + 4 <= size;
	     p++) {
		if ((*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z') ||
		    (*p >= '0' && *p <= '9') || strchr("-_.~", *p) != NULL ||
		    (*p == '/' && keep_slash)) {
			buf[n++] = (char)*p;
		} else {
			buf[n++] = '%';
			buf[n++] = hex[*p >> 4];
			buf[n++] = hex[*p & 15];
		}
	}
	buf[n] = '\0';
	return (n);
}
