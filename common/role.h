/* SPDX-License-Identifier: ISC */
/*
 * role.h -- everything a role process inherits, and nothing else; how it starts and says so.
 *
 * Process:  frontend, cachemgr, uploader (role_start ... role_fail); s3backerd uses the packet
 *           functions at the end.  Implemented in ipc/role.c, because it attaches the segment.
 * Threads:  before threads start.
 *
 * s3backerd execs a role with one descriptor that matters: ROLE_CTL_FD, one end of a SEQPACKET
 * socketpair.  The conversation on it:
 *
 *	s3backerd -> role	HELLO	struct role_hello, configuration text, descriptors
 *	role -> s3backerd	FD	cachemgr only: the cache file it opened (one descriptor)
 *	role -> s3backerd	READY	"I can work"; text: what it chose, for the log
 *	role -> s3backerd	FAIL	text: one clear line; the role then exits with 2
 *	either			TEXT	store tool: a command line and its answer, see below
 *
 * The socket closing on the s3backerd side means that s3backerd is gone: finish, commit, leave.
 *
 * Store tool: an uploader that got no ROLE_FD_SHM answers TEXT commands, one at a time, and exits
 * when the socket closes.  Answer: "ok key=value ..." (values percent-encoded) or
 * "error ERRNO one clear line for the user".  Commands:
 *	detect [known]		size and block size from block 0 (known: the cache file names the disk):
 *				ok found=0|1 size= blocksize= [empty=0|1] [region= style=]
 *				[fields of token-get] [problem=] [note=] [keylength=]
 *				empty, when nothing was found: are there any blocks?
 *				problem: why the disk must not be started like this
 *	keys			ok [source= id= expires=]: what signs, never the secret
 *	sample			a few objects, looked at and not read:
 *				ok looked= bytes= largest= mixed=0|1 encoding=
 *				[key=] [newkey=1]	AES-256-GCM: the key object; there is none yet
 *	key-make		a key object for a new disk: ok key=
 *	rekey password=		the key object under another password: ok
 *	token-get		ok present=0|1 token=%08x etag= host= since= boot= pid= instance=
 *	token-take token=%08x body=...  create, only if absent where the store can:
 *				ok fence=strong|weak|none etag=   or   held + fields of token-get
 *	token-replace token= body= etag=   overwrite ours (takeover)
 *	token-drop token=	delete it if it still carries this token: ok dropped=0|1
 *	erase-page		delete the blocks of the next page of names: ok deleted= more=0|1
 *	erase-first		delete block 0, which carries the sizes
 *	probe-begin, probe-features, probe-latency, probe-end,
 *	probe-rate dir=put|get size= at-once=	what the store can do: uploader/tool_probe.c
 */
#ifndef S3B_COMMON_ROLE_H
#define S3B_COMMON_ROLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct conf;
struct shm;
struct proc_slot;
struct ipc_bell;
struct ipc_state;
struct counters;

#define ROLE_CTL_FD	3
#define ROLE_EXIT_DONE	0
#define ROLE_EXIT_AGAIN 1 /* respawn me */
#define ROLE_EXIT_NEVER 2 /* do not respawn me */
#define ROLE_PACKET_MAX 131072
#define ROLE_MAX_FDS	96

enum role_fd {		 /* what a descriptor handed over is for */
	ROLE_FD_SHM,	 /* the segment */
	ROLE_FD_CACHE,	 /* cache file or memfd, with the slots' bytes */
	ROLE_FD_FUSE,	 /* /dev/fuse, mounted: frontend only */
	ROLE_FD_SUPBELL, /* eventfd of s3backerd */
	ROLE_FD_UPBELL0, /* eventfd of uploader 0; + i for uploader i */
	ROLE_NFDS = ROLE_FD_UPBELL0 + 64
};

enum role_packet {
	ROLE_HELLO = 1,
	ROLE_FD,
	ROLE_READY,
	ROLE_FAIL,
	ROLE_TEXT
};

struct role_env {
	uint32_t proc;	/* PROC_FRONTEND ...: our row in the tables */
	uint32_t epoch; /* of this incarnation */
	int ctl_fd;
	int fd[ROLE_NFDS];     /* -1 where nothing was handed over; owned */
	struct shm *shm;       /* NULL for the store tool */
	struct proc_slot *me;  /* our row; only we write our fields */
	struct ipc_bell *bell; /* only we wait on it */
	struct ipc_state *state;
	struct counters *counters;
	struct conf *conf;
	const char *name; /* "uploader.0": for the log */
};

/* SIGTERM was received: set by the handler, which also rings the bell. */
extern _Atomic int role_stop_requested;

/*
 * First thing in every role's main(): receive HELLO, attach the segment, open the log, install the
 * signal handlers (TERM: stop; PIPE, INT, HUP: ignored), set the process title, point the panic
 * text at our row.  On failure it says why on stderr and exits; it does not return then.
 */
void role_start(struct role_env *);
int role_ready(struct role_env *, const char *text);
_Noreturn void role_fail(struct role_env *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* True once s3backerd has closed its end of the socket, or died, and no other is expected. */
bool role_orphaned(const struct role_env *);

/* ---- packets: both sides ---------------------------------------------------------------- */
struct role_hello {
	uint32_t magic, version;
	uint32_t proc, epoch;
	uint32_t nfds;
	uint8_t fd_kind[ROLE_MAX_FDS]; /* enum role_fd of each descriptor, in order */
	uint32_t foreground;
};

int role_send(
    int sock, enum role_packet type, const void *data, size_t len, const int *fds, unsigned nfds);
/* Blocks.  Returns the payload length, -EPIPE when the peer is gone.  *ret_nfds in: room in fds. */
ssize_t role_recv(
    int sock, enum role_packet *ret_type, void *buf, size_t size, int *fds, unsigned *nfds);

#endif
