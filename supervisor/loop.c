/* SPDX-License-Identifier: ISC */
/*
 * loop.c -- the one loop, its one sleep, and the struct it works on.
 */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "ipc/bell.h"
#include "ipc/proc_table.h"
#include "ipc/shm.h"

#include "common/blockmath.h"
#include "common/conf.h"
#include "common/log.h"
#include "common/timeutil.h"

#include "supervisor/bury.h"
#include "supervisor/command.h"
#include "supervisor/control.h"
#include "supervisor/helper.h"
#include "supervisor/mirror.h"
#include "supervisor/notify.h"
#include "supervisor/phase.h"
#include "supervisor/scrape.h"
#include "supervisor/set.h"
#include "supervisor/super.h"
#include "supervisor/usage.h"
#include "supervisor/vault.h"

#include "supervisor/guard.h"

void
super_fail(struct super *s, const char *fmt, ...)
{
	bool first = s->fail == NULL;
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	text[strcspn(text, "\n")] = '\0';
	if (first && (s->fail = strdup(text)) == NULL)
		return;
	if (s->role == NULL) /* before the loop: the caller gives up by itself */
		return;
	if (s->was_running)
		log_event(EVENT_FAILED, LEVEL_ERR, "stopping the disk: %s", text);
	if (first)
		phase_failed(s);
}

void
watch_add(struct watch_set *w, int fd, short events,
    void (*ready)(struct super *, void *arg, short revents), void *arg)
{
	if (w->n == WATCH_MAX)
		return;
	w->fd[w->n] = (struct pollfd){.fd = fd, .events = events};
	w->watch[w->n++] = (struct watch){.ready = ready, .arg = arg};
}

/* ---- our own descriptors -------------------------------------------------------------------- */

static void
on_signal(struct super *s, void *arg, short revents)
{
	struct signalfd_siginfo si;

	(void)arg;
	(void)revents;
	while (read(s->sig_fd, &si, sizeof(si)) == sizeof(si)) {
		if (si.ssi_signo == SIGCHLD || si.ssi_signo == SIGHUP)
			continue;
		log_info("signal %s: stopping", sigabbrev_np((int)si.ssi_signo));
		/* A second ^C does not wait for the network, if what is left can be kept. */
		(void)phase_stop(s, si.ssi_signo == SIGINT && s->phase == PHASE_DRAINING &&
					s->conf->cache_file != NULL);
	}
	bury_children(s);
}

static void
on_bell(struct super *s, void *arg, short revents)
{
	(void)s;
	(void)arg;
	(void)revents; /* cleared and looked at in every turn */
}

static void
on_mountinfo(struct super *s, void *arg, short revents)
{
	(void)arg;
	(void)revents;
	phase_mounts_changed(s);
}

/* Whoever typed `start` has gone away, by ^C for instance: then it is not wanted any more. */
static void
on_parent(struct super *s, void *arg, short revents)
{
	(void)arg;
	(void)revents;
	close(s->parent_fd);
	s->parent_fd = -1;
	super_fail(s, "interrupted before it was ready");
}

static void
watch_own(struct super *s, struct watch_set *w)
{
	watch_add(w, s->sig_fd, POLLIN, on_signal, NULL);
	watch_add(w, s->handed.supbell, POLLIN, on_bell, NULL);
	watch_add(w, s->mountinfo_fd, POLLPRI, on_mountinfo, NULL);
	if (s->parent_fd >= 0)
		watch_add(w, s->parent_fd, 0, on_parent, NULL);
}

/* ---- the loop ------------------------------------------------------------------------------- */

static void
sleep_and_dispatch(struct super *s, struct watch_set *w, uint64_t deadline)
{
	struct ipc_bell *bell = shm_bell(&s->shm, PROC_SUPERVISOR);
	int timeout = ipc_bell_may_sleep(bell, deadline) ? deadline_left_ms(deadline) : 0;
	int n = poll(w->fd, w->n, timeout);

	ipc_bell_clear(bell, s->handed.supbell);
	if (n <= 0)
		return;
	/* One report may close what another is about: such a one finds nothing and does nothing. */
	for (unsigned i = 0; i < w->n; i++)
		if (w->fd[i].revents != 0)
			w->watch[i].ready(s, w->watch[i].arg, w->fd[i].revents);
}

/* Of a disk that goes on from another s3backerd; at a start it is open already, or there was none. */
static void
open_metrics(struct super *s)
{
	char *error = NULL;

	if (scrape_open(s, &error) < 0)
		log_warn("%s", error != NULL ? error : "metricsListen: out of memory");
	free(error);
}

int
super_run(struct super *s)
{
	static struct watch_set w;
	struct proc_slot *me = shm_proc(&s->shm, PROC_SUPERVISOR);

	if (s->phase == PHASE_ROLES && bury_start_all(s) < 0 && s->phase < PHASE_ENDING)
		s->phase = PHASE_ENDING;
	open_metrics(s);
	bury_children(s); /* who died while one of us followed the other */
	while (s->phase != PHASE_OVER) {
		uint64_t now = now_us(), deadline;

		atomic_store(&me->beat_us, now);
		command_replies(s);
		deadline = bury_timers(s, now);
		deadline = min_u64(deadline, phase_timers(s, now));
		deadline = min_u64(deadline, helper_timers(s, now));
		deadline = min_u64(deadline, scrub_timers(s, now));
		deadline = min_u64(deadline, mirror_timers(s, now));
		deadline = min_u64(deadline, scrape_timers(s, now));
		deadline = min_u64(deadline, usage_timers(s, now));
		deadline = min_u64(deadline, control_timers(s, now));
		deadline = min_u64(deadline, notify_timers(s, now));
		if (s->phase == PHASE_OVER)
			break;
		w.n = 0;
		watch_own(s, &w);
		bury_watch(s, &w);
		control_watch(s, &w);
		scrape_watch(s, &w);
		sleep_and_dispatch(s, &w, deadline);
	}
	return (s->fail != NULL ? -EIO : 0);
}

static void
close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void
super_close(struct super *s)
{
	mirror_close(s);
	control_close(&s->control);
	scrape_close(s);
	usage_close(s);
	vault_close(&s->vault);
	shm_detach(&s->shm);
	close_fd(&s->handed.cache);
	close_fd(&s->handed.fuse);
	close_fd(&s->handed.supbell);
	for (unsigned u = 0; u < IPC_MAX_UPLOADERS; u++)
		close_fd(&s->handed.upbell[u]);
	close_fd(&s->sig_fd);
	close_fd(&s->mountinfo_fd);
	close_fd(&s->parent_fd);
	set_forget(s);
	scrub_free(s);
	free(s->role);
	free(s->file);
	free(s->fail);
	free(s->opt.config_real);
	free(s->opt.overrides);
	conf_free(s->conf);
}
