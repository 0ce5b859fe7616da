/* SPDX-License-Identifier: ISC */
/*
 * sign.c -- AWS signatures, versions 4 and 2 (see sign.h).
 */
#include "tests/server/sign.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "tests/server/digest.h"
#include "tests/server/text.h"
#include "tests/server/uri.h"

const char *
header_get(const struct header *hdr, int n, const char *name)
{
	for (int i = 0; i < n; i++) {
		if (strcasecmp(hdr[i].name, name) == 0)
			return (hdr[i].value);
	}
	return (NULL);
}

/* The value of `name=` in a comma-separated list, up to the comma. */
static char *
attribute(const char *list, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = list; *p != '\0'; p += strcspn(p, ",")) {
		p += strspn(p, ", \t");
		if (strncmp(p, name, len) == 0 && p[len] == '=') {
			p += len + 1;
			return (xstrndup(p, strcspn(p, ", \t")));
		}
	}
	return (NULL);
}

int
sigv4_parse(const char *authorization, struct sigv4 *ret_auth)
{
	static const char scheme[] = "AWS4-HMAC-SHA256";
	struct sigv4 a = {0};
	char *credential, *part[5], *p;
	int i;

	if (strncmp(authorization, scheme, sizeof(scheme) - 1) != 0 ||
	    !isspace((unsigned char)authorization[sizeof(scheme) - 1]))
		return (-EINVAL);
	authorization += sizeof(scheme);
	credential = attribute(authorization, "Credential");
	a.signed_headers = attribute(authorization, "SignedHeaders");
	a.signature = attribute(authorization, "Signature");
	if (credential == NULL || a.signed_headers == NULL || a.signature == NULL)
		goto bad;
	/* From the right: an access key id may contain a slash. */
	for (i = 4; i > 0; i--) {
		if ((p = strrchr(credential, '/')) == NULL)
			goto bad;
		*p = '\0';
		part[i] = p + 1;
	}
	if (strcmp(part[4], "aws4_request") != 0 || strlen(part[1]) != 8)
		goto bad;
	a.id = xstrdup(credential);
	a.date = xstrdup(part[1]);
	a.region = xstrdup(part[2]);
	a.service = xstrdup(part[3]);
	free(credential);
	*ret_auth = a;
	return (0);
bad:
	free(credential);
	sigv4_free(&a);
	return (-EINVAL);
}

void
sigv4_free(struct sigv4 *a)
{
	free(a->id);
	free(a->date);
	free(a->region);
	free(a->service);
	free(a->signed_headers);
	free(a->signature);
	memset(a, 0, sizeof(*a));
}

static int
by_string(const void *a, const void *b)
{
	return (strcmp(*(char *const *)a, *(char *const *)b));
}

/* name=value pairs, each decoded and encoded again, sorted by their encoded bytes. */
static int
canonical_query(const char *raw, struct text *t)
{
	struct query q;
	char **pair;
	int i;

	if (query_parse(raw, &q) < 0)
		return (-EINVAL);
	pair = xcalloc((size_t)q.n, sizeof(*pair));
	for (i = 0; i < q.n; i++) {
		struct text one = TEXT_EMPTY;

		/*
		 * The name must sort before a longer name it starts: a separator lower than
		 * any byte an encoded name can have, instead of the '='.
		 */
		text_uri(&one, q.param[i].name, false);
		text_puts(&one, "\1");
		text_uri(&one, q.param[i].value, false);
		pair[i] = text_take(&one);
	}
	qsort(pair, (size_t)q.n, sizeof(*pair), by_string);
	for (i = 0; i < q.n; i++) {
		*strchr(pair[i], '\1') = '=';
		text_printf(t, "%s%s", i ? "&" : "", pair[i]);
		free(pair[i]);
	}
	free(pair);
	query_free(&q);
	return (0);
}

/* Trimmed, runs of blanks squeezed to one. */
static void
trimmed(struct text *t, const char *value)
{
	const char *p = value + strspn(value, " \t");

	while (*p != '\0') {
		size_t word = strcspn(p, " \t");

		text_add(t, p, word);
		p += word;
		p += strspn(p, " \t");
		if (*p != '\0')
			text_puts(t, " ");
	}
}

/* All values of one header, in the order they came, joined by commas. */
static int
canonical_value(const struct sign_input *in, const char *name, struct text *t)
{
	int found = 0;

	for (int i = 0; i < in->nhdr; i++) {
		if (strcasecmp(in->hdr[i].name, name) != 0)
			continue;
		if (found++)
			text_puts(t, ",");
		trimmed(t, in->hdr[i].value);
	}
	return (found);
}

int
sigv4_canonical(const struct sign_input *in, const char *signed_headers, const char *payload_hash,
    struct text *ret_text)
{
	struct text t = TEXT_EMPTY;
	char *path, *names, *save, *name;

	if (uri_decode(in->raw_path, strlen(in->raw_path), false, &path) < 0)
		return (-EINVAL);
	text_printf(&t, "%s\n", in->method);
	text_uri(&t, path, true);
	free(path);
	text_puts(&t, "\n");
	if (canonical_query(in->raw_query, &t) < 0) {
		text_free(&t);
		return (-EINVAL);
	}
	text_puts(&t, "\n");
	names = xstrdup(signed_headers);
	for (name = strtok_r(names, ";", &save); name; name = strtok_r(NULL, ";", &save)) {
		text_printf(&t, "%s:", name);
		canonical_value(in, name, &t);
		text_puts(&t, "\n");
	}
	free(names);
	text_printf(&t, "\n%s\n%s", signed_headers, payload_hash);
	*ret_text = t;
	return (0);
}

void
sigv4_string(
    const struct sigv4 *a, const char *amz_date, const char *canonical, struct text *ret_text)
{
	struct text t = TEXT_EMPTY;
	char hex[65];

	digest_hex(DIGEST_SHA256, canonical, strlen(canonical), hex);
	text_printf(&t, "AWS4-HMAC-SHA256\n%s\n%s/%s/%s/aws4_request\n%s", amz_date, a->date,
	    a->region, a->service, hex);
	*ret_text = t;
}

void
sigv4_key(const struct sigv4 *a, const char *secret, unsigned char ret_key[32])
{
	const char *step[] = {a->date, a->region, a->service, "aws4_request"};
	struct text first = TEXT_EMPTY;
	unsigned char key[32];

	text_printf(&first, "AWS4%s", secret);
	digest_hmac(DIGEST_SHA256, first.s, first.len, step[0], strlen(step[0]), key);
	for (int i = 1; i < 4; i++)
		digest_hmac(DIGEST_SHA256, key, 32, step[i], strlen(step[i]), key);
	memcpy(ret_key, key, 32);
	text_free(&first);
}

void
sigv4_sign(const struct sigv4 *a, const char *secret, const char *string, char ret_hex[65])
{
	unsigned char key[32], mac[32];

	sigv4_key(a, secret, key);
	digest_hmac(DIGEST_SHA256, key, 32, string, strlen(string), mac);
	hex_encode(mac, 32, ret_hex);
}

/* Query parameters that are part of a version 2 resource; sorted. */
static const char *const sub_resource[] = {"acl", "cors", "delete", "lifecycle", "location",
    "logging", "notification", "partNumber", "policy", "requestPayment", "response-cache-control",
    "response-content-disposition", "response-content-encoding", "response-content-language",
    "response-content-type", "response-expires", "restore", "tagging", "torrent", "uploadId",
    "uploads", "versionId", "versioning", "versions", "website"};

static void
sigv2_resource(const struct sign_input *in, const char *bucket, struct text *t)
{
	struct query q;
	char sep = '?';

	if (bucket != NULL)
		text_printf(t, "/%s", bucket);
	text_puts(t, in->raw_path);
	if (query_parse(in->raw_query, &q) < 0)
		return;
	for (size_t i = 0; i < sizeof(sub_resource) / sizeof(sub_resource[0]); i++) {
		const char *value = query_get(&q, sub_resource[i]);

		if (value == NULL)
			continue;
		text_printf(t, "%c%s", sep, sub_resource[i]);
		if (*value != '\0')
			text_printf(t, "=%s", value);
		sep = '&';
	}
	query_free(&q);
}

/* The x-amz- headers, lower case, sorted, one line each. */
static void
sigv2_headers(const struct sign_input *in, struct text *t)
{
	char **name = xcalloc((size_t)in->nhdr, sizeof(*name));
	int n = 0;

	for (int i = 0; i < in->nhdr; i++) {
		if (strncasecmp(in->hdr[i].name, "x-amz-", 6) != 0)
			continue;
		name[n] = xstrdup(in->hdr[i].name);
		for (char *p = name[n]; *p != '\0'; p++)
			*p = (char)tolower((unsigned char)*p);
		n++;
	}
	qsort(name, (size_t)n, sizeof(*name), by_string);
	for (int i = 0; i < n; i++) {
		if (i == 0 || strcmp(name[i], name[i - 1]) != 0) {
			text_printf(t, "%s:", name[i]);
			canonical_value(in, name[i], t);
			text_puts(t, "\n");
		}
	}
	for (int i = 0; i < n; i++)
		free(name[i]);
	free(name);
}

void
sigv2_string(const struct sign_input *in, const char *bucket, struct text *ret_text)
{
	static const char *const line[] = {"Content-MD5", "Content-Type", "Date"};
	struct text t = TEXT_EMPTY;

	text_printf(&t, "%s\n", in->method);
	for (int i = 0; i < 3; i++) {
		const char *v = header_get(in->hdr, in->nhdr, line[i]);

		/* With x-amz-date, the Date line is empty, whatever Date says. */
		if (i == 2 && header_get(in->hdr, in->nhdr, "x-amz-date") != NULL)
			v = NULL;
		text_printf(&t, "%s\n", v ? v : "");
	}
	sigv2_headers(in, &t);
	sigv2_resource(in, bucket, &t);
	*ret_text = t;
}

void
sigv2_sign(const char *secret, const char *string, char ret_base64[32])
{
	unsigned char mac[20];

	digest_hmac(DIGEST_SHA1, secret, strlen(secret), string, strlen(string), mac);
	base64_encode(mac, sizeof(mac), ret_base64);
}
