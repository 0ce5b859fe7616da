/* SPDX-License-Identifier: ISC */
/*
 * load.h -- a struct super from a configuration file: the first thing of every command.
 */
#ifndef S3B_SUPERVISOR_LOAD_H
#define S3B_SUPERVISOR_LOAD_H

struct super;

void	super_init(struct super *);
/* Reads opt.config and opt.overrides.  0, or -errno; what is wrong with it has been printed. */
int	super_load(struct super *);

#endif
