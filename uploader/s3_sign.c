/* SPDX-License-Identifier: ISC */
#include "uploader/s3_sign.h"

#include <ctype.h>
#include <errno.h>
#include <gcrypt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <bsd/string.h>

#include "common/check.h"

#include "uploader/guard.h"

#define QUERY_PARAMS_MAX 16
#define SECRET_MAX	 1024

void
sign_hex(const uint8_t *bytes, size_t n, char *ret_hex)
{
	static const char digit[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		*ret_hex++ = digit[bytes[i] >> 4];
		*ret_hex++ = digit[bytes[i] & 15];
	}
	*ret_hex = '\0';
}

void
sign_base64(const uint8_t *b, size_t n, char *ret_text)
{
	static const char digit[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (; n > 0; b += 3) {
		uint32_t w =
		    (uint32_t)b[0] << 16 | (n > 1 ? (uint32_t)b[1] << 8 : 0) | (n > 2 ? b[2] : 0);

		*ret_text++ = digit[w >> 18];
		*ret_text++ = digit[w >> 12 & 63];
		*ret_text++ = n > 1 ? digit[w >> 6 & 63] : '=';
		*ret_text++ = n > 2 ? digit[w & 63] : '=';
		n -= n > 3 ? 3 : n;
	}
	*ret_text = '\0';
}

static void
hmac(int algo, const void *key, size_t key_len, const void *data, size_t len, uint8_t *ret_mac)
{
	gcry_md_hd_t h;

	MUST(gcry_md_open(&h, algo, GCRY_MD_FLAG_HMAC) == 0);
	MUST(gcry_md_setkey(h, key, key_len) == 0);
	gcry_md_write(h, data, len);
	memcpy(ret_mac, gcry_md_read(h, algo), gcry_md_get_algo_dlen(algo));
	gcry_md_close(h);
}

/* kSigning of the specification: four HMACs, worth keeping for the day. */
static const uint8_t *
signing_key(struct sign_cache *c, const struct sign_key *k, const char *service, const char *date)
{
	uint8_t secret_hash[32], step[32];
	char day[9], text[SECRET_MAX + 8];

	memcpy(day, date, 8);
	day[8] = '\0';
	gcry_md_hash_buffer(GCRY_MD_SHA256, secret_hash, k->secret, strlen(k->secret));
	if (strcmp(c->day, day) == 0 && strcmp(c->region, k->region) == 0 &&
	    memcmp(c->secret_hash, secret_hash, sizeof(secret_hash)) == 0)
		return (c->key);
	(void)snprintf(text, sizeof(text), "AWS4%s", k->secret);
	hmac(GCRY_MD_SHA256, text, strlen(text), day, 8, step);
	explicit_bzero(text, sizeof(text));
	hmac(GCRY_MD_SHA256, step, 32, k->region, strlen(k->region), step);
	hmac(GCRY_MD_SHA256, step, 32, service, strlen(service), step);
	hmac(GCRY_MD_SHA256, step, 32, "aws4_request", 12, c->key);
	explicit_bzero(step, sizeof(step));
	memcpy(c->day, day, sizeof(day));
	(void)strlcpy(c->region, k->region, sizeof(c->region));
	memcpy(c->secret_hash, secret_hash, sizeof(secret_hash));
	return (c->key);
}

static int
by_name(const void *a, const void *b)
{
	const struct sign_header *x = a, *y = b;

	return (strcasecmp(x->name, y->name));
}

static int
by_text(const void *a, const void *b)
{
	return (strcmp(*(char *const *)a, *(char *const *)b));
}

static void
put(gcry_md_hd_t h, const char *s)
{
	gcry_md_write(h, s, strlen(s));
}

static void
put_lower(gcry_md_hd_t h, const char *s)
{
	for (; *s != '\0'; s++)
		gcry_md_putc(h, tolower((unsigned char)*s));
}

/* Without blanks at the ends, runs of blanks as one. */
static void
put_trimmed(gcry_md_hd_t h, const char *s)
{
	size_t len;

	s += strspn(s, " \t");
	for (len = strlen(s); len > 0 && (s[len - 1] == ' ' || s[len - 1] == '\t'); len--)
		;
	for (size_t i = 0; i < len; i++) {
		bool blank = s[i] == ' ' || s[i] == '\t';

		if (blank && i + 1 < len && (s[i + 1] == ' ' || s[i + 1] == '\t'))
			continue;
		gcry_md_putc(h, blank ? ' ' : s[i]);
	}
}

/* Parameters in order of their names, each with its '='. */
static int
put_query(gcry_md_hd_t h, const char *query)
{
	char *copy, *rest, *p, *param[QUERY_PARAMS_MAX];
	unsigned n = 0;

	if (query == NULL || *query == '\0')
		return (0);
	if ((copy = rest = strdup(query)) == NULL)
		return (-ENOMEM);
	while ((p = strsep(&rest, "&")) != NULL && n < QUERY_PARAMS_MAX)
		param[n++] = p;
	qsort(param, n, sizeof(param[0]), by_text);
	for (unsigned i = 0; i < n; i++) {
		if (i > 0)
			put(h, "&");
		put(h, param[i]);
		if (strchr(param[i], '=') == NULL)
			put(h, "=");
	}
	free(copy);
	return (p == NULL ? 0 : -EINVAL);
}

static void
put_headers(gcry_md_hd_t h, const struct sign_header *header, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		put_lower(h, header[i].name);
		put(h, ":");
		put_trimmed(h, header[i].value);
		put(h, "\n");
	}
}

static size_t
signed_names(const struct sign_header *header, unsigned n, char *buf, size_t size)
{
	size_t len = 0;

	for (unsigned i = 0; i < n && len < size; i++)
		len += (size_t)snprintf(
		    buf + len, size - len, "%s%s", i > 0 ? ";" : "", header[i].name);
	for (char *p = buf; *p != '\0'; p++)
		*p = (char)tolower((unsigned char)*p);
	return (len);
}

static int
canonical_hash(const struct sign_request *r, const struct sign_header *sorted, const char *names,
    char ret_hex[65])
{
	gcry_md_hd_t h;
	int error;

	MUST(gcry_md_open(&h, GCRY_MD_SHA256, 0) == 0);
	put(h, r->method);
	put(h, "\n");
	put(h, r->path);
	put(h, "\n");
	error = put_query(h, r->query);
	put(h, "\n");
	put_headers(h, sorted, r->nheaders);
	put(h, "\n");
	put(h, names);
	put(h, "\n");
	put(h, r->payload_sha256);
	sign_hex(gcry_md_read(h, GCRY_MD_SHA256), 32, ret_hex);
	gcry_md_close(h);
	return (error);
}

int
sign_v4(struct sign_cache *c, const struct sign_key *k, const struct sign_request *r,
    char ret_auth[SIGN_AUTH_SIZE], char *ret_canonical)
{
	struct sign_header sorted[SIGN_HEADERS_MAX];
	const char *service = r->service != NULL ? r->service : "s3";
	char names[1024], canonical[65], scope[128], to_sign[320], hex[65];
	uint8_t mac[32];
	int error, len;

	if (r->nheaders > SIGN_HEADERS_MAX || strlen(r->date) != 16)
		return (-EINVAL);
	memcpy(sorted, r->header, r->nheaders * sizeof(sorted[0]));
	qsort(sorted, r->nheaders, sizeof(sorted[0]), by_name);
	if (signed_names(sorted, r->nheaders, names, sizeof(names)) >= sizeof(names))
		return (-ENOSPC);
	if ((error = canonical_hash(r, sorted, names, canonical)) < 0)
		return (error);
	(void)snprintf(
	    scope, sizeof(scope), "%.8s/%s/%s/aws4_request", r->date, k->region, service);
	len = snprintf(
	    to_sign, sizeof(to_sign), "AWS4-HMAC-SHA256\n%s\n%s\n%s", r->date, scope, canonical);
	hmac(GCRY_MD_SHA256, signing_key(c, k, service, r->date), 32, to_sign, (size_t)len, mac);
	sign_hex(mac, sizeof(mac), hex);
	if (ret_canonical != NULL)
		memcpy(ret_canonical, canonical, sizeof(canonical));
	len = snprintf(ret_auth, SIGN_AUTH_SIZE,
	    "AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s", k->id, scope,
	    names, hex);
	return (len < SIGN_AUTH_SIZE ? 0 : -ENOSPC);
}

static const char *
header_value(const struct sign_request *r, const char *name)
{
	for (unsigned i = 0; i < r->nheaders; i++)
		if (strcasecmp(r->header[i].name, name) == 0)
			return (r->header[i].value);
	return ("");
}

int
sign_v2(const struct sign_key *k, const struct sign_request *r, char ret_auth[SIGN_AUTH_SIZE])
{
	struct sign_header amz[SIGN_HEADERS_MAX];
	unsigned n = 0;
	uint8_t mac[20];
	char text[29];
	gcry_md_hd_t h;
	int len;

	if (r->nheaders > SIGN_HEADERS_MAX)
		return (-EINVAL);
	for (unsigned i = 0; i < r->nheaders; i++)
		if (strncasecmp(r->header[i].name, "x-amz-", 6) == 0)
			amz[n++] = r->header[i];
	qsort(amz, n, sizeof(amz[0]), by_name);
	MUST(gcry_md_open(&h, GCRY_MD_SHA1, GCRY_MD_FLAG_HMAC) == 0);
	MUST(gcry_md_setkey(h, k->secret, strlen(k->secret)) == 0);
	put(h, r->method);
	put(h, "\n");
	put(h, header_value(r, "Content-MD5"));
	put(h, "\n");
	put(h, header_value(r, "Content-Type"));
	put(h, "\n");
	put(h, r->date);
	put(h, "\n");
	put_headers(h, amz, n);
	put(h, r->resource);
	memcpy(mac, gcry_md_read(h, GCRY_MD_SHA1), sizeof(mac));
	gcry_md_close(h);
	sign_base64(mac, sizeof(mac), text);
	len = snprintf(ret_auth, SIGN_AUTH_SIZE, "AWS %s:%s", k->id, text);
	return (len < SIGN_AUTH_SIZE ? 0 : -ENOSPC);
}
