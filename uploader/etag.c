/* SPDX-License-Identifier: ISC */
#include "uploader/etag.h"

#include <string.h>

#include "uploader/s3_sign.h"

#include "uploader/guard.h"

static unsigned
hex_digit(char c)
{
	return (c >= '0' && c <= '9'   ? (unsigned)(c - '0')
		: c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
		: c >= 'A' && c <= 'F' ? (unsigned)(c - 'A') + 10
				       : 16);
}

bool
etag_bytes(const char *etag, uint8_t ret_etag[16])
{
	uint8_t bytes[16];

	etag += *etag == '"';
	for (unsigned i = 0; i < 16; i++, etag += 2) {
		unsigned hi = hex_digit(etag[0]), lo = hi < 16 ? hex_digit(etag[1]) : 16;

		if (hi > 15 || lo > 15)
			return (false);
		bytes[i] = (uint8_t)(hi << 4 | lo);
	}
	memcpy(ret_etag, bytes, sizeof(bytes));
	return (true);
}

void
etag_text(const uint8_t etag[16], char ret_text[ETAG_TEXT])
{
	ret_text[0] = '"';
	sign_hex(etag, 16, ret_text + 1);
	ret_text[33] = '"';
	ret_text[34] = '\0';
}

bool
etag_looks_like_md5(const char *etag)
{
	uint8_t bytes[16];
	size_t len = strlen(etag);

	return (len == 34 && etag[0] == '"' && etag[33] == '"' && etag_bytes(etag, bytes));
}
