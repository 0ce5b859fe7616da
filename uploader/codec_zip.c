/* SPDX-License-Identifier: ISC */
/*
 * codec_zip.c -- see codec_zip.h.
 *
 * What is compressed is of unknown length at first, and a buffer for the worst case, and what zstd works
 * in, are a MiB each.  Taken anew for each block they come from the kernel, page by page, which costs
 * half of what zstd itself needs for a block.  So they are kept, for as many threads as there are, and the
 * result is copied into memory of its own size.
 */
#include "uploader/codec_zip.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "common/blockmath.h"
#include "common/conf.h"

#include "uploader/guard.h"

#define KEPT	 2		   /* one for each thread that hashes */
#define KEEP_MAX ((size_t)4 << 20) /* more than that of either is given back */

struct place {
	ZSTD_CCtx *zstd;
	uint8_t *out;
	size_t room;
};

struct zip {
	_Atomic(struct place *) idle[KEPT];
};

struct zip *
zip_new(void)
{
	return (calloc(1, sizeof(struct zip)));
}

static void
place_free(struct place *p)
{
	if (p == NULL)
		return;
	(void)ZSTD_freeCCtx(p->zstd);
	free(p->out);
	free(p);
}

void
zip_free(struct zip **zp)
{
	for (unsigned i = 0; *zp != NULL && i < KEPT; i++)
		place_free((*zp)->idle[i]);
	free(*zp);
	*zp = NULL;
}

static struct place *
take(struct zip *z)
{
	struct place *p = NULL;

	for (unsigned i = 0; i < KEPT && p == NULL; i++)
		p = atomic_exchange(&z->idle[i], NULL);
	return (p != NULL ? p : calloc(1, sizeof(*p)));
}

static void
put(struct zip *z, struct place *p)
{
	if (p->room > KEEP_MAX || ZSTD_sizeof_CCtx(p->zstd) > KEEP_MAX) {
		place_free(p);
		return;
	}
	for (unsigned i = 0; i < KEPT && p != NULL; i++)
		p = atomic_exchange(&z->idle[i], p);
	place_free(p);
}

static int
make_room(struct place *p, uint32_t method, size_t room)
{
	if (p->room < room) {
		free(p->out);
		p->room = 0;
		if ((p->out = malloc(room)) == NULL)
			return (-ENOMEM);
		p->room = room;
	}
	if (method == CONF_COMPRESS_ZSTD && p->zstd == NULL &&
	    (p->zstd = ZSTD_createCCtx()) == NULL)
		return (-ENOMEM);
	return (0);
}

size_t
zip_bound(size_t len)
{
	return (max_u64(compressBound(len), ZSTD_compressBound(len)));
}

static int
compress_into(
    struct place *p, uint32_t method, int level, const uint8_t *in, size_t len, size_t *ret_len)
{
	uLongf n = p->room;

	if (method == CONF_COMPRESS_ZSTD) {
		*ret_len = ZSTD_compressCCtx(p->zstd, p->out, p->room, in, len,
		    level == CONF_LEVEL_DEFAULT ? ZSTD_CLEVEL_DEFAULT : level);
		return (ZSTD_isError(*ret_len) ? -ENOMEM : 0);
	}
	if (compress2(p->out, &n, in, len,
		level == CONF_LEVEL_DEFAULT ? Z_DEFAULT_COMPRESSION : level) != Z_OK)
		return (-ENOMEM);
	*ret_len = n;
	return (0);
}

int
zip_compress(struct zip *z, uint32_t method, int level, const uint8_t *in, size_t len, size_t most,
    size_t spare, uint8_t **ret_out, size_t *ret_len)
{
	struct place *p = take(z);
	int error;

	*ret_out = NULL;
	if (p == NULL)
		return (-ENOMEM);
	error = make_room(p, method, zip_bound(len));
	if (error == 0)
		error = compress_into(p, method, level, in, len, ret_len);
	if (error == 0 && *ret_len <= most) {
		if ((*ret_out = malloc(*ret_len + spare)) != NULL)
			memcpy(*ret_out, p->out, *ret_len);
		else
			error = -ENOMEM;
	}
	put(z, p);
	return (error);
}
