/* SPDX-License-Identifier: ISC */
/*
 * renewal.c -- TOKEN: the mount token is written again with the time of now; see cachemgr/lease.c.
 *
 *	 strong fence, ETag known:  write if it matches ----------------------> done
 *	                               ^       | 412, 409, 404
 *	                               |       v
 *	 else:  look ---ours-----------+---- look --not ours--> done, ESTALE
 *	             (weak fence: write without a condition)
 *
 * "Ours" means our number and our instance in the body: an earlier attempt of our own, whose answer
 * was lost, may be what is there.  ESTALE is only said of a token that was read.  Trouble with the
 * network ends with that error after a few seconds; cachemgr asks again.
 *
 * Ceph RGW compares If-Match of a PUT without its quotes.  Where the store refuses an ETag that it has
 * just given us itself, the condition is said without quotes from then on.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bsd/string.h>

#include "common/check.h"
#include "common/counters.h"
#include "common/log.h"
#include "common/timeutil.h"
#include "ipc/state.h"
#include "uploader/etag.h"
#include "uploader/uploader.h"

#include "uploader/guard.h"

#define ATTEMPT_US (3 * US_PER_S)
#define EFFORT_US  (5 * US_PER_S) /* no attempt begins later */
#define WRITES_MAX 4 /* a store that refuses every condition; then what was read must do */
#define TOKEN_BODY sizeof(((struct ipc_state *)0)->token_body)

struct renewal {
	struct work w; /* first */
	struct store_op op;
	uint32_t token;
	char body[TOKEN_BODY + TIME_ISO_LEN];
	char etag[80];	/* what the store is believed to have; "": not known */
	char match[80]; /* as it was sent */
	unsigned writes;
	bool no_condition; /* the store does not know If-Match */
};

static void look(struct work *);
static void write_token(struct work *);

static void
renewal_ended(struct work *w)
{
	free((struct renewal *)w);
}

static void
lost(struct renewal *r, const char *what)
{
	log_err(0, "the mount token is not ours any more: ours=%08x found=%s", r->token, what);
	work_done(&r->w, -ESTALE, 0, 0, NULL);
}

static void
renewed(struct renewal *r)
{
	struct uploader *up = r->w.up;

	ctr_inc(up->env->counters, token_ok);
	(void)strlcpy(up->token_etag, r->etag, sizeof(up->token_etag));
	work_done(&r->w, 0, 0, 0, r->etag);
}

static void
failed(struct renewal *r)
{
	const struct store_reply *rep = &r->op.reply;

	if (now_us() - r->w.begun_us < EFFORT_US)
		work_failed(&r->w, rep);
	else
		work_done(&r->w, fail_errno(rep->fail, rep->http, rep->error), 0, 0, NULL);
}

/* ---- reading ------------------------------------------------------------------------------- */
/* Does a body have the "instance" line of ours?  Without one of our own, the number decides. */
static bool
same_instance(const char *ours, const char *theirs)
{
	const char *a = strstr(ours, "\ninstance: "), *b = strstr(theirs, "\ninstance: ");
	size_t n;

	if (a == NULL)
		return (true);
	n = strcspn(a + 1, "\n") + 1;
	return (b != NULL && strcspn(b + 1, "\n") + 1 == n && memcmp(a, b, n) == 0);
}

static void
look_done(struct store_op *op)
{
	struct renewal *r = op->arg;
	struct uploader *up = r->w.up;
	const struct store_reply *rep = &op->reply;
	char found[40];

	if (rep->fail == FAIL_ABSENT) {
		work_succeeded(&r->w);
		lost(r, "nothing");
		return;
	}
	if (rep->fail != FAIL_NONE) {
		failed(r);
		return;
	}
	work_succeeded(&r->w);
	if (!rep->has_token || rep->token != r->token || !same_instance(r->body, rep->body)) {
		(void)snprintf(found, sizeof(found), "%08x%s", rep->token,
		    rep->token == r->token ? " of another start" : "");
		lost(r, found);
		return;
	}
	/* It was refused although it is right. */
	if (r->match[0] == '"' && strcmp(r->match, rep->etag) == 0)
		up->bare_if_match = true;
	(void)strlcpy(r->etag, rep->etag, sizeof(r->etag));
	if (r->body[0] == '\0' || r->writes >= WRITES_MAX) {
		/* Nothing to write, or no way to: but it was ours a moment ago, which is what counts. */
		if (r->writes >= WRITES_MAX)
			log_warn("the mount token cannot be renewed, only read");
		renewed(r);
		return;
	}
	write_token(&r->w);
}

static void
look(struct work *w)
{
	struct renewal *r = (struct renewal *)w;

	w->attempt = look;
	r->op.kind = STORE_TOKEN_GET;
	r->op.done = look_done;
	store_submit(w->up->store, &r->op);
}

/* ---- writing ------------------------------------------------------------------------------- */
static void
write_done(struct store_op *op)
{
	struct renewal *r = op->arg;
	const struct store_reply *rep = &op->reply;

	switch (rep->fail) {
	case FAIL_NONE:
		work_succeeded(&r->w);
		(void)strlcpy(r->etag, rep->etag, sizeof(r->etag));
		renewed(r);
		return;
	case FAIL_UNSUPPORTED:
		r->no_condition = true;
		look(&r->w);
		return;
	case FAIL_CONDITION:
	case FAIL_ABSENT:
		look(&r->w);
		return;
	default:
		/* An attempt that was cut off may have landed, and then the ETag is another. */
		r->w.attempt = rep->http == 409 ? look : write_token;
		failed(r);
		return;
	}
}

static void
say_condition(struct renewal *r)
{
	size_t n = strlcpy(r->match, r->etag, sizeof(r->match));

	if (r->w.up->bare_if_match && n > 2 && n < sizeof(r->match) && r->match[0] == '"') {
		memmove(r->match, r->match + 1, n - 2);
		r->match[n - 2] = '\0';
	}
	r->op.condition = STORE_IF_MATCH;
	r->op.match = r->match;
}

static void
write_token(struct work *w)
{
	struct renewal *r = (struct renewal *)w;
	bool strong = atomic_load(&w->up->env->state->fence) == 2 && !r->no_condition;

	w->attempt = write_token;
	r->writes++;
	r->op.kind = STORE_TOKEN_PUT;
	r->op.done = write_done;
	r->op.token = r->token;
	r->op.body = r->body;
	r->op.renewal = true;
	r->op.condition = STORE_ALWAYS;
	r->match[0] = '\0';
	if (strong && r->etag[0] != '\0')
		say_condition(r);
	store_submit(w->up->store, &r->op);
}

/* ---- start --------------------------------------------------------------------------------- */
/* The second line is the time; supervisor/token.h. */
static void
make_body(struct renewal *r, const char *old)
{
	const char *time = strchr(old, '\n'), *rest = time != NULL ? strchr(time + 1, '\n') : NULL;
	char now[TIME_ISO_LEN];

	if (rest == NULL)
		return;
	(void)snprintf(r->body, sizeof(r->body), "%.*s\n%s%s", (int)(time - old), old,
	    time_iso_basic(wall_us(), now), rest);
}

/* The segment has room for 16 bytes of it; the whole is known to who has written it. */
static void
find_etag(struct renewal *r, const struct ipc_state *st)
{
	uint64_t etag[2] = {atomic_load(&st->token_etag[0]), atomic_load(&st->token_etag[1])};
	uint8_t bytes[16], mine[16];

	memcpy(bytes, etag, sizeof(bytes));
	if (etag[0] == 0 && etag[1] == 0)
		return;
	if (etag_bytes(r->w.up->token_etag, mine) && memcmp(mine, bytes, 16) == 0)
		(void)strlcpy(r->etag, r->w.up->token_etag, sizeof(r->etag));
	else
		etag_text(bytes, r->etag);
}

void
renewal_begin(struct uploader *up, const struct ipc_msg *m)
{
	struct renewal *r = calloc(1, sizeof(*r));
	const struct ipc_state *st = up->env->state;
	char old[TOKEN_BODY + 1] = "";

	MUST(r != NULL);
	work_init(up, &r->w, m);
	r->w.ended = renewal_ended;
	r->w.attempt = look;
	r->op.arg = r;
	r->op.limit_us = ATTEMPT_US;
	r->token = atomic_load(&st->token);
	if (atomic_load(&st->fenced) != 0 || r->token == 0) {
		work_done(&r->w, atomic_load(&st->fenced) != 0 ? -ESTALE : -EINVAL, 0, 0, NULL);
		return;
	}
	memcpy(old, st->token_body, TOKEN_BODY);
	make_body(r, old);
	find_etag(r, st);
	if (atomic_load(&st->fence) == 2 && r->etag[0] != '\0' && r->body[0] != '\0')
		write_token(&r->w);
	else
		look(&r->w);
}
