/* SPDX-License-Identifier: ISC */
/*
 * uri.c -- percent-decoding and query strings (see uri.h).
 */
#include "tests/server/uri.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/server/text.h"

static int
hexval(char c)
{
	if (c >= '0' && c <= '9')
		return (c - '0');
	if (c >= 'a' && c <= 'f')
		return (c - 'a' + 10);
	if (c >= 'A' && c <= 'F')
		return (c - 'A' + 10);
	return (-1);
}

int
uri_decode(const char *s, size_t n, bool plus_is_space, char **ret_text)
{
	char *out = xmalloc(n + 1);
	size_t k = 0;

	for (size_t i = 0; i < n; i++) {
		if (s[i] == '%') {
			int hi = i + 2 < n ? hexval(s[i + 1]) : -1;
			int lo = hi >= 0 ? hexval(s[i + 2]) : -1;

			if (lo < 0 || (hi == 0 && lo == 0)) {
				free(out);
				return (-EINVAL);
			}
			out[k++] = (char)(hi << 4 | lo);
			i += 2;
		} else {
			out[k++] = plus_is_space && s[i] == '+' ? ' ' : s[i];
		}
	}
	out[k] = '\0';
	*ret_text = out;
	return (0);
}

int
query_parse(const char *raw, struct query *ret_query)
{
	struct query q = {NULL, 0};
	const char *p = raw, *end, *eq;

	for (; p != NULL && *p != '\0'; p = *end == '&' ? end + 1 : end) {
		struct param one = {NULL, NULL};

		end = p + strcspn(p, "&");
		if (end == p)
			continue;
		eq = memchr(p, '=', (size_t)(end - p));
		if (uri_decode(p, (size_t)((eq ? eq : end) - p), true, &one.name) < 0 ||
		    (eq && uri_decode(eq + 1, (size_t)(end - eq - 1), true, &one.value) < 0)) {
			free(one.name);
			query_free(&q);
			return (-EINVAL);
		}
		if (one.value == NULL)
			one.value = xstrdup("");
		q.param = xrealloc(q.param, (size_t)(q.n + 1) * sizeof(*q.param));
		q.param[q.n++] = one;
	}
	*ret_query = q;
	return (0);
}

const char *
query_get(const struct query *q, const char *name)
{
	for (int i = 0; i < q->n; i++) {
		if (strcmp(q->param[i].name, name) == 0)
			return (q->param[i].value);
	}
	return (NULL);
}

void
query_free(struct query *q)
{
	for (int i = 0; i < q->n; i++) {
		free(q->param[i].name);
		free(q->param[i].value);
	}
	free(q->param);
	q->param = NULL;
	q->n = 0;
}
