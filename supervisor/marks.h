/* SPDX-License-Identifier: ISC */
/*
 * marks.h -- which blocks have been carried, and in which version: the memory of haul.h.
 *
 * Process:  s3backerd.   Threads: none.   Errors: 0 or -errno.
 * Owns:     the table in memory, and the progress file, which is removed when the work is done.
 *
 * The file (little more than the table; of this machine, so ETags are the only bytes in it):
 *	   0	4096  text, NUL-padded: what is carried from where to where; all of it must be the same
 *	4096	32 bytes for each block: ETag at the source, ETag at the destination; zero: none
 * An entry is written whole and lies in one sector.  Sparse like the disk.
 */
#ifndef S3B_SUPERVISOR_MARKS_H
#define S3B_SUPERVISOR_MARKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mark {
	uint8_t from[16], to[16];
};

struct marks {
	int	     fd;
	char	     path[1100];
	struct mark *mark;	/* [nblocks]; sparse memory */
	uint64_t     nblocks;
	uint32_t    *changed;	/* not in the file yet */
	size_t	     nchanged, room;
};

/* *ret_resumed: the file was there, and it is about this work. */
int	marks_open(struct marks *, const char *path, const char *what, uint64_t nblocks,
	    bool *ret_resumed);
int	marks_set(struct marks *, uint32_t block, const uint8_t from[16], const uint8_t to[16]);
int	marks_save(struct marks *);	/* U2 holds for all that was set */
void	marks_close(struct marks *, bool done);	/* done: nobody needs it any more */

/* 16 bytes for each block, sparse: for listings. */
void	*marks_table(uint64_t nblocks, size_t each);
void	marks_table_free(void *, uint64_t nblocks, size_t each);

#endif
