/* SPDX-License-Identifier: ISC */
#include "supervisor/client.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/bar.h"
#include "common/cleanup.h"
#include "common/ctlsock.h"
#include "common/timeutil.h"

#include "supervisor/guard.h"

#define EXIT_LIMIT_MS 10000 /* after it has said that it is done */

static int
not_running(const struct client_target *t)
{
	(void)fprintf(stderr, "s3backerd: %s is not running\n",
	    t->config != NULL ? t->config : t->paths.sock);
	return (EXIT_NOT_RUNNING);
}

static const char *
words_for(const char *what)
{
	if (what != NULL && strcmp(what, "unmount") == 0)
		return ("unmounting");
	if (what != NULL && strcmp(what, "users") == 0)
		return ("unmounted, waiting for those who still use it");
	if (what != NULL && strcmp(what, "end") == 0)
		return ("ending");
	return ("uploading");
}

static void
show_progress(struct bar *bar, json_t *line)
{
	json_int_t done = 0, total = 0, rate = 0;
	const char *what = NULL;
	double left = 0;

	if (json_unpack(line, "{s:s, s:I, s:I, s:I, s:F}", "what", &what, "doneBytes", &done,
		"totalBytes", &total, "bytesPerSec", &rate, "leftSec", &left) < 0)
		return;
	if (strcmp(what, "upload") == 0 && total == 0)
		return;
	bar_show(bar, words_for(what), (uint64_t)done,
	    strcmp(what, "upload") == 0 ? (uint64_t)total : 0, (uint64_t)rate, left);
}

/* Sends the request, shows progress, and returns the result; NULL: the connection has ended. */
static json_t *
converse(struct ctl_conn *c, json_t *request)
{
	char *text = json_dumps(request, JSON_COMPACT), *reply;
	struct bar bar;
	int r = text == NULL ? -ENOMEM : ctl_send(c, text);

	bar_begin(&bar, stderr);
	free(text);
	json_decref(request);
	while (r == 0 && (r = ctl_recv(c, TIME_NEVER, &reply)) == 0) {
		json_t *line = json_loads(reply, 0, NULL);
		const char *type = json_string_value(json_object_get(line, "type"));

		if (type != NULL && strcmp(type, "result") == 0) {
			bar_end(&bar);
			return (line);
		}
		if (line != NULL)
			show_progress(&bar, line);
		json_decref(line);
	}
	bar_end(&bar);
	return (NULL);
}

/* The process that listens, by what the kernel knows of it.  -1: it is of no use, or gone. */
static int
listener_pidfd(int sock)
{
	struct ucred who = {.pid = 0};
	socklen_t len = sizeof(who);

	if (getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &who, &len) < 0 || who.pid <= 0)
		return (-1);
	return (pidfd_open(who.pid, 0));
}

/* An exit code; on EXIT_DONE *ret_data is to be released.  *ret_listener, if wanted, to be closed. */
static int
ask(const struct client_target *t, json_t *request, json_t **ret_data, int *ret_listener)
{
	struct ctl_conn c = {.fd = -1};
	int r = ctl_connect(t->paths.sock, &c), code = EXIT_FAILED;
	json_t *result;

	if (r < 0) {
		json_decref(request);
		if (r == -ENOENT || r == -ECONNREFUSED)
			return (not_running(t));
		(void)fprintf(stderr, "s3backerd: %s: %s\n", t->paths.sock, strerror(-r));
		return (EXIT_FAILED);
	}
	if (ret_listener != NULL)
		*ret_listener = listener_pidfd(c.fd);
	if (t->config != NULL)
		(void)json_object_set_new(request, "config", json_string(t->config));
	result = converse(&c, request);
	ctl_close(&c);
	if (result == NULL) {
		(void)fprintf(stderr, "s3backerd: the running s3backerd ended without an answer\n");
	} else if (json_is_true(json_object_get(result, "ok"))) {
		*ret_data = json_incref(json_object_get(result, "data"));
		code = EXIT_DONE;
	} else {
		const char *error = json_string_value(json_object_get(result, "error"));
		json_t *exit_code = json_object_get(result, "exit");

		(void)fprintf(stderr, "s3backerd: %s\n", error != NULL ? error : "failed");
		if (json_is_integer(exit_code))
			code = (int)json_integer_value(exit_code);
	}
	json_decref(result);
	return (code);
}

/* Whoever stops the disk may want to unmount what the cache file lies on next. */
static void
wait_for_exit(int pidfd)
{
	struct pollfd p = {.fd = pidfd, .events = POLLIN};

	while (poll(&p, 1, EXIT_LIMIT_MS) < 0 && errno == EINTR)
		;
}

int
client_stop(const struct client_target *t, bool keep_dirty)
{
	AUTO_FD int listener = -1;
	json_t *data = NULL;
	int code = ask(t,
	    json_pack("{s:i, s:s, s:b}", "v", CTL_VERSION, "cmd", "stop", "keepDirty", keep_dirty),
	    &data, &listener);
	json_int_t left = json_integer_value(json_object_get(data, "leftDirtyBytes"));
	const char *warning = json_string_value(json_object_get(data, "warning"));
	char buf[24];

	if (code == EXIT_DONE && listener >= 0)
		wait_for_exit(listener);
	if (code == EXIT_DONE && left > 0)
		(void)printf("stopped; %s of changes stay in the cache file for the next start\n",
		    bar_bytes((uint64_t)left, buf));
	if (code == EXIT_DONE && warning != NULL && *warning != '\0')
		(void)fprintf(stderr, "s3backerd: note: %s\n", warning);
	json_decref(data);
	return (code);
}

int
client_restart(const struct client_target *t)
{
	json_t *data = NULL;
	int code = ask(t, json_pack("{s:i, s:s}", "v", CTL_VERSION, "cmd", "restart"), &data, NULL);

	json_decref(data);
	return (code);
}

int
client_status(const struct client_target *t)
{
	json_t *data = NULL;
	int code = ask(t, json_pack("{s:i, s:s}", "v", CTL_VERSION, "cmd", "status"), &data, NULL);
	const char *state = json_string_value(json_object_get(data, "state"));
	const char *file =
	    json_string_value(json_object_get(json_object_get(data, "disk"), "file"));
	const char *why = json_string_value(json_object_get(data, "why"));
	json_int_t dirty =
	    json_integer_value(json_object_get(json_object_get(data, "cache"), "dirtyBytes"));
	json_t *d = json_object_get(data, "durability");
	json_int_t behind = json_integer_value(json_object_get(d, "acked")) -
			    json_integer_value(json_object_get(d, "bucket"));
	char buf[64];

	if (dirty > 0)
		(void)bar_bytes((uint64_t)dirty, buf);
	else
		(void)snprintf(buf, sizeof(buf), "%lld writes", (long long)behind);
	dirty += behind;
	if (code == EXIT_DONE)
		(void)printf("%s: %s, pid %lld, %s%s%s%s\n", state != NULL ? state : "?",
		    file != NULL ? file : t->paths.name,
		    (long long)json_integer_value(json_object_get(data, "pid")),
		    dirty == 0 ? "the bucket holds everything" : buf,
		    dirty == 0 ? "" : " not in the bucket yet", why != NULL ? ": " : "",
		    why != NULL ? why : "");
	json_decref(data);
	return (code);
}
