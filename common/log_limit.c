/* SPDX-License-Identifier: ISC */
/*
 * log_limit.c -- which log lines are repeats; see log_limit.h.
 *
 * Process:  all.  Threads: any.  A site is one format string, known by its address; a table of
 *           fixed size, so that logging never allocates.  When it is full, the site that has
 *           been silent longest and holds nothing back is forgotten.
 */
#include "common/log_limit.h"

#include <pthread.h>
#include <stddef.h>

#include <bsd/string.h>

#define NSITES 64

struct site {
	const char *fmt;     /* NULL: free */
	uint64_t text_hash;  /* of the last line written */
	uint64_t written_us; /* when that was */
	uint64_t refill_us;  /* when tokens were last added */
	unsigned tokens;
	struct log_held held;
};

static struct site sites[NSITES];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* FNV-1a: two texts with one hash would merely be counted as one. */
static uint64_t
hash_text(const char *text)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (; *text != '\0'; text++)
		h = (h ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	return (h);
}

static struct site *
find_site(const char *fmt, uint64_t now)
{
	struct site *oldest = NULL;

	for (size_t i = 0; i < NSITES; i++) {
		struct site *s = &sites[i];

		if (s->fmt == fmt)
			return (s);
		if (s->held.count == 0 && (oldest == NULL || s->written_us < oldest->written_us))
			oldest = s;
	}
	if (oldest != NULL)
		*oldest = (struct site){.fmt = fmt, .refill_us = now, .tokens = LIMIT_BURST};
	return (oldest);
}

static bool
take_token(struct site *s, uint64_t now)
{
	uint64_t earned = (now - s->refill_us) * LIMIT_PER_S / 1000000;

	if (earned > 0) {
		s->tokens =
		    earned >= LIMIT_BURST - s->tokens ? LIMIT_BURST : s->tokens + (unsigned)earned;
		s->refill_us = now;
	}
	if (s->tokens == 0)
		return (false);
	s->tokens--;
	return (true);
}

static void
give_held(struct site *s, struct log_held *ret_held)
{
	*ret_held = s->held;
	s->held.count = 0;
}

bool
log_limit_admit(
    const char *fmt, const char *text, int level, uint64_t now, struct log_held *ret_held)
{
	uint64_t hash = hash_text(text);
	struct site *s;
	bool admit = true;

	ret_held->count = 0;
	pthread_mutex_lock(&lock);
	s = find_site(fmt, now);
	if (s != NULL) {
		if ((s->written_us != 0 && s->text_hash == hash &&
			now - s->written_us < LIMIT_SAME_US) ||
		    !take_token(s, now)) {
			admit = false;
			s->held.count++;
			s->held.level = level;
			strlcpy(s->held.text, text, sizeof(s->held.text));
		} else {
			give_held(s, ret_held);
			s->text_hash = hash;
			s->written_us = now;
		}
	}
	pthread_mutex_unlock(&lock);
	return (admit);
}

bool
log_limit_expired(uint64_t now, bool force, struct log_held *ret_held)
{
	bool found = false;

	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < NSITES && !found; i++) {
		struct site *s = &sites[i];

		if (s->held.count > 0 && (force || now - s->written_us >= LIMIT_SAME_US)) {
			give_held(s, ret_held);
			found = true;
		}
	}
	pthread_mutex_unlock(&lock);
	return (found);
}
