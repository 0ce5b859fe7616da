/* SPDX-License-Identifier: ISC */
/*
 * resume.c -- INIT kept, INIT replayed, the unanswered asked for again.
 *
 * A frontend can die at any instruction of this:
 *   before INIT is read            the next one reads it like the first;
 *   read but not kept              it is not answered either, so it comes again with the rest;
 *   kept but not answered          it comes again after it has been replayed; libfuse would refuse a
 *                                  second INIT, so the reply that was swallowed is sent for it;
 *   answered                       the usual case.
 */
#define FUSE_USE_VERSION 314
#include "frontend/resume.h"

#include <errno.h>
#include <fuse_lowlevel.h>
#include <linux/fuse.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "ipc/proc_table.h"
#include "ipc/shm.h"
#include "ipc/state.h"

#include "common/inject.h"
#include "common/log.h"
#include "common/role.h"

#include "frontend/volume.h"
#include "frontend/guard.h"

#define NOTIFY_RESEND 7	   /* FUSE_NOTIFY_RESEND; the headers of Debian 12 are older */
#define INIT_MOST     4096 /* bytes of SHM_FUSE_INIT */

static bool replaying;	     /* before there are threads */
static char kept_reply[256]; /* the INIT reply that was swallowed */
static size_t kept_len;

static void
keep_init(struct volume *v, const void *request, size_t len)
{
	struct ipc_state *st = v->env->state;

	if (len > INIT_MOST || atomic_load(&st->fuse_init_len) != 0)
		return;
	memcpy(shm_area(v->env->shm, SHM_FUSE_INIT), request, len);
	/* Release: who sees the length sees the bytes. */
	atomic_store_explicit(&st->fuse_init_len, len, memory_order_release);
	INJECT("frontend.init.after-keep");
}

bool
resume_saw_request(struct volume *v, const void *request, size_t len)
{
	const struct fuse_in_header *in = request;
	struct fuse_out_header *out = (void *)kept_reply;

	if (len < sizeof(*in))
		return (false);
	/* Nothing here can be interrupted: bytes under way would come too late for it anyway. */
	if (in->opcode == FUSE_INTERRUPT)
		return (true);
	if (in->opcode != FUSE_INIT)
		return (false);
	keep_init(v, request, len);
	if (kept_len == 0)
		return (false);
	out->unique = in->unique;
	if (write(v->env->fd[ROLE_FD_FUSE], kept_reply, kept_len) < 0)
		log_err(-errno, "the kernel did not take the reply to its INIT");
	return (true);
}

bool
resume_saw_reply(struct volume *v, const struct iovec *iov, int n)
{
	(void)v;
	if (!replaying)
		return (false);
	for (int i = 0; i < n && kept_len + iov[i].iov_len <= sizeof(kept_reply); i++) {
		memcpy(kept_reply + kept_len, iov[i].iov_base, iov[i].iov_len);
		kept_len += iov[i].iov_len;
	}
	return (true);
}

static int
replay_init(struct volume *v, size_t len)
{
	char copy[INIT_MOST];
	const struct fuse_out_header *out = (const void *)kept_reply;
	struct fuse_buf fb = {.size = len, .mem = copy};

	if (len > sizeof(copy) || len < sizeof(struct fuse_in_header))
		return (-EPROTO);
	memcpy(copy, shm_area(v->env->shm, SHM_FUSE_INIT), len);
	replaying = true;
	fuse_session_process_buf(v->se, &fb);
	replaying = false;
	return (kept_len >= sizeof(*out) && out->error == 0 ? 0 : -EPROTO);
}

static int
ask_for_unanswered(struct volume *v)
{
	struct fuse_out_header out = {.len = sizeof(out), .error = NOTIFY_RESEND};

	if (write(v->env->fd[ROLE_FD_FUSE], &out, sizeof(out)) == (ssize_t)sizeof(out))
		return (0);
	if (errno == ENODEV)
		return (0); /* unmounted meanwhile: the threads will see */
	return (errno == EINVAL ? -ENOSYS : -errno);
}

int
resume_take_over(struct volume *v)
{
	size_t len = atomic_load_explicit(&v->env->state->fuse_init_len, memory_order_acquire);
	int r;

	if (v->env->epoch <= 1)
		return (0);
	if (len > 0 && (r = replay_init(v, len)) < 0)
		return (r);
	if ((r = ask_for_unanswered(v)) < 0)
		return (r);
	log_info("took over the mount: epoch=%u", v->env->epoch);
	return (0);
}
