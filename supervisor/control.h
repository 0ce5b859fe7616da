/* SPDX-License-Identifier: ISC */
/*
 * control.h -- the control socket: who may ask, the lines, and who waits for what.
 *
 * Protocol in common/ctlsock.h, commands in control_ops.c.  Peers must be root or of our own user.
 * One request at a time per connection.  Never waits: what cannot be written is kept, and a peer
 * that does not read is dropped.
 */
#ifndef S3B_SUPERVISOR_CONTROL_H
#define S3B_SUPERVISOR_CONTROL_H

#include <bsd/sys/queue.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct super;
struct watch_set;

enum client_wait {		/* what its request waits for */
	WAIT_NOTHING,
	WAIT_UPLOAD,		/* flush, drain: DONE of cachemgr, with progress */
	WAIT_DONE,		/* resume, set: DONE of cachemgr */
	WAIT_STOP,		/* the end, with progress */
	WAIT_RESTART,
	WAIT_SCRUB		/* its end, with progress */
};

struct client {
	LIST_ENTRY(client) link;
	struct super	*super;
	int		 fd;
	enum client_wait wait;
	const char	*cmd;		/* of the request under way; static text */
	uint64_t	 total;		/* most dirty bytes seen since it began */
	uint64_t	 progress_us;	/* when to tell it next */
	char		*in, *out;
	size_t		 in_used, out_used, out_size;
	bool		 dead;		/* to be freed at the end of the turn */
};
LIST_HEAD(client_list, client);

struct control {
	int		   listen_fd;
	struct client_list clients;
};

/* The socket is made anew: whoever holds the pid file is the only one that may. */
int	control_open(const char *path, struct control **ret_control);
/* After a fork: who connects learns by SO_PEERCRED of the process that has said it listens. */
void	control_is_ours(struct control *);			/* NULL-safe */
void	control_close(struct control **);			/* NULL-safe */
void	control_watch(struct super *, struct watch_set *);
uint64_t control_timers(struct super *, uint64_t now);

/* ---- answers; each ends the client's request ---------------------------------------------- */
void	client_ok(struct client *, json_t *data);	/* takes data; NULL: {} */
void	client_error(struct client *, int exit_code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- events of the disk ------------------------------------------------------------------- */
void	control_stop_refused(struct super *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void	control_restarted(struct super *);
/* The very last: to all who wait.  `warning` may be NULL. */
void	control_farewell(struct super *, const char *warning);

/* ---- for a successor by exec -------------------------------------------------------------- */
json_t *control_letter(const struct control *);	/* those who wait */
int	control_fd(const struct control *);
void	control_set_inherited(const struct control *, bool inherited);
int	control_client_fd(const void *client);
int	control_adopt(int listen_fd, struct control **ret_control);
int	control_read_letter(struct super *, json_t *clients);
struct client *control_find_client(struct super *, int fd);	/* NULL: there is none */
void	control_restart_refused(struct super *, const char *why);

/* control_ops.c */
const char *control_op_name(const char *cmd);	/* static text; NULL: no such command */
/* What is to be called with the DONE of a command of this type that a client waits for. */
void	(*control_done(unsigned type))(struct super *, void *client, int status);
void	control_request(struct client *, const char *line);
json_t *control_progress(struct client *);

#endif
