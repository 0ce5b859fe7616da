/* SPDX-License-Identifier: ISC */
/*
 * control_ops.c -- the commands of the control socket.
 *
 * Each takes the request and either answers at once or leaves the client waiting for something
 * that the loop will report.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ipc/bell.h"
#include "ipc/msg.h"
#include "ipc/state.h"

#include "common/blockmath.h"
#include "common/conf.h"
#include "common/ctlsock.h"
#include "common/log.h"

#include "supervisor/command.h"
#include "supervisor/control.h"
#include "supervisor/phase.h"
#include "supervisor/resize.h"
#include "supervisor/set.h"
#include "supervisor/status.h"
#include "supervisor/super.h"

#include "supervisor/guard.h"

static void
on_done(struct super *s, void *arg, int status)
{
	struct client *c = arg;

	if (status < 0)
		client_error(c, EXIT_FAILED, "%s: %s", c->cmd, strerror(-status));
	else
		client_ok(c, json_pack("{s:I}", "dirtyBytes", (json_int_t)status_dirty_bytes(s)));
}

static void
send_and_wait(struct client *c, unsigned type, enum client_wait wait)
{
	struct ipc_msg m = {.type = (uint16_t)type, .slot = IPC_NO_SLOT};

	if (c->super->phase != PHASE_RUNNING) {
		client_error(c, EXIT_FAILED, "%s: the disk is %s", c->cmd, phase_name(c->super));
		return;
	}
	c->wait = wait;
	c->total = 0;
	c->progress_us = 0;
	if (command_send(c->super, m, on_done, c) < 0)
		client_error(c, EXIT_FAILED, "%s: out of memory", c->cmd);
}

static void
op_status(struct client *c, json_t *req)
{
	struct super *s = c->super;

	(void)req;
	/* Who asks again gets figures of after this, not of cachemgr's last turn a second ago. */
	if (s->shm.base != NULL)
		ipc_bell_ring(shm_bell(&s->shm, PROC_CACHEMGR), -1);
	client_ok(c, status_json(s));
}

static void
op_metrics(struct client *c, json_t *req)
{
	char *text = status_metrics(c->super);

	(void)req;
	client_ok(c, json_pack("{s:s}", "text", text != NULL ? text : ""));
	free(text);
}

static void
op_flush(struct client *c, json_t *req)
{
	(void)req;
	send_and_wait(c, IPC_SYNC, WAIT_UPLOAD);
}

static void
op_drain(struct client *c, json_t *req)
{
	(void)req;
	send_and_wait(c, IPC_DRAIN, WAIT_UPLOAD);
}

static void
op_resume(struct client *c, json_t *req)
{
	(void)req;
	send_and_wait(c, IPC_RESUME, WAIT_DONE);
}

static void
op_stop(struct client *c, json_t *req)
{
	struct super *s = c->super;
	bool keep = json_is_true(json_object_get(req, "keepDirty"));

	if (keep && s->conf->cache_file == NULL) {
		client_error(c, EXIT_FAILED,
		    "--keep-dirty: the cache is in memory, so changes can be "
		    "kept nowhere but in the bucket (set blockCacheFile, or stop without it)");
		return;
	}
	c->wait = WAIT_STOP;
	c->total = 0;
	c->progress_us = 0;
	(void)phase_stop(s, keep);
}

static void
restart(struct client *c)
{
	char *error = NULL;

	c->wait = WAIT_RESTART;
	if (phase_restart(c->super, &error) == 0)
		return;
	if (error != NULL)
		client_error(c, EXIT_FAILED, "%s: %s", c->cmd, error);
	else
		client_error(c, EXIT_FAILED, "%s: the disk is %s", c->cmd,
		    c->super->phase == PHASE_RUNNING ? "being restarted already"
						     : phase_name(c->super));
	free(error);
}

static void
op_restart(struct client *c, json_t *req)
{
	(void)req;
	restart(c);
}

/* resize.h, N3. */
static void
op_resize(struct client *c, json_t *req)
{
	const char *text = json_string_value(json_object_get(req, "size"));
	struct super *s = c->super;
	char *error = NULL;
	uint64_t size = 0;

	if (text == NULL)
		client_error(c, EXIT_USAGE, "resize: SIZE is missing");
	else if (resize_parse(text, s->shm.geo.block_size, &size, &error) < 0)
		client_error(c, EXIT_FAILED, "%s", error != NULL ? error : "out of memory");
	else if (s->conf->read_only)
		client_error(c, EXIT_FAILED, "resize: the disk is read-only");
	else if (size < s->size)
		client_error(c, EXIT_FAILED,
		    "resize: a running disk can only grow (stop it to make it smaller)");
	else if (size == s->size)
		client_ok(c, json_pack("{s:s, s:I}", "file", s->file, "size", (json_int_t)size));
	else if (s->resize_to != 0)
		client_error(c, EXIT_FAILED, "resize: the disk is being resized already");
	free(error);
	if (size <= s->size || s->conf->read_only || s->resize_to != 0)
		return;
	s->resize_to = size;
	restart(c);
	if (c->wait != WAIT_RESTART)
		s->resize_to = 0;
}

static void
on_set_done(struct super *s, void *arg, int status)
{
	struct client *c = arg;

	(void)s;
	/* The new value is in the configuration already; only the running processes lack it. */
	if (status == -EINVAL)
		client_ok(
		    c, json_pack("{s:s}", "note",
			   "the processes use it from their next start on (s3backerd restart)"));
	else if (status < 0)
		client_error(c, EXIT_FAILED, "set: %s", strerror(-status));
	else
		client_ok(c, NULL);
}

static void
op_set(struct client *c, json_t *req)
{
	const char *key = json_string_value(json_object_get(req, "key"));
	const char *value = json_string_value(json_object_get(req, "value"));
	struct ipc_msg m;
	char *text = NULL;
	int r;

	if (key == NULL || value == NULL) {
		client_error(c, EXIT_USAGE, "set: KEY and VALUE are missing");
		return;
	}
	r = set_key(c->super, key, value, &m, &text);
	if (r < 0) {
		client_error(c, EXIT_FAILED, "%s", text != NULL ? text : strerror(-r));
	} else if (r == SET_BY_CACHEMGR) {
		c->wait = WAIT_DONE;
		if (command_send(c->super, m, on_set_done, c) < 0)
			client_error(c, EXIT_FAILED, "set: out of memory");
	} else {
		client_ok(c, json_pack("{s:s}", "note", text != NULL ? text : ""));
	}
	free(text);
}

static const struct {
	const char *name;
	void (*run)(struct client *, json_t *req);
} ops[] = {
    {"status", op_status},
    {"metrics", op_metrics},
    {"flush", op_flush},
    {"drain", op_drain},
    {"resume", op_resume},
    {"stop", op_stop},
    {"restart", op_restart},
    {"resize", op_resize},
    {"set", op_set},
    {"scrub", scrub_op},
};

const char *
control_op_name(const char *cmd)
{
	for (unsigned i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		if (strcmp(ops[i].name, cmd) == 0)
			return (ops[i].name);
	return (NULL);
}

void (*control_done(unsigned type))(struct super *, void *, int)
{
	return (type == IPC_SET ? on_set_done : on_done);
}

/* Two configurations in different directories may have one name; they are not one disk. */
static bool
is_other_disk(struct client *c, json_t *req)
{
	const char *config = json_string_value(json_object_get(req, "config"));

	if (config == NULL || strcmp(config, c->super->opt.config_real) == 0)
		return (false);
	client_error(c, EXIT_NOT_RUNNING,
	    "%s is not running (the disk of that name, pid %d, belongs to %s; runDir tells them "
	    "apart)",
	    config, (int)getpid(), c->super->opt.config_real);
	return (true);
}

void
control_request(struct client *c, const char *line)
{
	json_error_t where;
	json_t *req = json_loads(line, 0, &where);
	const char *cmd = json_string_value(json_object_get(req, "cmd"));

	if (cmd == NULL) {
		client_error(
		    c, EXIT_USAGE, "not a request: %s", req == NULL ? where.text : "no cmd");
	} else if (!is_other_disk(c, req)) {
		unsigned i = 0, n = sizeof(ops) / sizeof(ops[0]);

		log_trace(TRACE_CTL, "request: %s", cmd);
		while (i < n && strcmp(ops[i].name, cmd) != 0)
			i++;
		if (i < n) {
			c->cmd = ops[i].name;
			ops[i].run(c, req);
		} else {
			client_error(c, EXIT_FAILED, "%s: not in this version", cmd);
		}
	}
	json_decref(req);
}

/* How far an upload is, seen from the client that asked; NULL when there is nothing to say. */
json_t *
control_progress(struct client *c)
{
	const struct super *s = c->super;
	uint64_t dirty = status_dirty_bytes(s), rate = status_upload_rate(s);
	const char *what = "upload";

	if (c->wait == WAIT_SCRUB)
		return (scrub_progress(s));
	if (c->wait == WAIT_STOP && s->phase == PHASE_UNMOUNTING)
		what = "unmount";
	else if (c->wait == WAIT_STOP && s->phase == PHASE_DETACHED)
		what = "users";
	else if (c->wait == WAIT_STOP && s->phase == PHASE_ENDING)
		what = "end";
	c->total = max_u64(c->total, dirty);
	return (json_pack("{s:i, s:s, s:s, s:I, s:I, s:I, s:f}", "v", CTL_VERSION, "type",
	    "progress", "what", what, "doneBytes", (json_int_t)(c->total - dirty), "totalBytes",
	    (json_int_t)c->total, "bytesPerSec", (json_int_t)rate, "leftSec",
	    rate == 0 ? 0.0 : (double)dirty / (double)rate));
}
