/* SPDX-License-Identifier: ISC */
#include "supervisor/mirror.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ipc/shm.h"
#include "ipc/stats.h"

#include "common/conf.h"
#include "common/durable.h"
#include "common/log.h"
#include "common/timeutil.h"

#include "supervisor/super.h"

#include "supervisor/guard.h"

#define GONE 255 /* exit code of the child: no errno has this number */

struct mirror {
	pid_t pid; /* 0: nobody is writing */
	uint64_t next_us;
	bool made; /* it was there when we last looked */
	int said;  /* the errno that was logged */
	uint64_t zero[CTR_COUNT];
};

/* In the child. */
static int
write_copy(const char *path, const char *text, size_t len, bool must_exist)
{
	char tmp[PATH_MAX];
	int fd, r;

	if (must_exist && access(path, F_OK) < 0 && errno == ENOENT)
		return (GONE);
	if (snprintf(tmp, sizeof(tmp), "%s.new", path) >= (int)sizeof(tmp))
		return (ENAMETOOLONG);
	fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return (errno);
	/* No sync: after a power cut the next start writes another one. */
	r = write_full(fd, text, len);
	close(fd);
	if (r == 0 && rename(tmp, path) < 0)
		r = -errno;
	if (r < 0)
		(void)unlink(tmp);
	return (-r);
}

static void
begin(struct super *s, struct mirror *m)
{
	size_t len = 0;
	char *text = stats_text(&s->shm, m->zero, &len);

	if (text == NULL)
		return;
	m->pid = fork();
	if (m->pid == 0) {
		/* Should it hang, it must hold nothing that the next start needs. */
		(void)syscall(SYS_close_range, STDERR_FILENO + 1, ~0U, 0);
		_exit(write_copy(s->conf->stats_file_mirror, text, len, m->made));
	}
	if (m->pid < 0)
		m->pid = 0;
	free(text);
}

uint64_t
mirror_timers(struct super *s, uint64_t now)
{
	struct mirror *m = s->mirror;

	if (s->conf->stats_file_mirror == NULL || s->phase != PHASE_RUNNING)
		return (TIME_NEVER);
	if (m == NULL && (m = s->mirror = calloc(1, sizeof(*m))) == NULL)
		return (TIME_NEVER);
	if (m->pid != 0)
		return (TIME_NEVER); /* its death wakes us */
	if (now >= m->next_us) {
		m->next_us = now + s->conf->stats_mirror_interval_us;
		begin(s, m);
	}
	return (m->next_us);
}

bool
mirror_died(struct super *s, pid_t pid, int wait_status)
{
	int err = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : EINTR;
	struct mirror *m = s->mirror;

	if (m == NULL || pid != m->pid)
		return (false);
	m->pid = 0;
	m->made = err == 0;
	if (err == GONE) {
		stats_now(&s->shm, m->zero);
		m->next_us = 0;
	} else if (err != 0 && err != m->said) {
		log_warn("statsFileMirror: %s: %s", s->conf->stats_file_mirror, strerror(err));
	}
	if (err != GONE)
		m->said = err;
	return (true);
}

void
mirror_close(struct super *s)
{
	if (s->mirror != NULL && s->mirror->pid > 0)
		(void)kill(s->mirror->pid, SIGKILL);
	free(s->mirror);
	s->mirror = NULL;
}
