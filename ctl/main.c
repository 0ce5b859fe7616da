/* SPDX-License-Identifier: ISC */
/*
 * main.c -- s3backerctl: asks a running disk, over its control socket.
 *
 * What can only be done to a disk that does not run is left to s3backerd, which has uploaders.
 * Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not running, 4 timed out.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "common/timeutil.h"

#include "ctl/command.h"
#include "ctl/wait.h"

#include "ctl/guard.h"

enum {
	OPT_JSON = 256,
	OPT_TIMEOUT,
	OPT_VERSION,
	OPT_CLEAN,
	OPT_AGE,
	OPT_REPAIR,
	OPT_FORCE,
	OPT_CANCEL,
	OPT_FS,
	OPT_MKFS
};

static const struct option long_options[] = {
    {"config", required_argument, NULL, 'c'},
    {"socket", required_argument, NULL, 's'},
    {"help", no_argument, NULL, 'h'},
    {"json", no_argument, NULL, OPT_JSON},
    {"timeout", required_argument, NULL, OPT_TIMEOUT},
    {"version", no_argument, NULL, OPT_VERSION},
    {"clean", no_argument, NULL, OPT_CLEAN},
    {"age", required_argument, NULL, OPT_AGE},
    {"repair", no_argument, NULL, OPT_REPAIR},
    {"force", no_argument, NULL, OPT_FORCE},
    {"cancel", no_argument, NULL, OPT_CANCEL},
    {"fs", required_argument, NULL, OPT_FS},
    {"mkfs", no_argument, NULL, OPT_MKFS},
    {NULL, 0, NULL, 0},
};

int
wrong_usage(const char *what, const char *name)
{
	(void)fprintf(stderr, "s3backerctl: %s%s (s3backerctl --help)\n", what, name);
	return (EXIT_USAGE);
}

void
put_json(json_t *data)
{
	(void)json_dumpf(data, stdout, JSON_INDENT(1));
	(void)putchar('\n');
}

/* A time above zero, or the exit code. */
static int
take_time(const char *name, uint64_t *ret_us)
{
	if (wait_parse_time(optarg, ret_us) == 0 && *ret_us > 0)
		return (-1);
	(void)fprintf(
	    stderr, "s3backerctl: %s: not a time: %s (30, 500ms, 5m, 1h)\n", name, optarg);
	return (EXIT_USAGE);
}

/* -1: go on; else the exit code. */
static int
take_option(struct options *o, int c, bool *ret_help)
{
	switch (c) {
	case 'c':
		o->config = optarg;
		return (-1);
	case 's':
		o->sock = optarg;
		return (-1);
	case 'h':
		*ret_help = true;
		return (-1);
	case OPT_JSON:
		o->json = true;
		return (-1);
	case OPT_CLEAN:
		o->clean = true;
		o->given |= OF_CLEAN;
		return (-1);
	case OPT_REPAIR:
		o->repair = true;
		o->given |= OF_REPAIR;
		return (-1);
	case OPT_FORCE:
		o->force = true;
		o->given |= OF_FORCE;
		return (-1);
	case OPT_CANCEL:
		o->cancel = true;
		o->given |= OF_CANCEL;
		return (-1);
	case OPT_FS:
		o->fs = optarg;
		o->given |= OF_FS;
		return (-1);
	case OPT_MKFS:
		o->mkfs = true;
		o->given |= OF_MKFS;
		return (-1);
	case 'o':
		o->options = optarg;
		o->given |= OF_OPTIONS;
		return (-1);
	case OPT_TIMEOUT:
		return (take_time("--timeout", &o->timeout_us));
	case OPT_AGE:
		o->given |= OF_AGE;
		return (take_time("--age", &o->age_us));
	case OPT_VERSION:
		(void)puts("s3backerctl " S3B_VERSION);
		return (EXIT_DONE);
	default:
		(void)fprintf(stderr, "s3backerctl --help shows what there is\n");
		return (EXIT_USAGE);
	}
}

/* Does the command line fit to the command?  Else the exit code. */
static int
check_words(const struct command *cmd, const struct options *o, int nargs)
{
	char what[160];

	if (o->config != NULL && o->sock != NULL)
		return (wrong_usage("-c or -s, not both", ""));
	if (nargs >= cmd->min_args && nargs <= cmd->max_args && (o->given & ~cmd->options) == 0)
		return (-1);
	(void)snprintf(what, sizeof(what), "%s: %s", cmd->name,
	    nargs < cmd->min_args   ? "something is missing"
	    : nargs > cmd->max_args ? "too many words"
				    : "an option that it does not know");
	(void)fprintf(
	    stderr, "s3backerctl: %s\nusage: s3backerctl %s %s\n", what, cmd->name, cmd->args);
	return (EXIT_USAGE);
}

static int
run_command(const struct command *cmd, const struct options *o, char **args)
{
	struct ask a = {.conn = {.fd = -1}, .json = o->json, .deadline_us = TIME_NEVER};
	int code = EXIT_DONE;

	if (o->timeout_us > 0)
		a.deadline_us = deadline_in_us(o->timeout_us);
	if (cmd->asks && (code = ask_find(&a, o->config, o->sock)) == EXIT_DONE)
		code = ask_open(&a);
	if (code == EXIT_DONE)
		code = cmd->run(&a, o, args);
	ask_close(&a);
	return (code);
}

int
main(int argc, char **argv)
{
	struct options o = {0};
	const struct command *cmd;
	bool help = false;
	int c, code;

	(void)signal(SIGPIPE, SIG_IGN);
	while ((c = getopt_long(argc, argv, "c:ho:s:", long_options, NULL)) != -1)
		if ((code = take_option(&o, c, &help)) >= 0)
			return (code);
	if (optind == argc && help) {
		command_list();
		return (EXIT_DONE);
	}
	if (optind == argc)
		return (wrong_usage("a command is missing", ""));
	if ((cmd = command_find(argv[optind])) == NULL)
		return (wrong_usage("there is no command ", argv[optind]));
	if (help) {
		command_help(cmd);
		return (EXIT_DONE);
	}
	if ((code = check_words(cmd, &o, argc - optind - 1)) >= 0)
		return (code);
	return (run_command(cmd, &o, argv + optind + 1));
}
