/* SPDX-License-Identifier: ISC */
/*
 * bar.h -- how far something is: a bar on a terminal, now and then a line elsewhere.
 *
 * Process:  s3backerctl, and s3backerd as the client that stops a disk.   Threads: one.
 * Units:    bytes, bytes per second, seconds.
 */
#ifndef S3B_COMMON_BAR_H
#define S3B_COMMON_BAR_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct bar {
	FILE	*out;
	bool	 tty, drawn;
	uint64_t next_line_us;	/* not on a terminal: when the next line may come */
	char	 last[256];
};

void	bar_begin(struct bar *, FILE *out);
/* total 0: nothing to measure, the words alone. */
void	bar_show(struct bar *, const char *words, uint64_t done, uint64_t total, uint64_t rate,
	    double left_s);
void	bar_end(struct bar *);	/* clears the line, so that what follows stands alone */

char	*bar_bytes(uint64_t bytes, char buf[24]);	/* "3.1 MiB" */

#endif
