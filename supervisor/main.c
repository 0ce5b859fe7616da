/* SPDX-License-Identifier: ISC */
/*
 * main.c -- s3backerd: starts a disk and watches over it, and stops it again.
 *
 * One program, three uses: `start` becomes the supervisor (start.h, disk.h, super.h); stop,
 * restart and status are clients of it (client.h); and with a hidden option it is the short-lived
 * helper that touches the mount (helper.h).  s3backerd(8) is the contract.
 *
 * Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not running.
 */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "common/conf.h"
#include "common/ctlsock.h"
#include "common/diskname.h"

#include "supervisor/client.h"
#include "supervisor/erase.h"
#include "supervisor/find.h"
#include "supervisor/handover.h"
#include "supervisor/haul.h"
#include "supervisor/helper.h"
#include "supervisor/info.h"
#include "supervisor/keys.h"
#include "supervisor/load.h"
#include "supervisor/mount.h"
#include "supervisor/options.h"
#include "supervisor/probe.h"
#include "supervisor/rekey.h"
#include "supervisor/release.h"
#include "supervisor/resize.h"
#include "supervisor/spawn.h"
#include "supervisor/start.h"
#include "supervisor/super.h"

#include "supervisor/guard.h"

static const char usage_text[] =
    "usage: s3backerd [-f] [-o key=value[,...]]... -c FILE COMMAND\n"
    "\n"
    "  start           mount the disk; returns when it can be read\n"
    "      --dirty=WHAT    changes in a cache file from before somebody else had the disk:\n"
    "                      upload them, or set-aside: rename the file, begin a new one\n"
    "  stop            unmount it, wait until the bucket holds everything\n"
    "      --keep-dirty    leave changes in the cache file for the next start\n"
    "  restart         new processes, same mount\n"
    "  status          one line; exit 3 if it does not run\n"
    "  check-config    print the configuration in force\n"
    "\n"
    "  -c, --config FILE   configuration of the disk, see s3backer.conf(5)\n"
    "  -o KEY=VALUE        one more line of it; the last word wins\n"
    "  -f, --foreground    start: stay in the foreground, log to stderr\n"
    "  -h, --help          this text\n"
    "      --version       version\n";

enum {
	OPT_KEEP_DIRTY = 256,
	OPT_DIRTY,
	OPT_VERSION,
	OPT_PROBE,
	OPT_PROBE_MOUNT,
	OPT_UMOUNT,
	OPT_TRIAL,
	OPT_HANDOVER,
	OPT_MOUNTED_ON,
	OPT_FORCE,
	OPT_JSON,
	OPT_NEW_PASSWORD
};

static const struct option long_options[] = {
    {"config", required_argument, NULL, 'c'},
    {"foreground", no_argument, NULL, 'f'},
    {"help", no_argument, NULL, 'h'},
    {"dirty", required_argument, NULL, OPT_DIRTY},
    {"force", no_argument, NULL, OPT_FORCE},
    {"json", no_argument, NULL, OPT_JSON},
    {"keep-dirty", no_argument, NULL, OPT_KEEP_DIRTY},
    {"new-password", required_argument, NULL, OPT_NEW_PASSWORD},
    {"version", no_argument, NULL, OPT_VERSION},
    /* Not for users: helper.h, mount.h, handover.h, umount.fuse.s3backerd. */
    {"probe-file", required_argument, NULL, OPT_PROBE},
    {"probe-mount", required_argument, NULL, OPT_PROBE_MOUNT},
    {"umount", required_argument, NULL, OPT_UMOUNT},
    {"trial", required_argument, NULL, OPT_TRIAL},
    {"handover", required_argument, NULL, OPT_HANDOVER},
    {"mounted-on", required_argument, NULL, OPT_MOUNTED_ON},
    {NULL, 0, NULL, 0},
};

static int
wrong_usage(const char *what, const char *name)
{
	(void)fprintf(stderr, "s3backerd: %s%s (s3backerd --help)\n", what, name);
	return (EXIT_USAGE);
}

/* ---- commands ------------------------------------------------------------------------------- */

static int
do_check_config(struct super *s)
{
	conf_print(s->conf, stdout);
	keys_print(s);
	for (const char *const *n = conf_notes(s->conf); *n != NULL; n++)
		(void)fprintf(stderr, "s3backerd: note: %s\n", *n);
	return (EXIT_DONE);
}

static struct client_target
target_of(const struct super *s)
{
	return ((struct client_target){.paths = s->paths, .config = s->opt.config_real});
}

static int
do_stop(struct super *s)
{
	struct client_target t = target_of(s);

	return (client_stop(&t, s->opt.keep_dirty));
}

static int
do_restart(struct super *s)
{
	struct client_target t = target_of(s);

	return (client_restart(&t));
}

static int
do_status(struct super *s)
{
	struct client_target t = target_of(s);

	return (client_status(&t));
}

enum {
	TAKES_FORCE = 1,
	TAKES_JSON = 2
};

static const struct command {
	const char *name;
	int (*run)(struct super *);
	int nargs;	/* words after it, in opt.args */
	unsigned knows; /* TAKES_* */
} commands[] = {
    {"start", start_disk, 0, 0},
    {"stop", do_stop, 0, 0},
    {"restart", do_restart, 0, 0},
    {"status", do_status, 0, 0},
    {"check-config", do_check_config, 0, 0},
    /* What s3backerctl does not do itself, because it has no uploader. */
    {"mounted-flag", release_show_token, 0, 0},
    {"reset-mounted-flag", release_token, 0, 0},
    {"erase", erase_disk, 0, TAKES_FORCE},
    {"probe", probe_store, 0, TAKES_JSON},
    {"info", info_disk, 0, TAKES_JSON},
    {"export", haul_export, 1, TAKES_FORCE | TAKES_JSON},
    {"import", haul_import, 1, TAKES_FORCE | TAKES_JSON},
    {"copy", haul_copy, 1, TAKES_FORCE | TAKES_JSON},
    {"resize", resize_disk, 1, TAKES_FORCE},
    {"rekey", rekey_disk, 0, 0},
};

static const struct command *
find_command(const char *name)
{
	for (unsigned i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(commands[i].name, name) == 0)
			return (&commands[i]);
	return (NULL);
}

static int
stop_mounted_on(const char *dir)
{
	struct client_target t = {0};

	if (find_by_mount(dir, &t) < 0) {
		(void)fprintf(stderr, "s3backerd: no s3backerd runs on %s\n", dir);
		return (EXIT_NOT_RUNNING);
	}
	return (client_stop(&t, false));
}

static int
run(struct super *s, int argc, char **argv)
{
	const struct command *cmd;
	const char *mounted_on = NULL;
	bool trial = false;
	int c, letter = -1;

	while ((c = getopt_long(argc, argv, "c:fho:", long_options, NULL)) != -1) {
		switch (c) {
		case 'c':
			s->opt.config = optarg;
			break;
		case 'f':
			s->opt.foreground = true;
			break;
		case 'o':
			if (options_add(&s->opt, optarg) < 0)
				return (EXIT_FAILED);
			break;
		case 'h':
			(void)fputs(usage_text, stdout);
			return (EXIT_DONE);
		case OPT_KEEP_DIRTY:
			s->opt.keep_dirty = true;
			break;
		case OPT_DIRTY:
			if (strcmp(optarg, "upload") == 0)
				s->opt.dirty = DIRTY_UPLOAD;
			else if (strcmp(optarg, "set-aside") == 0)
				s->opt.dirty = DIRTY_SET_ASIDE;
			else
				return (wrong_usage(
				    "--dirty=upload or --dirty=set-aside, not ", optarg));
			break;
		case OPT_FORCE:
			s->opt.sure = true;
			break;
		case OPT_JSON:
			s->opt.json = true;
			break;
		case OPT_NEW_PASSWORD:
			s->opt.file = optarg;
			break;
		case OPT_VERSION:
			(void)puts("s3backerd " S3B_VERSION);
			return (EXIT_DONE);
		case OPT_PROBE:
			return (helper_main_probe(optarg));
		case OPT_PROBE_MOUNT:
			return (mount_main_probe(optarg));
		case OPT_UMOUNT:
			return (helper_main_umount(optarg));
		case OPT_TRIAL:
		case OPT_HANDOVER:
			trial = c == OPT_TRIAL;
			letter = atoi(optarg);
			break;
		case OPT_MOUNTED_ON:
			mounted_on = optarg;
			break;
		default:
			(void)fprintf(stderr, "s3backerd --help shows what there is\n");
			return (EXIT_USAGE);
		}
	}
	if (argc == optind)
		return (wrong_usage("a command is missing", ""));
	if ((cmd = find_command(argv[optind])) == NULL)
		return (wrong_usage("there is no command ", argv[optind]));
	if (argc - optind - 1 != cmd->nargs)
		return (wrong_usage("wrong number of words after ", cmd->name));
	s->opt.args = (const char *const *)(argv + optind + 1);
	if (mounted_on != NULL && cmd->run == do_stop)
		return (stop_mounted_on(mounted_on));
	if (s->opt.config == NULL)
		return (wrong_usage("-c FILE is missing", ""));
	if (s->opt.keep_dirty && cmd->run != do_stop)
		return (wrong_usage("--keep-dirty goes with stop", ""));
	if ((s->opt.sure && (cmd->knows & TAKES_FORCE) == 0) ||
	    (s->opt.json && (cmd->knows & TAKES_JSON) == 0))
		return (wrong_usage("an option that is not one of ", cmd->name));
	if (s->opt.file != NULL && cmd->run != rekey_disk)
		return (wrong_usage("--new-password goes with rekey", ""));
	if (s->opt.dirty != DIRTY_REFUSE && cmd->run != start_disk)
		return (wrong_usage("--dirty goes with start", ""));
	if (letter >= 0 && handover_read(s, letter) < 0) {
		(void)fprintf(
		    stderr, "s3backerd: what the running s3backerd says cannot be read\n");
		return (EXIT_FAILED);
	}
	if (super_load(s) < 0)
		return (EXIT_FAILED);
	return (trial ? handover_trial(s) : cmd->run(s));
}

int
main(int argc, char **argv)
{
	static struct super s;
	int code;

	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* before there is a key in memory */
	super_init(&s);
	(void)spawn_remember_path();
	code = run(&s, argc, argv);
	super_close(&s);
	return (code);
}
