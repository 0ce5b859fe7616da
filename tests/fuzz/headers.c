/* SPDX-License-Identifier: ISC */
/*
 * headers.c -- the head of a reply, line by line as libcurl hands it over, each in memory of its own
 * size and without an end of its own.
 */
#include "tests/fuzz/fuzz.h"
#include "uploader/http_reply.h"
#include "uploader/s3_http.h"

#define ended(field) must(memchr(reply.field, 0, sizeof(reply.field)) != NULL)

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct http_reply reply = {0};

	while (len > 0) {
		const uint8_t *end = memchr(data, '\n', len);
		size_t n = end != NULL ? (size_t)(end - data) + 1 : len;
		char *line = malloc(n);

		must(line != NULL);
		memcpy(line, data, n);
		http_reply_line(&reply, line, n);
		free(line);
		data += n;
		len -= n;
	}
	ended(etag);
	ended(encoding);
	ended(hmac);
	ended(crc32);
	ended(region);
	ended(location);
	must(reply.length >= -1);
	return (0);
}
