/* SPDX-License-Identifier: ISC */
/*
 * auth_body.c -- is the body what the headers say it is? (see auth.h)
 *
 * Checked whether or not the request is signed: the signed SHA-256, Content-MD5, and the
 * x-amz-checksum- headers with an algorithm this server knows; others are 501, not ignored.
 */
#include "tests/server/auth.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "tests/server/digest.h"
#include "tests/server/options.h"
#include "tests/server/reqlog.h"
#include "tests/server/request.h"

static const void *
data_of(const struct request *rq, size_t *ret_len)
{
	*ret_len = rq->body ? rq->body->len : 0;
	return (rq->body ? rq->body->data : "");
}

static bool
refuse(struct request *rq, int status, const char *code, const char *message)
{
	stats_add(STAT_BODY_FAILURES, 1);
	reply_error(rq, status, code, message, NULL);
	return (false);
}

static bool
check_sha256(struct request *rq)
{
	const char *given = request_header(rq, "x-amz-content-sha256");
	char hex[65];
	const void *data;
	size_t len;

	if (given == NULL || strcmp(given, "UNSIGNED-PAYLOAD") == 0 || !opt.payload_check)
		return (true);
	if (strncmp(given, "STREAMING-", 10) == 0)
		return (
		    refuse(rq, 501, "NotImplemented", "aws-chunked bodies are not implemented"));
	data = data_of(rq, &len);
	digest_hex(DIGEST_SHA256, data, len, hex);
	if (strcmp(hex, given) == 0)
		return (true);
	return (refuse(rq, 400, "XAmzContentSHA256Mismatch",
	    "The provided 'x-amz-content-sha256' header does not match what was computed."));
}

static bool
check_md5(struct request *rq)
{
	const char *given = request_header(rq, "Content-MD5");
	unsigned char want[24], got[DIGEST_MAX];
	const void *data;
	size_t len;

	if (given == NULL || !opt.payload_check)
		return (true);
	if (base64_decode(given, want, sizeof(want)) != 16)
		return (
		    refuse(rq, 400, "InvalidDigest", "The Content-MD5 you specified was invalid."));
	data = data_of(rq, &len);
	digest(DIGEST_MD5, data, len, got);
	if (memcmp(want, got, 16) == 0)
		return (true);
	return (refuse(
	    rq, 400, "BadDigest", "The Content-MD5 you specified did not match what we received."));
}

static size_t
big_endian(uint32_t c, unsigned char *md)
{
	for (int i = 0; i < 4; i++)
		md[i] = (unsigned char)(c >> (24 - 8 * i));
	return (4);
}

/* The digest of the body by the algorithm that ends the header's name; 0: not known. */
static size_t
checksum(const char *algorithm, const void *data, size_t len, unsigned char *md)
{
	if (strcasecmp(algorithm, "crc32") == 0)
		return (big_endian(crc32_ieee(data, len), md));
	if (strcasecmp(algorithm, "crc32c") == 0)
		return (big_endian(crc32c(data, len), md));
	if (strcasecmp(algorithm, "sha1") == 0)
		return (digest(DIGEST_SHA1, data, len, md));
	if (strcasecmp(algorithm, "sha256") == 0)
		return (digest(DIGEST_SHA256, data, len, md));
	return (0);
}

static bool
check_checksums(struct request *rq)
{
	static const char prefix[] = "x-amz-checksum-";
	unsigned char md[DIGEST_MAX];
	char base64[DIGEST_MAX * 2];
	const void *data;
	size_t len, n;

	for (int i = 0; i < rq->nhdr && opt.payload_check; i++) {
		const char *name = rq->hdr[i].name;

		if (strncasecmp(name, prefix, sizeof(prefix) - 1) != 0)
			continue;
		name += sizeof(prefix) - 1;
		if (strcasecmp(name, "mode") == 0 || strcasecmp(name, "type") == 0)
			continue;
		data = data_of(rq, &len);
		if ((n = checksum(name, data, len, md)) == 0)
			return (refuse(rq, 501, "NotImplemented", "unknown checksum algorithm"));
		base64_encode(md, n, base64);
		if (strcmp(base64, rq->hdr[i].value) != 0)
			return (refuse(rq, 400, "BadDigest",
			    "The x-amz-checksum- header did not match what we received."));
	}
	return (true);
}

bool
auth_check_body(struct request *rq)
{
	return (check_sha256(rq) && check_md5(rq) && check_checksums(rq));
}
