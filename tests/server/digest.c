/* SPDX-License-Identifier: ISC */
/*
 * digest.c -- hashes, checksums and their spellings (see digest.h).
 */
#include "tests/server/digest.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

/* Fetched once: OpenSSL 3 looks an algorithm up by name on every implicit use. */
static EVP_MD *md_of[3];
static pthread_once_t once = PTHREAD_ONCE_INIT;
static uint32_t table_ieee[8][256], table_c[8][256];

static void
crc_fill(uint32_t table[8][256], uint32_t poly)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t c = i;

		for (int k = 0; k < 8; k++)
			c = c & 1 ? (c >> 1) ^ poly : c >> 1;
		table[0][i] = c;
	}
	for (int t = 1; t < 8; t++) {
		for (int i = 0; i < 256; i++)
			table[t][i] = (table[t - 1][i] >> 8) ^ table[0][table[t - 1][i] & 0xff];
	}
}

static void
setup(void)
{
	md_of[DIGEST_MD5] = EVP_MD_fetch(NULL, "MD5", NULL);
	md_of[DIGEST_SHA1] = EVP_MD_fetch(NULL, "SHA1", NULL);
	md_of[DIGEST_SHA256] = EVP_MD_fetch(NULL, "SHA256", NULL);
	for (int i = 0; i < 3; i++) {
		if (md_of[i] == NULL)
			abort();
	}
	crc_fill(table_ieee, 0xedb88320);
	crc_fill(table_c, 0x82f63b78);
}

size_t
digest(enum digest_kind kind, const void *p, size_t n, unsigned char *ret_md)
{
	unsigned int len = 0;

	pthread_once(&once, setup);
	if (!EVP_Digest(p, n, ret_md, &len, md_of[kind], NULL))
		abort();
	return (len);
}

size_t
digest_hmac(enum digest_kind kind, const void *key, size_t keylen, const void *p, size_t n,
    unsigned char *ret_md)
{
	unsigned int len = 0;

	pthread_once(&once, setup);
	if (HMAC(md_of[kind], key, (int)keylen, p, n, ret_md, &len) == NULL)
		abort();
	return (len);
}

void
digest_hex(enum digest_kind kind, const void *p, size_t n, char *ret_hex)
{
	unsigned char md[DIGEST_MAX];
	size_t len = digest(kind, p, n, md);

	hex_encode(md, len, ret_hex);
}

static uint64_t
mix(uint64_t a, uint64_t b)
{
	unsigned __int128 m = (unsigned __int128)a * b;

	return ((uint64_t)m ^ (uint64_t)(m >> 64));
}

void
digest_fast(const void *p, size_t n, unsigned char ret_md[16])
{
	const unsigned char *s = p;
	uint64_t a = n ^ 0x9e3779b97f4a7c15, b = n + 0xd1b54a32d192ed03, w[4];
	size_t left = n;

	for (; left >= sizeof(w); s += sizeof(w), left -= sizeof(w)) {
		memcpy(w, s, sizeof(w));
		a = mix(w[0] ^ a, w[1] ^ 0xa0761d6478bd642f) + 0x632be59bd9b4e019;
		b = mix(w[2] ^ b, w[3] ^ 0xe7037ed1a0b428db) + 0x8ebc6af09c88c6e3;
	}
	memset(w, 0, sizeof(w));
	memcpy(w, s, left);
	a = mix(w[0] ^ a, w[1] ^ 0xa0761d6478bd642f);
	b = mix(w[2] ^ b, w[3] ^ 0xe7037ed1a0b428db);
	w[0] = mix(a ^ 0x589965cc75374cc3, b);
	w[1] = mix(b ^ 0x1d8e4e27c47d124f, a + w[0]);
	memcpy(ret_md, w, 16);
}

static uint32_t
crc(const uint32_t t[8][256], const unsigned char *p, size_t n)
{
	uint32_t c = 0xffffffff;

	for (; n >= 8; p += 8, n -= 8) {
		uint32_t lo, hi;

		memcpy(&lo, p, 4); /* little-endian machines only, like everything it serves */
		memcpy(&hi, p + 4, 4);
		lo ^= c;
		c = t[7][lo & 0xff] ^ t[6][(lo >> 8) & 0xff] ^ t[5][(lo >> 16) & 0xff] ^
		    t[4][lo >> 24] ^ t[3][hi & 0xff] ^ t[2][(hi >> 8) & 0xff] ^
		    t[1][(hi >> 16) & 0xff] ^ t[0][hi >> 24];
	}
	while (n-- > 0)
		c = (c >> 8) ^ t[0][(c ^ *p++) & 0xff];
	return (~c);
}

uint32_t
crc32_ieee(const void *p, size_t n)
{
	pthread_once(&once, setup);
	return (crc(table_ieee, p, n));
}

uint32_t
crc32c(const void *p, size_t n)
{
	pthread_once(&once, setup);
	return (crc(table_c, p, n));
}

void
hex_encode(const unsigned char *p, size_t n, char *ret_hex)
{
	static const char digit[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		ret_hex[2 * i] = digit[p[i] >> 4];
		ret_hex[2 * i + 1] = digit[p[i] & 15];
	}
	ret_hex[2 * n] = '\0';
}

void
base64_encode(const unsigned char *p, size_t n, char *ret_text)
{
	EVP_EncodeBlock((unsigned char *)ret_text, p, (int)n);
}

int
base64_decode(const char *text, unsigned char *ret_data, size_t max)
{
	size_t len = strlen(text), pad = 0;
	int n;

	if (len == 0 || len % 4 != 0 || len / 4 * 3 > max)
		return (-EINVAL);
	while (pad < 2 && text[len - 1 - pad] == '=')
		pad++;
	n = EVP_DecodeBlock(ret_data, (const unsigned char *)text, (int)len);
	return (n < 0 ? -EINVAL : n - (int)pad);
}
