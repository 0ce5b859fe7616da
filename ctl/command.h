/* SPDX-License-Identifier: ISC */
/*
 * command.h -- what a command of s3backerctl is, and the options it may look at.
 *
 * Process:  s3backerctl.   Threads: one.
 * Each command has a file of its own, cmd_*.c, and a row in the table of commands.c: name, how many
 * words may follow, whether it asks a running disk, and the text of `s3backerctl COMMAND --help`.
 * Errors:   a command returns the exit code; what went wrong it has printed.
 */
#ifndef S3B_CTL_COMMAND_H
#define S3B_CTL_COMMAND_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "ctl/ask.h"

/* Options that only some commands know, as bits: any other command refuses them. */
enum {
	OF_CLEAN = 1 << 0,
	OF_AGE = 1 << 1,
	OF_REPAIR = 1 << 2,
	OF_FORCE = 1 << 3,
	OF_CANCEL = 1 << 4,
	OF_FS = 1 << 5,
	OF_MKFS = 1 << 6,
	OF_OPTIONS = 1 << 7
};

struct options {
	const char *config, *sock;
	bool json, clean, repair, force, cancel, mkfs;
	const char *fs, *options; /* attach: type, for mount(8); info: keys of a configuration */
	uint64_t timeout_us, age_us;
	unsigned given;		/* OF_*, what was on the command line */
};

struct command {
	const char *name;
	int min_args, max_args;	/* words after its name */
	bool asks;		/* a running disk; ask is open then */
	unsigned options;	/* OF_* that it knows */
	int (*run)(struct ask *, const struct options *, char **args); /* args end with NULL */
	const char *brief;	/* its line in `s3backerctl --help` */
	const char *help;	/* what follows the usage line of `COMMAND --help` */
	const char *args;	/* of the usage line; "" for none */
};

extern const struct command commands[];	/* a row without a name ends it */

const struct command *command_find(const char *name);	/* NULL: there is none */
void	command_list(void);				/* the whole --help */
void	command_help(const struct command *);

/* ---- for the commands ------------------------------------------------------------------------ */
int	wrong_usage(const char *what, const char *name);	/* EXIT_USAGE */
void	put_json(json_t *data);
/* s3backerd -c FILE WORDS... in our place: it has uploaders.  NULL ends the words. */
int	exec_daemon(const struct options *, const char *command, ...);

int	cmd_status(struct ask *, const struct options *, char **args);
int	cmd_flush(struct ask *, const struct options *, char **args);
int	cmd_drain(struct ask *, const struct options *, char **args);
int	cmd_resume(struct ask *, const struct options *, char **args);
int	cmd_wait(struct ask *, const struct options *, char **args);
int	cmd_top(struct ask *, const struct options *, char **args);
int	cmd_set(struct ask *, const struct options *, char **args);
int	cmd_metrics(struct ask *, const struct options *, char **args);
int	cmd_mounted_flag(struct ask *, const struct options *, char **args);
int	cmd_scrub(struct ask *, const struct options *, char **args);
int	cmd_probe(struct ask *, const struct options *, char **args);
int	cmd_erase(struct ask *, const struct options *, char **args);
int	cmd_rekey(struct ask *, const struct options *, char **args);
int	cmd_reset_mounted_flag(struct ask *, const struct options *, char **args);

/* Where a device is mounted, and what as; cmd_attach.c. */
bool	attach_find(const char *dev, char at[], char type[64]);

int	cmd_attach(struct ask *, const struct options *, char **args);
int	cmd_detach(struct ask *, const struct options *, char **args);
int	cmd_info(struct ask *, const struct options *, char **args);
int	cmd_export(struct ask *, const struct options *, char **args);
int	cmd_import(struct ask *, const struct options *, char **args);
int	cmd_copy(struct ask *, const struct options *, char **args);
int	cmd_resize(struct ask *, const struct options *, char **args);

#endif
