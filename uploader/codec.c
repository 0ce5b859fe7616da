/* SPDX-License-Identifier: ISC */
/*
 * codec.c -- see codec.h.  The layers of an object are named in its Content-Encoding in the order
 * in which they were applied: compression first, encryption last.
 */
#include "uploader/codec.h"

#include <errno.h>
#include <gcrypt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>
#include <zstd.h>

#include <bsd/string.h>

#include "common/blockmath.h"
#include "common/conf.h"
#include "uploader/codec_crypt.h"
#include "uploader/codec_gcm.h"
#include "uploader/codec_zip.h"
#include "uploader/s3_sign.h"

#include "uploader/guard.h"

#define LAYERS_MAX 4

enum layer {
	LAYER_DEFLATE,
	LAYER_ZSTD,
	LAYER_ENCRYPT
};

struct codec {
	const char *default_encoding; /* borrowed from the configuration */
	uint32_t compress;	      /* enum conf_compress */
	int level;
	struct zip *zip;
	const char *cipher;  /* on the wire; NULL: none */
	struct crypt *crypt; /* the ciphers of the old program */
	struct gcm *gcm;     /* AES-256-GCM, once there is a key */
	char encoding[64], accept[96];
	char encrypted[48]; /* encoding of a block that is not compressed */
};

/* ---- open -------------------------------------------------------------------------------- */
static int
open_gcm(struct codec *c, const struct conf *conf, char **ret_error)
{
	const char *why;
	int error;

	c->cipher = GCM_NAME;
	if (conf->key_object == NULL)
		return (0);
	error = gcm_open(conf->key_object, conf->password, &c->gcm);
	why = error == -EKEYREJECTED ? "the password is wrong"
	      : error == -EBADMSG    ? "the key object is none"
	      : error == -EOVERFLOW  ? "the key object asks for too much memory or time"
				     : strerror(-error);
	if (error < 0 && asprintf(ret_error, "encrypt: %s", why) < 0)
		*ret_error = NULL;
	return (error);
}

static int
open_crypt(struct codec *c, const struct conf *conf, char **ret_error)
{
	char salt[1200];
	int error;

	if (conf->password == NULL) {
		*ret_error = strdup("encrypt: no password (set password or passwordFile)");
		return (-EACCES);
	}
	if (strcmp(conf->cipher, GCM_NAME) == 0)
		return (open_gcm(c, conf, ret_error));
	(void)snprintf(salt, sizeof(salt), "%s/%s",
	    conf->bucket_name != NULL ? conf->bucket_name : "", conf->prefix_full);
	error = crypt_new(conf->cipher, conf->password, salt, conf->key_length, &c->crypt);
	explicit_bzero(salt, sizeof(salt));
	if (error == 0)
		c->cipher = crypt_name(c->crypt);
	if (error == -EINVAL &&
	    asprintf(ret_error, "encrypt: %s with keyLength %u is not supported", conf->cipher,
		conf->key_length) < 0)
		*ret_error = NULL;
	if (error == -ENOTSUP && asprintf(ret_error, "encrypt: libgcrypt %s has no %s",
				     gcry_check_version(NULL), conf->cipher) < 0)
		*ret_error = NULL;
	return (error);
}

/*
 * Where objects lose their Content-Encoding, what is written must be what it will be taken for, even if
 * compress is off.
 */
static uint32_t
default_method(const struct codec *c)
{
	const char *d = codec_default_encoding(c);

	return (strcasecmp(d, "deflate") == 0 ? CONF_COMPRESS_DEFLATE
		: strcasecmp(d, "zstd") == 0  ? CONF_COMPRESS_ZSTD
					      : CONF_COMPRESS_NONE);
}

int
codec_open(const struct conf *conf, struct codec **ret_codec, char **ret_error)
{
	static const char *const method[] = {"", "deflate", "zstd"};
	struct codec *c = calloc(1, sizeof(*c));
	int error = 0;

	if (c == NULL || (c->zip = zip_new()) == NULL) {
		free(c);
		return (-ENOMEM);
	}
	c->default_encoding = conf->default_content_encoding;
	if (!conf->store_is_dir) { /* a directory has nowhere to say how a file is coded */
		c->compress = conf->compress_alg;
		c->level = conf->compress_level;
		if (conf->cipher != NULL)
			error = open_crypt(c, conf, ret_error);
		else if (c->compress == CONF_COMPRESS_NONE)
			c->compress = default_method(c);
	}
	if (error < 0) {
		codec_close(&c);
		return (error);
	}
	if (c->cipher != NULL)
		(void)snprintf(c->encrypted, sizeof(c->encrypted), "encrypt-%s", c->cipher);
	(void)snprintf(c->encoding, sizeof(c->encoding), "%s%s%s", method[c->compress],
	    c->compress != CONF_COMPRESS_NONE && c->cipher != NULL ? ", " : "", c->encrypted);
	(void)snprintf(c->accept, sizeof(c->accept), "deflate, zstd%s%s",
	    c->cipher != NULL ? ", " : "", c->encrypted);
	*ret_codec = c;
	return (0);
}

void
codec_close(struct codec **cp)
{
	if (*cp != NULL) {
		zip_free(&(*cp)->zip);
		crypt_free(&(*cp)->crypt);
		gcm_free(&(*cp)->gcm);
	}
	free(*cp);
	*cp = NULL;
}

bool
codec_is_plain(const struct codec *c)
{
	return (c->compress == CONF_COMPRESS_NONE && c->cipher == NULL);
}

static bool
is_gcm(const struct codec *c)
{
	return (c->cipher != NULL && c->crypt == NULL);
}

bool
codec_lacks_key(const struct codec *c)
{
	return (is_gcm(c) && c->gcm == NULL);
}

const char *
codec_encoding(const struct codec *c)
{
	return (codec_is_plain(c) ? NULL : c->encoding);
}

/* Asked for plain objects, a store (or what is in between) has no business to compress. */
const char *
codec_accept(const struct codec *c)
{
	return (codec_is_plain(c) ? NULL : c->accept);
}

const char *
codec_default_encoding(const struct codec *c)
{
	return (c->default_encoding != NULL ? c->default_encoding : "");
}

size_t
codec_stored_max(const struct codec *c, size_t block_size)
{
	(void)c;
	return (zip_bound(block_size) + 2 * CRYPT_PAD_MAX);
}

/* ---- encode ------------------------------------------------------------------------------ */
static int
encrypt_block(const struct codec *c, uint32_t block, uint32_t method, struct codec_out *o)
{
	uint8_t mac[CRYPT_HMAC_LEN];
	char hex[2 * CRYPT_HMAC_LEN + 1];
	int error;

	if (codec_lacks_key(c))
		return (-ENOKEY);
	if (is_gcm(c))
		return (gcm_encrypt(
		    c->gcm, block, (enum gcm_method)method, NULL, o->data, o->len, &o->len));
	error = crypt_encrypt(c->crypt, block, o->data, o->len, &o->len, mac);
	sign_hex(mac, sizeof(mac), hex);
	(void)snprintf(o->hmac, sizeof(o->hmac), "\"%s\"", hex);
	return (error);
}

int
codec_encode(
    const struct codec *c, uint32_t block, const uint8_t *in, size_t len, struct codec_out *ret_out)
{
	struct codec_out o = {.encoding = codec_encoding(c)};
	uint32_t method = c->compress;
	/*
	 * What does not shrink is not compressed, except where the old program reads it, which has
	 * always done so, or where it would be taken for something else (defaultContentEncoding).
	 */
	bool always = is_gcm(c) ? false : c->cipher != NULL || *codec_default_encoding(c) != '\0';
	int error = 0;

	_Static_assert((int)CONF_COMPRESS_DEFLATE == (int)GCM_DEFLATE &&
			   (int)CONF_COMPRESS_ZSTD == (int)GCM_ZSTD,
	    "the same numbers");
	if (method != CONF_COMPRESS_NONE)
		error = zip_compress(c->zip, method, c->level, in, len, always ? SIZE_MAX : len - 1,
		    CRYPT_PAD_MAX, &o.data, &o.len);
	if (error == 0 && o.data == NULL) {
		if (c->cipher == NULL) {
			*ret_out = (struct codec_out){.len = len};
			return (0);
		}
		method = CONF_COMPRESS_NONE;
		o.encoding = c->encrypted;
		o.len = len;
		if ((o.data = malloc(len + CRYPT_PAD_MAX)) == NULL)
			return (-ENOMEM);
		memcpy(o.data, in, len);
	}
	if (error == 0 && c->cipher != NULL)
		error = encrypt_block(c, block, method, &o);
	if (error < 0) {
		free(o.data);
		return (error);
	}
	*ret_out = o;
	return (0);
}

/* ---- decode ------------------------------------------------------------------------------ */
struct layers {
	enum layer layer[LAYERS_MAX];
	unsigned n;
};

/* Content-Encoding into layers, first applied first; section 2.3. */
static int
parse_layers(const struct codec *c, const char *encoding, struct layers *l, const char **ret_why)
{
	char copy[64], *rest = copy, *word;
	bool encrypted = false;

	l->n = 0;
	*ret_why = "its Content-Encoding is not one that we know";
	if (strlcpy(copy, encoding, sizeof(copy)) >= sizeof(copy))
		return (-EBADMSG);
	while ((word = strsep(&rest, ", \t")) != NULL) {
		if (*word == '\0')
			continue;
		if (l->n == LAYERS_MAX)
			return (-EBADMSG);
		if (strcasecmp(word, "deflate") == 0) {
			l->layer[l->n++] = LAYER_DEFLATE;
		} else if (strcasecmp(word, "zstd") == 0) {
			l->layer[l->n++] = LAYER_ZSTD;
		} else if (strncasecmp(word, "encrypt-", 8) == 0) {
			if (c->cipher == NULL) {
				*ret_why = "it is encrypted, and encrypt is not configured";
				return (-EBADMSG);
			}
			if (strcasecmp(word + 8, c->cipher) != 0) {
				*ret_why = "it is encrypted with another cipher than configured";
				return (-EBADMSG);
			}
			encrypted = true;
			l->layer[l->n++] = LAYER_ENCRYPT;
		} else {
			return (-EBADMSG);
		}
	}
	if (c->cipher != NULL && !encrypted) {
		*ret_why = "it was supposed to be encrypted, and is not";
		return (-EBADMSG);
	}
	/* Nothing may lie below a compression. */
	for (unsigned i = 1; i < l->n; i++)
		if (l->layer[i] != LAYER_ENCRYPT)
			return (-EBADMSG);
	return (0);
}

int
codec_check(const struct codec *c, const char *encoding, bool *ret_as_is, const char **ret_why)
{
	const char *why = NULL;
	struct layers l;

	if (parse_layers(c, encoding, &l, &why) < 0) {
		*ret_why = why;
		return (-EBADMSG);
	}
	*ret_as_is = l.n == 0;
	return (0);
}

static bool
parse_hmac(const char *text, uint8_t ret_hmac[CRYPT_HMAC_LEN])
{
	bool any = false;

	if (strlen(text) != 2 * CRYPT_HMAC_LEN + 2 || text[0] != '"' ||
	    text[2 * CRYPT_HMAC_LEN + 1] != '"' ||
	    strspn(text + 1, "0123456789abcdefABCDEF") != 2 * CRYPT_HMAC_LEN)
		return (false);
	for (unsigned i = 0; i < CRYPT_HMAC_LEN; i++) {
		unsigned byte;

		if (sscanf(text + 1 + 2 * i, "%2x", &byte) != 1)
			return (false);
		ret_hmac[i] = (uint8_t)byte;
		any = any || byte != 0;
	}
	return (any); /* all zeros stand for "none" */
}

static int
decompress(enum layer layer, const uint8_t *in, size_t len, uint8_t *out, size_t out_len)
{
	uLongf n = out_len;
	uLong used = len;

	if (layer == LAYER_ZSTD)
		return (ZSTD_decompress(out, out_len, in, len) == out_len ? 0 : -EBADMSG);
	/* One stream that ends where the object ends. */
	return (
	    uncompress2(out, &n, in, &used) == Z_OK && n == out_len && used == len ? 0 : -EBADMSG);
}

/* The method is authenticated: another name in the header is another object. */
static int
decrypt_gcm(const struct codec *c, uint32_t block, const struct layers *l, uint8_t *in, size_t *len,
    const char **ret_why)
{
	enum gcm_method method = l->n == 0		     ? GCM_PLAIN
				 : l->layer[0] == LAYER_ZSTD ? GCM_ZSTD
							     : GCM_DEFLATE;

	*ret_why = "it is not the one that was written: changed, or of another block or disk";
	if (codec_lacks_key(c) || (l->n > 0 && l->layer[0] == LAYER_ENCRYPT))
		return (-EBADMSG);
	return (gcm_decrypt(c->gcm, block, method, in, *len, len));
}

int
codec_decode(const struct codec *c, uint32_t block, const char *encoding, const char *hmac,
    uint8_t *in, size_t len, uint8_t *out, size_t out_len, const char **ret_why)
{
	const char *why = NULL;
	uint8_t mac[CRYPT_HMAC_LEN];
	struct layers l;
	int error = 0;

	if (parse_layers(c, encoding, &l, &why) < 0) {
		*ret_why = why;
		return (-EBADMSG);
	}
	while (l.n > 0 && l.layer[l.n - 1] == LAYER_ENCRYPT && error == 0) {
		l.n--;
		if (is_gcm(c)) {
			error = decrypt_gcm(c, block, &l, in, &len, &why);
			continue;
		}
		why = "it has no valid signature";
		error = parse_hmac(hmac, mac)
			    ? crypt_decrypt(c->crypt, block, mac, in, len, &len, &why)
			    : -EBADMSG;
	}
	if (error == 0 && l.n == 0) {
		why = "its length is not that of a block";
		error = len == out_len ? 0 : -EBADMSG;
		if (error == 0)
			memcpy(out, in, len);
	} else if (error == 0) {
		why = "it does not decompress to a block";
		error = decompress(l.layer[0], in, len, out, out_len);
	}
	if (error < 0)
		*ret_why = why;
	return (error);
}

/* ---- at the start ------------------------------------------------------------------------ */
int
codec_prove(const struct codec *c, uint32_t block, const char *encoding, const char *hmac,
    const uint8_t *data, size_t len, unsigned *ret_key_len, const char **ret_why)
{
	uint8_t mac[CRYPT_HMAC_LEN];
	const char *why = NULL;
	struct layers l;
	unsigned n;

	*ret_key_len = 0;
	if (parse_layers(c, encoding, &l, &why) < 0) {
		*ret_why = why;
		return (-EBADMSG);
	}
	if (c->crypt == NULL) /* of AES-256-GCM the key object is the proof */
		return (0);
	if (!parse_hmac(hmac, mac)) {
		*ret_why = "it has no valid signature";
		return (-EBADMSG);
	}
	n = crypt_prove(c->crypt, block, mac, data, len);
	if (n == 0) {
		*ret_why = "it was encrypted with another password";
		return (-EKEYREJECTED);
	}
	*ret_key_len = n != crypt_key_len(c->crypt) ? n : 0;
	return (0);
}
