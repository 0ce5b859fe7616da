/* SPDX-License-Identifier: ISC */
/*
 * cm.h -- the cache manager's private state: what is going on, and with which block.
 *
 * Process:  cachemgr.  Threads: the main thread alone, except struct commit (commit.h).
 * Owns:     everything below; slots' bytes and heads live in the segment (ipc/slot_table.h).
 *
 * A block about which something is going on has a struct bop ("block operation"): it is dirty, or
 * a transfer moves it, or somebody waits for it.  A clean cached block has none.  bop_kick() looks
 * at the whole bop and does everything that can be done now; every event that may matter to a bop
 * ends in a kick, so no event has to know what the bop was waiting for.  State and rules:
 * cachemgr/README.md.
 */
#ifndef S3B_CACHEMGR_CM_H
#define S3B_CACHEMGR_CM_H

#include <bsd/sys/queue.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/counters.h"
#include "common/role.h"
#include "ipc/bell.h"
#include "ipc/msg.h"
#include "ipc/proc_table.h"
#include "ipc/ring.h"
#include "ipc/shm.h"
#include "ipc/slot_table.h"
#include "ipc/state.h"

struct commit;
struct evict;
struct expire;
struct readahead;
struct held_read;
struct scrub_item;
struct scrub_req;
struct warm;

/* A frontend request that waits for a block.  Freed when its DONE has been sent. */
struct waiter {
	STAILQ_ENTRY(waiter) link;
	uint64_t req_id;
	uint64_t after; /* shared.c: a fetch that began no later is too old for it */
	uint32_t off, len;
	uint16_t type; /* IPC_READ or IPC_WRITE */
};

enum fetch_state {
	FETCH_NONE,
	FETCH_INFLIGHT,
	FETCH_READY
};
enum up_state {
	UP_NONE,
	UP_FREEZING,
	UP_INFLIGHT
};
enum merge_state {
	MERGE_NONE,
	MERGE_BASE,
	MERGE_ZEROFILL
};

struct bop {
	LIST_ENTRY(bop) hash;
	TAILQ_ENTRY(bop) dirty;	 /* cm.dirty, oldest first, while on_dirty */
	TAILQ_ENTRY(bop) due;	 /* cm.due while on_due, in order of check_us */
	TAILQ_ENTRY(bop) up;	 /* cm.uploading while up_state != UP_NONE */
	TAILQ_ENTRY(bop) room;	 /* cm.room_wait while on_room */
	TAILQ_ENTRY(bop) hazard; /* cm.hazard_wait while on_hazard */
	TAILQ_ENTRY(bop) retry;	 /* cm.retry_wait while on_retry */
	TAILQ_ENTRY(bop) record; /* cm.unrecorded while on_record */
	TAILQ_ENTRY(bop) promise; /* cm.promised while on_promise, oldest first */
	TAILQ_ENTRY(bop) queue;	 /* cm.fetch_wait[on_queue - 1] while on_queue != 0 */
	STAILQ_HEAD(, waiter) waiters;
	uint32_t block;
	uint32_t cur;	      /* the linked slot, or IPC_NO_SLOT */
	uint32_t base;	      /* where the bucket's bytes arrive; may be cur */
	uint32_t up_slot;     /* frozen, on its way; may be cur */
	uint32_t up_wseq;     /* wseq of up_slot when it froze */
	uint64_t dirty_us;    /* when cur became dirty; monotonic */
	uint64_t check_us;    /* when to see whether it still is being written */
	uint32_t seen_wseq;   /* wseq of cur at the last such look */
	uint32_t dirty_wseq;  /* and when it became dirty */
	uint32_t calm;	      /* looks in a row that saw no write */
	bool again;	      /* dirty soon after, or during, its last upload */
	uint64_t dirty_id;    /* cm.barrier at that time */
	uint64_t dirty_acked; /* state.acked_seq at that time */
	uint64_t up_dirty_us, up_dirty_id, up_acked; /* the same, of up_slot */
	uint32_t part_off, part_len;	     /* the fetch asked for no more than this; 0: for all */
	uint64_t retry_us;		     /* try a failed fetch or upload again */
	uint64_t promised_us;		     /* when a writer was told to go on */
	uint64_t recorded[IPC_SUB_MAX / 64]; /* valid map of cur's last record; commit.c */
	uint64_t fetch_id, fetched_id; /* shared.c: of the fetch under way, and of the last done */
	uint32_t recorded_slot;
	uint32_t noted_slot; /* = cur: what was not written since it was clean, the bucket has; batch.c */
	uint8_t recorded_flags;
	uint8_t fetch, upload, merge; /* the three enums above */
	uint8_t on_dirty, on_room, on_hazard, on_retry, on_record, on_queue, on_due, on_promise;
	uint8_t want_upload, want_fetch;
	uint8_t unreadable; /* its last upload failed for the cache file */
	uint8_t fetch_ahead; /* the fetch is read-ahead; nobody waits yet */
	uint8_t drop_base;   /* trimmed meanwhile: throw away what arrives */
};
TAILQ_HEAD(bop_queue, bop);

enum xfer_kind {
	XFER_FREE,
	XFER_GET,
	XFER_PUT,
	XFER_DELETE,
	XFER_LIST,
	XFER_PAGE,
	XFER_TOKEN,
	XFER_CHECK
};

/* A request handed to an uploader.  req_id = index | use << 32. */
struct xfer {
	struct bop *bop;       /* GET, PUT */
	struct del_batch *del; /* DELETE */
	struct scrub_item *check; /* CHECK */
	uint64_t start_us;
	uint32_t use; /* grows at every reuse: a late DONE does not match */
	uint32_t slot;
	uint16_t gen;
	uint8_t kind;
	uint8_t uploader;
	uint32_t next_free;
};

/* A barrier: everything dirty at `id` or before must reach the bucket. */
struct barrier {
	STAILQ_ENTRY(barrier) link;
	uint64_t id;
	uint64_t req_id;
	bool from_sup; /* else from the frontend */
	uint16_t type; /* IPC_FLUSH, IPC_SYNC, IPC_DRAIN, IPC_STOP */
};

/* A sequential writer. */
#define PASSINGS 8
struct passing {
	uint64_t used_us; /* 0: none */
	uint32_t next;	  /* the block behind the last one */
	uint32_t run;	  /* blocks in a row so far */
};

struct del_run {
	uint32_t block, count;
};
struct del_batch { /* one batch of deletes in flight */
	LIST_ENTRY(del_batch) link;
	uint32_t nruns, nblocks;
	struct del_run run[];
};

struct ring_pair {
	struct ipc_ring_end in, out;
};

struct cachemgr {
	struct role_env *env;
	void (*confine)(struct role_env *); /* when the cache file is open; NULL in simulations */
	struct shm *shm;
	struct slot_table tab;
	struct counters *ctr;
	struct ipc_state *st;
	int cache_fd;
	bool file;	 /* a cache file, not memory */
	uint64_t now_us; /* of this turn */

	pthread_mutex_t fe_lock; /* around fe.out: a commit answers flushes without leading */
	struct ring_pair fe, sup, up[IPC_MAX_UPLOADERS];
	uint32_t up_inflight[IPC_MAX_UPLOADERS], up_puts[IPC_MAX_UPLOADERS];
	bool up_rung[IPC_MAX_UPLOADERS]; /* to be rung at the end of the turn */
	bool fe_rung, sup_rung;

	LIST_HEAD(, bop) * bops; /* hash by block */
	uint32_t bops_mask;
	uint32_t nbops;
	struct bop_queue dirty, due, uploading, room_wait, hazard_wait, retry_wait, unrecorded;
	struct bop_queue promised;
	struct bop_queue fetch_wait[2]; /* for a free transfer: readers; those who upload */

	struct xfer *xfer;
	uint32_t nxfers, xfer_free, max_transfers, reserved;
	uint32_t reads_inflight, writes_inflight;
	uint32_t put_limit; /* sched.c: uploads in flight, less than could be when they make a queue */
	uint64_t put_fastest_us, put_mean_us;
	uint64_t reader_us; /* when somebody last began to wait for a block */
	uint32_t checks_inflight; /* among the reads */
	LIST_HEAD(, scrub_req) scrubs;

	uint32_t *free_slot; /* stack */
	uint32_t nfree;
	uint32_t *limbo; /* OLD slots still named by a hazard */
	uint32_t nlimbo;
	struct evict *evict;
	struct expire *expire; /* NULL: clean blocks stay until room is needed */
	struct readahead *ra;
	struct commit *commit;	 /* NULL with a memory cache */
	struct huge *huge;	 /* huge.c; NULL with a cache file */
	struct landing *landing; /* landing.c */
	uint32_t nlanding, landing_room;
	uint64_t quiet_until_us; /* nothing of blocks is asked of the store before */
	struct warm *warm;	 /* kept from the last run; NULL when nothing is */
	uint8_t *side_used;	 /* per slot: its side table entry may be in use */
	uint16_t *sent;		 /* per slot: sent.c */

	uint32_t ndirty, max_dirty; /* blocks on dirty or uploading */
	uint32_t npromised;	    /* blocks that a writer is about to make dirty */
	uint64_t barrier;	    /* id given to blocks that become dirty now */
	STAILQ_HEAD(, barrier) barriers;
	uint64_t write_delay_us, max_dirty_age_us;
	struct passing passing[PASSINGS];
	uint32_t
	    part_bytes;	  /* fetch.c: parts of blocks are multiples of it; 0: whole blocks only */
	bool send_passed; /* passed.c: not if somebody has asked for a delay */
	bool drained, stopping, keep_dirty;
	bool shared; /* sharedDiskMode: what is cached may be old */
	uint64_t fetch_seq; /* the last fetch that began */
	bool sync; /* blockCacheSync: writes go through although nobody has drained the disk */
	bool checking;	/* conf debug: slots_check() after every busy turn */
	bool room_made; /* a slot or a dirty place became free this turn */
	uint32_t nunreadable; /* blocks that cannot be uploaded, because the cache file fails */
	uint32_t room_slot; /* named when room was wanted: watched by evict_turn() */
	uint32_t nwant; /* bops with want_upload that have not begun */

	/* trims */
	uint64_t npending;			/* blocks in ZERO_PENDING */
	uint64_t pend_lo, pend_hi, pend_cursor; /* they lie in [lo, hi) */
	uint64_t pend_since_us;
	uint64_t pend_retry_us;
	LIST_HEAD(, del_batch) deletes;
	uint32_t ndeletes, delete_runs; /* in flight: batches, runs in all of them */
	bool pend_blocked;		/* no pending block can be deleted now */

	/* survey */
	bool survey_on, survey_sorted, survey_wanted, survey_moved;
	uint64_t survey_retry_us, survey_unblock_us;
	uint32_t *survey_put; /* open-addressed set: blocks PUT while it runs, + 1 */
	uint32_t survey_put_n, survey_put_size;

	/* page.c */
	bool pages;	  /* readers of kept blocks wait for a page */
	bool survey_lazy; /* the survey begins when something unknown is wanted */
	bool page_on;
	uint32_t page_from;
	uint64_t page_end, page_retry_us; /* behind the last name so far */
	STAILQ_HEAD(, held_read) held_reads;

	/* lease.c; times of CLOCK_BOOTTIME */
	bool lease_on, lease_asking, fenced;
	uint64_t lease_us, lease_asked, lease_retry, lease_idle;

	/* throttle */
	uint64_t rate_bytes, rate_since_us; /* uploaded since */
	uint64_t rate;			    /* smoothed, bytes/s */
	uint64_t acked_at_commit;
};

/* ---- loop.c ---- */
int cachemgr_open(struct cachemgr *, struct role_env *);
int cachemgr_turn(struct cachemgr *);	       /* 0: nothing was to be done, sleep */
uint64_t cachemgr_deadline(struct cachemgr *); /* until then, unless rung */
void cm_reply_fe(struct cachemgr *, uint64_t req_id, int status);
void cm_push_fe(struct cachemgr *, uint64_t req_id, int status); /* under fe_lock; rings nobody */
void cm_reply_sup(struct cachemgr *, uint64_t req_id, int status, uint64_t arg);
void cm_reply_sup_msg(struct cachemgr *, const struct ipc_msg *);

/* ---- slots.c ---- */
void slots_open(struct cachemgr *); /* the free list, of what is FREE by now */
/* A slot that no line names and whose durable record, if any, is not dirty; evicts if it must. */
uint32_t slot_alloc(struct cachemgr *); /* IPC_NO_SLOT: nothing to be had now */
void slot_link(struct cachemgr *, uint32_t slot, uint32_t block, uint8_t flags, uint8_t state);
void slot_prepare(struct cachemgr *, uint32_t slot, uint32_t block); /* owned, not linked: OLD */
void slot_unlink(struct cachemgr *, uint32_t slot);		     /* to OLD */
void slot_drop(struct cachemgr *, uint32_t slot); /* to OLD, its block was trimmed */
void slot_set_state(struct cachemgr *, uint32_t slot, uint8_t state);
void slot_set_flags(struct cachemgr *, uint32_t slot, uint8_t set, uint8_t clear);
/* More of it is valid, and the caller's bytes are there.  All at once: the map is not touched. */
void slot_add_valid(struct cachemgr *, uint32_t slot, uint32_t first, uint32_t last);
void slot_add_map(struct cachemgr *, uint32_t slot, const uint64_t map[IPC_SUB_MAX / 64]);
bool slot_whole(struct cachemgr *, uint32_t slot);
void slot_note_whole(struct cachemgr *, uint32_t slot); /* if it is, its head says so from now on */
void slot_release(struct cachemgr *, uint32_t slot); /* OLD: free it once nobody names it */
void slots_limbo(struct cachemgr *);		     /* look again at those that waited */
static inline struct ipc_slot *
cm_slot(struct cachemgr *cm, uint32_t slot)
{
	return (&cm->tab.slot[slot]);
}
static inline uint64_t
cm_head(struct cachemgr *cm, uint32_t slot)
{
	return (atomic_load(&cm->tab.slot[slot].head));
}

/* ---- bytes.c: the slots' bytes; 0 or -errno of the cache file ---- */
int bytes_copy_valid(struct cachemgr *, uint32_t from, uint32_t to); /* and the valid map */
int bytes_fill_missing(struct cachemgr *, uint32_t from, uint32_t to);
int bytes_zero_sub(struct cachemgr *, uint32_t slot, uint32_t sub);

/* ---- huge.c: huge pages for the cache in memory ---- */
void huge_open(struct cachemgr *);
void huge_used(struct cachemgr *, uint32_t slot);

/* ---- sent.c: blocks that come back soon after their upload ---- */
int sent_open(struct cachemgr *); /* 0 or -ENOMEM */
void sent_note(struct cachemgr *, uint32_t slot);
void sent_forget(struct cachemgr *, uint32_t slot); /* it is another block's from now on */
bool sent_lately(const struct cachemgr *, uint32_t slot, uint64_t us); /* not longer ago than that */

/* ---- check.c ---- */
void slots_check(struct cachemgr *); /* panics when a slot is not accounted for */

/* ---- evict.c: S3-FIFO over clean linked slots ---- */
int evict_open(struct cachemgr *);
void evict_insert(struct cachemgr *, uint32_t slot); /* clean and linked */
void evict_remove(struct cachemgr *, uint32_t slot); /* no-op when not queued */
uint32_t evict_one(struct cachemgr *);		     /* unlinked and unnamed, or IPC_NO_SLOT */
void evict_read(struct cachemgr *, uint32_t slot); /* what was fetched ahead has its reader */
bool evict_this(struct cachemgr *, uint32_t slot); /* a queued one; false: it is in use now */
bool evict_own(struct cachemgr *, struct bop *);   /* its clean slot, whoever waits for the block */
void evict_turn(struct cachemgr *);		   /* is the slot that was in the way free? */

/* ---- bop.c ---- */
/* Another slot, of which nothing is on record. */
static inline void
bop_set_cur(struct bop *b, uint32_t slot)
{
	b->cur = slot;
	b->recorded_slot = b->noted_slot = IPC_NO_SLOT;
}
int bop_open(struct cachemgr *);
struct bop *bop_find(struct cachemgr *, uint32_t block);
struct bop *bop_get(struct cachemgr *, uint32_t block); /* NULL: out of memory */
void bop_kick(struct cachemgr *, struct bop *);		/* may free it */
void bop_want_room(struct cachemgr *, struct bop *);
/*
 * A writer may make the clean block dirty: until its IPC_DIRTY comes, the place counts as taken, or as
 * many writers as asked at once would all find the last one free, and leave no slot to readers.
 */
void bop_promise(struct cachemgr *, struct bop *);
void bop_promises_old(struct cachemgr *); /* those whose writer died, or had nothing to change */
bool dirty_room(const struct cachemgr *);
void bop_wait_hazard(struct cachemgr *, struct bop *);
void bop_retry_at(struct cachemgr *, struct bop *, uint64_t at_us);
void bop_set_dirty(struct cachemgr *, struct bop *);
void bop_clear_dirty(struct cachemgr *, struct bop *);
void dirty_count(struct cachemgr *, int change);	/* the only writer of cm.ndirty */
void kick_queue(struct cachemgr *, struct bop_queue *); /* room_wait or hazard_wait, whole */

/* ---- shared.c: sharedDiskMode ---- */
/* May this request be answered from what is here? */
bool shared_is_fresh(struct cachemgr *, const struct bop *, const struct waiter *);
void shared_write_came(struct cachemgr *, struct bop *);
bool shared_forget(struct cachemgr *, struct bop *);  /* the clean slot; false: it stays */
bool shared_replace(struct cachemgr *, struct bop *); /* the clean slot by the base */

/* ---- request.c: what the frontend asks for ---- */
void request_handle(struct cachemgr *, const struct ipc_msg *);
void request_block(struct cachemgr *, const struct ipc_msg *); /* READ or WRITE, now */
void request_serve(struct cachemgr *, struct bop *); /* answer the waiters that can be */
/* The frontend has made the block's slot dirty: its bop, on cm.dirty if the slot is its newest. */
struct bop *request_dirty(
    struct cachemgr *, uint32_t block, uint32_t slot, uint32_t lost_before);

/* ---- rebuild.c: after a death ---- */
void request_bury(struct cachemgr *);	     /* the frontend died */
int rebuild_from_segment(struct cachemgr *); /* we died: bops and queues from the slot table */

/* ---- fetch.c ---- */
uint32_t fetch_part_bytes(const struct shm *);
void fetch_try(struct cachemgr *, struct bop *);
void fetch_run(struct cachemgr *); /* those that wait for a transfer */
void fetch_done(struct cachemgr *, struct bop *, const struct ipc_msg *);
bool merge_step(struct cachemgr *, struct bop *); /* true: something changed */
void merge_zerofill(struct cachemgr *, struct bop *);

/* ---- upload.c ---- */
void upload_try(struct cachemgr *, struct bop *);
void upload_step(struct cachemgr *, struct bop *);   /* FREEZING: hazards gone? */
void upload_cancel(struct cachemgr *, struct bop *); /* FREEZING: the block was trimmed */
void upload_done(struct cachemgr *, struct bop *, const struct ipc_msg *);
void upload_unreadable(struct cachemgr *, struct bop *, int error); /* 0: it is no more */
/* If it is complete, and not dirty again.  May free it. */
bool upload_now(struct cachemgr *, struct bop *);
#define WRITEBACK_CALM_MOST 4 /* write delays that a block has to be at rest, at most */
void writeback_later(struct cachemgr *, struct bop *, uint64_t check_us);
void writeback_forget(struct cachemgr *, struct bop *);
void writeback_run(struct cachemgr *); /* start what is due */
uint64_t writeback_deadline(struct cachemgr *);
void throttle_update(struct cachemgr *);

/* ---- passed.c ---- */
void passed_note(struct cachemgr *, uint32_t block); /* it became dirty */

/* ---- sched.c: transfers ---- */
int sched_open(struct cachemgr *);
/* NULL: no transfer free for this kind now. */
struct xfer *sched_start(struct cachemgr *, enum xfer_kind, struct ipc_msg *);
int sched_send(struct cachemgr *, struct xfer *, struct ipc_msg *);
bool sched_has_room(struct cachemgr *, enum xfer_kind);
void sched_reader(struct cachemgr *); /* somebody waits for a block */
void sched_handle(struct cachemgr *, uint32_t uploader, const struct ipc_msg *);
void sched_bury(struct cachemgr *, uint32_t uploader);
_Noreturn void sched_give_up(uint32_t uploader, int error); /* its ring is damaged */

/* ---- landing.c ---- */
void landing_await(struct cachemgr *); /* everything in the bucket may still change */
bool landing_quiet(struct cachemgr *);
void landing_note(struct cachemgr *, uint64_t first, uint64_t count);
bool landing_possible(struct cachemgr *, uint64_t first, uint64_t count);

/* ---- zeromap.c ---- */
void zero_change(struct cachemgr *, uint32_t block, enum zero_state);
void zero_change_range(struct cachemgr *, uint64_t block, uint64_t end, enum zero_state);
/* The first block from there on that is written down as in that state (not UNKNOWN); end: none. */
uint64_t zero_next(const struct cachemgr *, uint64_t block, uint64_t end, enum zero_state);
/* The first block from there on that is not PENDING. */
uint64_t zero_pending_until(const struct cachemgr *, uint64_t block, uint64_t end);
void zero_recount(struct cachemgr *);

/* ---- trim.c ---- */
void delete_landing(struct cachemgr *, const struct del_batch *);
void trim_handle(struct cachemgr *, const struct ipc_msg *);
void delete_run(struct cachemgr *);
void delete_done(struct cachemgr *, struct del_batch *, const struct ipc_msg *);
bool delete_covers(struct cachemgr *, uint32_t block);

/* ---- barrier.c: flushTo=bucket, sync, drain, stop ---- */
void barrier_add(struct cachemgr *, uint16_t type, uint64_t req_id, bool from_sup);
void barrier_check(struct cachemgr *);
void barrier_fail_all(struct cachemgr *, int status);
bool barrier_covers(struct cachemgr *, uint64_t dirty_id);
void super_handle(struct cachemgr *, const struct ipc_msg *);

/* ---- settings.c ---- */
void settings_max_dirty(struct cachemgr *, uint64_t slots); /* 0: no limit of the user's */
int settings_change(struct cachemgr *, uint32_t key, uint64_t value); /* enum conf_id */
void settings_through(struct cachemgr *); /* do writes wait for the bucket? */

/* ---- expire.c: blockCacheTimeout ---- */
int expire_set(struct cachemgr *, uint64_t timeout_us); /* 0: never */
void expire_run(struct cachemgr *);
uint64_t expire_deadline(struct cachemgr *);

/* ---- readahead.c ---- */
int readahead_open(struct cachemgr *);
void readahead_set(struct cachemgr *, uint32_t window, uint32_t trigger); /* UINT32_MAX, 0: as is */
void readahead_miss(struct cachemgr *, uint32_t block, bool in_flight);
bool readahead_expects(struct cachemgr *, uint32_t block);
void readahead_hit(struct cachemgr *, uint32_t block);
void readahead_took(struct cachemgr *, uint64_t us, bool whole); /* a GET of a block, or of a part */
void readahead_wasted(struct cachemgr *, uint32_t block); /* evicted unread */

/* ---- scrub.c ---- */
void scrub_request(struct cachemgr *, const struct ipc_msg *);
void scrub_run(struct cachemgr *);
void scrub_done(struct cachemgr *, struct scrub_item *, const struct ipc_msg *);
uint64_t scrub_deadline(const struct cachemgr *);

/* ---- lease.c: the right to write ---- */
void lease_open(struct cachemgr *);
bool lease_holds(struct cachemgr *);
void lease_run(struct cachemgr *);
void lease_done(struct cachemgr *, const struct ipc_msg *);
uint64_t lease_deadline(struct cachemgr *); /* monotonic */

/* ---- page.c: is what was kept still so? ---- */
void page_open(struct cachemgr *);
void lazy_survey_begin(struct cachemgr *);
bool page_tells(struct cachemgr *, uint32_t block); /* soon, whether it is: asks if it must */
bool page_hold(struct cachemgr *, const struct ipc_msg *); /* true: it is handled after that */
void page_listed(struct cachemgr *, const struct ipc_msg *);
void page_done(struct cachemgr *, const struct ipc_msg *);
void page_forget_reads(struct cachemgr *);

/* ---- survey.c ---- */
void survey_unblock(struct cachemgr *);
void survey_start(struct cachemgr *);
void survey_listed(struct cachemgr *, const struct ipc_msg *);
void survey_done(struct cachemgr *, int status);
void survey_note_put(struct cachemgr *, uint32_t block);

#endif
