/* SPDX-License-Identifier: ISC */
/*
 * look.h -- what the names in a bucket say about a configuration: wrong prefix, wrong blockHashPrefix.
 *
 * Process:  uploader (store tool).  Threads: any; pure.
 * Follows:  BUCKET-FORMAT.md section 1.  A hashed name proves itself by its hash; eight digits behind
 *           some other prefix are only a guess.
 */
#ifndef S3B_UPLOADER_LOOK_H
#define S3B_UPLOADER_LOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "uploader/names.h"

#define LOOK_SOME 4

struct look {
	unsigned ours;		  /* blocks as configured */
	unsigned flipped;	  /* under this prefix, but hashed where plain is configured, or vice versa */
	uint32_t some[LOOK_SOME]; /* the first of ours */
	bool	 elsewhere;	  /* blocks under another prefix: */
	bool	 elsewhere_hashed;
	char	 prefix[NAME_SIZE];
};

void	look_note(struct look *, const struct names *, const char *key, size_t len);

#endif
