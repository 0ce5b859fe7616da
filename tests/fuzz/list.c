/* SPDX-License-Identifier: ISC */
/*
 * list.c -- a reply to a list request, in pieces of any length: the keys are as long as they are said
 * to be, and what is cut into pieces says the same as the whole.
 */
#include "tests/fuzz/fuzz.h"
#include "uploader/xml.h"

struct sum {
	unsigned keys;
	uint64_t hash;
};

static int
on_key(void *arg, const char *key, size_t len, const char *etag)
{
	struct sum *s = arg;

	must(len <= XML_KEY_MAX && etag != NULL);
	s->keys++;
	for (size_t i = 0; i < len; i++)
		s->hash = s->hash * 31 + (uint8_t)key[i];
	s->hash = s->hash * 31 + strlen(etag);
	return (0);
}

static int
parse(const uint8_t *data, size_t len, size_t piece, struct sum *sum)
{
	struct xml_list *l;
	bool more = false;
	int r = 0;

	*sum = (struct sum){0};
	must(xml_list_new(on_key, sum, &l) == 0);
	for (size_t at = 0; at < len && r == 0; at += piece)
		r = xml_list_feed(l, (const char *)data + at, len - at < piece ? len - at : piece);
	if (r == 0)
		r = xml_list_end(l, &more);
	must(xml_list_next(l) != NULL);
	xml_list_free(l);
	return (r);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	size_t piece = len > 0 ? 1 + data[len - 1] % 16 : 1;
	struct sum whole, pieces;
	int r = parse(data, len, len > 0 ? len : 1, &whole);

	must(parse(data, len, piece, &pieces) == r);
	must(r != 0 || (whole.keys == pieces.keys && whole.hash == pieces.hash));
	return (0);
}
