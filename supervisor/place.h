/* SPDX-License-Identifier: ISC */
/*
 * place.h -- what was found out about the bucket at the start: sizes, region, addressing style; for the
 * user, for the status, and for the uploaders, which are spared the detour.
 */
#ifndef S3B_SUPERVISOR_PLACE_H
#define S3B_SUPERVISOR_PLACE_H

struct super;

/* Of an answer to `detect`: keeps region and style if they are not those of the configuration. */
void	place_note(struct super *, const char *answer);
/* Adds what is known beyond the configuration to that of the uploaders; disk.h calls it once. */
int	place_tell_uploaders(struct super *);

#endif
