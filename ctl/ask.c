/* SPDX-License-Identifier: ISC */
#include "ctl/ask.h"

#include <bsd/string.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/bar.h"
#include "common/conf.h"
#include "common/diskname.h"
#include "common/timeutil.h"

#include "ctl/guard.h"

/* ---- which disk ----------------------------------------------------------------------------- */

struct running {
	char first[108];
	char list[2048];
	unsigned n;
};

static int
note_running(const char *sock, void *arg)
{
	struct running *r = arg;
	struct ctl_conn c;

	/* A socket that nobody listens on is what a killed s3backerd left. */
	if (ctl_connect(sock, &c) < 0)
		return (0);
	ctl_close(&c);
	if (r->n++ == 0)
		(void)strlcpy(r->first, sock, sizeof(r->first));
	(void)strlcat(r->list, "\n  s3backerctl -s ", sizeof(r->list));
	(void)strlcat(r->list, sock, sizeof(r->list));
	return (0);
}

static int
find_only_one(struct ask *a)
{
	struct running r = {.n = 0};
	int e = disk_each_socket(DISK_RUN_DIR, note_running, &r);

	if (e < 0 && e != -ENOENT) {
		(void)fprintf(stderr, "s3backerctl: %s: %s\n", DISK_RUN_DIR, strerror(-e));
		return (EXIT_FAILED);
	}
	if (r.n == 0) {
		(void)fprintf(stderr,
		    "s3backerctl: no disk is running (one with a runDir of its own "
		    "needs -c or -s)\n");
		return (EXIT_NOT_RUNNING);
	}
	if (r.n > 1) {
		(void)fprintf(
		    stderr, "s3backerctl: %u disks are running, choose one:%s\n", r.n, r.list);
		return (EXIT_USAGE);
	}
	(void)strlcpy(a->sock, r.first, sizeof(a->sock));
	return (EXIT_DONE);
}

static int
find_by_config(struct ask *a, const char *config)
{
	struct disk_paths paths;
	struct conf *conf = NULL;
	char *error = NULL;
	int r;

	if ((a->config = realpath(config, NULL)) == NULL) {
		(void)fprintf(stderr, "s3backerctl: %s: %s\n", config, strerror(errno));
		return (EXIT_FAILED);
	}
	/* A file that was spoilt while the disk runs must not keep one from asking it. */
	if (conf_load(a->config, NULL, &conf, &error) < 0)
		(void)fprintf(
		    stderr, "s3backerctl: note: %s\n", error != NULL ? error : "bad file");
	free(error);
	r = disk_paths_make(a->config, conf != NULL ? conf->run_dir : DISK_RUN_DIR, NULL, &paths);
	conf_free(conf);
	if (r < 0) {
		(void)fprintf(stderr, "s3backerctl: %s: %s\n", config, strerror(-r));
		return (EXIT_FAILED);
	}
	(void)strlcpy(a->sock, paths.sock, sizeof(a->sock));
	return (EXIT_DONE);
}

int
ask_find(struct ask *a, const char *config, const char *sock)
{
	if (sock != NULL) {
		if (strlcpy(a->sock, sock, sizeof(a->sock)) < sizeof(a->sock))
			return (EXIT_DONE);
		(void)fprintf(stderr, "s3backerctl: %s: name too long\n", sock);
		return (EXIT_USAGE);
	}
	return (config != NULL ? find_by_config(a, config) : find_only_one(a));
}

/* ---- Ctrl-C --------------------------------------------------------------------------------- */

static char farewell[256];

/* Ends us by the signal itself, so that a shell's loop ends as well. */
static void
on_interrupt(int sig)
{
	(void)!write(STDERR_FILENO, farewell, strlen(farewell));
	(void)raise(sig);
}

void
ask_catch(const struct ask *a)
{
	struct sigaction sa = {.sa_handler = on_interrupt, .sa_flags = (int)SA_RESETHAND};

	if (a->goes_on == NULL)
		return;
	(void)snprintf(farewell, sizeof(farewell), "%ss3backerctl: %s\n",
	    isatty(STDERR_FILENO) ? "\r\033[K" : "", a->goes_on);
	(void)sigaction(SIGINT, &sa, NULL);
}

/* ---- the conversation ----------------------------------------------------------------------- */

int
ask_open(struct ask *a)
{
	int r = ctl_connect(a->sock, &a->conn);

	if (r == 0)
		return (EXIT_DONE);
	if (r == -ENOENT || r == -ECONNREFUSED) {
		if (a->config != NULL)
			(void)fprintf(stderr,
			    "s3backerctl: %s is not running (s3backerd -c %s start)\n", a->config,
			    a->config);
		else
			(void)fprintf(stderr, "s3backerctl: %s is not running\n", a->sock);
		return (EXIT_NOT_RUNNING);
	}
	(void)fprintf(stderr, "s3backerctl: %s: %s%s\n", a->sock, strerror(-r),
	    r == -EACCES || r == -EPERM ? " (as root, or as who started it)" : "");
	return (EXIT_FAILED);
}

void
ask_close(struct ask *a)
{
	ctl_close(&a->conn);
	free(a->config);
	a->config = NULL;
}

static void
show_progress(struct bar *bar, json_t *line)
{
	json_int_t done = 0, total = 0, rate = 0, bad = 0;
	const char *what = NULL;
	char words[64] = "uploading";
	double left = 0;

	if (json_unpack(line, "{s:I, s:I, s:I, s:F, s?s, s?I}", "doneBytes", &done, "totalBytes",
		&total, "bytesPerSec", &rate, "leftSec", &left, "what", &what, "bad", &bad) == 0 &&
	    total > 0) {
		if (what != NULL && strcmp(what, "scrub") == 0)
			(void)snprintf(words, sizeof(words),
			    bad > 0 ? "%lld bad; checked" : "checked", (long long)bad);
		bar_show(bar, words, (uint64_t)done, (uint64_t)total, (uint64_t)rate, left);
	}
}

/* Up to the result.  NULL: *ret_err says why there is none. */
static json_t *
await_result(struct ask *a, int *ret_err)
{
	struct bar bar;
	char *text;
	json_t *line = NULL;

	ask_catch(a);
	bar_begin(&bar, stderr);
	while ((*ret_err = ctl_recv(&a->conn, a->deadline_us, &text)) == 0) {
		const char *type;

		line = json_loads(text, 0, NULL);
		type = json_string_value(json_object_get(line, "type"));
		if (type != NULL && strcmp(type, "result") == 0)
			break;
		if (line != NULL && !a->json)
			show_progress(&bar, line);
		json_decref(line);
		line = NULL;
	}
	bar_end(&bar);
	return (line);
}

static int
no_result(const struct ask *a, int err)
{
	if (err == -ETIMEDOUT) {
		(void)fprintf(stderr, "s3backerctl: timed out%s%s\n",
		    a->goes_on != NULL ? "; " : "", a->goes_on != NULL ? a->goes_on : "");
		return (EXIT_TIMED_OUT);
	}
	(void)fprintf(stderr,
	    "s3backerctl: s3backerd ended without an answer (`s3backerd -c FILE status` and its "
	    "log say more)\n");
	return (EXIT_FAILED);
}

int
ask_run(struct ask *a, json_t *request, json_t **ret_data)
{
	json_t *result = NULL;
	char *text;
	int err, code = EXIT_FAILED;

	*ret_data = NULL;
	(void)json_object_set_new(request, "v", json_integer(CTL_VERSION));
	if (a->config != NULL)
		(void)json_object_set_new(request, "config", json_string(a->config));
	text = json_dumps(request, JSON_COMPACT);
	json_decref(request);
	err = text == NULL ? -ENOMEM : ctl_send(&a->conn, text);
	free(text);
	if (err == 0)
		result = await_result(a, &err);
	if (result == NULL)
		return (no_result(a, err));
	if (json_is_true(json_object_get(result, "ok"))) {
		*ret_data = json_incref(json_object_get(result, "data"));
		code = EXIT_DONE;
	} else {
		const char *error = json_string_value(json_object_get(result, "error"));
		json_t *exit_code = json_object_get(result, "exit");

		(void)fprintf(stderr, "s3backerctl: %s\n", error != NULL ? error : "failed");
		if (json_is_integer(exit_code))
			code = (int)json_integer_value(exit_code);
	}
	json_decref(result);
	return (code);
}

int
ask_simple(struct ask *a, const char *cmd, json_t **ret_data)
{
	return (ask_run(a, json_pack("{s:s}", "cmd", cmd), ret_data));
}
