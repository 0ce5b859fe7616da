/* SPDX-License-Identifier: ISC */
#include "supervisor/carrier.h"

#include <bsd/string.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ipc/bell.h"
#include "ipc/proc_table.h"
#include "ipc/state.h"

#include "common/blockmath.h"
#include "common/conf.h"
#include "common/role.h"
#include "common/timeutil.h"

#include "supervisor/refuse.h"
#include "supervisor/spawn.h"
#include "supervisor/super.h"
#include "supervisor/token.h"
#include "supervisor/vault.h"

#include "supervisor/guard.h"

#define LOOK_US	       (200 * US_PER_MS) /* is everybody still there? */
#define END_LIMIT_US   (15 * US_PER_S)	 /* what is on its way may take that long */
#define LEASE_RETRY_US (2 * US_PER_S)
#define LEASE_ID       UINT64_MAX

/* ---- starting ------------------------------------------------------------------------------- */

static int
send_hello(struct carrier *c, unsigned u, const struct vault *vault)
{
	struct role_hello h = {.magic = IPC_MAGIC,
	    .version = IPC_VERSION,
	    .proc = PROC_UPLOADER0 + u,
	    .epoch = 1,
	    .nfds = 3,
	    .fd_kind = {ROLE_FD_SHM, ROLE_FD_CACHE, (uint8_t)(ROLE_FD_UPBELL0 + u)}};
	int fds[3] = {c->shm.fd, c->buf_fd, c->up[u].bell}, r;
	size_t len;
	const char *text = vault_text(vault, &len);
	char *packet = malloc(sizeof(h) + len);

	if (packet == NULL)
		return (-ENOMEM);
	memcpy(packet, &h, sizeof(h));
	memcpy(packet + sizeof(h), text, len);
	r = role_send(c->up[u].sock, ROLE_HELLO, packet, sizeof(h) + len, fds, 3);
	explicit_bzero(packet, sizeof(h) + len);
	free(packet);
	return (r);
}

static int
start_uploader(struct carrier *c, unsigned u, const struct vault *vault, char **ret_error)
{
	struct carrier_uploader *up = &c->up[u];
	struct proc_slot *p = shm_proc(&c->shm, PROC_UPLOADER0 + u);
	uint32_t nmsg = c->shm.geo.ring_msgs;
	int r;

	up->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (up->bell < 0)
		return (refuse(-errno, ret_error, "eventfd: %s", strerror(errno)));
	if ((r = ipc_ring_attach(shm_ring(&c->shm, SHM_RINGS_CM_UP, u), nmsg, &up->to)) < 0 ||
	    (r = ipc_ring_attach(shm_ring(&c->shm, SHM_RINGS_UP_CM, u), nmsg, &up->from)) < 0 ||
	    (r = spawn_program("uploader", &up->sock, NULL, &up->pid)) < 0)
		return (refuse(r, ret_error, "cannot start s3backer-uploader: %s", strerror(-r)));
	atomic_store(&p->pid, (uint32_t)up->pid);
	atomic_store(&p->epoch, 1);
	(void)send_hello(c, u, vault); /* if it is dead already, its words come below */
	return (0);
}

static int
await_ready(struct carrier *c, unsigned u, char **ret_error)
{
	enum role_packet type = 0;
	char text[1024];
	ssize_t n = role_recv(c->up[u].sock, &type, text, sizeof(text) - 1, NULL, NULL);

	if (n < 0)
		return (refuse(-EPIPE, ret_error, "s3backer-uploader ended before it was ready"));
	text[n] = '\0';
	return (type == ROLE_READY ? 0 : refuse(-EIO, ret_error, "%s", text));
}

static int
make_segment(struct carrier *c, unsigned nslots)
{
	const struct super *last = c->owner[c->nstores - 1];
	uint32_t block = last->shm.geo.block_size;
	struct shm_geometry g;
	int r;

	r = shm_plan(&g, last->size / block, block, nslots, c->nups, 2 * nslots);
	if (r < 0 || (r = shm_create(&g, &c->shm)) < 0)
		return (r);
	c->buf_fd = memfd_create("s3backer-carrier", MFD_CLOEXEC);
	if (c->buf_fd < 0 || ftruncate(c->buf_fd, (off_t)((uint64_t)nslots * block)) < 0)
		return (-errno);
	c->buf =
	    mmap(NULL, (size_t)nslots * block, PROT_READ | PROT_WRITE, MAP_SHARED, c->buf_fd, 0);
	if (c->buf == MAP_FAILED) {
		c->buf = NULL;
		return (-errno);
	}
	/* Each slot one request, and lists and deletes beside them. */
	c->nrequests = 2 * nslots + 64;
	c->request = calloc(c->nrequests, sizeof(*c->request));
	if (c->request == NULL)
		return (-ENOMEM);
	if (c->lessee != NULL)
		token_publish(c->lessee, shm_state(&c->shm));
	return (0);
}

int
carrier_open(const struct super *const owner[], unsigned nstores, bool writes, unsigned nslots,
    struct carrier *ret, char **ret_error)
{
	struct carrier *c = ret;
	int r;

	*ret_error = NULL;
	memset(c, 0, sizeof(*c));
	c->buf_fd = c->shm.fd = -1;
	for (unsigned u = 0; u < CARRIER_UPLOADERS; u++)
		c->up[u].sock = c->up[u].bell = -1;
	c->nstores = nstores;
	for (unsigned i = 0; i < nstores; i++)
		c->owner[i] = owner[i];
	c->share = (unsigned)min_u64(
	    conf_uploaders(owner[nstores - 1]->conf), CARRIER_UPLOADERS / nstores);
	c->nups = c->share * nstores;
	c->lease_store = nstores - 1;
	if (writes && owner[nstores - 1]->token.value != 0)
		c->lessee = owner[nstores - 1];
	if ((r = make_segment(c, nslots)) < 0)
		return (refuse(r, ret_error, "cannot make the segment: %s", strerror(-r)));
	for (unsigned u = 0; u < c->nups && r == 0; u++)
		r = start_uploader(c, u, owner[u / c->share]->vault, ret_error);
	for (unsigned u = 0; u < c->nups && r == 0; u++)
		r = await_ready(c, u, ret_error);
	return (r);
}

/* ---- the end -------------------------------------------------------------------------------- */

void
carrier_close(struct carrier *c)
{
	uint64_t deadline = deadline_in_us(END_LIMIT_US);
	struct timespec pause = us_to_timespec(5 * US_PER_MS);

	for (unsigned u = 0; u < c->nups; u++) {
		if (c->up[u].sock >= 0)
			close(c->up[u].sock);
		if (c->up[u].pid > 0)
			(void)kill(c->up[u].pid, SIGTERM);
		c->up[u].sock = -1;
	}
	for (unsigned u = 0; u < c->nups; u++) {
		while (c->up[u].pid > 0 && waitpid(c->up[u].pid, NULL, WNOHANG) == 0) {
			if (deadline_passed(deadline))
				(void)kill(c->up[u].pid, SIGKILL);
			(void)nanosleep(&pause, NULL);
		}
		c->up[u].pid = 0;
		if (c->up[u].bell >= 0)
			close(c->up[u].bell);
		c->up[u].bell = -1;
	}
	if (c->buf != NULL)
		(void)munmap(c->buf, (size_t)c->shm.geo.nslots * c->shm.geo.block_size);
	c->buf = NULL;
	if (c->buf_fd >= 0)
		close(c->buf_fd);
	c->buf_fd = -1;
	shm_detach(&c->shm);
	free(c->request);
	c->request = NULL;
	c->nups = 0;
}

/* ---- requests ------------------------------------------------------------------------------- */

static bool
changes(const struct ipc_msg *m)
{
	return (m->type == IPC_PUT || m->type == IPC_DELETE);
}

static bool
lease_holds(const struct carrier *c)
{
	const struct ipc_state *st = shm_state(&c->shm);
	uint64_t until = atomic_load(&st->token_until);

	return (c->lessee == NULL || until == 0 || boot_us() < until);
}

static void
push(struct carrier *c, unsigned store, const struct ipc_msg *m)
{
	unsigned u = store * c->share + c->turn++ % c->share;

	/* There is room: no more is ever on its way than half a ring. */
	(void)ipc_ring_push(&c->up[u].to, m);
	ipc_bell_ring(shm_bell(&c->shm, PROC_UPLOADER0 + u), c->up[u].bell);
}

static void
send_one(struct carrier *c, struct carrier_request *q)
{
	if (changes(&q->m) && q->store == c->lease_store && !lease_holds(c))
		return;
	q->sent = true;
	push(c, q->store, &q->m);
}

static bool
submit(struct carrier *c, unsigned store, struct ipc_msg *m)
{
	struct carrier_request *q;

	if (c->in_flight == c->nrequests)
		return (false);
	for (q = c->request; q->m.type != IPC_NONE; q++)
		;
	m->req_id = (uint64_t)(q - c->request);
	*q = (struct carrier_request){.m = *m, .store = store};
	c->in_flight++;
	send_one(c, q);
	return (true);
}

bool
carrier_get(struct carrier *c, unsigned store, uint64_t block, uint32_t slot)
{
	struct ipc_msg m = {
	    .type = IPC_GET, .block = block, .slot = slot, .len = c->shm.geo.block_size};

	return (submit(c, store, &m));
}

bool
carrier_put(struct carrier *c, unsigned store, uint64_t block, uint32_t slot, uint16_t flags)
{
	struct ipc_msg m = {.type = IPC_PUT, .block = block, .slot = slot, .flags = flags};

	return (submit(c, store, &m));
}

bool
carrier_delete(struct carrier *c, unsigned store, uint64_t block)
{
	struct ipc_msg m = {.type = IPC_DELETE, .block = block, .arg = 1, .slot = IPC_NO_SLOT};

	return (submit(c, store, &m));
}

bool
carrier_list(struct carrier *c, unsigned store, uint64_t first, uint64_t count, uint16_t flags)
{
	struct ipc_msg m = {
	    .type = IPC_LIST, .block = first, .arg = count, .slot = IPC_NO_SLOT, .flags = flags};

	return (submit(c, store, &m));
}

/* ---- the lease: as cachemgr/lease.c keeps it ------------------------------------------------- */

static void
ask_for_lease(struct carrier *c)
{
	struct ipc_msg m = {.type = IPC_TOKEN, .req_id = LEASE_ID, .slot = IPC_NO_SLOT};
	uint64_t until = atomic_load(&shm_state(&c->shm)->token_until), now = boot_us(), lead;

	if (c->lessee == NULL || until == 0 || c->asking || c->lost || now < c->lease_retry_us)
		return;
	lead = c->lessee->conf->lease_time_us / 2;
	if (now + lead < until)
		return;
	c->asked_us = now;
	c->asking = true;
	push(c, c->lease_store, &m);
}

static void
lease_answered(struct carrier *c, const struct ipc_msg *m)
{
	struct ipc_state *st = shm_state(&c->shm);
	uint64_t etag[2];

	c->asking = false;
	if (m->status == -ESTALE) {
		c->lost = true;
		atomic_store(&st->fenced, 1);
		atomic_store(&st->token_until, 1);
		return;
	}
	if (m->status < 0) {
		c->lease_retry_us = boot_us() + LEASE_RETRY_US;
		return;
	}
	memcpy(etag, m->etag, sizeof(etag));
	atomic_store(&st->token_etag[0], etag[0]);
	atomic_store(&st->token_etag[1], etag[1]);
	atomic_store(&st->token_until, c->asked_us + c->lessee->conf->lease_time_us);
	for (unsigned i = 0; i < c->nrequests; i++)
		if (c->request[i].m.type != IPC_NONE && !c->request[i].sent)
			send_one(c, &c->request[i]);
}

/* ---- answers -------------------------------------------------------------------------------- */

static void
answered(struct carrier *c, const struct ipc_msg *m)
{
	struct carrier_request *q;
	unsigned store;

	if (m->req_id == LEASE_ID) {
		lease_answered(c, m);
		return;
	}
	if (m->req_id >= c->nrequests || c->request[m->req_id].m.type == IPC_NONE)
		return;
	q = &c->request[m->req_id];
	store = q->store;
	if (m->type == IPC_DONE && m->status == -EAGAIN && changes(&q->m) && !c->lost) {
		q->sent = false; /* the lease was over before it left */
		if (lease_holds(c))
			send_one(c, q);
		return;
	}
	if (m->type == IPC_DONE) {
		q->m.type = IPC_NONE;
		c->in_flight--;
	}
	c->done(c->arg, store, m);
}

static bool
take_answers(struct carrier *c)
{
	struct ipc_msg m;
	bool any = false;

	for (unsigned u = 0; u < c->nups; u++) {
		while (ipc_ring_pop(&c->up[u].from, &m) == 0) {
			any = true;
			if (ipc_msg_check(&c->shm, &m) == 0 || m.req_id == LEASE_ID)
				answered(c, &m);
		}
	}
	return (any);
}

static int
bury(struct carrier *c, char **ret_error)
{
	int status;

	for (unsigned u = 0; u < c->nups; u++) {
		if (c->up[u].pid == 0 || waitpid(c->up[u].pid, &status, WNOHANG) != c->up[u].pid)
			continue;
		c->up[u].pid = 0;
		if (WIFSIGNALED(status))
			return (refuse(-EPIPE, ret_error, "s3backer-uploader died of signal %s",
			    sigabbrev_np(WTERMSIG(status))));
		return (refuse(
		    -EPIPE, ret_error, "s3backer-uploader ended (exit %d)", WEXITSTATUS(status)));
	}
	return (0);
}

int
carrier_wait(struct carrier *c, uint64_t deadline_us, char **ret_error)
{
	struct ipc_bell *bell = shm_bell(&c->shm, PROC_CACHEMGR);
	int r;

	for (;;) {
		ipc_bell_clear(bell, -1);
		ask_for_lease(c);
		if (c->lost)
			return (refuse(-ESTALE, ret_error,
			    "the mount token is not ours any more: another machine has taken the "
			    "disk, or the token was reset; nothing more is written"));
		if (take_answers(c))
			return (0);
		if ((r = bury(c, ret_error)) < 0)
			return (r);
		if (deadline_passed(deadline_us))
			return (0);
		ipc_bell_wait(bell, min_u64(deadline_us, deadline_in_us(LOOK_US)));
	}
}

void
carrier_words(const struct carrier *c, char *buf, unsigned long len)
{
	buf[0] = '\0';
	for (unsigned u = 0; u < c->nups && buf[0] == '\0'; u++) {
		const char *w = shm_proc(&c->shm, PROC_UPLOADER0 + u)->words;

		(void)snprintf(buf, len, "%.*s", 447, w);
		for (char *p = buf; *p != '\0'; p++)
			if ((unsigned char)*p < ' ')
				*p = ' ';
	}
}
