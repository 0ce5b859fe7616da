/* SPDX-License-Identifier: ISC */
/*
 * control.c -- the control socket: one command per line, one answer per line ("ok ..." or "error ...").
 *
 *	arm sync|op N [cut SEED MODE]	hold (or cut) before the Nth from now
 *	hold | release			by hand
 *	wait MS				until it is held or cut: "ok held", "ok cut", "ok no"
 *	cut SEED MODE			power loss now; then everything fails until
 *	revive				the disk is back, with what it holds
 *	save SEED MODE DIR		the files a cut would leave, as plain files
 *	fault none|enospc|readonly	fault eio read|write|fsync PERCENT [SEED]
 *	lie on|off			syncs do nothing, and say they did
 *	mark | stats			counters, since the start and since the mark
 *
 * MODE: forget keep sectors ops prefix suffix auto.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "tests/forgetfs/forgetfs.h"

#define WORDS 8

struct command {
	const char *word;
	unsigned nargs;			   /* at least */
	int (*run)(char **arg, FILE *out); /* with the lock; 0 or -errno */
};

static int
seed_and_mode(char **arg, uint64_t *ret_seed, enum ff_mode *ret_mode)
{
	if (arg[0] == NULL || arg[1] == NULL || !image_mode_of(arg[1], ret_mode))
		return (-EINVAL);
	*ret_seed = strtoull(arg[0], NULL, 0);
	return (0);
}

static int
cmd_arm(char **arg, FILE *out)
{
	struct ff_trigger t = {.armed = true, .left = strtoull(arg[2], NULL, 0)};

	(void)out;
	t.syncs = strcmp(arg[1], "sync") == 0;
	if ((!t.syncs && strcmp(arg[1], "op") != 0) || t.left == 0)
		return (-EINVAL);
	if (arg[3] != NULL) {
		t.cut = strcmp(arg[3], "cut") == 0;
		if (!t.cut || seed_and_mode(&arg[4], &t.seed, &t.mode) < 0)
			return (-EINVAL);
	}
	ff.trigger = t;
	return (0);
}

static int
cmd_hold(char **arg, FILE *out)
{
	(void)out;
	ff.trigger.armed = false;
	ff.held = strcmp(arg[0], "hold") == 0;
	(void)pthread_cond_broadcast(&ff.changed);
	return (0);
}

static int
cmd_wait(char **arg, FILE *out)
{
	uint64_t ms = strtoull(arg[1], NULL, 0);
	struct timespec end;

	(void)clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += (time_t)(ms / 1000);
	end.tv_nsec += (long)(ms % 1000 * 1000000);
	if (end.tv_nsec >= 1000000000) {
		end.tv_nsec -= 1000000000;
		end.tv_sec++;
	}
	while (!ff.held && !ff.dead)
		if (pthread_cond_timedwait(&ff.changed, &ff.lock, &end) != 0)
			break;
	(void)fprintf(out, "ok %s\n", ff.dead ? "cut" : ff.held ? "held" : "no");
	return (0);
}

static int
cmd_cut(char **arg, FILE *out)
{
	enum ff_mode mode;
	uint64_t seed;
	int error = seed_and_mode(&arg[1], &seed, &mode);

	(void)out;
	if (error == 0)
		ff_cut(seed, mode);
	return (error);
}

static int
cmd_revive(char **arg, FILE *out)
{
	(void)arg;
	(void)out;
	/* Dead still: what the kernel has not written back by now must not be written back. */
	(void)pthread_mutex_unlock(&ff.lock);
	ff_drop_kernel_caches();
	(void)pthread_mutex_lock(&ff.lock);
	ff.dead = ff.held = false;
	return (0);
}

static int
cmd_save(char **arg, FILE *out)
{
	enum ff_mode mode;
	uint64_t seed;
	int error = seed_and_mode(&arg[1], &seed, &mode), dirfd;

	(void)out;
	if (error < 0)
		return (error);
	dirfd = open(arg[3], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0)
		return (-errno);
	error = image_save(&ff.image, seed, mode, dirfd);
	(void)close(dirfd);
	return (error);
}

static int
cmd_fault(char **arg, FILE *out)
{
	static const char *const kind[FF_KINDS] = {"read", "write", "meta", "fsync"};
	struct ff_faults *f = &ff.faults;

	(void)out;
	if (strcmp(arg[1], "none") == 0) {
		bool lie = f->lie;

		*f = (struct ff_faults){.lie = lie};
		return (0);
	}
	if (strcmp(arg[1], "enospc") == 0 || strcmp(arg[1], "readonly") == 0) {
		f->enospc |= arg[1][0] == 'e';
		f->readonly |= arg[1][0] == 'r';
		return (0);
	}
	if (strcmp(arg[1], "eio") != 0 || arg[2] == NULL || arg[3] == NULL)
		return (-EINVAL);
	for (unsigned i = 0; i < FF_KINDS; i++)
		if (strcmp(arg[2], kind[i]) == 0) {
			f->percent[i] = (unsigned)strtoul(arg[3], NULL, 0);
			f->rng = arg[4] != NULL ? strtoull(arg[4], NULL, 0) : f->rng;
			return (0);
		}
	return (-EINVAL);
}

static int
cmd_lie(char **arg, FILE *out)
{
	(void)out;
	ff.faults.lie = strcmp(arg[1], "on") == 0;
	return (0);
}

static int
cmd_mark(char **arg, FILE *out)
{
	(void)arg;
	(void)out;
	memcpy(ff.mark, ff.count, sizeof(ff.mark));
	return (0);
}

static int
cmd_stats(char **arg, FILE *out)
{
	static const char *const kind[FF_KINDS] = {"reads", "writes", "metas", "syncs"};

	(void)arg;
	(void)fprintf(out, "ok state=%s unsynced_sectors=%zu failed=%" PRIu64,
	    ff.dead   ? "dead"
	    : ff.held ? "held"
		      : "running",
	    ff.image.nunsynced, ff.failed);
	for (unsigned i = 0; i < FF_KINDS; i++)
		(void)fprintf(out, " %s=%" PRIu64 " %s_since_mark=%" PRIu64, kind[i], ff.count[i],
		    kind[i], ff.count[i] - ff.mark[i]);
	(void)fprintf(out, "\n");
	return (0);
}

static const struct command commands[] = {
    {"arm", 2, cmd_arm},
    {"hold", 0, cmd_hold},
    {"release", 0, cmd_hold},
    {"wait", 1, cmd_wait},
    {"cut", 2, cmd_cut},
    {"revive", 0, cmd_revive},
    {"save", 3, cmd_save},
    {"fault", 1, cmd_fault},
    {"lie", 1, cmd_lie},
    {"mark", 0, cmd_mark},
    {"stats", 0, cmd_stats},
};

static void
run_line(char *line, FILE *out)
{
	char *arg[WORDS + 1] = {NULL}, *word;
	unsigned n = 0;
	int error = -EINVAL;

	while (n < WORDS && (word = strsep(&line, " \t\r\n")) != NULL)
		if (*word != '\0')
			arg[n++] = word;
	if (n == 0)
		return;
	for (unsigned i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		const struct command *c = &commands[i];

		if (strcmp(arg[0], c->word) != 0 || n - 1 < c->nargs)
			continue;
		(void)pthread_mutex_lock(&ff.lock);
		error = c->run(arg, out);
		(void)pthread_mutex_unlock(&ff.lock);
		if (error == 0 && c->run != cmd_wait && c->run != cmd_stats)
			(void)fprintf(out, "ok\n");
		break;
	}
	if (error < 0)
		(void)fprintf(out, "error %s: %s\n", arg[0], strerror(-error));
	(void)fflush(out);
}

static void *
serve(void *arg)
{
	int fd = (int)(intptr_t)arg;
	FILE *in = fdopen(fd, "r"), *out = fdopen(dup(fd), "w");
	char line[4096];

	while (in != NULL && out != NULL && fgets(line, sizeof(line), in) != NULL)
		run_line(line, out);
	if (in != NULL)
		(void)fclose(in);
	if (out != NULL)
		(void)fclose(out);
	return (NULL);
}

static void *
accept_loop(void *arg)
{
	int listener = (int)(intptr_t)arg, fd;

	while ((fd = accept(listener, NULL, NULL)) >= 0) {
		pthread_t t;

		if (pthread_create(&t, NULL, serve, (void *)(intptr_t)fd) == 0)
			(void)pthread_detach(t);
		else
			(void)close(fd);
	}
	return (NULL);
}

int
control_start(const char *socket_path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	pthread_t t;

	if (fd < 0)
		return (-errno);
	if (strlen(socket_path) >= sizeof(a.sun_path))
		return (-ENAMETOOLONG);
	strcpy(a.sun_path, socket_path);
	(void)unlink(socket_path);
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 8) < 0)
		return (-errno);
	return (-pthread_create(&t, NULL, accept_loop, (void *)(intptr_t)fd));
}
