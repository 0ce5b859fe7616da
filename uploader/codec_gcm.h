/* SPDX-License-Identifier: ISC */
/*
 * codec_gcm.h -- the stronger encryption, and its key object: s3backer-gcm(5).
 *
 * Process:  uploader.  Threads: any; a gcm does not change once made.
 * Owns:     the data key, wiped by gcm_free().
 * Errors:   -EKEYREJECTED: another password.  -EBADMSG: not authentic, or no key object.
 *           -EOVERFLOW: a key object that asks for more memory or time than is sane.  -ENOMEM.
 */
#ifndef S3B_UPLOADER_CODEC_GCM_H
#define S3B_UPLOADER_CODEC_GCM_H

#include <stddef.h>
#include <stdint.h>

#define GCM_NAME      "AES-256-GCM"
#define GCM_NONCE_LEN 12
#define GCM_TAG_LEN   16
#define GCM_GROWS     (GCM_NONCE_LEN + GCM_TAG_LEN)
#define GCM_KEY_TEXT  320 /* the text of a key object, with its newline and NUL */

enum gcm_method { GCM_PLAIN, GCM_DEFLATE, GCM_ZSTD }; /* below the encryption; authenticated */

struct gcm;

/* ---- the key object ---------------------------------------------------------------------- */
/* What a key object is made of, where it is not random: for tests. */
struct gcm_seed {
	uint8_t data_key[32], identity[16], salt[16], nonce[GCM_NONCE_LEN];
};

/* A new data key for a new disk.  seed NULL: all of it random. */
int	gcm_key_make(const char *password, const struct gcm_seed *, char ret_text[GCM_KEY_TEXT]);
/* The same data key under another password. */
int	gcm_key_change(const char *text, const char *old_password, const char *new_password,
	    char ret_text[GCM_KEY_TEXT]);
int	gcm_open(const char *text, const char *password, struct gcm **ret_gcm);
void	gcm_free(struct gcm **);	/* NULL-safe */

/* ---- blocks ------------------------------------------------------------------------------ */
/* In place; `buf` has room for len + GCM_GROWS.  nonce NULL: a fresh one, which is what PUTs need. */
int	gcm_encrypt(const struct gcm *, uint32_t block, enum gcm_method, const uint8_t *nonce,
	    uint8_t *buf, size_t len, size_t *ret_len);
/* In place. */
int	gcm_decrypt(const struct gcm *, uint32_t block, enum gcm_method, uint8_t *buf, size_t len,
	    size_t *ret_len);

#endif
