/* SPDX-License-Identifier: ISC */
/*
 * haul_impl.h -- what the files of haul.h share; for nobody else.
 *
 *	haul.c		the engine: which block next, what its answer means
 *	haul_image.c	the file at one end of it
 *	haul_cmd.c	the commands: what is locked, what may be overwritten, what is said
 */
#ifndef S3B_SUPERVISOR_HAUL_IMPL_H
#define S3B_SUPERVISOR_HAUL_IMPL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/bar.h"

#include "supervisor/carrier.h"
#include "supervisor/marks.h"
#include "supervisor/site.h"

#define HAUL_IMAGE (-1)

struct haul {
	const char	*verb;		/* "exporting": for the bar */
	int		 from, to;	/* number of a store, or HAUL_IMAGE */
	struct site	*site[CARRIER_STORES];
	unsigned	 nsites;
	bool		 force;		/* go on behind blocks that cannot be read */

	int		 image;		/* descriptor; -1 */
	const char	*image_name;
	uint64_t	 image_size;

	/* The engine's. */
	struct carrier	 c;
	struct marks	 marks;
	uint8_t	       (*listed[CARRIER_STORES])[16];	/* zero: no object */
	uint64_t	 nblocks, nlisted;	/* of the disk; found by the last listing */
	uint32_t	 block_size;
	uint32_t	*idle, nidle;	/* slots */
	struct haul_slot {
		uint32_t block;
		bool	 putting;
		uint8_t	 etag[16];	/* at the source */
	} *slot;
	unsigned	 deleting, listing;
	uint64_t	 next;		/* block to be looked at */
	uint64_t	 data_at, data_end;	/* image: where it has data */
	struct bar	 bar;
	uint64_t	 began_us, moved_us, saved_us;
	uint64_t	 wanted_bytes, done_bytes;	/* of this pass */
	uint64_t	 carried_blocks, bad_blocks;
	int		 error;		/* the first one ends it */
	char		 why[512];
};

/* The first error counts. */
void	haul_fail(struct haul *, int err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

bool	haul_image_has_data(struct haul *, uint64_t at);
int	haul_image_read(struct haul *, uint64_t at, uint8_t *buf);
void	haul_image_punch(struct haul *, uint64_t at);
void	haul_image_write(struct haul *, uint32_t block, const uint8_t *buf);

/* Lists; carries what differs; until nothing does.  0, or -errno and h->why. */
int	haul_run(struct haul *);
/* Only the listing of a store: how many blocks there are. */
int	haul_list(struct haul *, unsigned store, uint64_t *ret_blocks);
int	haul_open(struct haul *, bool writes);	/* needs site, from, to */
void	haul_close(struct haul *, bool done);
/* For who only deletes: after haul_list(). */
bool	haul_is_listed(const struct haul *, unsigned store, uint64_t block);
bool	haul_delete(struct haul *, uint64_t block);	/* false: wait first */
int	haul_wait(struct haul *);

#endif
