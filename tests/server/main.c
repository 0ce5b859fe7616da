/* SPDX-License-Identifier: ISC */
/*
 * main.c -- s3testd, an S3 server to test against.
 *
 * It shares no code with the product it checks: signatures, formats and errors are written here a
 * second time, from Amazon's documents.  It does what it is told to get wrong, by rule.
 *
 * Process:  s3testd; a pool of libmicrohttpd threads, a timer thread, and main waiting for a
 * signal.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "tests/server/http.h"
#include "tests/server/options.h"
#include "tests/server/reqlog.h"
#include "tests/server/text.h"
#include "tests/server/timer.h"
#include "tests/server/tls.h"

static void
fail(const char *what, int r)
{
	fprintf(stderr, "s3testd: %s: %s\n", what, strerror(-r));
	exit(1);
}

/* Whoever waits for the file never sees half a number. */
static void
write_port(const char *path, int port)
{
	struct text tmp = TEXT_EMPTY;
	FILE *f;

	if (path == NULL)
		return;
	text_printf(&tmp, "%s.%ld", path, (long)getpid());
	f = fopen(tmp.s, "we");
	if (f == NULL || fprintf(f, "%d\n", port) < 0 || fclose(f) != 0 || rename(tmp.s, path) < 0)
		fail(path, -errno);
	text_free(&tmp);
}

static void
many_files(void)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) == 0) {
		rl.rlim_cur = rl.rlim_max;
		setrlimit(RLIMIT_NOFILE, &rl);
	}
}

static void
load_tls(char **ret_cert, char **ret_key)
{
	char *cert = NULL, *key = NULL;
	int r;

	if (opt.tls_cert != NULL) {
		cert = xstrdup(opt.tls_cert);
		key = xstrdup(opt.tls_key);
	} else if (opt.tls_dir != NULL && (r = tls_make(opt.tls_dir, &cert, &key)) < 0) {
		fail(opt.tls_dir, r);
	}
	if (cert == NULL)
		return;
	if ((r = tls_read(cert, ret_cert)) < 0)
		fail(cert, r);
	if ((r = tls_read(key, ret_key)) < 0)
		fail(key, r);
	free(cert);
	free(key);
}

int
main(int argc, char **argv)
{
	char *cert = NULL, *key = NULL;
	pid_t parent = getppid();
	sigset_t set;
	int port, sig, r;

	options_parse(argc, argv);
	if (opt.die_with_parent) {
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		if (getppid() != parent)
			return (1);
	}
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	many_files();
	if ((r = reqlog_open(opt.log)) < 0)
		fail(opt.log, r);
	load_tls(&cert, &key);
	timer_start();
	port = http_start(opt.port, false, cert, key);
	if (opt.admin_port >= 0)
		write_port(opt.admin_port_file, http_start(opt.admin_port, true, NULL, NULL));
	write_port(opt.port_file, port);
	printf("listening on 127.0.0.1:%d\n", port);
	fflush(stdout);
	sigwait(&set, &sig);
	timer_stop();
	http_stop();
	free(cert);
	free(key);
	return (0);
}
