/* SPDX-License-Identifier: ISC */
#include "supervisor/handover.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ipc/proc_table.h"
#include "ipc/shm.h"
#include "ipc/state.h"

#include "common/cleanup.h"
#include "common/conf.h"
#include "common/conf_diff.h"
#include "common/ctlsock.h"
#include "common/inject.h"
#include "common/log.h"
#include "common/timeutil.h"

#include "supervisor/control.h"
#include "supervisor/disk.h"
#include "supervisor/helper.h"
#include "supervisor/letter.h"
#include "supervisor/refuse.h"
#include "supervisor/set.h"
#include "supervisor/spawn.h"
#include "supervisor/super.h"

#include "supervisor/guard.h"

#define PIPE_BYTES (1 << 20) /* the letter must fit: nobody reads while it is written */

/* ---- the one that goes ---------------------------------------------------------------------- */

static int
letter_pipe(const struct super *s, enum letter_for whom, int *ret_fd)
{
	AUTO_FD int from = -1;
	int p[2], r;

	if (pipe2(p, O_CLOEXEC | O_NONBLOCK) < 0)
		return (-errno);
	from = p[0];
	(void)fcntl(p[1], F_SETPIPE_SZ, PIPE_BYTES);
	r = letter_send(s, whom, p[1]);
	close(p[1]);
	if (r == 0)
		*ret_fd = fd_take(&from);
	return (r);
}

/* s3backerd -c FILE --trial|--handover FD start; options of the command line are in the letter. */
struct command_line {
	char fd[16];
	const char *argv[8];
};

static void
make_command(const struct super *s, const char *how, int fd, struct command_line *c)
{
	(void)snprintf(c->fd, sizeof(c->fd), "%d", fd);
	c->argv[0] = "s3backerd";
	c->argv[1] = "-c";
	c->argv[2] = s->opt.config_real;
	c->argv[3] = how;
	c->argv[4] = c->fd;
	c->argv[5] = "start";
	c->argv[6] = NULL;
}

int
handover_try(struct super *s, char **ret_error)
{
	AUTO_FD int letter = -1;
	const char *path = spawn_own_path();
	struct command_line c;
	int r;

	*ret_error = NULL;
	if (access(path, X_OK) < 0)
		return (refuse(-errno, ret_error, "%s: %s", path, strerror(errno)));
	if ((r = letter_pipe(s, LETTER_EXEC, &letter)) < 0)
		return (refuse(
		    r, ret_error, "cannot write down the state of the disk: %s", strerror(-r)));
	make_command(s, "--trial", letter, &c);
	if ((r = helper_start_trial(s, path, c.argv, letter)) < 0)
		return (refuse(r, ret_error, "%s: %s", path, strerror(-r)));
	return (0);
}

/* Keep or close at exec: everything that the letter names and its reader has a use for. */
static void
set_inherited(const struct super *s, enum letter_for whom, bool inherited, int letter)
{
	const struct handed *h = &s->handed;
	const int always[] = {letter, h->fuse, s->pid_fd, control_fd(s->control)};
	const int warm[] = {h->shm, h->cache, h->supbell};
	int flag = inherited ? 0 : FD_CLOEXEC;

	for (unsigned i = 0; i < sizeof(always) / sizeof(always[0]); i++)
		(void)fcntl(always[i], F_SETFD, flag);
	control_set_inherited(s->control, inherited);
	if (whom == LETTER_COLD)
		return;
	for (unsigned i = 0; i < sizeof(warm) / sizeof(warm[0]); i++)
		(void)fcntl(warm[i], F_SETFD, flag);
	for (uint32_t u = 0; u < s->shm.geo.nuploaders; u++)
		(void)fcntl(h->upbell[u], F_SETFD, flag);
	for (uint32_t p = PROC_FRONTEND; p < s->nprocs; p++) {
		(void)fcntl(s->role[p].sock, F_SETFD, flag);
		(void)fcntl(s->role[p].err_fd, F_SETFD, flag);
	}
}

static int
execute(struct super *s, enum letter_for whom, char **ret_error)
{
	AUTO_FD int letter = -1;
	const char *path = spawn_own_path();
	struct command_line c;
	int r;

	*ret_error = NULL;
	if ((r = letter_pipe(s, whom, &letter)) < 0)
		return (refuse(
		    r, ret_error, "cannot write down the state of the disk: %s", strerror(-r)));
	make_command(s, "--handover", letter, &c);
	log_info("going on as a new process image: %s", path);
	log_flush();
	set_inherited(s, whom, true, letter);
	errno = ENOEXEC;
	if (!INJECT_FAIL("s3backerd.exec"))
		(void)execv(path, (char *const *)(uintptr_t)c.argv);
	r = -errno;
	set_inherited(s, whom, false, letter);
	return (refuse(r, ret_error, "%s: %s", path, strerror(-r)));
}

int
handover_exec(struct super *s, char **ret_error)
{
	return (execute(s, LETTER_EXEC, ret_error));
}

int
handover_exec_cold(struct super *s, char **ret_error)
{
	return (execute(s, LETTER_COLD, ret_error));
}

/* ---- the one that comes --------------------------------------------------------------------- */

int
handover_read(struct super *s, int fd)
{
	static struct letter letter;
	int r;

	(void)fcntl(fd, F_SETFL, 0); /* it was written without waiting; the writer is gone */
	r = letter_receive(fd, &letter);
	close(fd);
	if (r < 0)
		return (r);
	s->letter = &letter;
	return (letter_read_options(&letter, s));
}

/* Typed on a terminal, or in an environment variable that was wiped: taken from who had it. */
static int
restore_secrets(struct super *s, const struct conf *old, char **ret_error)
{
	struct conf *c = s->conf;
	int r;

	if (c->access_key_env != NULL && getenv(c->access_key_env) == NULL &&
	    old->access_key != NULL)
		(void)setenv(c->access_key_env, old->access_key, 1);
	/* The same where nobody named the variable; whether it is wanted is found out again. */
	if (old->access_key_env != NULL && old->access_key != NULL &&
	    strcmp(old->access_key_env, "AWS_SECRET_ACCESS_KEY") == 0 &&
	    getenv("AWS_SECRET_ACCESS_KEY") == NULL) {
		(void)setenv("AWS_ACCESS_KEY_ID", old->access_id, 1);
		(void)setenv("AWS_SECRET_ACCESS_KEY", old->access_key, 1);
		if (old->access_token != NULL)
			(void)setenv("AWS_SESSION_TOKEN", old->access_token, 1);
	}
	if ((r = conf_read_secrets(c, ret_error)) < 0)
		return (r);
	if (c->cipher != NULL && c->password == NULL && old->password != NULL)
		c->password = strdup(old->password);
	return (0);
}

/* The same directory, said in another way: /proc/self/mountinfo has the one without links. */
static bool
same_directory(const char *a, const char *b)
{
	AUTO_FREE char *parent_a = NULL;
	char copy[PATH_MAX], real[PATH_MAX + NAME_MAX + 2];
	char *slash;

	(void)snprintf(copy, sizeof(copy), "%s", a);
	if ((slash = strrchr(copy, '/')) == NULL || slash[1] == '\0')
		return (strcmp(a, b) == 0);
	*slash = '\0';
	if ((parent_a = realpath(*copy != '\0' ? copy : "/", NULL)) == NULL)
		return (false);
	(void)snprintf(
	    real, sizeof(real), "%s/%s", strcmp(parent_a, "/") == 0 ? "" : parent_a, slash + 1);
	return (strcmp(real, b) == 0);
}

static bool
is_same(const struct conf *now, const struct conf *old, enum conf_id id)
{
	if (conf_key_same(now, old, id))
		return (true);
	switch (id) {
	case CONF_size:
	case CONF_blockSize:
		return (!conf_is_set(now, id)); /* found out at the start */
	case CONF_mountPoint:
		return (
		    now->mount_point == NULL || same_directory(now->mount_point, old->mount_point));
	case CONF_password:
		return (now->password == NULL);
	case CONF_keyObject:
		return (now->key_object == NULL); /* the bucket has it */
	default:
		return (false);
	}
}

/* Changed ahead of `s3backerctl resize`, which is what this restart is for. */
static bool
is_new_size(const struct super *s, enum conf_id id)
{
	return (id == CONF_size && letter_resize(s->letter) != 0 &&
		s->conf->size == letter_resize(s->letter));
}

/* What was found out won over what the configuration says, and goes on to do so. */
static bool
is_found_place(const struct super *s, enum conf_id id)
{
	return ((id == CONF_region || id == CONF_vhost || id == CONF_no_vhost) &&
		letter_place_found(s->letter));
}

static int
check_changes(const struct super *s, const struct conf *old, char **ret_error)
{
	for (int i = 0; i < CONF_NKEYS; i++) {
		enum conf_id id = (enum conf_id)i;

		if (!conf_key_may_change(id) && !is_same(s->conf, old, id) && !is_new_size(s, id) &&
		    !is_found_place(s, id))
			return (refuse(-EINVAL, ret_error,
			    "%s: %s has changed since the start; that takes a stop and a start",
			    s->opt.config_real, conf_key_name(id)));
	}
	return (0);
}

int
handover_trial(struct super *s)
{
	const struct letter *l = s->letter;
	struct conf *old = NULL;
	char *error = NULL, path[PATH_MAX];
	int r;

	r = l->conf == NULL ? -EPROTO : conf_deserialize(l->conf, l->conf_len, &old, &error);
	if (r == 0)
		r = letter_read_changes(l, s);
	if (r == 0 && (r = check_changes(s, old, &error)) == 0)
		r = restore_secrets(s, old, &error);
	if (r == 0 && (r = spawn_find_all(path, sizeof(path))) < 0)
		r = refuse(r, &error, "%s: %s", path, strerror(-r));
	if (r < 0)
		(void)fprintf(stderr, "s3backerd: %s\n", error != NULL ? error : strerror(-r));
	free(error);
	conf_free(old);
	return (r < 0 ? EXIT_FAILED : letter_fits(l) ? EXIT_DONE : HANDOVER_OTHER_VERSION);
}

static void
take_fds(struct super *s)
{
	const struct letter *l = s->letter;
	struct handed *h = &s->handed;
	char name[32];

	(void)syscall(SYS_close_range, 3, ~0U, CLOSE_RANGE_CLOEXEC);
	h->fuse = letter_fd(l, "fuse");
	s->pid_fd = letter_fd(l, "pid");
	if (letter_is_cold(l))
		return;
	h->cache = letter_fd(l, "cache");
	h->supbell = letter_fd(l, "supbell");
	for (unsigned u = 0; u < IPC_MAX_UPLOADERS; u++) {
		(void)snprintf(name, sizeof(name), "upbell.%u", u);
		h->upbell[u] = letter_fd(l, name);
	}
}

static int
adopt(struct super *s, const struct conf *old, char **ret_error)
{
	int r;

	if ((r = letter_read_changes(s->letter, s)) < 0 ||
	    (r = restore_secrets(s, old, ret_error)) < 0)
		return (r);
	if ((r = control_adopt(letter_fd(s->letter, "control"), &s->control)) < 0 ||
	    (r = letter_read_disk(s->letter, s)) < 0)
		return (r);
	if (letter_is_cold(s->letter))
		return (letter_read_people(s->letter, s));
	if ((r = disk_attach(s, letter_fd(s->letter, "shm"))) < 0 ||
	    (r = letter_read_people(s->letter, s)) < 0)
		return (r);
	set_publish(s); /* the user may have changed some of it meanwhile */
	return (0);
}

int
handover_adopt(struct super *s, char **ret_error)
{
	struct letter *l = s->letter;
	struct conf *old = NULL;
	int r;

	*ret_error = NULL;
	take_fds(s);
	r = l->conf == NULL ? -EPROTO : conf_deserialize(l->conf, l->conf_len, &old, ret_error);
	if (r == 0)
		r = adopt(s, old, ret_error);
	conf_free(old);
	conf_wipe_text(&l->conf, l->conf_len);
	return (r);
}
