/* SPDX-License-Identifier: ISC */
/*
 * rogue.c -- an uploader that was taken over: writes garbage to all it can reach.
 *
 * It lies in a copy of the programs in the place of s3backer-uploader, and beside it, as
 * s3backer-uploader.real, the one it stands in for.  It becomes that at once, unless the file
 * S3B_ROGUE names one of these words, which it takes away, so that its successor is a good one:
 *
 *	messages	thousands of messages with random fields, of the right and of wrong types, for
 *			transfers of others and for such as there never were
 *	memory		random bytes over the whole segment, at random places and lengths
 *	rings		indices that cannot be, in its own rings
 *
 * It is confined as an uploader is, takes what it is given, and never answers that.  Then it dies.
 * The log says how much could be written: `rogue: messages pushed=N` and so on.  Seed: S3B_SEED.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "common/check.h"
#include "common/conf.h"
#include "common/confine.h"
#include "common/log.h"
#include "common/role.h"
#include "common/timeutil.h"
#include "ipc/bell.h"
#include "ipc/proc_table.h"
#include "ipc/ring.h"
#include "ipc/shm.h"

#define MESSAGES 20000
#define WRITES	 20000
#define LIVES_US (1500 * US_PER_MS)

static struct role_env env;
static struct ipc_ring_end in, out;
static uint64_t given[4096];
static unsigned ngiven;

static uint64_t
dice(uint64_t below)
{
	return (((uint64_t)random() << 31 | (uint64_t)random()) % below);
}

static void
become_real(char *const argv[])
{
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 8);

	if (n > 0) {
		strcpy(path + n, ".real");
		(void)execv(path, argv);
	}
	_exit(ROLE_EXIT_NEVER);
}

/* The word, once. */
static void
take_word(char *word, size_t size)
{
	const char *name = getenv("S3B_ROGUE");
	FILE *f = name != NULL ? fopen(name, "re") : NULL;

	if (f != NULL && fgets(word, (int)size, f) != NULL) {
		word[strcspn(word, "\n")] = '\0';
		(void)unlink(name);
	}
	if (f != NULL)
		(void)fclose(f);
}

/* What we are asked for, so as not to answer it. */
static void
take_given(void)
{
	struct ipc_msg m;

	while (ipc_ring_pop(&in, &m) == 0)
		if (ngiven < sizeof(given) / sizeof(given[0]))
			given[ngiven++] = m.req_id;
}

static bool
is_given(uint64_t id)
{
	for (unsigned i = 0; i < ngiven; i++)
		if (given[i] == id)
			return (true);
	return (false);
}

static void
ring_cachemgr(void)
{
	ipc_bell_ring(shm_bell(env.shm, PROC_CACHEMGR), -1);
}

static void
rogue_messages(void)
{
	unsigned pushed = 0;

	for (unsigned i = 0; i < MESSAGES; i++) {
		const struct shm_geometry *g = &env.shm->geo;
		struct ipc_msg m;

		take_given();
		MUST(getrandom(&m, sizeof(m), 0) == sizeof(m));
		if (dice(4) != 0) { /* nearly right */
			m.type = dice(8) == 0	? (uint16_t)dice(IPC_NTYPES + 1)
				 : dice(4) == 0 ? IPC_LISTED
						: IPC_DONE;
			m.block = dice(g->nblocks + 1);
			m.arg = dice(4) == 0 ? dice(UINT64_C(1) << 62) : dice(g->nblocks);
			m.slot = dice(2) == 0 ? IPC_NO_SLOT : (uint32_t)dice(g->nslots + 1);
			m.off = (uint32_t)dice(g->block_size + 1);
			m.len = (uint32_t)dice(g->block_size + 1);
			m.flags &= dice(2) == 0 ? 0 : 0xff;
			m.status = dice(2) == 0 ? 0 : -(int32_t)dice(140);
			m.req_id = dice(64) << 32 | dice(1024);
		}
		if (is_given(m.req_id))
			continue;
		if (ipc_ring_push(&out, &m) == 0)
			pushed++;
		else
			usleep(1000);
		if (i % 64 == 0)
			ring_cachemgr();
	}
	log_info("rogue: messages pushed=%u", pushed);
}

/* The kernel says which memory is not for us, where a store would be our end. */
static void
rogue_memory(bool rings)
{
	uint64_t own = (uint64_t)((char *)out.ring - (char *)env.shm->base);
	uint64_t theirs = (uint64_t)((char *)in.ring - (char *)env.shm->base);
	uint64_t ring = ipc_ring_bytes(env.shm->geo.ring_msgs);
	unsigned wrote = 0, refused = 0;

	for (unsigned i = 0; i < WRITES; i++) {
		/* Half of them anywhere, half among the rows at the front, where all are together. */
		uint64_t at = dice(2) == 0 ? dice(env.shm->size) : dice(1 << 17) % env.shm->size;
		uint64_t len = 1 + dice(64);

		if (at + len > env.shm->size)
			continue;
		/* An index that cannot be ends all uploaders: for another life. */
		if (!rings && ((at + len > own && at < own + ring) ||
				  (at + len > theirs && at < theirs + ring)))
			continue;
		if (getrandom((char *)env.shm->base + at, len, 0) == (ssize_t)len)
			wrote++;
		else
			refused++;
	}
	if (rings) {
		atomic_store(&out.ring->tail, 0x80000000u);
		atomic_store(&in.ring->head, 0x40000000u);
		atomic_store(&in.ring->tail, 0x80000000u);
	}
	log_info("rogue: memory wrote=%u refused=%u", wrote, refused);
}

int
main(int argc, char *argv[])
{
	struct confine_slots slots;
	char word[32] = "";
	uint64_t until;
	uint32_t u;

	(void)argc;
	take_word(word, sizeof(word));
	if (*word == '\0')
		become_real(argv);
	role_start(&env);
	if (env.shm == NULL)
		role_fail(&env, "the rogue is no store tool");
	srandom(getenv("S3B_SEED") != NULL ? (unsigned)atoi(getenv("S3B_SEED")) : 1);
	u = env.proc - PROC_UPLOADER0;
	slots = (struct confine_slots){env.fd[ROLE_FD_CACHE], shm_slot_off(env.shm, 0),
	    shm_slot_off(env.shm, env.shm->geo.nslots)};
	MUST(ipc_ring_attach(shm_ring(env.shm, SHM_RINGS_CM_UP, u), env.shm->geo.ring_msgs, &in) ==
	     0);
	MUST(ipc_ring_attach(shm_ring(env.shm, SHM_RINGS_UP_CM, u), env.shm->geo.ring_msgs, &out) ==
	     0);
	MUST(confine_role_why("uploader", env.conf, &slots, NULL) == 0);
	(void)role_ready(&env, "rogue");
	log_info("rogue: begins: %s", word);
	until = now_us() + LIVES_US;
	do {
		take_given();
		if (strcmp(word, "messages") == 0)
			rogue_messages();
		else
			rogue_memory(strcmp(word, "rings") == 0);
		ring_cachemgr();
		usleep(50000);
	} while (now_us() < until);
	log_info("rogue: ends: given=%u", ngiven);
	log_flush();
	_exit(3);
}
