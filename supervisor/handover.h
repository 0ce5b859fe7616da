/* SPDX-License-Identifier: ISC */
/*
 * handover.h -- one s3backerd after the other, and the mount never ends.
 *
 *  restart	The new program is tried first: it reads the letter (letter.h) and the configuration
 *		as it would in earnest, and says whether it could go on.  Only then this process
 *		executes it: same pid, same children, same descriptors.  Then the roles are replaced
 *		one after the other, each with the next epoch (phase.c).
 *  a death	Descriptors and letter are kept by systemd (notify.h), whose next start gets them.
 *		The roles are strangers to it: it kills those that live, and starts new ones on the
 *		segment, as after a death of all of them.
 *
 * Errors: 0 or -errno, and one line for the user in *ret_error.
 */
#ifndef S3B_SUPERVISOR_HANDOVER_H
#define S3B_SUPERVISOR_HANDOVER_H

#include <stdbool.h>

struct super;

#define HANDOVER_OTHER_VERSION 5	/* exit code of the trial: it could, with a new segment */

/* ---- the one that goes ---------------------------------------------------------------------- */
int	handover_try(struct super *, char **ret_error);	/* begins the trial, in a helper */
int	handover_exec(struct super *, char **ret_error); /* returns only when it did not work */
/* Without roles and segment, which are gone already (cold.h). */
int	handover_exec_cold(struct super *, char **ret_error);

/* ---- the one that comes --------------------------------------------------------------------- */
int	handover_read(struct super *, int fd);		/* the letter, before the configuration */
int	handover_trial(struct super *);			/* exit code; what is wrong is printed */
int	handover_adopt(struct super *, char **ret_error); /* by exec */

#endif
