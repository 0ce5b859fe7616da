/* SPDX-License-Identifier: ISC */
/*
 * words.h -- what roles say on stderr, and the obituary of one that died.
 */
#ifndef S3B_SUPERVISOR_WORDS_H
#define S3B_SUPERVISOR_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct role;
struct super;

struct words {
	char	 line[512];	/* of the line that is arriving */
	unsigned used;
	char	 last[512];	/* the last whole one */
};

/*
 * Logs the lines that can be read from fd without waiting, and keeps the last one.  The library's
 * complaints and a sanitizer's report arrive here.  -EPIPE at the end.
 */
int	words_read(struct words *, int fd, const char *name);

/*
 * What the process left in its row: a copy, ended, without anything that could forge a log line,
 * because the row is its to write.  Empty: nothing.
 */
void	words_copy(const struct super *, uint32_t proc, char *buf, size_t len);
/* "frontend died: pid=812 signal=SEGV lived_s=12 words=..."; "ended" if it was expected to. */
void	words_of_the_dead(const struct super *, const struct role *, int wait_status, bool expected,
	    char *buf, size_t len);

#endif
