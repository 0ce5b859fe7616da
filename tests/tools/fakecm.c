/* SPDX-License-Identifier: ISC */
/*
 * fakecm.c -- plays s3backerd and cachemgr for one frontend, so that the frontend can be tested
 * and measured without either.
 *
 *	fakecm [options] MOUNTPOINT FRONTEND
 *	  -s SIZE -b BLOCKSIZE -n SLOTS	(bytes, bytes, number)
 *	  -c FILE	cache in FILE instead of memory
 *	  -p		every block is in the cache, all valid and clean: for measuring hits
 *	  -a		every block is known to be absent (else nothing is known)
 *	  -d US		answer after a random time up to US microseconds
 *	  -k MS		SIGKILL the frontend every MS milliseconds and bury it
 *	  -r MS		forget what was asked and come back as a new cachemgr every MS milliseconds
 *	  -x		freeze, thaw and evict at random
 *	  -f		toggle dirty_full at random
 *	  -w RATE	bytes per second for writers      -t  write through
 *	  -i		directIO
 *	  -e N		the Nth READ fails with EIO, once
 *
 * Blocks that leave the cache go to a "bucket" in memory and come back from there.  It is
 * synchronous where the real one is not, but follows the same rules (H1 to H9), and checks what it
 * is told: a slot that was found dirty without an announcement, or a wait for a hazard that nobody
 * rang the end of, is counted and printed at the end.  TERM ends it: unmount, exit 0 if all was well.
 */
#include <bsd/stdlib.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ipc/bell.h"
#include "ipc/msg.h"
#include "ipc/proc_table.h"
#include "ipc/ring.h"
#include "ipc/shm.h"
#include "ipc/slot_table.h"
#include "ipc/state.h"

#include "common/check.h"
#include "common/conf.h"
#include "common/counters.h"
#include "common/role.h"
#include "common/timeutil.h"

#define NONE	  UINT32_MAX
#define LATER_MAX 8192

static struct {
	uint64_t size, delay_us, kill_us, restart_us, rate;
	uint32_t bs, slots;
	bool preload, absent, chaos, full, through, direct_io;
	int fail_read;
	const char *cache, *mnt, *frontend;
} opt = {.size = 64 << 20, .bs = 1 << 20, .slots = 64};

static struct shm shm;
static struct slot_table tab;
static struct ipc_state *state;
static struct ipc_bell *bell;
static struct ipc_ring_end in, out;
static int cache_fd, fuse_fd, ctl = -1;
static pid_t child;
static char *bucket;	 /* the store */
static bool *present;	 /* block is in the bucket */
static uint32_t *cur;	 /* slot of a block, NONE */
static uint32_t *owner;	 /* block of a slot, NONE = free */
static bool *told;	 /* slot was announced dirty since it was last clean */
static uint32_t *frozen; /* slots frozen for a while */
static uint32_t nfrozen;
static volatile sig_atomic_t stop;
static uint64_t unannounced, late, bad, kills, restarts, asked[IPC_NTYPES];
static int child_status;

struct later {
	uint64_t due;
	struct ipc_msg m;
};
static struct later later[LATER_MAX];
static unsigned nlater;

static uint32_t
rnd(uint32_t n)
{
	return (arc4random_uniform(n));
}

/* ---- the frontend process -------------------------------------------------------------- */
static void
spawn(void)
{
	static const struct role_hello blank;
	char size[64], bs[64], mnt[1100], *error = NULL, *text, buf[ROLE_PACKET_MAX];
	const char *over[] = {"bucket=file:///nowhere", size, bs, mnt,
	    opt.direct_io ? "directIO=yes" : "directIO=no", "logTo=stderr", NULL};
	struct role_hello h = blank;
	int sv[2], fds[3] = {shm.fd, cache_fd, fuse_fd};
	struct proc_slot *p = shm_proc(&shm, PROC_FRONTEND);
	struct conf *conf;
	size_t len;

	(void)snprintf(size, sizeof(size), "size=%" PRIu64, opt.size);
	(void)snprintf(bs, sizeof(bs), "blockSize=%u", opt.bs);
	(void)snprintf(mnt, sizeof(mnt), "mountPoint=%s", opt.mnt);
	if (conf_load(NULL, over, &conf, &error) < 0) {
		(void)fprintf(stderr, "fakecm: %s\n", error);
		exit(1);
	}
	text = conf_serialize(conf, CONF_MOUNT | CONF_CACHE, &len);
	conf_free(conf);
	h.magic = IPC_MAGIC;
	h.version = IPC_VERSION;
	h.proc = PROC_FRONTEND;
	h.epoch = atomic_fetch_add(&p->epoch, 1) + 1;
	h.nfds = 3;
	h.fd_kind[0] = ROLE_FD_SHM;
	h.fd_kind[1] = ROLE_FD_CACHE;
	h.fd_kind[2] = ROLE_FD_FUSE;
	h.foreground = 1;
	memcpy(buf, &h, sizeof(h));
	memcpy(buf + sizeof(h), text, len);
	free(text);
	MUST(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) == 0);
	child = fork();
	if (child == 0) {
		if (dup2(sv[1], ROLE_CTL_FD) < 0)
			_exit(127);
		(void)execl(opt.frontend, opt.frontend, (char *)NULL);
		_exit(127);
	}
	close(sv[1]);
	if (ctl >= 0)
		close(ctl);
	ctl = sv[0];
	MUST(role_send(ctl, ROLE_HELLO, buf, sizeof(h) + len, fds, 3) == 0);
	atomic_store(&p->pid, (uint32_t)child);
}

static void
bury(void)
{
	struct proc_slot *p = shm_proc(&shm, PROC_FRONTEND);

	hazard_clear_all(&tab);
	atomic_store(&p->buried_by, atomic_load(&p->epoch));
}

/* True while it lives; a death that we did not cause ends the test. */
static bool
child_lives(void)
{
	if (child > 0 && waitpid(child, &child_status, WNOHANG) == child) {
		child = 0;
		stop = 1;
		bury();
	}
	return (child > 0);
}

static void
kill_child(void)
{
	if (child <= 0)
		return;
	(void)kill(child, SIGKILL);
	(void)waitpid(child, &child_status, 0);
	child_status = 0;
	kills++;
	bury();
	spawn();
}

/* ---- slots ----------------------------------------------------------------------------- */
static void
await_hazards(uint32_t slot, bool write_only)
{
	for (;;) {
		uint64_t until = now_us() + US_PER_S;

		ipc_bell_clear(bell, -1);
		if (!hazard_named(&tab, slot, write_only) || !child_lives())
			return;
		ipc_bell_wait(bell, until);
		late += now_us() >= until && !hazard_named(&tab, slot, write_only);
	}
}

static void
set_head(uint32_t slot, uint8_t flags, uint8_t st)
{
	uint64_t h = atomic_load(&tab.slot[slot].head);

	atomic_store(&tab.slot[slot].head, slot_head(head_block(h), head_gen(h), flags, st));
}

static uint8_t
flags_of(uint32_t slot)
{
	return (head_flags(atomic_load(&tab.slot[slot].head)));
}

/* H4. */
static void
freeze(uint32_t slot)
{
	set_head(slot, flags_of(slot) | SLOT_F_WANT, SLOT_FROZEN);
	await_hazards(slot, true);
}

static void
thaw(uint32_t slot)
{
	set_head(slot, flags_of(slot) & (uint8_t)~SLOT_F_WANT, SLOT_LIVE);
}

static void
link_slot(uint32_t slot, uint32_t block, uint8_t flags, uint8_t st)
{
	struct ipc_slot *s = &tab.slot[slot];
	_Atomic uint32_t *b = &tab.bucket[slot_table_hash(&tab, block)];
	uint16_t gen = (uint16_t)(head_gen(atomic_load(&s->head)) + 1);

	slot_valid_clear(&tab, slot);
	atomic_store(&s->cseq, atomic_load(&s->wseq));
	atomic_fetch_add(tab.gen, 1); /* H7 */
	atomic_store(&s->next, atomic_load(b));
	atomic_store(&s->head, slot_head(block, gen, flags | SLOT_F_MAP, st));
	atomic_store(b, slot + 1);
	cur[block] = slot;
	owner[slot] = block;
	told[slot] = false;
}

static void
unlink_slot(uint32_t slot)
{
	uint32_t block = owner[slot];
	_Atomic uint32_t *at = &tab.bucket[slot_table_hash(&tab, block)];

	set_head(slot, flags_of(slot) | SLOT_F_WANT, SLOT_OLD); /* with MAP and WHOLE, H8 */
	atomic_fetch_add(tab.gen, 1);
	while (atomic_load(at) != slot + 1)
		at = &tab.slot[atomic_load(at) - 1].next;
	atomic_store(at, atomic_load(&tab.slot[slot].next));
	cur[block] = NONE;
	await_hazards(slot, false); /* H3 */
	owner[slot] = NONE;
	set_head(slot, 0, SLOT_FREE);
}

static bool
is_zero(const char *p, size_t n)
{
	return (n == 0 || (*p == 0 && memcmp(p, p + 1, n - 1) == 0));
}

static void take(const struct ipc_msg *, bool now);

/* The frozen slot becomes the object. */
static void
upload(uint32_t slot)
{
	struct ipc_msg m;
	struct ipc_slot *s = &tab.slot[slot];
	uint32_t sub = shm.geo.sub_size, block = owner[slot];
	char *to = bucket + (uint64_t)block * opt.bs;

	/* It was announced before the hazard was dropped, so the announcement is in the ring. */
	while (ipc_ring_pop(&in, &m) == 0)
		take(&m, false);
	if (!told[slot] && kills == 0)
		unannounced++;
	for (uint32_t i = 0; i < shm.nsub; i++) {
		if (slot_valid_test(&tab, slot, i))
			MUST(pread(cache_fd, to + i * sub, sub,
				 (off_t)(shm_slot_off(&shm, slot) + i * sub)) == (ssize_t)sub);
		else if ((flags_of(slot) & SLOT_F_ZBASE) != 0)
			memset(to + i * sub, 0, sub);
	}
	present[block] = !is_zero(to, opt.bs);
	zero_set(&tab, block, present[block] ? ZERO_PRESENT : ZERO_ABSENT);
	atomic_store(&s->cseq, atomic_load(&s->wseq));
	told[slot] = false;
}

static void
not_frozen(uint32_t slot)
{
	for (uint32_t i = 0; i < nfrozen; i++)
		if (frozen[i] == slot)
			frozen[i--] = frozen[--nfrozen];
}

static void
evict(uint32_t slot)
{
	not_frozen(slot);
	freeze(slot);
	if (slot_dirty(&tab.slot[slot]))
		upload(slot);
	unlink_slot(slot);
}

static uint32_t
get_slot(void)
{
	uint32_t s = rnd(opt.slots);

	for (uint32_t i = 0; i < opt.slots; i++)
		if (owner[(s + i) % opt.slots] == NONE)
			return ((s + i) % opt.slots);
	evict(s);
	return (s);
}

/* From the bucket into the slot, what is not there yet; the slot is not written meanwhile. */
static void
fill(uint32_t slot, uint32_t first, uint32_t last)
{
	uint32_t sub = shm.geo.sub_size;
	bool whole = first == 0 && last == shm.nsub - 1 && rnd(2) == 0;

	for (uint32_t i = first; i <= last; i++) {
		if (slot_valid_test(&tab, slot, i))
			continue;
		MUST(pwrite(cache_fd, bucket + (uint64_t)owner[slot] * opt.bs + i * sub, sub,
			 (off_t)(shm_slot_off(&shm, slot) + i * sub)) == (ssize_t)sub);
		if (!whole)
			slot_valid_set(&tab, slot, i, i);
	}
	/* Without the bits, or because of them; not always. */
	if (whole || (rnd(2) == 0 && slot_valid_all(&tab, slot, 0, shm.nsub - 1)))
		set_head(slot, flags_of(slot) | SLOT_F_WHOLE,
		    head_state(atomic_load(&tab.slot[slot].head)));
}

/* ---- messages -------------------------------------------------------------------------- */
static void
do_access(const struct ipc_msg *m)
{
	uint32_t block = (uint32_t)m->block, slot = cur[block];
	uint32_t first = m->off >> shm.sub_shift, last = (m->off + m->len - 1) >> shm.sub_shift;

	if (slot == NONE && !present[block] && m->type == IPC_READ) {
		zero_set(&tab, block, ZERO_ABSENT);
		return;
	}
	if (slot == NONE) {
		slot = get_slot();
		link_slot(slot, block, present[block] ? 0 : SLOT_F_ZBASE,
		    present[block] ? SLOT_FILLING : SLOT_LIVE);
		if (present[block] && m->type == IPC_READ) {
			/* Sometimes only what was asked for, sometimes all, sometimes a mark. */
			fill(slot, rnd(2) ? first : 0, rnd(2) ? last : shm.nsub - 1);
		}
		set_head(slot, flags_of(slot) | (rnd(4) == 0 ? SLOT_F_MARK : 0), SLOT_LIVE);
	}
	if ((flags_of(slot) & SLOT_F_ZBASE) == 0 && !slot_valid_all(&tab, slot, first, last)) {
		not_frozen(slot);
		freeze(slot);
		fill(slot, first, last);
	}
	if (head_state(atomic_load(&tab.slot[slot].head)) == SLOT_FROZEN && m->type == IPC_WRITE) {
		not_frozen(slot);
		if (slot_dirty(&tab.slot[slot]))
			upload(slot);
	}
	if (m->type == IPC_WRITE || nfrozen == 0)
		thaw(slot);
}

static void
do_trim(const struct ipc_msg *m)
{
	for (uint64_t b = m->block; b < m->block + m->arg; b++) {
		uint32_t slot = cur[b];

		zero_set(&tab, b, ZERO_ABSENT);
		present[b] = false;
		memset(bucket + b * opt.bs, 0, opt.bs);
		if (slot == NONE)
			continue;
		not_frozen(slot);
		freeze(slot);
		unlink_slot(slot);
	}
}

static void
answer(const struct ipc_msg *m, int status)
{
	struct ipc_msg r = {
	    .req_id = m->req_id, .type = IPC_DONE, .slot = IPC_NO_SLOT, .status = status};

	MUST(ipc_ring_push(&out, &r) == 0);
	ipc_bell_ring(shm_bell(&shm, PROC_FRONTEND), -1);
}

static void
act(const struct ipc_msg *m)
{
	static int reads;

	if (m->type == IPC_READ && ++reads == opt.fail_read) {
		answer(m, -EIO);
		return;
	}
	if (m->type == IPC_READ || m->type == IPC_WRITE)
		do_access(m);
	else if (m->type == IPC_TRIM)
		do_trim(m);
	answer(m, 0);
}

static void
take(const struct ipc_msg *m, bool now)
{
	if (ipc_msg_check(&shm, m) < 0) {
		bad++;
		return;
	}
	asked[m->type]++;
	if (m->type == IPC_DIRTY || m->type == IPC_AHEAD) {
		uint64_t h = atomic_load(&tab.slot[m->slot].head);

		if (head_block(h) != m->block || head_gen(h) != m->slot_gen)
			return;
		if (m->type == IPC_DIRTY)
			told[m->slot] = true;
		else if (head_linked(h))
			set_head(m->slot, head_flags(h) & (uint8_t)~SLOT_F_MARK, head_state(h));
		return;
	}
	if (now && opt.delay_us == 0) {
		act(m);
		return;
	}
	MUST(nlater < LATER_MAX);
	later[nlater++] = (struct later){now_us() + rnd((uint32_t)opt.delay_us + 1), *m};
}

static void
chaos(void)
{
	uint32_t s = rnd(opt.slots);

	if (opt.full)
		atomic_store(&state->dirty_full, rnd(2));
	if (!opt.chaos)
		return;
	if (nfrozen > opt.slots / 4 || (nfrozen > 0 && rnd(2))) {
		uint32_t f = frozen[--nfrozen];

		if (slot_dirty(&tab.slot[f]))
			upload(f);
		thaw(f);
	}
	if (owner[s] != NONE && head_state(atomic_load(&tab.slot[s].head)) == SLOT_LIVE) {
		if (rnd(3) == 0) {
			evict(s);
		} else {
			freeze(s);
			frozen[nfrozen++] = s;
		}
	}
}

static void
turn(void)
{
	struct ipc_msg m;
	uint64_t now = now_us(), next = now + (opt.chaos || opt.full ? 500 : 20000);
	unsigned n = 0;

	ipc_bell_clear(bell, -1);
	while (n < 256 && ipc_ring_pop(&in, &m) == 0) {
		take(&m, true);
		n++;
	}
	for (unsigned i = 0; i < nlater; i++) {
		if (later[i].due > now) {
			next = later[i].due < next ? later[i].due : next;
			continue;
		}
		m = later[i].m;
		later[i--] = later[--nlater];
		act(&m);
		n++;
	}
	if (n == 0) {
		chaos();
		ipc_bell_wait(bell, next);
	}
}

/* ---- start and end --------------------------------------------------------------------- */
static void
mount_fuse(void)
{
	char o[128];

	fuse_fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	(void)snprintf(o, sizeof(o),
	    "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other,default_permissions", fuse_fd);
	if (fuse_fd < 0 || mount("fakecm", opt.mnt, "fuse", MS_NOSUID | MS_NODEV, o) < 0) {
		perror("fakecm: mount");
		exit(1);
	}
}

static void
set_up(void)
{
	uint64_t nblocks = (opt.size + opt.bs - 1) / opt.bs;
	struct shm_geometry g;

	MUST(shm_plan(&g, nblocks, opt.bs, opt.slots, 1, 64) == 0);
	g.data_off = 1 << 20;
	MUST(shm_create(&g, &shm) == 0);
	slot_table_attach(&tab, &shm);
	state = shm_state(&shm);
	bell = shm_bell(&shm, PROC_CACHEMGR);
	MUST(ipc_ring_attach(shm_ring(&shm, SHM_RING_FE_CM, 0), g.ring_msgs, &in) == 0);
	MUST(ipc_ring_attach(shm_ring(&shm, SHM_RING_CM_FE, 0), g.ring_msgs, &out) == 0);
	cache_fd = opt.cache != NULL ? open(opt.cache, O_RDWR | O_CREAT | O_CLOEXEC, 0600)
				     : memfd_create("cache", MFD_CLOEXEC);
	MUST(cache_fd >= 0 && ftruncate(cache_fd, (off_t)shm_slot_off(&shm, opt.slots)) == 0);
	if (opt.cache != NULL)
		MUST(fallocate(cache_fd, 0, 0, (off_t)shm_slot_off(&shm, opt.slots)) == 0);
	bucket = mmap(NULL, nblocks * opt.bs, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	present = calloc(nblocks, sizeof(*present));
	cur = malloc(nblocks * sizeof(*cur));
	owner = malloc(opt.slots * sizeof(*owner));
	told = calloc(opt.slots, sizeof(*told));
	frozen = calloc(opt.slots + 1, sizeof(*frozen));
	MUST(bucket != MAP_FAILED && present != NULL && cur != NULL && owner != NULL);
	for (uint64_t b = 0; b < nblocks; b++) {
		cur[b] = NONE;
		if (opt.absent)
			zero_set(&tab, b, ZERO_ABSENT);
	}
	for (uint32_t s = 0; s < opt.slots; s++)
		owner[s] = NONE;
	for (uint32_t s = 0; opt.preload && s < opt.slots && s < nblocks; s++) {
		link_slot(s, s, 0, SLOT_FILLING);
		fill(s, 0, shm.nsub - 1);
		set_head(s, 0, SLOT_LIVE);
	}
	atomic_store(&state->disk_state, DISK_RUNNING);
	atomic_store(&state->write_rate, opt.rate);
	atomic_store(&state->write_through, opt.through);
	atomic_store(&shm_proc(&shm, PROC_CACHEMGR)->epoch, 1);
}

static int
tear_down(void)
{
	struct counters *c = shm_counters(&shm, PROC_FRONTEND);
	bool well = true;

	for (unsigned i = 0; umount2(opt.mnt, 0) < 0 && errno == EBUSY && i < 100; i++) {
		turn();
		(void)usleep(50000);
	}
	while (child > 0) {
		turn();
		(void)child_lives();
	}
	if (child_status != 0)
		well = false;
	(void)printf("fakecm: child_status=%d kills=%ju restarts=%ju unannounced=%ju late=%ju "
		     "bad=%ju",
	    child_status, (uintmax_t)kills, (uintmax_t)restarts, (uintmax_t)unannounced,
	    (uintmax_t)late, (uintmax_t)bad);
	for (unsigned i = 0; i < IPC_NTYPES; i++)
		if (asked[i] != 0)
			(void)printf(" %s=%ju", ipc_type_name(i), (uintmax_t)asked[i]);
	for (unsigned i = 0; i < CTR_COUNT; i++)
		if (ctr_value(c, i) != 0)
			(void)printf(" %s=%ju", counter_info[i].name, (uintmax_t)ctr_value(c, i));
	(void)printf("\n");
	return (well && unannounced == 0 && late == 0 && bad == 0 ? 0 : 1);
}

static void
on_signal(int sig)
{
	(void)sig;
	stop = 1;
	ipc_bell_ring(bell, -1);
}

static void
options(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "s:b:n:c:pad:k:r:xfw:tie:")) != -1) {
		uint64_t n = optarg != NULL ? strtoull(optarg, NULL, 0) : 0;

		switch (c) {
		case 's':
			opt.size = n;
			break;
		case 'b':
			opt.bs = (uint32_t)n;
			break;
		case 'n':
			opt.slots = (uint32_t)n;
			break;
		case 'c':
			opt.cache = optarg;
			break;
		case 'p':
			opt.preload = true;
			break;
		case 'a':
			opt.absent = true;
			break;
		case 'd':
			opt.delay_us = n;
			break;
		case 'k':
			opt.kill_us = n * US_PER_MS;
			break;
		case 'r':
			opt.restart_us = n * US_PER_MS;
			break;
		case 'x':
			opt.chaos = true;
			break;
		case 'f':
			opt.full = true;
			break;
		case 'w':
			opt.rate = n;
			break;
		case 't':
			opt.through = true;
			break;
		case 'i':
			opt.direct_io = true;
			break;
		case 'e':
			opt.fail_read = (int)n;
			break;
		default:
			exit(2);
		}
	}
	if (argc - optind != 2) {
		(void)fprintf(stderr, "usage: fakecm [options] MOUNTPOINT FRONTEND\n");
		exit(2);
	}
	opt.mnt = argv[optind];
	opt.frontend = argv[optind + 1];
}

int
main(int argc, char **argv)
{
	uint64_t next_kill, next_restart;

	options(argc, argv);
	set_up();
	(void)signal(SIGTERM, on_signal);
	(void)signal(SIGINT, on_signal);
	mount_fuse();
	spawn();
	next_kill = deadline_in_us(opt.kill_us);
	next_restart = deadline_in_us(opt.restart_us);
	while (!stop) {
		turn();
		(void)child_lives();
		if (opt.kill_us != 0 && now_us() >= next_kill && !stop) {
			kill_child();
			next_kill = deadline_in_us(opt.kill_us / 2 + rnd((uint32_t)opt.kill_us));
		}
		if (opt.restart_us != 0 && now_us() >= next_restart) {
			nlater = 0;
			restarts++;
			atomic_fetch_add(&shm_proc(&shm, PROC_CACHEMGR)->epoch, 1);
			next_restart = deadline_in_us(opt.restart_us);
		}
	}
	return (tear_down());
}
