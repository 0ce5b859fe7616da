/* SPDX-License-Identifier: ISC */
/*
 * main.c -- forgetfs [-p] -s SOCKET MOUNTPOINT
 *
 *	-p	end when the parent does (and unmount)
 *
 * Runs in the foreground.  The socket appears when the file system is mounted.
 */
#define FUSE_USE_VERSION 314
#include <err.h>
#include <errno.h>
#include <fuse_lowlevel.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "tests/forgetfs/forgetfs.h"

struct forgetfs ff = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void
make_condition(void)
{
	pthread_condattr_t attr;

	if (pthread_condattr_init(&attr) != 0 ||
	    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) != 0 ||
	    pthread_cond_init(&ff.changed, &attr) != 0)
		errx(1, "cannot make a condition variable");
}

int
main(int argc, char **argv)
{
	char name[] = "forgetfs", option[] = "-ofsname=forgetfs,subtype=forgetfs";
	char *fuse_argv[] = {name, option, NULL};
	struct fuse_args args = FUSE_ARGS_INIT(2, fuse_argv);
	struct fuse_loop_config *loop = fuse_loop_cfg_create();
	const char *socket_path = NULL;
	int c, error;

	while ((c = getopt(argc, argv, "ps:")) != -1) {
		if (c == 's')
			socket_path = optarg;
		else if (c == 'p')
			(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
		else
			return (2);
	}
	if (socket_path == NULL || optind + 1 != argc)
		errx(2, "usage: forgetfs [-p] -s SOCKET MOUNTPOINT");
	make_condition();
	image_init(&ff.image);
	ff.session = fuse_session_new(&args, &forgetfs_ops, sizeof(forgetfs_ops), NULL);
	if (ff.session == NULL || loop == NULL || fuse_set_signal_handlers(ff.session) != 0 ||
	    fuse_session_mount(ff.session, argv[optind]) != 0)
		return (1);
	if ((error = control_start(socket_path)) < 0)
		errx(1, "%s: %s", socket_path, strerror(-error));
	/* Operations that are held occupy a thread each. */
	fuse_loop_cfg_set_max_threads(loop, 256);
	fuse_loop_cfg_set_clone_fd(loop, 0);
	error = fuse_session_loop_mt(ff.session, loop);
	(void)unlink(socket_path);
	fuse_session_unmount(ff.session);
	return (error != 0);
}
