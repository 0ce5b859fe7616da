/* SPDX-License-Identifier: ISC */
/*
 * codec_crypt.h -- the encryption layer of the format: BUCKET-FORMAT.md section 4.
 *
 * Process:  uploader.  Threads: any; a crypt does not change once made.
 * Owns:     keys, wiped by crypt_free().
 * Errors:   -EINVAL: no such cipher, key too short; -ENOTSUP: not in this libgcrypt; -EBADMSG: not authentic, or damaged.
 */
#ifndef S3B_UPLOADER_CODEC_CRYPT_H
#define S3B_UPLOADER_CODEC_CRYPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CRYPT_PAD_MAX  32	/* what encryption adds, at most; also that of codec_gcm.h */
#define CRYPT_HMAC_LEN 20

struct crypt;

/* `salt` is BUCKET/PREFIX; key_len 0: the cipher's own. */
int	crypt_new(const char *cipher, const char *password, const char *salt, unsigned key_len,
	    struct crypt **ret_crypt);
void	crypt_free(struct crypt **);
const char *crypt_name(const struct crypt *);	/* OpenSSL's short name */
unsigned crypt_key_len(const struct crypt *);

/* In place; `buf` has room for len + CRYPT_PAD_MAX. */
int	crypt_encrypt(const struct crypt *, uint32_t block, uint8_t *buf, size_t len,
	    size_t *ret_len, uint8_t ret_hmac[CRYPT_HMAC_LEN]);
/* In place; checks the HMAC before anything else. */
int	crypt_decrypt(const struct crypt *, uint32_t block, const uint8_t hmac[CRYPT_HMAC_LEN],
	    uint8_t *buf, size_t len, size_t *ret_len, const char **ret_why);

/*
 * Is this the password?  Of an encrypted block and its HMAC: the keyLength under which it fits, the own
 * one first; 0: none, it is another password.
 */
unsigned crypt_prove(const struct crypt *, uint32_t block, const uint8_t hmac[CRYPT_HMAC_LEN],
	    const uint8_t *buf, size_t len);

/* The keys and a block's IV, for tests; at most `size` bytes.  Returns the length. */
size_t	crypt_peek(const struct crypt *, char what, uint32_t block, uint8_t *buf, size_t size);

#endif
