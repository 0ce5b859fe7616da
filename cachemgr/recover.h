/* SPDX-License-Identifier: ISC */
/*
 * recover.h -- from the journal back to the slot table, after a stop with dirty data or a crash.
 *
 * Threads:  main thread, before the loop.  Errors: 0 or -errno, logged.
 */
#ifndef S3B_CACHEMGR_RECOVER_H
#define S3B_CACHEMGR_RECOVER_H

#include <stdbool.h>
#include <stdint.h>

struct cachefile;
struct cachemgr;
struct journal_pos;

/*
 * Reads the journal; fills *ret_pos and rec_dirty[slot].  With `apply`, a fresh segment, dirty
 * slots are linked, dirty and due; payload of the last batch is written to its slots; pending
 * deletes go into the known-zero map.  Without it, the segment has outlived its cachemgr and knows
 * better.
 */
int recover_journal(struct cachemgr *, const struct cachefile *, uint64_t half_bytes,
    struct journal_pos *ret_pos, uint8_t *rec_dirty, bool apply);

#endif
