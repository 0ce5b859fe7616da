/* SPDX-License-Identifier: ISC */
#include "uploader/codec_gcm.h"

#include <endian.h>
#include <errno.h>
#include <gcrypt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "common/check.h"
#include "uploader/s3_sign.h"

#include "uploader/guard.h"

#define KEY_LEN	    32
#define WRAPPED_LEN (KEY_LEN + GCM_TAG_LEN)
#define PASSES	    3	  /* Argon2id for new key objects: RFC 9106, the second choice, */
#define MEMORY_KIB  65536 /* in one lane, as libgcrypt computes them one after the other */
#define LANES	    1
#define PASSES_MAX  64u /* of key objects that we find: a disk must not stop a machine */
#define MEMORY_MAX  (1u << 20)
#define LANES_MAX   16u
#define BLOCK_KEY   "s3backer-gcm-block"
#define BLOCK_AAD   "s3backer-gcm"
#define AAD_LEN	    (sizeof(BLOCK_AAD) - 1 + 1 + 1 + 16 + 8)

struct gcm {
	uint8_t data_key[KEY_LEN], identity[16];
};

struct key_object {
	unsigned passes, memory_kib, lanes;
	uint8_t salt[16], identity[16], nonce[GCM_NONCE_LEN], wrapped[WRAPPED_LEN];
	size_t head_len; /* of the text: what is authenticated */
};

/* ---- AES-256-GCM -------------------------------------------------------------------------- */
static gcry_cipher_hd_t
open_cipher(const uint8_t key[KEY_LEN], const uint8_t *nonce, const void *aad, size_t aad_len)
{
	gcry_cipher_hd_t h;

	MUST(gcry_cipher_open(&h, GCRY_CIPHER_AES256, GCRY_CIPHER_MODE_GCM, 0) == 0);
	MUST(gcry_cipher_setkey(h, key, KEY_LEN) == 0);
	MUST(gcry_cipher_setiv(h, nonce, GCM_NONCE_LEN) == 0);
	MUST(gcry_cipher_authenticate(h, aad, aad_len) == 0);
	return (h);
}

/* `to` has room for the tag behind the bytes; may be `from`. */
static void
seal(const uint8_t key[KEY_LEN], const uint8_t *nonce, const void *aad, size_t aad_len,
    const uint8_t *from, size_t len, uint8_t *to)
{
	gcry_cipher_hd_t h = open_cipher(key, nonce, aad, aad_len);

	if (to != from)
		memmove(to, from, len);
	if (len > 0)
		MUST(gcry_cipher_encrypt(h, to, len, NULL, 0) == 0);
	MUST(gcry_cipher_gettag(h, to + len, GCM_TAG_LEN) == 0);
	gcry_cipher_close(h);
}

/* In place; the tag lies behind the bytes.  The bytes mean nothing unless it is true. */
static bool
unseal(const uint8_t key[KEY_LEN], const uint8_t *nonce, const void *aad, size_t aad_len,
    uint8_t *buf, size_t len)
{
	gcry_cipher_hd_t h = open_cipher(key, nonce, aad, aad_len);
	bool good;

	if (len > 0)
		MUST(gcry_cipher_decrypt(h, buf, len, NULL, 0) == 0);
	good = gcry_cipher_checktag(h, buf + len, GCM_TAG_LEN) == 0;
	gcry_cipher_close(h);
	return (good);
}

static void
random_bytes(void *buf, size_t len)
{
	MUST(len <= 256 && getrandom(buf, len, 0) == (ssize_t)len); /* up to 256 are never cut */
}

/* ---- the key object ------------------------------------------------------------------------- */
static int
password_key(const char *password, const struct key_object *k, uint8_t ret_key[KEY_LEN])
{
	const unsigned long param[4] = {KEY_LEN, k->passes, k->memory_kib, k->lanes};
	gcry_kdf_hd_t h;
	gcry_error_t err;

	if (gcry_kdf_open(&h, GCRY_KDF_ARGON2, GCRY_KDF_ARGON2ID, param, 4, password,
		strlen(password), k->salt, sizeof(k->salt), NULL, 0, NULL, 0) != 0)
		return (-ENOMEM);
	err = gcry_kdf_compute(h, NULL);
	if (err == 0)
		err = gcry_kdf_final(h, KEY_LEN, ret_key);
	gcry_kdf_close(h);
	return (err == 0 ? 0 : -ENOMEM);
}

static int
from_hex(const char *hex, uint8_t *buf, size_t len)
{
	unsigned byte;

	if (strlen(hex) != 2 * len || strspn(hex, "0123456789abcdef") != 2 * len)
		return (-EBADMSG);
	for (size_t i = 0; i < len; i++) {
		if (sscanf(hex + 2 * i, "%2x", &byte) != 1)
			return (-EBADMSG);
		buf[i] = (uint8_t)byte;
	}
	return (0);
}

static int
parse(const char *text, struct key_object *k)
{
	char salt[33], identity[33], nonce[25], wrapped[97];
	int head = 0, end = 0;

	memset(k, 0, sizeof(*k));
	if (strlen(text) >= GCM_KEY_TEXT ||
	    sscanf(text, "s3backer-key 1 argon2id %9u %9u %9u %32s %32s %24s %n%96s%n", &k->passes,
		&k->memory_kib, &k->lanes, salt, identity, nonce, &head, wrapped, &end) != 7 ||
	    (text[end] != '\0' && strcmp(text + end, "\n") != 0))
		return (-EBADMSG);
	k->head_len = (size_t)head;
	if (k->passes == 0 || k->passes > PASSES_MAX || k->memory_kib > MEMORY_MAX ||
	    k->lanes == 0 || k->lanes > LANES_MAX || k->memory_kib < 8 * k->lanes)
		return (-EOVERFLOW);
	if (from_hex(salt, k->salt, sizeof(k->salt)) < 0 ||
	    from_hex(identity, k->identity, sizeof(k->identity)) < 0 ||
	    from_hex(nonce, k->nonce, sizeof(k->nonce)) < 0 ||
	    from_hex(wrapped, k->wrapped, sizeof(k->wrapped)) < 0)
		return (-EBADMSG);
	return (0);
}

/* k has everything but the wrapped key. */
static int
wrap(const char *password, const struct gcm *g, const struct key_object *k,
    char ret_text[GCM_KEY_TEXT])
{
	char salt[33], identity[33], nonce[25], wrapped[2 * WRAPPED_LEN + 1];
	uint8_t key[KEY_LEN], out[WRAPPED_LEN];
	int head, error;

	if ((error = password_key(password, k, key)) < 0)
		return (error);
	sign_hex(k->salt, sizeof(k->salt), salt);
	sign_hex(g->identity, sizeof(g->identity), identity);
	sign_hex(k->nonce, sizeof(k->nonce), nonce);
	head = snprintf(ret_text, GCM_KEY_TEXT, "s3backer-key 1 argon2id %u %u %u %s %s %s ",
	    k->passes, k->memory_kib, k->lanes, salt, identity, nonce);
	seal(key, k->nonce, ret_text, (size_t)head, g->data_key, KEY_LEN, out);
	explicit_bzero(key, sizeof(key));
	sign_hex(out, sizeof(out), wrapped);
	(void)snprintf(ret_text + head, GCM_KEY_TEXT - (size_t)head, "%s\n", wrapped);
	return (0);
}

int
gcm_key_make(const char *password, const struct gcm_seed *seed, char ret_text[GCM_KEY_TEXT])
{
	struct key_object k = {.passes = PASSES, .memory_kib = MEMORY_KIB, .lanes = LANES};
	struct gcm_seed fresh;
	struct gcm g;
	int error;

	if (seed == NULL)
		random_bytes(&fresh, sizeof(fresh));
	else
		fresh = *seed;
	memcpy(g.data_key, fresh.data_key, sizeof(g.data_key));
	memcpy(g.identity, fresh.identity, sizeof(g.identity));
	memcpy(k.salt, fresh.salt, sizeof(k.salt));
	memcpy(k.nonce, fresh.nonce, sizeof(k.nonce));
	error = wrap(password, &g, &k, ret_text);
	explicit_bzero(&fresh, sizeof(fresh));
	explicit_bzero(&g, sizeof(g));
	return (error);
}

int
gcm_key_change(const char *text, const char *old_password, const char *new_password,
    char ret_text[GCM_KEY_TEXT])
{
	struct key_object k = {.passes = PASSES, .memory_kib = MEMORY_KIB, .lanes = LANES};
	struct gcm *g = NULL;
	int error;

	if ((error = gcm_open(text, old_password, &g)) < 0)
		return (error);
	random_bytes(k.salt, sizeof(k.salt));
	random_bytes(k.nonce, sizeof(k.nonce));
	error = wrap(new_password, g, &k, ret_text);
	gcm_free(&g);
	return (error);
}

int
gcm_open(const char *text, const char *password, struct gcm **ret_gcm)
{
	uint8_t key[KEY_LEN];
	struct key_object k;
	struct gcm *g;
	bool good;
	int error;

	if ((error = parse(text, &k)) < 0 || (error = password_key(password, &k, key)) < 0)
		return (error);
	good = unseal(key, k.nonce, text, k.head_len, k.wrapped, KEY_LEN);
	explicit_bzero(key, sizeof(key));
	if (!good)
		return (-EKEYREJECTED);
	if ((g = calloc(1, sizeof(*g))) == NULL) {
		explicit_bzero(&k, sizeof(k));
		return (-ENOMEM);
	}
	memcpy(g->data_key, k.wrapped, sizeof(g->data_key));
	memcpy(g->identity, k.identity, sizeof(g->identity));
	explicit_bzero(&k, sizeof(k));
	*ret_gcm = g;
	return (0);
}

void
gcm_free(struct gcm **gp)
{
	if (*gp != NULL)
		explicit_bzero(*gp, sizeof(**gp));
	free(*gp);
	*gp = NULL;
}

/* ---- blocks --------------------------------------------------------------------------------- */
/* A key of its own, so that 2^32 random nonces are there for each block, not for the disk. */
static void
block_key(const struct gcm *g, uint32_t block, uint8_t ret_key[KEY_LEN])
{
	uint64_t be = htobe64(block);
	gcry_md_hd_t h;

	MUST(gcry_md_open(&h, GCRY_MD_SHA256, GCRY_MD_FLAG_HMAC) == 0);
	MUST(gcry_md_setkey(h, g->data_key, KEY_LEN) == 0);
	gcry_md_write(h, BLOCK_KEY, sizeof(BLOCK_KEY) - 1);
	gcry_md_write(h, g->identity, sizeof(g->identity));
	gcry_md_write(h, &be, sizeof(be));
	memcpy(ret_key, gcry_md_read(h, GCRY_MD_SHA256), KEY_LEN);
	gcry_md_close(h);
}

static void
block_aad(const struct gcm *g, uint32_t block, enum gcm_method method, uint8_t aad[AAD_LEN])
{
	uint64_t be = htobe64(block);
	uint8_t *p = aad;

	memcpy(p, BLOCK_AAD, sizeof(BLOCK_AAD) - 1);
	p += sizeof(BLOCK_AAD) - 1;
	*p++ = 1; /* version of the format */
	*p++ = (uint8_t)method;
	memcpy(p, g->identity, sizeof(g->identity));
	memcpy(p + sizeof(g->identity), &be, sizeof(be));
}

int
gcm_encrypt(const struct gcm *g, uint32_t block, enum gcm_method method, const uint8_t *nonce,
    uint8_t *buf, size_t len, size_t *ret_len)
{
	uint8_t key[KEY_LEN], aad[AAD_LEN], fresh[GCM_NONCE_LEN];

	if (nonce == NULL)
		random_bytes(fresh, sizeof(fresh));
	else
		memcpy(fresh, nonce, sizeof(fresh));
	block_key(g, block, key);
	block_aad(g, block, method, aad);
	memmove(buf + GCM_NONCE_LEN, buf, len);
	memcpy(buf, fresh, GCM_NONCE_LEN);
	seal(key, fresh, aad, sizeof(aad), buf + GCM_NONCE_LEN, len, buf + GCM_NONCE_LEN);
	explicit_bzero(key, sizeof(key));
	*ret_len = len + GCM_GROWS;
	return (0);
}

int
gcm_decrypt(const struct gcm *g, uint32_t block, enum gcm_method method, uint8_t *buf, size_t len,
    size_t *ret_len)
{
	uint8_t key[KEY_LEN], aad[AAD_LEN];
	bool good;

	if (len < GCM_GROWS)
		return (-EBADMSG);
	block_key(g, block, key);
	block_aad(g, block, method, aad);
	good = unseal(key, buf, aad, sizeof(aad), buf + GCM_NONCE_LEN, len - GCM_GROWS);
	explicit_bzero(key, sizeof(key));
	if (!good)
		return (-EBADMSG);
	memmove(buf, buf + GCM_NONCE_LEN, len - GCM_GROWS);
	*ret_len = len - GCM_GROWS;
	return (0);
}
