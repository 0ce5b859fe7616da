/* SPDX-License-Identifier: ISC */
#include "supervisor/bury.h"

#include <bsd/string.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ipc/bell.h"
#include "ipc/proc_table.h"
#include "ipc/shm.h"

#include "common/blockmath.h"
#include "common/log.h"
#include "common/timeutil.h"

#include "supervisor/command.h"
#include "supervisor/heart.h"
#include "supervisor/helper.h"
#include "supervisor/mirror.h"
#include "supervisor/phase.h"
#include "supervisor/set.h"
#include "supervisor/spawn.h"
#include "supervisor/super.h"
#include "supervisor/usage.h"
#include "supervisor/words.h"

#include "supervisor/guard.h"

#define BACKOFF_FIRST_US (100 * US_PER_MS)
#define BACKOFF_LAST_US	 (10 * US_PER_S)
#define FORGIVE_US	 (3 * US_PER_S) /* each such time lived makes a death before it forgotten */
#define LOOK_US		 (1 * US_PER_S) /* how often heartbeats are looked at */
#define BURIAL_LOOK_US	 (20 * US_PER_MS)
#define KILL_LIMIT_US	 (10 * US_PER_S) /* SIGKILL that does nothing so long is logged */

static const char *
name_of(const struct role *r)
{
	static char buf[32];

	return (proc_name(r->proc, buf, sizeof(buf)));
}

/* ---- birth ---------------------------------------------------------------------------------- */

int
bury_start(struct super *s, struct role *r)
{
	int e = spawn_role(s, r);

	if (e < 0)
		super_fail(
		    s, "cannot start s3backer-%s: %s", spawn_role_program(r->proc), strerror(-e));
	return (e);
}

int
bury_start_all(struct super *s)
{
	return (bury_start(s, &s->role[PROC_CACHEMGR]));
}

bool
bury_all_running(const struct super *s, uint32_t from, uint32_t to)
{
	for (uint32_t p = from; p < to; p++)
		if (s->role[p].state != ROLE_RUNNING)
			return (false);
	return (true);
}

/* Everyone looks at the process table, sees cachemgr's new epoch and asks again what it had asked. */
static void
ring_all(struct super *s)
{
	ipc_bell_ring(shm_bell(&s->shm, PROC_FRONTEND), -1);
	for (uint32_t u = 0; u < s->shm.geo.nuploaders; u++)
		ipc_bell_ring(shm_bell(&s->shm, PROC_UPLOADER0 + u), s->handed.upbell[u]);
}

static void
on_ready(struct super *s, struct role *r, const char *text)
{
	if (r->state != ROLE_STARTING)
		return;
	r->state = ROLE_RUNNING;
	atomic_store(&shm_proc(&s->shm, r->proc)->run, PROC_RUNNING);
	log_info(
	    "%s is ready: pid=%d%s%s", name_of(r), (int)r->pid, *text != '\0' ? " " : "", text);
	if (r->proc == PROC_CACHEMGR) {
		command_resend(s);
		ring_all(s);
	}
	phase_role_ready(s, r->proc);
}

/* ---- what they say -------------------------------------------------------------------------- */

static void
keep_cache_fd(struct super *s, const struct role *r, const int *fds, unsigned nfds)
{
	for (unsigned i = 0; i < nfds; i++) {
		if (i == 0 && r->proc == PROC_CACHEMGR && s->handed.cache < 0)
			s->handed.cache = fds[i];
		else
			close(fds[i]);
	}
}

static void
close_role_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* One packet; false when there is none left or the socket has ended. */
static bool
take_packet(struct super *s, struct role *r)
{
	char buf[2048];
	int fds[4];
	unsigned nfds = 4;
	enum role_packet type = 0;
	ssize_t n;

	n = role_recv(r->sock, &type, buf, sizeof(buf) - 1, fds, &nfds);
	if (n == -EPROTO)
		return (true);
	if (n < 0) {
		close_role_fd(&r->sock);
		return (false);
	}
	buf[n] = '\0';
	keep_cache_fd(s, r, fds, nfds);
	if (type == ROLE_READY)
		on_ready(s, r, buf);
	else if (type == ROLE_FAIL)
		(void)strlcpy(r->fail, buf, sizeof(r->fail));
	return (true);
}

static bool
has_input(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return (fd >= 0 && poll(&p, 1, 0) > 0);
}

static void
on_socket(struct super *s, void *arg, short revents)
{
	struct role *r = arg;

	(void)revents;
	while (has_input(r->sock) && take_packet(s, r))
		;
}

static void
on_stderr(struct super *s, void *arg, short revents)
{
	struct role *r = arg;

	(void)s;
	(void)revents;
	if (words_read(&r->words, r->err_fd, name_of(r)) < 0)
		close_role_fd(&r->err_fd);
}

void
bury_watch(struct super *s, struct watch_set *w)
{
	for (uint32_t p = PROC_FRONTEND; p < s->nprocs; p++) {
		struct role *r = &s->role[p];

		if (r->sock >= 0)
			watch_add(w, r->sock, POLLIN, on_socket, r);
		if (r->err_fd >= 0)
			watch_add(w, r->err_fd, POLLIN, on_stderr, r);
	}
}

/* ---- death ---------------------------------------------------------------------------------- */

static uint64_t
backoff_us(unsigned deaths)
{
	return (min_u64(BACKOFF_LAST_US, BACKOFF_FIRST_US << (deaths < 8 ? deaths : 8)));
}

static void
tell_cachemgr(struct super *s, const struct role *r)
{
	struct ipc_msg m = {
	    .type = IPC_DEAD, .off = r->proc, .arg = r->bury_epoch, .slot = IPC_NO_SLOT};

	if (command_send(s, m, NULL, NULL) < 0)
		log_err(-ENOMEM, "cannot report a death to cachemgr: role=%s", name_of(r));
}

void
bury_confirmed(struct super *s, uint32_t proc, uint32_t epoch)
{
	if (proc < s->nprocs && s->role[proc].bury_epoch == epoch)
		s->role[proc].buried = true;
}

bool
bury_is_done(const struct super *s, uint32_t proc, uint32_t epoch)
{
	return (atomic_load(&shm_proc(&s->shm, proc)->buried_by) >= epoch);
}

static bool
is_buried(const struct super *s, const struct role *r)
{
	/* cachemgr buries others; it has nobody to bury it, its successor reads the tables. */
	return (r->proc == PROC_CACHEMGR || r->buried || bury_is_done(s, r->proc, r->bury_epoch));
}

/* What the dead left unread: a FAIL, the last lines on stderr. */
static void
read_remains(struct super *s, struct role *r)
{
	on_socket(s, r, 0);
	while (r->err_fd >= 0 && has_input(r->err_fd))
		on_stderr(s, r, 0);
	close_role_fd(&r->sock);
	close_role_fd(&r->err_fd);
}

/* The life that ended makes up for some of the deaths before it. */
static void
count_death(struct super *s, struct role *r)
{
	uint64_t now = now_us();

	r->deaths -= (unsigned)min_u64(r->deaths, (now - r->started_us) / FORGIVE_US);
	r->respawn_us = r->restarting ? now : now + backoff_us(r->deaths);
	if (!r->restarting)
		r->deaths++;
	atomic_fetch_add(&shm_proc(&s->shm, r->proc)->restarts, 1);
}

/*
 * Without the cache manager that gave them their slots the uploaders must not go on: the next one
 * forgets all transfers and gives the slots away.  It starts only when none of them is left.
 */
static void
end_uploaders(struct super *s)
{
	for (uint32_t p = PROC_UPLOADER0; p < s->nprocs; p++) {
		struct role *r = &s->role[p];

		if (r->pid == 0)
			continue;
		(void)kill(r->pid, SIGKILL);
		r->restarting = true;
		r->state = ROLE_LEAVING;
		r->ready_by_us = deadline_in_us(KILL_LIMIT_US);
	}
}

bool
bury_no_uploader_left(const struct super *s)
{
	for (uint32_t p = PROC_UPLOADER0; p < s->nprocs; p++)
		if (s->role[p].pid != 0)
			return (false);
	return (true);
}

/* Its row it could write, as all of it; what is ours and cachemgr's there must not be believed. */
static void
heal_row(const struct super *s, const struct role *r, struct proc_slot *p)
{
	if (r->proc < PROC_UPLOADER0)
		return;
	if (r->epoch != 0)
		atomic_store(&p->epoch, r->epoch);
	if (atomic_load(&p->buried_by) >= atomic_load(&p->epoch))
		atomic_store(&p->buried_by, atomic_load(&p->epoch) - 1);
	set_heal_pool(s);
}

static void
role_died(struct super *s, struct role *r, int wait_status)
{
	struct proc_slot *p = shm_proc(&s->shm, r->proc);
	bool leaving = r->state == ROLE_LEAVING || phase_expects_end(s, r);
	bool never = WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == ROLE_EXIT_NEVER;
	char words[600];

	read_remains(s, r);
	words_of_the_dead(s, r, wait_status, leaving, words, sizeof(words));
	if (leaving)
		log_info("%s", words);
	else
		log_event(EVENT_DEATH, LEVEL_WARN, "%s", words);
	r->pid = 0;
	heal_row(s, r, p);
	r->bury_epoch = atomic_load(&p->epoch);
	atomic_store(&p->pid, 0);
	atomic_store(&p->run, PROC_DEAD);
	if (r->proc != PROC_CACHEMGR && s->phase != PHASE_ENDING)
		tell_cachemgr(s, r);
	else if (s->phase != PHASE_ENDING)
		end_uploaders(s);
	if (phase_role_died(s, r, never && !leaving, words)) {
		count_death(s, r);
		r->state = ROLE_WAITING;
	} else {
		r->state = ROLE_GONE;
	}
}

void
bury_strangers(struct super *s)
{
	for (uint32_t i = PROC_FRONTEND; i < s->nprocs; i++) {
		struct proc_slot *p = shm_proc(&s->shm, i);
		struct role *r = &s->role[i];

		r->bury_epoch = atomic_load(&p->epoch);
		r->state = ROLE_WAITING;
		atomic_store(&p->pid, 0);
		atomic_store(&p->run, PROC_DEAD);
		atomic_fetch_add(&p->restarts, 1);
		if (i != PROC_CACHEMGR)
			tell_cachemgr(s, r);
	}
}

void
bury_children(struct super *s)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (helper_died(s, pid, status) || mirror_died(s, pid, status) ||
		    usage_died(s, pid, status))
			continue;
		for (uint32_t p = PROC_FRONTEND; p < s->nprocs; p++)
			if (s->role[p].pid == pid)
				role_died(s, &s->role[p], status);
	}
}

/* ---- time ----------------------------------------------------------------------------------- */

static uint64_t
role_timer(struct super *s, struct role *r, uint64_t now)
{
	switch (r->state) {
	case ROLE_RUNNING:
		heart_look(s, r, now);
		return (now + LOOK_US);
	case ROLE_STARTING:
		heart_look(s, r, now);
		if (now < r->ready_by_us)
			return (min_u64(r->ready_by_us, now + LOOK_US));
		/* fallthrough */
	case ROLE_LEAVING:
		if (now < r->ready_by_us)
			return (r->ready_by_us);
		log_warn("%s takes too long, killing it: pid=%d", name_of(r), (int)r->pid);
		(void)kill(r->pid, SIGKILL);
		r->ready_by_us = now + LOOK_US;
		return (r->ready_by_us);
	case ROLE_WAITING:
		if (now < r->respawn_us)
			return (r->respawn_us);
		if (!is_buried(s, r) || !phase_may_start(s, r->proc))
			return (now + BURIAL_LOOK_US);
		if (spawn_role(s, r) < 0) {
			count_death(s, r);
			return (r->respawn_us);
		}
		return (r->ready_by_us);
	default:
		return (TIME_NEVER);
	}
}

uint64_t
bury_timers(struct super *s, uint64_t now)
{
	uint64_t next = TIME_NEVER;

	for (uint32_t p = PROC_FRONTEND; p < s->nprocs; p++)
		next = min_u64(next, role_timer(s, &s->role[p], now));
	return (next);
}

/* ---- the end -------------------------------------------------------------------------------- */

void
bury_ask_to_leave(struct super *s, struct role *r, uint64_t limit_us)
{
	(void)s;
	if (r->pid == 0) {
		if (r->state == ROLE_WAITING)
			r->state = ROLE_GONE;
		return;
	}
	r->state = ROLE_LEAVING;
	r->ready_by_us = deadline_in_us(limit_us);
	(void)kill(r->pid, SIGTERM);
}

bool
bury_nobody_left(const struct super *s)
{
	for (uint32_t p = PROC_FRONTEND; p < s->nprocs; p++)
		if (s->role[p].pid != 0 || s->role[p].state == ROLE_WAITING)
			return (false);
	return (true);
}

void
bury_kill_all(struct super *s)
{
	for (uint32_t p = PROC_FRONTEND; p < s->nprocs; p++) {
		struct role *r = &s->role[p];

		if (r->pid != 0) {
			(void)kill(r->pid, SIGKILL);
			(void)waitpid(r->pid, NULL, 0);
		}
		r->pid = 0;
		close_role_fd(&r->sock);
		close_role_fd(&r->err_fd);
	}
}
