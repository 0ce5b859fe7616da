/* SPDX-License-Identifier: ISC */
#include "supervisor/token.h"

#include <bsd/stdlib.h>
#include <bsd/string.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ipc/shm.h"
#include "ipc/state.h"

#include "common/cleanup.h"
#include "common/conf.h"
#include "common/durable.h"
#include "common/log.h"
#include "common/timeutil.h"

#include "supervisor/refuse.h"
#include "supervisor/start.h"
#include "supervisor/storetool.h"
#include "supervisor/super.h"

#include "supervisor/guard.h"

#define ASK_LIMIT_US (60 * US_PER_S)
#define QUICK_US     (3 * US_PER_S)
#define SETTLE_US    (2 * QUICK_US) /* two that overlap are done by then */

static void
parse_held(const char *answer, struct held *h)
{
	h->asked = true;
	h->value = (uint32_t)storetool_number(answer, "token", 16);
	h->present = storetool_number(answer, "present", 10) != 0 || h->value != 0;
	(void)storetool_value(answer, "etag", h->etag, sizeof(h->etag));
	(void)storetool_value(answer, "host", h->host, sizeof(h->host));
	(void)storetool_value(answer, "since", h->since, sizeof(h->since));
	(void)storetool_value(answer, "boot", h->boot, sizeof(h->boot));
	(void)storetool_value(answer, "pid", h->pid, sizeof(h->pid));
	(void)storetool_value(answer, "instance", h->instance, sizeof(h->instance));
}

/* ---- the state file ------------------------------------------------------------------------- */

static bool
read_first_line(const char *path, char *buf, size_t len)
{
	AUTO_FILE FILE *f = fopen(path, "re");

	buf[0] = '\0';
	if (f == NULL || fgets(buf, (int)len, f) == NULL)
		return (false);
	buf[strcspn(buf, "\n")] = '\0';
	return (true);
}

/* What this machine has noted about its last start of the disk; instance empty: nothing. */
struct noted {
	char instance[33];
	unsigned fence;
};

static void
read_state(const char *path, struct noted *ret_noted)
{
	AUTO_FILE FILE *f = fopen(path, "re");
	char line[1024];

	*ret_noted = (struct noted){.fence = 0};
	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "instance=", 9) == 0)
			(void)strlcpy(ret_noted->instance, line + 9, sizeof(ret_noted->instance));
		else if (strncmp(line, "fence=", 6) == 0)
			ret_noted->fence = (unsigned)strtoul(line + 6, NULL, 10);
	}
}

static int
write_state(const struct super *s)
{
	char text[4096];
	int n = snprintf(text, sizeof(text),
	    "instance=%s\ntoken=%08x\nfence=%u\nconfig=%s\nmountPoint=%s\n", s->token.instance,
	    s->token.value, s->token.fence, s->opt.config_real, s->conf->mount_point);

	if (n < 0 || (size_t)n >= sizeof(text))
		return (-ENAMETOOLONG);
	return (durable_write_file(AT_FDCWD, s->paths.state, text, (size_t)n, 0600));
}

static void
make_instance(char instance[33])
{
	uint32_t r[4];

	arc4random_buf(r, sizeof(r));
	(void)snprintf(instance, 33, "%08x%08x%08x%08x", r[0], r[1], r[2], r[3]);
}

/* ---- who ------------------------------------------------------------------------------------ */

/* 20261124T194500Z -> 2026-11-24 19:45:00 UTC; anything else as it is. */
static const char *
readable_time(const char *iso, char buf[64])
{
	if (strlen(iso) == 16 && iso[8] == 'T' && iso[15] == 'Z')
		(void)snprintf(buf, 64, "%.4s-%.2s-%.2s %.2s:%.2s:%.2s UTC", iso, iso + 4, iso + 6,
		    iso + 9, iso + 11, iso + 13);
	else
		(void)snprintf(buf, 64, "%.40s", *iso != '\0' ? iso : "an unknown time");
	return (buf);
}

static void
describe(const struct held *h, char *buf, size_t len)
{
	char when[64];

	(void)snprintf(buf, len, "%s%s%s since %s (token %08x)",
	    h->host[0] != '\0' ? h->host : "an unknown machine", h->pid[0] != '\0' ? " pid " : "",
	    h->pid, readable_time(h->since, when), h->value);
}

static int
refuse_held(const struct super *s, const struct held *h, char **ret_error)
{
	char who[500];

	if (h->value == TOKEN_SHARED)
		return (refuse(-EBUSY, ret_error,
		    "the disk is mounted in shared mode by other machines "
		    "(sharedDiskMode = yes joins them)"));
	describe(h, who, sizeof(who));
	return (refuse(-EBUSY, ret_error,
	    "the disk is mounted by %s: stop it there; if that machine is "
	    "dead for good: s3backerctl -c %s reset-mounted-flag",
	    who, s->opt.config_real));
}

/* ---- taking --------------------------------------------------------------------------------- */

static int
ask_held(struct storetool *t, struct held *ret_held, char **ret_error)
{
	uint64_t looked = boot_us();
	int r = storetool_ask(t, ASK_LIMIT_US, ret_error, "token-get");

	*ret_held = (struct held){.looked_us = looked};
	if (r >= 0)
		parse_held(t->answer, ret_held);
	return (r < 0 ? r : 0);
}

static void
make_body(struct super *s)
{
	char host[256] = "unknown", when[TIME_ISO_LEN], boot[64];

	(void)gethostname(host, sizeof(host) - 1);
	(void)read_first_line("/proc/sys/kernel/random/boot_id", boot, sizeof(boot));
	(void)snprintf(s->token.body, sizeof(s->token.body),
	    "%s\n%s\nboot: %s\npid: %d\ninstance: %s\n", host, time_iso_basic(wall_us(), when),
	    boot, (int)getpid(), s->token.instance);
}

/* The first 16 bytes of "0123...": hexadecimal digits, or it is not known. */
static void
keep_etag(const char *text, uint8_t ret_etag[16])
{
	unsigned byte;

	text += *text == '"';
	memset(ret_etag, 0, 16);
	if (strspn(text, "0123456789abcdefABCDEF") < 32)
		return;
	for (unsigned i = 0; i < 16; i++)
		if (sscanf(text + 2 * i, "%2x", &byte) == 1)
			ret_etag[i] = (uint8_t)byte;
}

/* It could look for a token and not write one. */
static int
refuse_write(int err, char **ret_error)
{
	char *why = *ret_error;

	(void)refuse(err, ret_error,
	    "cannot write the mount token: %s; with a key that may only read: readOnly = yes",
	    why != NULL ? why : strerror(-err));
	free(why);
	return (err);
}

/* replace: over what `h` describes.  1: somebody was faster. */
/*
 * Is the token that we have just taken ours alone?  Without conditional PUT somebody else may have
 * looked before ours was there, and written his after it.  Whoever is quick, from his look to his
 * write, has written before SETTLE_US are over: all who did so look again then, before their first
 * PUT, and one finds his own (cachemgr/lease.c).  Whoever was slow may have written over a token that
 * was confirmed in the meantime, and waits here until that lease is over.
 */
static int
settle(struct super *s, struct storetool *t, char **ret_error)
{
	if (s->token.fence != FENCE_WEAK)
		return (0);
	if (boot_us() - s->token.looked_us < QUICK_US) {
		s->token.settled_us = boot_us() + SETTLE_US;
		return (0);
	}
	log_warn("taking the mount token was slow and the fence is weak: waiting %u s for the "
		 "lease of a "
		 "machine that may have taken it in the meantime",
	    (unsigned)(s->conf->lease_time_us / US_PER_S));
	return (storetool_pause(t, s->conf->lease_time_us, ret_error));
}

static int
put_token(
    struct super *s, struct storetool *t, const struct held *h, bool replace, char **ret_error)
{
	char body[1600], etag[480], fence[16];
	uint64_t asked;
	int r;

	if ((r = write_state(s)) < 0) /* T3 */
		return (refuse(r, ret_error, "%s: %s", s->paths.state, strerror(-r)));
	make_body(s);
	keep_etag(h->etag, s->token.etag);
	storetool_encode(s->token.body, body, sizeof(body));
	storetool_encode(h->etag, etag, sizeof(etag));
	asked = boot_us();
	if (replace)
		r = storetool_ask(t, ASK_LIMIT_US, ret_error,
		    "token-replace token=%08x body=%s etag=%s", s->token.value, body, etag);
	else
		r = storetool_ask(t, ASK_LIMIT_US, ret_error, "token-take token=%08x body=%s",
		    s->token.value, body);
	if (r == -EPERM || r == -EACCES)
		return (refuse_write(r, ret_error));
	if (r != 0)
		return (r);
	(void)storetool_value(t->answer, "fence", fence, sizeof(fence));
	s->token.fence = strcmp(fence, "strong") == 0 ? FENCE_STRONG
			 : strcmp(fence, "weak") == 0 ? FENCE_WEAK
						      : FENCE_NONE;
	s->token.asked_us = asked;
	(void)storetool_value(t->answer, "etag", etag, sizeof(etag));
	keep_etag(etag, s->token.etag);
	return (settle(s, t, ret_error));
}

static bool
is_ours(const struct held *h, const struct noted *noted)
{
	return (noted->instance[0] != '\0' && strcmp(h->instance, noted->instance) == 0);
}

/* It is there already, and stays when we go. */
static int
join_shared(struct super *s)
{
	s->token.value = TOKEN_SHARED;
	log_info("joining the machines that share the disk");
	return (0);
}

static int
take(struct super *s, struct storetool *t, const struct held *h, const struct noted *noted,
    bool replace, char **ret_error)
{
	static const char *const word[] = {"none", "weak", "strong"};
	struct held winner = {0};
	char *ignored = NULL;
	int r;

	if (s->token.taken_over)
		s->token.value = h->value; /* T6 */
	else if (s->conf->shared_disk_mode)
		s->token.value = TOKEN_SHARED;
	else
		s->token.value = 1 + arc4random_uniform(TOKEN_SHARED - 1);
	r = put_token(s, t, h, replace, ret_error);
	if (r < 0 && replace && is_ours(h, noted)) {
		/* The one that is there is ours as well, and good enough while the store is away. */
		log_warn("the mount token of the earlier start stays: %s",
		    *ret_error != NULL ? *ret_error : strerror(-r));
		free(*ret_error);
		*ret_error = NULL;
		s->token.value = h->value;
		s->token.fence = noted->fence;
		return (write_state(s));
	}
	if (r != 0)
		s->token.value = 0;
	if (r == 1) {
		parse_held(t->answer, &winner);
		if (s->conf->shared_disk_mode && winner.value == TOKEN_SHARED)
			return (join_shared(s));
		return (refuse_held(s, &winner, ret_error));
	}
	if (r < 0)
		return (r);
	log_info("mount token taken: token=%08x fence=%s", s->token.value, word[s->token.fence]);
	(void)write_state(s); /* with the fence that was found */
	if (s->conf->fence == CONF_FENCE_STRONG && s->token.fence < 2) {
		if (!replace)
			(void)token_drop(s, t, &ignored);
		s->token.value = 0;
		free(ignored);
		return (refuse(-ENOTSUP, ret_error,
		    "fence = strong: this store cannot create an object "
		    "only if it is absent (fence = auto accepts that)"));
	}
	if (s->token.fence < 2 && !replace)
		start_report_note(s,
		    "the fence is weak: the store cannot create an object only if it is absent: "
		    "two machines that "
		    "start in the same moment could both believe to be alone (fence = strong "
		    "refuses such a store)");
	return (0);
}

/* T1. */
static bool
may_have_it(const struct super *s, const struct held *h, const struct noted *noted)
{
	return (!h->present || is_ours(h, noted) || s->conf->force ||
		(s->conf->shared_disk_mode && h->value == TOKEN_SHARED));
}

int
token_look(const struct super *s, const char *answer, struct held *ret_held, char **ret_error)
{
	struct noted noted;
	char present[8];

	*ret_held = (struct held){0};
	if (s->conf->fence == CONF_FENCE_OFF ||
	    !storetool_value(answer, "present", present, sizeof(present)))
		return (0);
	parse_held(answer, ret_held);
	read_state(s->paths.state, &noted);
	return (may_have_it(s, ret_held, &noted) ? 0 : refuse_held(s, ret_held, ret_error));
}

int
token_acquire(struct super *s, struct storetool *t, const struct held *known, char **ret_error)
{
	const struct conf *conf = s->conf;
	struct held h = known != NULL ? *known : (struct held){.asked = false};
	struct noted noted;
	char who[500];
	int r;

	s->token = (struct token){0};
	if (conf->fence == CONF_FENCE_OFF) {
		log_warn("fence = off: nothing keeps a second machine from writing this disk");
		return (0);
	}
	if (!h.asked && (r = ask_held(t, &h, ret_error)) < 0)
		return (r);
	read_state(s->paths.state, &noted);
	if (!may_have_it(s, &h, &noted))
		return (refuse_held(s, &h, ret_error));
	s->token.looked_us = h.looked_us;
	if (conf->read_only)
		return (0); /* T4 */
	if (conf->shared_disk_mode && h.value == TOKEN_SHARED)
		return (join_shared(s));
	s->token.noted = noted.instance[0] != '\0';
	if (s->token.noted)
		(void)strlcpy(s->token.instance, noted.instance, sizeof(s->token.instance));
	else
		make_instance(s->token.instance);
	s->token.unclean = h.present;
	if (h.present) {
		describe(&h, who, sizeof(who));
		s->token.taken_over = is_ours(&h, &noted);
		if (s->token.taken_over)
			log_info("taking over the mount token of an earlier start: %s", who);
		else if (h.value != TOKEN_SHARED)
			log_warn("force: taking the mount token from %s", who);
	}
	return (take(s, t, &h, &noted, h.present, ret_error));
}

void
token_publish(const struct super *s, struct ipc_state *st)
{
	const struct token *t = &s->token;
	uint64_t etag[2], until = 0;

	memcpy(etag, t->etag, sizeof(etag));
	atomic_store(&st->fence, t->fence);
	atomic_store(&st->token, t->value);
	atomic_store(&st->unclean, t->unclean);
	atomic_store(&st->token_etag[0], etag[0]);
	atomic_store(&st->token_etag[1], etag[1]);
	memcpy(st->token_body, t->body, sizeof(st->token_body));
	/*
	 * T7; 1: long over, 0 would mean none.  Behind a weak fence taking the token is no
	 * confirmation: see settle().
	 */
	if (t->value != 0 && t->value != TOKEN_SHARED)
		until = t->asked_us == 0 || t->fence == FENCE_WEAK
			    ? 1
			    : t->asked_us + s->conf->lease_time_us;
	atomic_store(&st->lease_from, t->settled_us);
	atomic_store(&st->token_until, until);
}

/* ---- releasing ------------------------------------------------------------------------------ */

int
token_drop(struct super *s, struct storetool *t, char **ret_error)
{
	int r;

	if (s->token.value == 0 || s->token.value == TOKEN_SHARED)
		return (0);
	r = storetool_ask(t, ASK_LIMIT_US, ret_error, "token-drop token=%08x", s->token.value);
	if (r < 0)
		return (r);
	if (storetool_number(t->answer, "dropped", 10) == 0)
		log_warn("the mount token in the bucket is not ours any more; left as it is");
	s->token.value = 0;
	/* A start that failed leaves what another disk with the same cache file may need: T2. */
	if (s->was_running || !s->token.noted)
		(void)durable_unlink(AT_FDCWD, s->paths.state);
	return (0);
}

int
token_show(struct storetool *t, char **ret_text, char **ret_error)
{
	char who[500];
	struct held h;
	int r;

	*ret_text = NULL;
	if ((r = ask_held(t, &h, ret_error)) < 0)
		return (r);
	if (!h.present) {
		*ret_text = strdup("nobody holds the mount token");
		return (0);
	}
	describe(&h, who, sizeof(who));
	if (asprintf(ret_text, "mounted by %s", who) < 0)
		*ret_text = NULL;
	return (0);
}

int
token_reset(struct storetool *t, char **ret_text, char **ret_error)
{
	char who[500];
	struct held h;
	int r;

	*ret_text = NULL;
	if ((r = ask_held(t, &h, ret_error)) < 0)
		return (r);
	if (!h.present) {
		*ret_text = strdup("nobody holds the mount token");
		return (0);
	}
	describe(&h, who, sizeof(who));
	r = storetool_ask(t, ASK_LIMIT_US, ret_error, "token-drop token=%08x", h.value);
	if (r < 0)
		return (r);
	if (storetool_number(t->answer, "dropped", 10) == 0)
		return (refuse(
		    -EAGAIN, ret_error, "the token changed meanwhile: it was held by %s", who));
	if (asprintf(ret_text, "released; it was held by %s", who) < 0)
		*ret_text = NULL;
	return (0);
}
