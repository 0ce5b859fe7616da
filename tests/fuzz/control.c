/* SPDX-License-Identifier: ISC */
/*
 * control.c -- what s3backerd makes of any bytes on its control socket, and of any answer of cachemgr.
 *
 * The bytes arrive in pieces: a piece ends at the byte 0x01, and a piece that is "\x02" and 64 more bytes is
 * a message in the ring from cachemgr.  Each answer must be one JSON object per line, and what stops or
 * replaces the disk only notes that it was asked (mk/fuzz.mk, --wrap).
 */
#include <sys/socket.h>
#include <unistd.h>

#include "common/conf.h"
#include "ipc/ring.h"
#include "supervisor/command.h"
#include "supervisor/control.h"
#include "supervisor/phase.h"
#include "supervisor/scrub.h"
#include "supervisor/set.h"
#include "supervisor/super.h"
#include "supervisor/vault.h"
#include "tests/fuzz/fuzz.h"

const unsigned fuzz_mutations = 100;

static struct super s;
static struct shm shm;
static int pair[2];

int __wrap_phase_stop(struct super *, bool);
int __wrap_phase_restart(struct super *, char **);
void __wrap_notify_keep(struct super *);

int
__wrap_phase_stop(struct super *sp, bool keep)
{
	(void)sp;
	(void)keep;
	return (0);
}

int
__wrap_phase_restart(struct super *sp, char **ret_error)
{
	(void)sp;
	*ret_error = NULL;
	return (0);
}

void
__wrap_notify_keep(struct super *sp)
{
	(void)sp;
}

static void
load_conf(void)
{
	static const char *const option[] = {"bucket=bkt", "mountPoint=/mnt", "size=1m",
	    "blockSize=64k", "accessId=a", "accessKey=k", NULL};
	char *error = NULL;

	must(conf_load(NULL, option, &s.conf, &error) == 0);
}

static void
open_disk(void)
{
	struct shm_geometry g;

	load_conf();
	must(vault_open("", 0, &s.vault) == 0);
	must(shm_plan(&g, 16, 65536, 8, 1, 16) == 0 && shm_create(&g, &shm) == 0);
	s.nprocs = shm_nprocs(&shm);
	s.role = calloc(s.nprocs, sizeof(*s.role));
	must(s.role != NULL);
}

static void
begin(void)
{
	json_t *one;

	if (s.conf == NULL)
		open_disk();
	s.shm = shm;
	s.size = 1 << 20;
	s.phase = PHASE_RUNNING;
	s.opt.config_real = (char *)(uintptr_t) "/etc/s3backer.conf";
	s.file = (char *)(uintptr_t) "/mnt/disk";
	s.resize_to = 0;
	TAILQ_INIT(&s.pending);
	s.role[PROC_CACHEMGR].state = ROLE_RUNNING;
	ipc_ring_init(shm_ring(&shm, SHM_RING_SUP_CM, 0), shm.geo.ring_msgs);
	ipc_ring_init(shm_ring(&shm, SHM_RING_CM_SUP, 0), shm.geo.ring_msgs);
	must(command_attach(&s) == 0);
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
	must(control_adopt(dup(pair[0]), &s.control) == 0);
	one = json_pack("[{s:i, s:i, s:s, s:i}]", "fd", pair[0], "wait", WAIT_NOTHING, "cmd",
	    "status", "total", 0);
	must(control_read_letter(&s, one) == 0);
	json_decref(one);
}

/* What the loop of s3backerd does for the connection. */
static void
turn(void)
{
	static struct watch_set w;

	w.n = 0;
	control_watch(&s, &w);
	for (unsigned i = 1; i < w.n; i++)
		w.watch[i].ready(&s, w.watch[i].arg, POLLIN | POLLOUT);
	command_replies(&s);
	(void)scrub_timers(&s, UINT64_MAX / 2);
	(void)control_timers(&s, UINT64_MAX / 2);
}

/* Whole lines of JSON objects come back. */
static void
read_answers(void)
{
	static char buf[1 << 20];
	ssize_t n = recv(pair[1], buf, sizeof(buf) - 1, MSG_DONTWAIT);
	char *line = buf, *nl;

	if (n <= 0)
		return;
	buf[n] = '\0';
	must(buf[n - 1] == '\n');
	for (; (nl = strchr(line, '\n')) != NULL; line = nl + 1) {
		json_t *o;

		*nl = '\0';
		o = json_loads(line, 0, NULL);
		must(json_is_object(o));
		json_decref(o);
	}
}

static void
any_message(const uint8_t *data, size_t len)
{
	struct ipc_msg m = {0};
	struct ipc_ring_end e;
	struct pending *p = TAILQ_FIRST(&s.pending);

	memcpy(&m, data, len < sizeof(m) ? len : sizeof(m));
	if ((m.req_id & 1) != 0 && p != NULL)
		m.req_id = p->msg.req_id;
	if (ipc_ring_attach(shm_ring(&shm, SHM_RING_CM_SUP, 0), shm.geo.ring_msgs, &e) == 0)
		(void)ipc_ring_push(&e, &m);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	begin();
	while (len > 0) {
		const uint8_t *end = data[0] == 2 ? NULL : memchr(data, 1, len);
		size_t n = end != NULL ? (size_t)(end - data) : len;

		if (data[0] == 2) {
			n = len < 65 ? len : 65;
			any_message(data + 1, n - 1);
		} else {
			(void)send(pair[1], data, n, MSG_NOSIGNAL | MSG_DONTWAIT);
		}
		turn();
		read_answers();
		n += end != NULL ? 1 : 0;
		data += n;
		len -= n;
	}
	turn();
	control_close(&s.control);
	close(pair[1]);
	command_drop_all(&s);
	scrub_free(&s);
	if (s.nlive > 0) { /* the next input finds the values of the beginning */
		set_forget(&s);
		conf_free(s.conf);
		load_conf();
	}
	return (0);
}
