/* SPDX-License-Identifier: ISC */
/*
 * tool.h -- what the parts of the store tool share: tool.c (commands, retries, detect) and
 * tool_token.c (the mount token).
 */
#ifndef S3B_UPLOADER_TOOL_H
#define S3B_UPLOADER_TOOL_H

#include "common/counters.h"
#include "uploader/uploader.h"

#define ANSWER_MAX	16384
#define ARG_MAX_LEN	STORE_BODY_MAX

struct tool {
	struct role_env *env;
	struct loop	 loop;
	struct jobs	*jobs;
	struct codec	*codec;
	struct store	*store;
	struct counters	 counters;
	struct store_op	 op;
	bool		 finished;
	char		 answer[ANSWER_MAX];
};

/* t->op with retries; what came back is in t->op.reply.  0: an answer, also "absent". */
int	tool_perform(struct tool *);

/* The answer: its first word, values, or the error instead. */
void	tool_begin(struct tool *, const char *word);
void	tool_add(struct tool *, const char *key, const char *value);
void	tool_failed(struct tool *, int error);

void	tool_token_get(struct tool *);
void	tool_token_take(struct tool *, uint32_t token, const char *body);
void	tool_token_replace(struct tool *, uint32_t token, const char *body, const char *etag);
void	tool_token_drop(struct tool *, uint32_t token);

#endif
