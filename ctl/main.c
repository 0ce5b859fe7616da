/* SPDX-License-Identifier: ISC */
/*
 * main.c -- s3backerctl: asks a running disk, over its control socket.
 *
 * What can only be done to a disk that does not run is left to s3backerd, which has uploaders.
 * Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not running, 4 timed out.
 */
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/timeutil.h"

#include "ctl/ask.h"
#include "ctl/page.h"
#include "ctl/wait.h"

#include "ctl/guard.h"

static const char usage_text[] =
    "usage: s3backerctl [-c FILE | -s SOCKET] [--json] [--timeout T] COMMAND\n"
    "\n"
    "  status              health, what is at risk, cache, requests, processes\n"
    "  flush               upload what has changed and wait\n"
    "  drain               the same, then every write goes to the bucket first\n"
    "  resume              back to normal after drain\n"
    "  wait --clean        until the bucket holds everything\n"
    "  wait --age T        until nothing older than T is missing from it\n"
    "  top                 the status page, again each second\n"
    "  set KEY VALUE       change a limit, level or size while running\n"
    "  metrics             figures for Prometheus\n"
    "  mounted-flag        who holds the mount token (-c FILE)\n"
    "  reset-mounted-flag  release the mount token that a dead machine left (-c FILE)\n"
    "\n"
    "  -c, --config FILE   the disk of this configuration\n"
    "  -s, --socket PATH   the disk behind this control socket\n"
    "      --json          answers as JSON\n"
    "      --timeout T     give up after T (30, 500ms, 5m): exit 4\n"
    "  -h, --help          this text\n"
    "      --version       version\n";

struct options {
	const char *config, *sock;
	bool json, clean, repair, force;
	uint64_t timeout_us, age_us;
};

enum {
	OPT_JSON = 256,
	OPT_TIMEOUT,
	OPT_VERSION,
	OPT_CLEAN,
	OPT_AGE,
	OPT_REPAIR,
	OPT_FORCE
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
    {NULL, 0, NULL, 0},
};

static int
wrong_usage(const char *what, const char *name)
{
	(void)fprintf(stderr, "s3backerctl: %s%s (s3backerctl --help)\n", what, name);
	return (EXIT_USAGE);
}

static void
put_json(json_t *data)
{
	(void)json_dumpf(data, stdout, JSON_INDENT(1));
	(void)putchar('\n');
}

/* ---- commands ------------------------------------------------------------------------------- */

static int
do_status(struct ask *a, const struct options *o, char **args)
{
	json_t *st;
	int code = ask_simple(a, "status", &st);

	(void)o;
	(void)args;
	if (code != EXIT_DONE)
		return (code);
	if (a->json)
		put_json(st);
	else
		page_print(st, stdout);
	json_decref(st);
	return (code);
}

/* flush, drain, resume: the answer is that it is done. */
static int
do_and_say(struct ask *a, const char *cmd, const char *said)
{
	json_t *data;
	int code = ask_simple(a, cmd, &data);

	if (code == EXIT_DONE && a->json)
		put_json(data);
	else if (code == EXIT_DONE)
		(void)puts(said);
	json_decref(data);
	return (code);
}

static int
do_flush(struct ask *a, const struct options *o, char **args)
{
	(void)o;
	(void)args;
	return (do_and_say(a, "flush", "the bucket holds everything that was written before"));
}

static int
do_drain(struct ask *a, const struct options *o, char **args)
{
	(void)o;
	(void)args;
	return (do_and_say(a, "drain",
	    "drained: the bucket holds everything, and every further write "
	    "before it is acknowledged"));
}

static int
do_resume(struct ask *a, const struct options *o, char **args)
{
	(void)o;
	(void)args;
	return (do_and_say(a, "resume", "back to normal"));
}

static int
do_wait(struct ask *a, const struct options *o, char **args)
{
	(void)args;
	if (o->clean == (o->age_us > 0))
		return (wrong_usage("wait: --clean or --age T", ""));
	return (wait_run(a, o->age_us));
}

static int
do_top(struct ask *a, const struct options *o, char **args)
{
	json_t *st;
	int code;

	(void)o;
	(void)args;
	while ((code = ask_simple(a, "status", &st)) == EXIT_DONE) {
		if (isatty(STDOUT_FILENO))
			(void)fputs("\033[H\033[2J", stdout);
		page_print(st, stdout);
		(void)fflush(stdout);
		json_decref(st);
		if (deadline_passed(a->deadline_us))
			break;
		(void)sleep(1);
	}
	return (code);
}

static int
do_set(struct ask *a, const struct options *o, char **args)
{
	json_t *data;
	const char *note;
	int code;

	(void)o;
	code = ask_run(
	    a, json_pack("{s:s, s:s, s:s}", "cmd", "set", "key", args[0], "value", args[1]), &data);
	note = json_string_value(json_object_get(data, "note"));
	if (code == EXIT_DONE && a->json)
		put_json(data);
	else if (code == EXIT_DONE)
		(void)printf("%s = %s%s%s\n", args[0], args[1],
		    note != NULL && *note != '\0' ? ": " : "", note != NULL ? note : "");
	json_decref(data);
	return (code);
}

static int
do_metrics(struct ask *a, const struct options *o, char **args)
{
	json_t *data;
	const char *text;
	int code = ask_simple(a, "metrics", &data);

	(void)o;
	(void)args;
	text = json_string_value(json_object_get(data, "text"));
	if (code == EXIT_DONE && text != NULL)
		(void)fputs(text, stdout);
	json_decref(data);
	return (code);
}

static int
do_not_yet(struct ask *a, const struct options *o, char **args)
{
	(void)a;
	(void)o;
	(void)args;
	(void)fprintf(stderr, "s3backerctl: not in this version\n");
	return (EXIT_FAILED);
}

/* ---- what s3backerd does -------------------------------------------------------------------- */

static int
exec_daemon(const char *config, const char *command)
{
	char path[PATH_MAX], self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n > 0) {
		self[n] = '\0';
		(void)snprintf(path, sizeof(path), "%s/s3backerd", dirname(self));
		(void)execl(path, "s3backerd", "-c", config, command, (char *)NULL);
	}
	(void)execlp("s3backerd", "s3backerd", "-c", config, command, (char *)NULL);
	(void)fprintf(stderr, "s3backerctl: s3backerd: %s\n", strerror(errno));
	return (EXIT_FAILED);
}

static int
do_show_flag(struct ask *a, const struct options *o, char **args)
{
	(void)a;
	(void)args;
	if (o->config == NULL)
		return (wrong_usage("mounted-flag: -c FILE is missing", ""));
	return (exec_daemon(o->config, "mounted-flag"));
}

static int
do_reset_flag(struct ask *a, const struct options *o, char **args)
{
	(void)a;
	(void)args;
	if (o->config == NULL)
		return (wrong_usage("reset-mounted-flag: -c FILE is missing", ""));
	return (exec_daemon(o->config, "reset-mounted-flag"));
}

/* ---- table ---------------------------------------------------------------------------------- */

static const struct command {
	const char *name;
	int nargs;
	bool asks; /* of a running disk */
	int (*run)(struct ask *, const struct options *, char **args);
} commands[] = {
    {"status", 0, true, do_status},
    {"flush", 0, true, do_flush},
    {"drain", 0, true, do_drain},
    {"resume", 0, true, do_resume},
    {"wait", 0, true, do_wait},
    {"top", 0, true, do_top},
    {"set", 2, true, do_set},
    {"metrics", 0, true, do_metrics},
    {"mounted-flag", 0, false, do_show_flag},
    {"reset-mounted-flag", 0, false, do_reset_flag},
    {"scrub", 0, false, do_not_yet},
    {"erase", 0, false, do_not_yet},
    {"probe", 0, false, do_not_yet},
};

static const struct command *
find_command(const char *name)
{
	for (unsigned i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(commands[i].name, name) == 0)
			return (&commands[i]);
	return (NULL);
}

/* -1: go on; else the exit code. */
static int
take_option(struct options *o, int c)
{
	switch (c) {
	case 'c':
		o->config = optarg;
		return (-1);
	case 's':
		o->sock = optarg;
		return (-1);
	case OPT_JSON:
		o->json = true;
		return (-1);
	case OPT_CLEAN:
		o->clean = true;
		return (-1);
	case OPT_REPAIR:
		o->repair = true;
		return (-1);
	case OPT_FORCE:
		o->force = true;
		return (-1);
	case OPT_TIMEOUT:
		if (wait_parse_time(optarg, &o->timeout_us) == 0 && o->timeout_us > 0)
			return (-1);
		return (wrong_usage("--timeout: not a time: ", optarg));
	case OPT_AGE:
		if (wait_parse_time(optarg, &o->age_us) == 0 && o->age_us > 0)
			return (-1);
		return (wrong_usage("--age: not a time: ", optarg));
	case 'h':
		(void)fputs(usage_text, stdout);
		return (EXIT_DONE);
	case OPT_VERSION:
		(void)puts("s3backerctl " S3B_VERSION);
		return (EXIT_DONE);
	default:
		(void)fprintf(stderr, "s3backerctl --help shows what there is\n");
		return (EXIT_USAGE);
	}
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
	int c, code;

	(void)signal(SIGPIPE, SIG_IGN);
	while ((c = getopt_long(argc, argv, "c:hs:", long_options, NULL)) != -1)
		if ((code = take_option(&o, c)) >= 0)
			return (code);
	if (optind == argc)
		return (wrong_usage("a command is missing", ""));
	if ((cmd = find_command(argv[optind])) == NULL)
		return (wrong_usage("there is no command ", argv[optind]));
	if (argc - optind - 1 != cmd->nargs)
		return (wrong_usage(cmd->nargs == 2 ? "set: KEY VALUE" : "too many words after ",
		    cmd->nargs == 2 ? "" : cmd->name));
	if (o.config != NULL && o.sock != NULL)
		return (wrong_usage("-c or -s, not both", ""));
	return (run_command(cmd, &o, argv + optind + 1));
}
