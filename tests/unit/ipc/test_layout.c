/* SPDX-License-Identifier: ISC */
/*
 * test_layout.c -- the tables of ipc/README.md against the structs: a field that moves, or one that
 * is described and gone, fails here.  Run from the root of the tree.
 */
#include <stdlib.h>

#include "common/counters.h"
#include "ipc/bell.h"
#include "ipc/msg.h"
#include "ipc/pool.h"
#include "ipc/proc_table.h"
#include "ipc/ring.h"
#include "ipc/shm.h"
#include "ipc/slot_table.h"
#include "ipc/state.h"
#include "ipc/write_log.h"
#include "tests/unit/tap.h"

#define F(s, f)                                                                                    \
	{                                                                                          \
#s, #f, offsetof(struct s, f)                                                      \
	}

static const struct {
	const char *strct, *field;
	size_t off;
} fields[] = {F(ipc_msg, req_id), F(ipc_msg, block), F(ipc_msg, arg), F(ipc_msg, slot),
    F(ipc_msg, slot_gen), F(ipc_msg, off), F(ipc_msg, len), F(ipc_msg, type), F(ipc_msg, flags),
    F(ipc_msg, status), F(ipc_msg, etag), F(ipc_ring, tail), F(ipc_ring, waiting),
    F(ipc_ring, head), F(ipc_ring, msg), F(ipc_bell, rung), F(ipc_bell, asleep),
    F(ipc_bell, wake_us), F(ipc_bell, kind), F(ipc_bell, sem), F(proc_slot, pid),
    F(proc_slot, epoch), F(proc_slot, run), F(proc_slot, beat_us), F(proc_slot, buried_by),
    F(proc_slot, words), F(ipc_slot, head), F(ipc_slot, wseq), F(ipc_slot, cseq), F(ipc_slot, next),
    F(ipc_slot, qnext), F(ipc_slot, touch), F(ipc_slot, seen), F(ipc_slot, queue),
    F(ipc_slot, when), F(ipc_write_log, tail), F(ipc_write_log, lost), F(ipc_write_log, head),
    F(ipc_write_log, note), F(ipc_state, disk_state), F(ipc_state, write_rate),
    F(ipc_state, token_until), F(ipc_state, fenced), F(ipc_state, dirty_full),
    F(ipc_state, write_through), F(ipc_state, notes_lost), F(ipc_state, used_slots),
    F(ipc_state, acked_seq), F(ipc_state, fuse_init_len), F(ipc_state, token_etag),
    F(ipc_state, token_body), F(ipc_state, why), F(ipc_limit, bps), F(ipc_limit, free_ns),
    F(ipc_pool, up), F(ipc_pool, down), F(ipc_pool, way), F(ipc_outage, retry_us),
    F(ipc_outage, first_us), F(ipc_outage, probe_us), F(ipc_outage, row), F(ipc_outage, on),
    F(ipc_outage, ended)};
#define NFIELDS (sizeof(fields) / sizeof(fields[0]))

static char *text;

static void
load(void)
{
	FILE *fp = fopen("ipc/README.md", "r");
	size_t len = 0;

	if (fp == NULL) {
		printf("1..0 # SKIP not run from the root of the tree\n");
		exit(0);
	}
	if (getdelim(&text, &len, '\0', fp) < 0)
		abort();
	fclose(fp);
}

static void
test_fields(void)
{
	unsigned rows = 0;
	char row[160];

	for (unsigned i = 0; i < NFIELDS; i++) {
		(void)snprintf(row, sizeof(row), "| `%s` | `%s` | %zu |", fields[i].strct,
		    fields[i].field, fields[i].off);
		ok(strstr(text, row) != NULL, "%s", row);
	}
	for (const char *p = text; (p = strstr(p, "\n| `")) != NULL; p++)
		rows += strstr(p, "` | `") != NULL && strstr(p, "` | `") < strchr(p + 1, '\n');
	is_int(rows, NFIELDS, "and no row is about something else");
}

static void
test_areas(void)
{
	static const char *const names[] = {"PROCS", "BELLS", "STATE", "COUNTERS", "HAZARDS",
	    "RING_FE_CM", "RING_CM_FE", "RING_SUP_CM", "RING_CM_SUP", "RINGS_CM_UP", "RINGS_UP_CM",
	    "FUSE_INIT", "BUCKETS", "SLOTS", "VALID", "ZEROMAP", "POOL", "SERVING", "WRITE_LOG"};
	struct shm_geometry g;
	struct shm s;
	char row[160];

	_Static_assert(sizeof(names) / sizeof(names[0]) == SHM_NAREAS, "a name for each area");
	if (shm_plan(&g, 1024, 1 << 20, 1000, 2, 64) < 0 || shm_create(&g, &s) < 0)
		abort();
	for (unsigned a = 0; a < SHM_NAREAS; a++) {
		uint64_t end = a + 1 < SHM_NAREAS ? s.off[a + 1] : s.size;

		(void)snprintf(row, sizeof(row), "| 0x%jx | 0x%jx | `SHM_%s` |",
		    (uintmax_t)s.off[a], (uintmax_t)(end - s.off[a]), names[a]);
		ok(strstr(text, row) != NULL, "%s", row);
	}
	shm_detach(&s);
}

static void
test_messages(void)
{
	char row[64];

	for (unsigned t = IPC_NONE + 1; t < IPC_NTYPES; t++) {
		(void)snprintf(row, sizeof(row), "\n| %s |", ipc_type_name(t));
		ok(strstr(text, row) != NULL, "%s is in the chart", ipc_type_name(t));
	}
}

int
main(void)
{
	load();
	test_fields();
	test_areas();
	test_messages();
	free(text);
	return (tap_done());
}
