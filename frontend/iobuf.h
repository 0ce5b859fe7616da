/* SPDX-License-Identifier: ISC */
/*
 * iobuf.h -- buffers that hold one FUSE request of the largest size.
 *
 * Process:  frontend.      Threads:  any.
 * Owns:     a few idle ones; the rest goes back to the system.
 *
 * A thread reads each request into its buffer.  A large write that must wait takes the buffer along
 * instead of copying it, and the thread gets another.
 */
#ifndef S3B_FRONTEND_IOBUF_H
#define S3B_FRONTEND_IOBUF_H

#include <stddef.h>

#define IOBUF_SIZE (4096 + (1u << 20)) /* header and FE_MAX_IO bytes */

struct iobuf {
	struct iobuf *next;	/* of the idle ones */
	char	     *mem;	/* IOBUF_SIZE bytes, page-aligned */
};

struct iobuf *iobuf_get(void);	/* NULL: no memory */
void	      iobuf_put(struct iobuf *);	/* NULL-safe */

#endif
