/* SPDX-License-Identifier: ISC */
#include "uploader/codec_crypt.h"

#include <errno.h>
#include <gcrypt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <bsd/string.h>

#include "common/blockmath.h"

#include "uploader/guard.h"

#define ITERATIONS 5000
#define KEY_MAX	   64
#define CIPHER_MAX 16 /* bytes of a cipher's block */

/* 0: no algorithm of this libgcrypt. */
#if GCRYPT_VERSION_NUMBER >= 0x010b00
#define CRYPT_ARIA(bits) GCRY_CIPHER_ARIA##bits
#else
#define CRYPT_ARIA(bits) 0
#endif

#define CONF_CIPHER(name, aliases, algo, key_len, block) {name, algo, key_len, block},
static const struct cipher {
	const char *name;
	int algo;
	unsigned key_len, block;
} ciphers[] = {
#include "common/conf_ciphers.def"
};
#undef CONF_CIPHER

struct crypt {
	const struct cipher *cipher;
	unsigned len; /* of both keys */
	uint8_t key[KEY_MAX], iv_key[KEY_MAX];
};

static int
derive(const void *password, size_t password_len, const void *salt, size_t salt_len, uint8_t *key,
    size_t len)
{
	return (gcry_kdf_derive(password, password_len, GCRY_KDF_PBKDF2, GCRY_MD_SHA1, salt,
		    salt_len, ITERATIONS, len, key) == 0
		    ? 0
		    : -EINVAL);
}

int
crypt_new(const char *cipher, const char *password, const char *salt, unsigned key_len,
    struct crypt **ret_crypt)
{
	const struct cipher *found = NULL;
	struct crypt *c;
	int error;

	for (size_t i = 0; i < sizeof(ciphers) / sizeof(ciphers[0]); i++)
		if (strcasecmp(cipher, ciphers[i].name) == 0)
			found = &ciphers[i];
	if (found == NULL || key_len > KEY_MAX || (key_len != 0 && key_len < found->key_len))
		return (-EINVAL);
	if (found->algo == 0 || gcry_cipher_test_algo(found->algo) != 0)
		return (-ENOTSUP);
	if ((c = calloc(1, sizeof(*c))) == NULL)
		return (-ENOMEM);
	c->cipher = found;
	c->len = key_len != 0 ? key_len : found->key_len;
	/* All there can be of it, for crypt_prove(); the first `len` bytes are KEY. */
	if ((error = derive(password, strlen(password), salt, strlen(salt), c->key, KEY_MAX)) < 0 ||
	    (error = derive(c->key, c->len, c->key, c->len, c->iv_key, c->len)) < 0) {
		crypt_free(&c);
		return (error);
	}
	*ret_crypt = c;
	return (0);
}

void
crypt_free(struct crypt **cp)
{
	if (*cp != NULL)
		explicit_bzero(*cp, sizeof(**cp));
	free(*cp);
	*cp = NULL;
}

const char *
crypt_name(const struct crypt *c)
{
	return (c->cipher->name);
}

unsigned
crypt_key_len(const struct crypt *c)
{
	return (c->len);
}

static int
open_cipher(const struct crypt *c, const uint8_t *key, const uint8_t *iv, gcry_cipher_hd_t *ret_h)
{
	uint8_t three[24];
	size_t len = c->cipher->key_len;
	gcry_cipher_hd_t h;
	gcry_error_t err;

	if (c->cipher->algo == GCRY_CIPHER_3DES && len == 16) { /* two keys: the first again */
		memcpy(three, key, 16);
		memcpy(three + 16, key, 8);
		key = three;
		len = sizeof(three);
	}
	if (gcry_cipher_open(&h, c->cipher->algo, GCRY_CIPHER_MODE_CBC, 0) != 0)
		return (-ENOMEM);
	/* A weak key is still the user's key, and the old program takes it. */
	(void)gcry_cipher_ctl(h, GCRYCTL_SET_ALLOW_WEAK_KEY, NULL, 1);
	err = gcry_cipher_setkey(h, key, len);
	explicit_bzero(three, sizeof(three));
	if ((err != 0 && gcry_err_code(err) != GPG_ERR_WEAK_KEY) ||
	    gcry_cipher_setiv(h, iv, c->cipher->block) != 0) {
		gcry_cipher_close(h);
		return (-EINVAL);
	}
	*ret_h = h;
	return (0);
}

/* Section 4.3: the block's eight digits, encrypted under the second key. */
static int
block_iv(const struct crypt *c, uint32_t block, uint8_t iv[CIPHER_MAX])
{
	gcry_cipher_hd_t h;
	char digits[CIPHER_MAX + 1] = {0};
	int error;

	(void)snprintf(digits, sizeof(digits), "%08x", block);
	if ((error = open_cipher(c, c->iv_key, c->iv_key, &h)) < 0)
		return (error);
	error = gcry_cipher_encrypt(h, iv, c->cipher->block, digits, c->cipher->block) == 0
		    ? 0
		    : -EINVAL;
	gcry_cipher_close(h);
	return (error);
}

/* Section 4.5. */
static void
hmac(const struct crypt *c, unsigned key_len, uint32_t block, const uint8_t *buf, size_t len,
    uint8_t ret_hmac[CRYPT_HMAC_LEN])
{
	gcry_md_hd_t h;
	char digits[9];

	(void)snprintf(digits, sizeof(digits), "%08x", block);
	MUST(gcry_md_open(&h, GCRY_MD_SHA1, GCRY_MD_FLAG_HMAC) == 0);
	MUST(gcry_md_setkey(h, c->key, key_len) == 0);
	gcry_md_write(h, digits, 8);
	gcry_md_write(h, c->cipher->name, strlen(c->cipher->name));
	gcry_md_write(h, buf, len);
	memcpy(ret_hmac, gcry_md_read(h, GCRY_MD_SHA1), CRYPT_HMAC_LEN);
	gcry_md_close(h);
}

int
crypt_encrypt(const struct crypt *c, uint32_t block, uint8_t *buf, size_t len, size_t *ret_len,
    uint8_t ret_hmac[CRYPT_HMAC_LEN])
{
	unsigned pad = c->cipher->block - (unsigned)(len % c->cipher->block);
	uint8_t iv[CIPHER_MAX];
	gcry_cipher_hd_t h;
	int error;

	memset(buf + len, (int)pad, pad); /* PKCS#7 */
	len += pad;
	if ((error = block_iv(c, block, iv)) < 0 || (error = open_cipher(c, c->key, iv, &h)) < 0)
		return (error);
	error = gcry_cipher_encrypt(h, buf, len, NULL, 0) == 0 ? 0 : -EINVAL;
	gcry_cipher_close(h);
	if (error < 0)
		return (error);
	hmac(c, c->len, block, buf, len, ret_hmac);
	*ret_len = len;
	return (0);
}

/* Time does not depend on where they differ. */
static bool
same(const uint8_t *a, const uint8_t *b, size_t len)
{
	uint8_t diff = 0;

	for (size_t i = 0; i < len; i++)
		diff |= a[i] ^ b[i];
	return (diff == 0);
}

int
crypt_decrypt(const struct crypt *c, uint32_t block, const uint8_t want[CRYPT_HMAC_LEN],
    uint8_t *buf, size_t len, size_t *ret_len, const char **ret_why)
{
	uint8_t iv[CIPHER_MAX], got[CRYPT_HMAC_LEN];
	unsigned pad, bs = c->cipher->block;
	gcry_cipher_hd_t h;
	int error;

	hmac(c, c->len, block, buf, len, got);
	if (!same(want, got, sizeof(got))) {
		*ret_why = "its signature is wrong (another password, or it has been changed)";
		return (-EBADMSG);
	}
	*ret_why = "it does not decrypt to a block";
	if (len == 0 || len % bs != 0)
		return (-EBADMSG);
	if ((error = block_iv(c, block, iv)) < 0 || (error = open_cipher(c, c->key, iv, &h)) < 0)
		return (error);
	error = gcry_cipher_decrypt(h, buf, len, NULL, 0) == 0 ? 0 : -EBADMSG;
	gcry_cipher_close(h);
	if (error < 0)
		return (error);
	pad = buf[len - 1];
	if (pad == 0 || pad > bs)
		return (-EBADMSG);
	for (size_t i = len - pad; i < len; i++)
		if (buf[i] != pad)
			return (-EBADMSG);
	*ret_len = len - pad;
	return (0);
}

unsigned
crypt_prove(const struct crypt *c, uint32_t block, const uint8_t want[CRYPT_HMAC_LEN],
    const uint8_t *buf, size_t len)
{
	uint8_t got[CRYPT_HMAC_LEN];

	hmac(c, c->len, block, buf, len, got);
	if (same(want, got, sizeof(got)))
		return (c->len);
	for (unsigned n = c->cipher->key_len; n <= KEY_MAX; n++) {
		hmac(c, n, block, buf, len, got);
		if (same(want, got, sizeof(got)))
			return (n);
	}
	return (0);
}

size_t
crypt_peek(const struct crypt *c, char what, uint32_t block, uint8_t *buf, size_t size)
{
	uint8_t iv[CIPHER_MAX];
	const uint8_t *from = what == 'k' ? c->key : what == 'i' ? c->iv_key : iv;
	size_t len = what == 'v' ? c->cipher->block : c->len;

	if (what == 'v' && block_iv(c, block, iv) < 0)
		return (0);
	len = min_u64(len, size);
	memcpy(buf, from, len);
	return (len);
}
