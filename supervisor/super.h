/* SPDX-License-Identifier: ISC */
/*
 * super.h -- all that s3backerd knows about its disk, in one struct.
 *
 * Process:  s3backerd.    Threads: none, ever: it forks, and its one sleep is poll(2).
 * Owns:     everything below; super_close() releases it, also when half of it is missing.
 *
 * What happens over the life of a disk is one phase after the other:
 *
 *	ROLES --all ready--> PROBING --the file opens---> RUNNING --stop--> UNMOUNTING --> DRAINING
 *	  |                     |                           |    mount gone      |            |
 *	  +------ failed -------+                           +------> DETACHED ---)------------+
 *	  v                     v                                    (lazy umount: users left)|
 *	ENDING <------------------------------------------------------------------------------+
 *	  |  all roles gone
 *	  v
 *	OVER    token dropped, files removed
 *
 * Nothing in the loop may block on the disk itself, or a hung role could never be replaced: what
 * touches the mount (reading it, unmounting it) runs in a helper process, see helper.h.
 */
#ifndef S3B_SUPERVISOR_SUPER_H
#define S3B_SUPERVISOR_SUPER_H

#include <bsd/sys/queue.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "ipc/pool.h"
#include "ipc/ring.h"
#include "ipc/shm.h"

#include "common/diskname.h"
#include "common/role.h"

#include "supervisor/cold.h"
#include "supervisor/scrub.h"
#include "supervisor/words.h"

struct conf;
struct control;
struct letter;
struct usage;
struct mirror;
struct scrape;
struct super;
struct vault;

enum phase {
	PHASE_ROLES,
	PHASE_PROBING,
	PHASE_RUNNING,
	PHASE_DETACHED,
	PHASE_UNMOUNTING,
	PHASE_DRAINING,
	PHASE_ENDING,
	PHASE_OVER
};

enum dirty_wish {			/* changes in the cache file of another mount of this disk */
	DIRTY_REFUSE,
	DIRTY_UPLOAD,
	DIRTY_SET_ASIDE
};

/* What the command line said. */
struct options {
	const char	*config;	/* as given */
	char		*config_real;	/* absolute */
	const char	**overrides;	/* NULL-terminated "key=value" */
	unsigned	 noverrides;
	bool		 foreground;
	bool		 keep_dirty;
	enum dirty_wish	 dirty;		/* start --dirty */
	const char *const *args;	/* words after the command */
	bool		 sure;		/* --force: do not ask, overwrite */
	bool		 json;		/* --json */
	const char	*file;		/* rekey --new-password=FILE; NULL: ask */
};

/*
 * Descriptors that outlive the roles, and in a later stage this program as well: restart with
 * exec, or systemd's descriptor store.  -1 where there is none yet.
 */
struct handed {
	int shm;			/* owned by struct shm; a copy of its number */
	int cache;			/* cache file or memfd, from cachemgr */
	int fuse;			/* /dev/fuse, mounted */
	int supbell;			/* our eventfd */
	int upbell[IPC_MAX_UPLOADERS];
};

enum role_state {
	ROLE_NONE,			/* never started */
	ROLE_STARTING,			/* exec'd, READY has not come */
	ROLE_RUNNING,
	ROLE_LEAVING,			/* asked to end: its death is no news */
	ROLE_WAITING,			/* dead, to be started again at respawn_us */
	ROLE_GONE			/* dead, and not to be started again */
};

struct role {
	uint32_t	proc;
	enum role_state	state;
	pid_t		pid;		/* 0: nobody */
	int		sock;		/* our end of ROLE_CTL_FD */
	int		err_fd;		/* what it writes to stderr; -1 with -f */
	uint64_t	started_us;
	uint64_t	ready_by_us;	/* STARTING: patience ends; LEAVING: SIGKILL */
	uint64_t	respawn_us;	/* WAITING */
	unsigned	deaths;		/* in a row, for the back-off */
	uint32_t	epoch;		/* of this life; 0: not started by us, see the segment */
	uint32_t	bury_epoch;	/* cachemgr must bury up to this one before a respawn */
	bool		buried;		/* it said so */
	bool		restarting;	/* its end is ours: `restart`, or cachemgr's death */
	uint64_t	beat_us, looked_us; /* heart.h: the beat of the last look, and when that was */
	uint64_t	still_us;	/* how long it has not moved */
	bool		hung;		/* reported as not moving */
	bool		given_up;	/* killed for it */
	char		fail[512];	/* text of its FAIL */
	struct words	words;		/* what it writes to stderr */
};

struct health {				/* of the store, see health.h */
	uint64_t good, bad;		/* requests that succeeded, attempts that did not; so far */
	uint64_t bad_since_good;	/* attempts in a row */
	uint64_t first_bad_us;		/* when the first of these was seen */
	bool	 said;
};

enum helper_kind { HELPER_NONE, HELPER_PROBE, HELPER_UMOUNT, HELPER_TRIAL };

struct helper {				/* one at a time */
	enum helper_kind kind;
	pid_t		 pid;
	int		 out_fd;	/* TRIAL: what it says */
	uint64_t	 deadline_us;
};

struct token {				/* the mount token of this disk, see token.h */
	uint32_t	value;		/* 0: none of ours is in the bucket */
	unsigned	fence;		/* FENCE_ */
	char		instance[33];
	bool		taken_over;	/* it was ours before this start */
	bool		noted;		/* the state file was there before this start */
	bool		unclean;	/* somebody's was there when this start took it */
	uint64_t	asked_us;	/* CLOCK_BOOTTIME just before it was confirmed; 0: not yet */
	uint64_t	looked_us;	/* and before we looked whether somebody has it */
	uint64_t	settled_us;	/* no confirmation before means anything; weak fence */
	uint8_t		etag[16];	/* zero: not known */
	char		body[512];	/* of the object, as it was written */
};

struct pending {			/* a command to cachemgr without its DONE */
	TAILQ_ENTRY(pending) link;
	struct ipc_msg	msg;
	bool		sent;
	void		(*done)(struct super *, void *arg, int status);
	void		*arg;
};
TAILQ_HEAD(pending_list, pending);

struct super {
	struct options	 opt;
	struct conf	*conf;		/* without secrets once the roles are started */
	struct vault	*vault;		/* the uploaders' configuration, with secrets */
	struct disk_paths paths;
	int		 pid_fd;	/* lock of the pid file, see pidlock.h */
	char		**live;		/* "key=value" of `s3backerctl set` */
	unsigned	 nlive;
	struct letter	*letter;	/* of the s3backerd before us; NULL: we are the first */
	int		 parent_fd;	/* whoever typed `start` waits on it; -1: nobody */
	char		*file;		/* the disk's file: MOUNTPOINT/file */

	struct handed	 handed;
	struct shm	 shm;		/* base NULL: not made yet */
	struct role	*role;		/* [nprocs], by process number; row 0 is unused */
	uint32_t	 nprocs;
	struct token	 token;
	uint64_t	 size;		/* of the disk, bytes */
	char		 region[64], style[8]; /* place.h; empty: as configured */
	bool		 new_key;	/* AES-256-GCM: it has no key object yet */
	char		 key_object[600]; /* what it holds: the data key, under the password */
	uint64_t	 resize_to;	/* a restart that makes it larger is under way; 0: none */

	enum phase	 phase;
	struct health	 health[POOL_WAYS];
	uint64_t	 token_renewed;	/* how often, when last looked; health.c */
	int		 sig_fd, mountinfo_fd;
	bool		 mounted;
	unsigned	 fuse_minor;	/* device number of the mount */
	struct helper	 helper;
	struct control	*control;
	struct mirror	*mirror;	/* NULL: not begun */
	struct usage	*usage;		/* NULL: not counted yet */
	struct scrape	*scrape;	/* metricsListen; NULL: not served */

	struct ipc_ring_end to_cm, from_cm;
	struct pending_list pending;
	uint64_t	 next_req;
	struct {	/* valid while the `done` of a command is called */
		const struct ipc_msg *request, *reply;
	} dialogue;
	struct scrub	 scrub;

	/* The stop that is under way. */
	uint64_t	 detached_us;	/* since when it is unmounted and in use; 0: was said */
	bool		 keep_dirty;	/* do not wait for the bucket */
	uint64_t	 stop_retry_us;	/* when to ask cachemgr once more */
	bool		 stop_wanted;	/* stop as soon as the start is through */
	uint64_t	 left_dirty;	/* bytes that stayed in the cache file */
	bool		 fenced;	/* at its end: the token was not ours any more */
	bool		 left_changes;	/* these, or blocks that are still to be deleted */
	bool		 was_running;	/* it got as far as RUNNING */
	char		*fail;		/* why the disk ends; NULL: because it was asked to */
	enum phase	 told_phase;	/* notify.h: what systemd was told, when to tell it more */
	uint64_t	 tell_us, watchdog_us;
	enum cold_step	 cold_step;	/* restart with a new segment, see cold.h */
	int		 cold_status;
	uint32_t	 restart_next;	/* next row that `restart` replaces; 0: none under way */
};

/* main loop: from PHASE_ROLES to PHASE_OVER.  0, or 1 when the disk ended by a failure. */
int	super_run(struct super *);
void	super_close(struct super *);

/*
 * The first reason is kept: it is why the disk ends.  While starting it is what the user is told;
 * later it goes to the log, and the disk is stopped.
 */
void	super_fail(struct super *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* ---- what the modules hand to the loop ---------------------------------------------------- */
struct watch {
	void	(*ready)(struct super *, void *arg, short revents);
	void	*arg;
};

#define WATCH_MAX 512

struct watch_set {
	unsigned	n;
	struct pollfd	fd[WATCH_MAX];
	struct watch	watch[WATCH_MAX];
};

void	watch_add(struct watch_set *, int fd, short events,
	    void (*ready)(struct super *, void *arg, short revents), void *arg);

#endif
