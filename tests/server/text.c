/* SPDX-License-Identifier: ISC */
/*
 * text.c -- growing byte strings, and allocation that cannot fail (see text.h).
 */
#include "tests/server/text.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *
must(void *p)
{
	if (p == NULL) {
		fputs("s3testd: out of memory\n", stderr);
		abort();
	}
	return (p);
}

void *
xmalloc(size_t n)
{
	return (must(malloc(n ? n : 1)));
}

void *
xcalloc(size_t n, size_t size)
{
	return (must(calloc(n ? n : 1, size)));
}

void *
xrealloc(void *p, size_t n)
{
	return (must(realloc(p, n ? n : 1)));
}

char *
xstrdup(const char *s)
{
	return (must(strdup(s)));
}

char *
xstrndup(const char *s, size_t n)
{
	return (must(strndup(s, n)));
}

static void
text_room(struct text *t, size_t more)
{
	size_t cap = t->cap ? t->cap : 128;

	while (cap < t->len + more + 1)
		cap *= 2;
	if (cap != t->cap) {
		t->s = xrealloc(t->s, cap);
		t->cap = cap;
	}
}

void
text_add(struct text *t, const void *p, size_t n)
{
	text_room(t, n);
	if (n > 0)
		memcpy(t->s + t->len, p, n);
	t->len += n;
	t->s[t->len] = '\0';
}

void
text_puts(struct text *t, const char *s)
{
	text_add(t, s, strlen(s));
}

void
text_printf(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	must((void *)(uintptr_t)fmt);
	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	text_room(t, (size_t)n);
	va_start(ap, fmt);
	vsnprintf(t->s + t->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	t->len += (size_t)n;
}

void
text_xml(struct text *t, const char *s)
{
	for (; *s != '\0'; s++) {
		switch (*s) {
		case '&':
			text_puts(t, "&amp;");
			break;
		case '<':
			text_puts(t, "&lt;");
			break;
		case '>':
			text_puts(t, "&gt;");
			break;
		case '"':
			text_puts(t, "&quot;");
			break;
		case '\r':
			text_puts(t, "&#13;");
			break;
		default:
			text_add(t, s, 1);
		}
	}
}

static bool
unreserved(unsigned char c)
{
	return ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
		c == '-' || c == '_' || c == '.' || c == '~');
}

void
text_uri(struct text *t, const char *s, bool keep_slash)
{
	for (; *s != '\0'; s++) {
		unsigned char c = (unsigned char)*s;

		if (unreserved(c) || (c == '/' && keep_slash))
			text_add(t, s, 1);
		else
			text_printf(t, "%%%02X", c);
	}
}

char *
text_take(struct text *t)
{
	char *s = t->s ? t->s : xstrdup("");

	t->s = NULL;
	t->len = t->cap = 0;
	return (s);
}

void
text_free(struct text *t)
{
	free(t->s);
	t->s = NULL;
	t->len = t->cap = 0;
}
