/* SPDX-License-Identifier: ISC */
/*
 * bury.h -- the roles' lives after exec: ready, silent, dead, buried, born again.
 *
 * A death is logged once: role, pid, signal or exit code, last words.  Then cachemgr is told
 * (IPC_DEAD), because it alone can release what the dead held; only when it has done so does a
 * successor start, or the successor's own hazard lines would be swept away with the old ones.
 * With cachemgr end the uploaders, killed by us, and its successor starts when they are gone: their
 * transfers were its secret.  Who dies again and again waits longer each time; exit code 2 is "never again" and ends the disk.
 */
#ifndef S3B_SUPERVISOR_BURY_H
#define S3B_SUPERVISOR_BURY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct super;
struct role;
struct watch_set;

int	bury_start_all(struct super *);		/* cachemgr first, the others when it is ready */
int	bury_start(struct super *, struct role *);
bool	bury_no_uploader_left(const struct super *);
bool	bury_all_running(const struct super *, uint32_t from, uint32_t to);

void	bury_watch(struct super *, struct watch_set *);	/* their sockets and stderr */
void	bury_children(struct super *);			/* SIGCHLD */
bool	bury_is_done(const struct super *, uint32_t proc, uint32_t epoch);
void	bury_confirmed(struct super *, uint32_t proc, uint32_t epoch);
uint64_t bury_timers(struct super *, uint64_t now);

/* In a successor after a death: the roles of the one before are dead, and ours are to start. */
void	bury_strangers(struct super *);

/* SIGTERM, and SIGKILL when it is still there after `limit_us`. */
void	bury_ask_to_leave(struct super *, struct role *, uint64_t limit_us);
bool	bury_nobody_left(const struct super *);
void	bury_kill_all(struct super *);			/* SIGKILL and wait: for a way out */

#endif
