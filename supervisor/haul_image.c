/* SPDX-License-Identifier: ISC */
/*
 * haul_image.c -- the image of haul.h: a sparse file, of which only data is read and written.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/blockmath.h"
#include "common/durable.h"

#include "supervisor/haul_impl.h"

#include "supervisor/guard.h"

/* Is there anything but a hole?  Where the file system cannot say, everything is data. */
bool
haul_image_has_data(struct haul *h, uint64_t at)
{
	off_t data, hole;

	if (at >= h->image_size)
		return (false);
	if (at + h->block_size > h->data_end) {
		data = lseek(h->image, (off_t)at, SEEK_DATA);
		if (data < 0 && errno == ENXIO) {
			h->data_at = h->data_end = h->image_size;
			return (false);
		}
		hole = data < 0 ? -1 : lseek(h->image, data, SEEK_HOLE);
		h->data_at = data < 0 ? at : (uint64_t)data;
		h->data_end = hole < 0 ? h->image_size : (uint64_t)hole;
	}
	return (h->data_at < at + h->block_size);
}

int
haul_image_read(struct haul *h, uint64_t at, uint8_t *buf)
{
	size_t n = (size_t)min_u64(h->block_size, h->image_size - at);
	int r = pread_full(h->image, buf, n, (off_t)at);

	memset(buf + n, 0, h->block_size - n);
	if (r < 0)
		haul_fail(h, r, "%s: %s", h->image_name, strerror(-r));
	return (r);
}

void
haul_image_punch(struct haul *h, uint64_t at)
{
	static const uint8_t zero[65536];
	int r = 0;

	if (fallocate(h->image, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)at,
		h->block_size) == 0)
		return;
	for (uint64_t n = 0; n < h->block_size && r == 0; n += sizeof(zero))
		r = pwrite_full(h->image, zero, (size_t)min_u64(sizeof(zero), h->block_size - n),
		    (off_t)(at + n));
	if (r < 0)
		haul_fail(h, r, "%s: %s", h->image_name, strerror(-r));
}

void
haul_image_write(struct haul *h, uint32_t block, const uint8_t *buf)
{
	uint64_t at = (uint64_t)block * h->block_size;
	int r;

	if (mem_is_zero(buf, h->block_size)) {
		haul_image_punch(h, at);
		return;
	}
	if ((r = pwrite_full(h->image, buf, h->block_size, (off_t)at)) < 0)
		haul_fail(h, r, "%s: %s", h->image_name, strerror(-r));
}
