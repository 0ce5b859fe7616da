/* SPDX-License-Identifier: ISC */
/*
 * stubuploader.c -- an uploader whose store is a script: for tests of s3backerd.
 *
 * Installed as s3backer-uploader beside a copy of s3backerd.  $S3B_STUB names a directory:
 *
 *	answer.COMMAND	first line is the answer to a TEXT command ("ok ...", "held ...", "error ...")
 *	asked		every TEXT command is appended here
 *	silent.COMMAND	exists: no answer at all
 *	fail		exists: FAIL with its first line instead of READY
 *	exit		exists: exit with the code in it instead of READY
 *	hold		while it exists, uploads are not answered
 *
 * With a segment it is a store that is empty and forgets: GET finds nothing, PUT succeeds.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ipc/bell.h"
#include "ipc/msg.h"
#include "ipc/proc_table.h"
#include "ipc/ring.h"
#include "ipc/shm.h"

#include "common/role.h"
#include "common/timeutil.h"

static const char *dir;

static FILE *
open_in_dir(const char *a, const char *b, const char *mode)
{
	char path[512];

	(void)snprintf(path, sizeof(path), "%s/%s%s", dir, a, b);
	return (fopen(path, mode));
}

static int
first_line(const char *a, const char *b, char *buf, size_t len)
{
	FILE *f = open_in_dir(a, b, "re");

	buf[0] = '\0';
	if (f == NULL)
		return (0);
	if (fgets(buf, (int)len, f) != NULL)
		buf[strcspn(buf, "\n")] = '\0';
	(void)fclose(f);
	return (1);
}

/* ---- store tool ----------------------------------------------------------------------------- */

static void
answer(int sock, char *text)
{
	char word[64], reply[1024];
	FILE *f = open_in_dir("asked", "", "ae");

	if (f != NULL) {
		(void)fprintf(f, "%s\n", text);
		(void)fclose(f);
	}
	(void)snprintf(word, sizeof(word), "%.*s", (int)strcspn(text, " "), text);
	if (first_line("silent.", word, reply, sizeof(reply)))
		return;
	if (!first_line("answer.", word, reply, sizeof(reply)))
		(void)snprintf(reply, sizeof(reply), "%s",
		    strcmp(word, "detect") == 0	      ? "ok found=0 empty=1"
		    : strcmp(word, "token-get") == 0  ? "ok present=0"
		    : strcmp(word, "token-drop") == 0 ? "ok dropped=1"
						      : "ok fence=strong etag=1");
	(void)role_send(sock, ROLE_TEXT, reply, strlen(reply) + 1, NULL, 0);
}

static int
be_store_tool(struct role_env *env)
{
	static char text[ROLE_PACKET_MAX];
	enum role_packet type = 0;
	ssize_t n;

	while ((n = role_recv(env->ctl_fd, &type, text, sizeof(text) - 1, NULL, NULL)) >= 0) {
		text[n] = '\0';
		if (type == ROLE_TEXT)
			answer(env->ctl_fd, text);
	}
	return (ROLE_EXIT_DONE);
}

/* ---- uploader ------------------------------------------------------------------------------- */

static int
is_held(void)
{
	char buf[8];

	return (first_line("hold", "", buf, sizeof(buf)));
}

static void
serve(struct role_env *env, struct ipc_ring_end *in, struct ipc_ring_end *out)
{
	struct ipc_msg m;
	int n = 0;

	while (!is_held() && ipc_ring_pop(in, &m) == 0) {
		struct ipc_msg done = {.type = IPC_DONE,
		    .req_id = m.req_id,
		    .block = m.block,
		    .slot = m.slot,
		    .slot_gen = m.slot_gen};

		if ((m.flags & IPC_F_MORE) != 0 || m.type == IPC_CANCEL)
			continue;
		if (m.type == IPC_GET)
			done.flags = IPC_F_ZERO;
		(void)ipc_ring_push_wait(out, &done);
		n++;
	}
	if (n > 0)
		ipc_bell_ring(shm_bell(env->shm, PROC_CACHEMGR), -1);
}

static int
be_uploader(struct role_env *env)
{
	uint32_t u = env->proc - PROC_UPLOADER0;
	struct ipc_ring_end in, out;
	struct pollfd p = {.fd = env->fd[ROLE_FD_UPBELL0 + u], .events = POLLIN};

	if (ipc_ring_attach(shm_ring(env->shm, SHM_RINGS_CM_UP, u), env->shm->geo.ring_msgs, &in) <
		0 ||
	    ipc_ring_attach(shm_ring(env->shm, SHM_RINGS_UP_CM, u), env->shm->geo.ring_msgs, &out) <
		0)
		role_fail(env, "stub: rings");
	(void)role_ready(env, "stub");
	while (!role_stop_requested && !role_orphaned(env)) {
		ipc_bell_clear(env->bell, p.fd);
		atomic_store(&env->me->beat_us, now_us());
		serve(env, &in, &out);
		if (ipc_bell_may_sleep(env->bell, now_us() + 20000))
			(void)poll(&p, 1, 20);
	}
	return (ROLE_EXIT_DONE);
}

int
main(void)
{
	struct role_env env;
	char text[256];

	dir = getenv("S3B_STUB");
	role_start(&env);
	if (dir == NULL)
		role_fail(&env, "stub: S3B_STUB is not set");
	if (env.shm == NULL)
		return (be_store_tool(&env));
	if (first_line("fail", "", text, sizeof(text)))
		role_fail(&env, "%s", text);
	if (first_line("exit", "", text, sizeof(text)))
		exit(atoi(text));
	return (be_uploader(&env));
}
