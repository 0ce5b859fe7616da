/* SPDX-License-Identifier: ISC */
#include "supervisor/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "common/timeutil.h"

#include "supervisor/phase.h"
#include "supervisor/spawn.h"
#include "supervisor/super.h"

#include "supervisor/guard.h"

#define TRIAL_LIMIT_US (30 * US_PER_S)
#define UMOUNT_TRIES   50

int
helper_main_probe(const char *file)
{
	AUTO_FD int fd = open(file, O_RDONLY | O_CLOEXEC);
	struct stat st;

	/*
	 * The frontend has to answer for this.  That the store gives its blocks out, the questions
	 * before the start have shown; to read one here once more is a round trip that the first user
	 * would wait for.
	 */
	if (fd < 0 || fstat(fd, &st) < 0)
		return (errno);
	return (st.st_size > 0 ? 0 : ENODATA); /* an empty one is no disk */
}

/*
 * Whoever looks at what others have open (fuser, lsof, a monitor) holds the mount for a moment each, and
 * so does a program that is just ending, longer on a machine that is busy: a stop is refused for those
 * alone who stay.
 */
int
helper_main_umount(const char *dir)
{
	struct timespec pause = {.tv_nsec = 20 * 1000000L};

	for (int i = 0; umount2(dir, UMOUNT_NOFOLLOW) < 0; i++) {
		if (errno != EBUSY || i == UMOUNT_TRIES)
			return (errno);
		(void)nanosleep(&pause, NULL);
	}
	return (0);
}

static int
start(struct super *s, enum helper_kind kind, const char *option, const char *path, uint64_t limit)
{
	const char *const argv[] = {"s3backerd", option, path, NULL};
	int r;

	if (s->helper.kind != HELPER_NONE)
		return (-EBUSY);
	if ((r = spawn_self(argv, &s->helper.pid)) < 0)
		return (r);
	s->helper.kind = kind;
	s->helper.deadline_us = deadline_in_us(limit);
	return (0);
}

int
helper_start_probe(struct super *s, uint64_t limit_us)
{
	return (start(s, HELPER_PROBE, "--probe-file", s->file, limit_us));
}

/* No limit: what it may wait for is the write-back of the kernel's pages into the cache. */
int
helper_start_umount(struct super *s)
{
	return (start(s, HELPER_UMOUNT, "--umount", phase_mount_point(s), TIME_NEVER));
}

int
helper_start_trial(struct super *s, const char *path, const char *const argv[], int letter)
{
	int p[2], r;

	if (s->helper.kind != HELPER_NONE)
		return (-EBUSY);
	if (pipe2(p, O_CLOEXEC | O_NONBLOCK) < 0)
		return (-errno);
	r = spawn_trial(path, argv, letter, p[1], &s->helper.pid);
	close(p[1]);
	if (r < 0) {
		close(p[0]);
		return (r);
	}
	s->helper.kind = HELPER_TRIAL;
	s->helper.out_fd = p[0];
	s->helper.deadline_us = deadline_in_us(TRIAL_LIMIT_US);
	return (0);
}

/* Its one line, without the name in front. */
static void
trial_ended(struct super *s, int wait_status)
{
	static const char name[] = "s3backerd: ";
	char text[1024];
	ssize_t n = read(s->helper.out_fd, text, sizeof(text) - 1);
	bool named;

	close(s->helper.out_fd);
	text[n > 0 ? n : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	named = strncmp(text, name, strlen(name)) == 0;
	if (text[0] == '\0' && WIFEXITED(wait_status))
		(void)snprintf(text, sizeof(text), "the program says nothing and ends with %d",
		    WEXITSTATUS(wait_status));
	if (WIFSIGNALED(wait_status))
		(void)snprintf(text, sizeof(text), "the program does not run: signal %s",
		    sigabbrev_np(WTERMSIG(wait_status)));
	phase_trial_ended(s, WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : -1,
	    text + (named ? strlen(name) : 0));
}

void
helper_kill(struct super *s)
{
	if (s->helper.kind == HELPER_NONE)
		return;
	(void)kill(s->helper.pid, SIGKILL);
	s->helper.deadline_us = TIME_NEVER;
}

bool
helper_died(struct super *s, pid_t pid, int wait_status)
{
	enum helper_kind kind = s->helper.kind;
	int err = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : ETIMEDOUT;

	if (kind == HELPER_NONE || pid != s->helper.pid)
		return (false);
	s->helper.kind = HELPER_NONE;
	if (kind == HELPER_TRIAL)
		trial_ended(s, wait_status);
	else if (kind == HELPER_PROBE)
		phase_probed(s, -err);
	else
		phase_unmounted(s, -err);
	return (true);
}

uint64_t
helper_timers(struct super *s, uint64_t now)
{
	if (s->helper.kind == HELPER_NONE)
		return (TIME_NEVER);
	if (now >= s->helper.deadline_us)
		helper_kill(s);
	return (s->helper.deadline_us);
}
