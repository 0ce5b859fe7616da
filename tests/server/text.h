/* SPDX-License-Identifier: ISC */
/*
 * text.h -- growing byte strings, and allocation that cannot fail.
 *
 * Process:  s3testd, any thread; a struct text belongs to one thread at a time.
 * Owns:     text_take() hands the buffer to the caller (free(3)); text_free() drops it.
 * Errors:   out of memory ends the process: a test server without memory has nothing to say.
 */
#ifndef S3TESTD_TEXT_H
#define S3TESTD_TEXT_H

#include <stdbool.h>
#include <stddef.h>

struct text {
	char *s; /* NUL-terminated once anything was added */
	size_t len, cap;
};

#define TEXT_EMPTY                                                                                 \
	{                                                                                          \
		NULL, 0, 0                                                                         \
	}

void *xmalloc(size_t);
void *xcalloc(size_t, size_t);
void *xrealloc(void *, size_t);
char *xstrdup(const char *);
char *xstrndup(const char *, size_t);

void text_add(struct text *, const void *, size_t);
void text_puts(struct text *, const char *);
void text_printf(struct text *, const char *, ...) __attribute__((format(printf, 2, 3)));
void text_xml(struct text *, const char *);		     /* escaped for XML character data */
void text_uri(struct text *, const char *, bool keep_slash); /* percent-encoded, RFC 3986 */
char *text_take(struct text *);				     /* never NULL */
void text_free(struct text *);

#endif
