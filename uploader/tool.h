/* SPDX-License-Identifier: ISC */
/*
 * tool.h -- what the parts of the store tool share: tool.c (commands, retries), tool_look.c (detect),
 * tool_sample.c (what objects are like), tool_token.c (the mount token), tool_key.c,
 * tool_erase.c, tool_probe.c.
 */
#ifndef S3B_UPLOADER_TOOL_H
#define S3B_UPLOADER_TOOL_H

#include "common/counters.h"
#include "uploader/uploader.h"

#define ANSWER_MAX	16384
#define ARG_MAX_LEN	STORE_BODY_MAX

struct tool_erase;
struct tool_probe;

/* One of several operations at once. */
struct tool_call {
	struct store_op *op;
	int		 error;	/* 0: an answer is in op->reply, also "absent" */
	/* private to tool.c */
	bool		 finished, over;
	unsigned	 healed;
	struct retry	 retry;
	uint64_t	 began_us, again_us;
};

struct tool {
	struct role_env *env;
	struct loop	 loop;
	struct jobs	*jobs;
	struct codec	*codec;
	struct cred_reader *reader;
	struct store	*store;
	struct counters	 counters;
	struct store_op	 op;
	struct tool_call *calls;	/* of tool_perform_all() */
	unsigned	 ncalls;
	bool		 finished;
	uint64_t	 absent_us;	/* there was no mount token then; 0: not known */
	struct tool_erase *erase;	/* tool_erase.c; NULL until it is asked */
	struct tool_probe *probe;	/* tool_probe.c; the same */
	char		 answer[ANSWER_MAX];
};

/* All of them, each with retries. */
void	tool_perform_all(struct tool *, struct tool_call *, unsigned n);
/* t->op with retries; what came back is in t->op.reply.  0: an answer, also "absent". */
int	tool_perform(struct tool *);

/* The answer: its first word, values, or the error instead. */
void	tool_begin(struct tool *, const char *word);
void	tool_add(struct tool *, const char *key, const char *value);
void	tool_add_number(struct tool *, const char *key, uint64_t value);
void	tool_failed(struct tool *, int error);
/* Turns the loop until tool->finished or the deadline. */
void	tool_wait(struct tool *, uint64_t deadline);

void	tool_detect(struct tool *, bool known);
void	tool_sample(struct tool *);

/* The key object of AES-256-GCM: tool_key.c. */
void	tool_key_op(struct store_op *);	/* a GET of it */
void	tool_key_make(struct tool *);
void	tool_rekey(struct tool *, const char *password);
int	tool_key_drop(struct tool *);
const char *tool_key_why(int error);

void	tool_token_get(struct tool *);
/* present= and who it is, of the reply to a TOKEN_GET that was sent at `asked_us`. */
void	tool_token_add(struct tool *, const struct store_reply *, uint64_t asked_us);
void	tool_token_take(struct tool *, uint32_t token, const char *body);
void	tool_token_replace(struct tool *, uint32_t token, const char *body, const char *etag);
void	tool_token_drop(struct tool *, uint32_t token);

/* tool_erase.c: all blocks but the first, one page a call; the first. */
void	tool_erase_page(struct tool *);
void	tool_erase_first(struct tool *);

/* tool_probe.c: see there. */
void	tool_probe_begin(struct tool *);
void	tool_probe_features(struct tool *);
void	tool_probe_latency(struct tool *);
void	tool_probe_rate(struct tool *, bool put, uint32_t size, unsigned at_once);
void	tool_probe_end(struct tool *);

#endif
