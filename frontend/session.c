/* SPDX-License-Identifier: ISC */
/*
 * session.c -- libfuse on a descriptor that was mounted by somebody else.
 *
 * The descriptor is one and is never cloned: the kernel aborts the requests that went out through a
 * clone when that is closed, and then nothing could be sent again after a death.
 *
 * The threads read into their own buffers rather than through fuse_session_receive_buf(), so that a
 * large write that has to wait can keep the buffer.  splice(2) is not used: for small requests it
 * costs more than it saves, and a large write has to be copied into the cache all the same.
 */
#define FUSE_USE_VERSION 314
#include "frontend/session.h"

#include <errno.h>
#include <fuse_lowlevel.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ipc/bell.h"
#include "ipc/shm.h"
#include "ipc/state.h"

#include "common/blockmath.h"
#include "common/log.h"
#include "common/timeutil.h"
#include "common/role.h"

#include "frontend/fuse_ops.h"
#include "frontend/hit.h"
#include "frontend/iobuf.h"
#include "frontend/reply.h"
#include "frontend/resume.h"
#include "frontend/volume.h"
#include "frontend/guard.h"

#define THREADS_LEAST 4
#define THREADS_MOST  16

struct worker {
	pthread_t thread;
	struct lane lane;
	struct ipc_serving *serving;
	_Atomic bool left;
};

struct session {
	struct volume *v;
	unsigned nworkers, started;
	struct worker worker[];
};

/* ---- I/O of libfuse -------------------------------------------------------------------- */
static ssize_t
io_writev(int fd, struct iovec *iov, int n, void *userdata)
{
	size_t all = 0;

	if (!resume_saw_reply(userdata, iov, n))
		return (writev(fd, iov, n));
	for (int i = 0; i < n; i++)
		all += iov[i].iov_len;
	return ((ssize_t)all);
}

static ssize_t
io_read(int fd, void *buf, size_t len, void *userdata)
{
	(void)userdata;
	return (read(fd, buf, len));
}

__attribute__((format(printf, 2, 0))) static void
log_of_libfuse(enum fuse_log_level level, const char *fmt, va_list ap)
{
	char text[512];

	(void)vsnprintf(text, sizeof(text), fmt, ap);
	text[strcspn(text, "\n")] = '\0';
	if (level <= FUSE_LOG_ERR)
		log_err(0, "libfuse: %s", text);
	else
		log_debug("libfuse: %s", text);
}

/* ---- the threads ----------------------------------------------------------------------- */
static void
mount_ended(struct volume *v)
{
	atomic_store(&v->ended, 1);
	ipc_bell_ring(v->env->bell, -1);
}

/* One request.  False: this thread is to leave. */
static bool
serve_one(struct worker *w)
{
	struct volume *v = w->lane.v;
	struct fuse_buf fb = {0};
	ssize_t n;

	n = read(v->env->fd[ROLE_FD_FUSE], w->lane.buf->mem, IOBUF_SIZE);
	if (n < 0) {
		/* ENOENT: whoever asked has been killed meanwhile. */
		if (errno == EINTR || errno == EAGAIN || errno == ENOENT)
			return (true);
		if (errno != ENODEV)
			log_err(-errno, "cannot read from /dev/fuse");
		mount_ended(v);
		return (false);
	}
	atomic_store_explicit(&w->serving->request, 1, memory_order_relaxed);
	if (resume_saw_request(v, w->lane.buf->mem, (size_t)n))
		return (true);
	reply_began_us = now_us();
	fb.size = (size_t)n;
	fb.mem = w->lane.buf->mem;
	fuse_session_process_buf(v->se, &fb);
	if (fuse_session_exited(v->se)) {
		mount_ended(v);
		return (false);
	}
	return (true);
}

static void *
worker_main(void *arg)
{
	struct worker *w = arg;
	struct volume *v = w->lane.v;
	bool again;

	fuse_ops_lane = &w->lane;
	while (atomic_load(&v->quit) == 0) {
		if (w->lane.buf == NULL && (w->lane.buf = iobuf_get()) == NULL) {
			(void)usleep(10000);
			continue;
		}
		again = serve_one(w);
		atomic_store_explicit(&w->serving->request, 0, memory_order_relaxed);
		if (!again)
			break;
	}
	iobuf_put(w->lane.buf);
	w->lane.buf = NULL;
	atomic_store(&w->left, true);
	return (NULL);
}

static void
on_wake(int sig)
{
	(void)sig; /* only to interrupt read(2) */
}

/* ---- the session ----------------------------------------------------------------------- */
int
session_open(struct volume *v, struct session **ret_session)
{
	static const struct fuse_custom_io io = {.writev = io_writev, .read = io_read};
	char *argv[] = {(char *)(uintptr_t) "s3backer-frontend", NULL};
	struct fuse_args args = FUSE_ARGS_INIT(1, argv);
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned n =
	    (unsigned)clamp_u64(cores > 0 ? 2 * (uint64_t)cores : 0, THREADS_LEAST, THREADS_MOST);
	struct sigaction sa = {.sa_handler = on_wake};
	struct session *s = calloc(1, sizeof(*s) + n * sizeof(s->worker[0]));
	int r;

	_Static_assert(THREADS_MOST + 1 <= IPC_HAZ_LINES, "a hazard line for each thread");
	if (s == NULL)
		return (-ENOMEM);
	s->v = v;
	s->nworkers = n;
	sigemptyset(&sa.sa_mask);
	(void)sigaction(SIGUSR1, &sa, NULL); /* without SA_RESTART */
	fuse_set_log_func(log_of_libfuse);
	v->se = fuse_session_new(&args, &fuse_ops, sizeof(fuse_ops), v);
	fuse_opt_free_args(&args);
	if (v->se == NULL) {
		free(s);
		return (-ENOMEM);
	}
	if ((r = fuse_session_custom_io(v->se, &io, v->env->fd[ROLE_FD_FUSE])) < 0) {
		fuse_session_destroy(v->se);
		free(s);
		return (r);
	}
	*ret_session = s;
	return (0);
}

int
session_start(struct session *s)
{
	struct ipc_serving *serving = shm_area(s->v->env->shm, SHM_SERVING);
	sigset_t all, old;
	int error = 0;

	for (unsigned i = 0; i < IPC_HAZ_LINES; i++) /* of a dead one */
		atomic_store(&serving[i].request, 0);
	/* Signals of the role are the main thread's; only SIGUSR1 gets through to these. */
	sigfillset(&all);
	sigdelset(&all, SIGUSR1);
	(void)pthread_sigmask(SIG_BLOCK, &all, &old);
	for (; s->started < s->nworkers && error == 0; s->started += error == 0) {
		struct worker *w = &s->worker[s->started];

		lane_init(&w->lane, s->v, s->started + 1);
		w->serving = &serving[s->started + 1];
		error = pthread_create(&w->thread, NULL, worker_main, w);
	}
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	return (-error);
}

void
session_stop(struct session *s)
{
	atomic_store(&s->v->quit, 1);
	for (unsigned i = 0; i < s->started; i++) {
		struct worker *w = &s->worker[i];

		/* Again and again: the signal may come just before read(2) is entered. */
		while (!atomic_load(&w->left)) {
			const struct timespec ts = {.tv_nsec = 1000000};

			(void)pthread_kill(w->thread, SIGUSR1);
			(void)nanosleep(&ts, NULL);
		}
		(void)pthread_join(w->thread, NULL);
	}
	s->started = 0;
}

void
session_close(struct session **sp)
{
	struct session *s = *sp;

	if (s == NULL)
		return;
	fuse_session_destroy(s->v->se);
	s->v->se = NULL;
	free(s);
	*sp = NULL;
}
