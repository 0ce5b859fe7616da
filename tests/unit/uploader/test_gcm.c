/* SPDX-License-Identifier: ISC */
/*
 * test_gcm.c -- AES-256-GCM: the vectors of s3backer-gcm(5), computed with another implementation, and
 * what must be refused.
 */
#include <errno.h>
#include <string.h>

#include "common/conf.h"
#include "tests/unit/tap.h"
#include "uploader/codec.h"
#include "uploader/codec_gcm.h"
#include "uploader/s3_sign.h"

#define BS 4096

/* Key object G1: password "test". */
#define HEAD                                                                                       \
	"s3backer-key 1 argon2id 3 65536 1 000102030405060708090a0b0c0d0e0f "                      \
	"101112131415161718191a1b1c1d1e1f 404142434445464748494a4b "
#define WRAPPED                                                                                    \
	"5bb5e70177e8cac175a151b79b047e12872a8cebb333e97bab7a970b650990190391034b53d73c973d2f4360" \
	"ef222ae1"

static const uint8_t deflated[] = {0x78, 0x9c, 0xed, 0xc1, 0x01, 0x0d, 0x00, 0x00, 0x00, 0xc2, 0xa0,
    0x6c, 0xef, 0x5f, 0xca, 0x1e, 0x0e, 0x28, 0x00, 0x00, 0x00, 0xe0, 0xdd, 0x00, 0xff, 0xad, 0x10,
    0x3d};

static void
key_object(void)
{
	struct gcm_seed seed;
	char text[GCM_KEY_TEXT], other[GCM_KEY_TEXT], odd[GCM_KEY_TEXT + 64];
	struct gcm *g = NULL;

	for (unsigned i = 0; i < 16; i++) {
		seed.salt[i] = (uint8_t)i;
		seed.identity[i] = (uint8_t)(0x10 + i);
		seed.data_key[i] = (uint8_t)(0x20 + i);
		seed.data_key[16 + i] = (uint8_t)(0x30 + i);
		if (i < GCM_NONCE_LEN)
			seed.nonce[i] = (uint8_t)(0x40 + i);
	}
	is_int(gcm_key_make("test", &seed, text), 0, "G1: made");
	is_str(text, HEAD WRAPPED "\n", "G1: the text");
	is_int(gcm_open(text, "Test", &g), -EKEYREJECTED, "another password");
	is_int(gcm_open(HEAD WRAPPED, "test", &g), 0, "G1: opens, also without its newline");
	gcm_free(&g);
	memcpy(odd, text, sizeof(text));
	odd[strlen("s3backer-key 1 argon2id 3 65536 1 0")] = '1'; /* of the salt */
	is_int(gcm_open(odd, "test", &g), -EKEYREJECTED, "a changed salt");
	memcpy(odd, text, sizeof(text));
	odd[strlen(HEAD) - 30] = 'f'; /* of the identity, which goes into no key */
	is_int(gcm_open(odd, "test", &g), -EKEYREJECTED, "a changed identity");
	is_int(gcm_open("", "test", &g), -EBADMSG, "nothing");
	is_int(gcm_open(HEAD, "test", &g), -EBADMSG, "cut off");
	is_int(gcm_open(HEAD WRAPPED " more", "test", &g), -EBADMSG, "something behind it");
	(void)snprintf(odd, sizeof(odd), "s3backer-key 2%s", text + 14);
	is_int(gcm_open(odd, "test", &g), -EBADMSG, "another version");
	(void)snprintf(odd, sizeof(odd), "s3backer-key 1 argon2id 3 4194304 1%s", text + 33);
	is_int(gcm_open(odd, "test", &g), -EOVERFLOW, "4 GiB of memory");
	(void)snprintf(odd, sizeof(odd), "s3backer-key 1 argon2id 99 65536 1%s", text + 33);
	is_int(gcm_open(odd, "test", &g), -EOVERFLOW, "99 passes");

	is_int(gcm_key_change(text, "wrong", "new", other), -EKEYREJECTED, "rekey, wrong password");
	is_int(gcm_key_change(text, "test", "new", other), 0, "rekey");
	is_int(gcm_open(other, "test", &g), -EKEYREJECTED, "the old password opens it no more");
	is_int(gcm_open(other, "new", &g), 0, "the new one does");
	gcm_free(&g);
	is_int(gcm_key_make("test", NULL, other), 0, "a random one");
	ok(strcmp(other, text) != 0, "is another one");
}

static void
blocks(void)
{
	static const struct {
		const char *id;
		uint32_t block;
		enum gcm_method method;
		const char *want;
	} v[] = {
	    {"G2", 5, GCM_DEFLATE,
		"505152535455565758595a5be16dd5b62b14e08d14dc8d249023e4f334c170dab4a9805e8165945180"
		"33"
		"80390d12451082464523c4745a36"},
	    {"G3", 0xfffffffe, GCM_DEFLATE,
		"505152535455565758595a5b76a4b7892b1fcbba436d90d588a3783d1a08eed4b77ac353217723088"
		"2ecf9083052b64f68c6a2d59b138383"},
	    {"G4", 5, GCM_PLAIN,
		"505152535455565758595a5bd8b079366b58a1cc555f6c093e3d6facb55e9b755fb22d104db4630f01"
		"f7"
		"0533"},
	};
	static const uint8_t nonce[] = {
	    0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5a, 0x5b};
	struct gcm *g = NULL, *other = NULL;
	uint8_t buf[128], copy[128];
	char hex[256], text[GCM_KEY_TEXT];
	size_t len = 0, n;

	if (!ok(gcm_open(HEAD WRAPPED, "test", &g) == 0, "the key"))
		return;
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		n = v[i].method == GCM_PLAIN ? 16 : sizeof(deflated);
		memset(buf, 'A', 16);
		if (v[i].method != GCM_PLAIN)
			memcpy(buf, deflated, n);
		is_int(
		    gcm_encrypt(g, v[i].block, v[i].method, nonce, buf, n, &len), 0, "%s", v[i].id);
		sign_hex(buf, len, hex);
		is_str(hex, v[i].want, "%s: the bytes", v[i].id);
		memcpy(copy, buf, len);
		is_int(gcm_decrypt(g, v[i].block + 1, v[i].method, copy, len, &n), -EBADMSG,
		    "%s: not as another block", v[i].id);
		memcpy(copy, buf, len);
		is_int(gcm_decrypt(g, v[i].block, GCM_ZSTD, copy, len, &n), -EBADMSG,
		    "%s: not under another name of its compression", v[i].id);
		memcpy(copy, buf, len);
		copy[0] ^= 1;
		is_int(gcm_decrypt(g, v[i].block, v[i].method, copy, len, &n), -EBADMSG,
		    "%s: not with another nonce", v[i].id);
		memcpy(copy, buf, len);
		copy[len - 1] ^= 0x80;
		is_int(gcm_decrypt(g, v[i].block, v[i].method, copy, len, &n), -EBADMSG,
		    "%s: not with another tag", v[i].id);
		memcpy(copy, buf, len);
		is_int(gcm_decrypt(g, v[i].block, v[i].method, copy, len - 1, &n), -EBADMSG,
		    "%s: not cut off", v[i].id);
		is_int(gcm_decrypt(g, v[i].block, v[i].method, copy, 27, &n), -EBADMSG,
		    "%s: nor very short", v[i].id);
		is_int(gcm_decrypt(g, v[i].block, v[i].method, buf, len, &n), 0, "%s: and back",
		    v[i].id);
		ok(n == len - GCM_GROWS &&
			(v[i].method == GCM_PLAIN ? buf[15] == 'A' : memcmp(buf, deflated, n) == 0),
		    "%s: what it was", v[i].id);
	}
	memcpy(buf, deflated, sizeof(deflated));
	memcpy(copy, deflated, sizeof(deflated));
	is_int(
	    gcm_encrypt(g, 5, GCM_DEFLATE, NULL, buf, sizeof(deflated), &len), 0, "a fresh nonce");
	is_int(gcm_encrypt(g, 5, GCM_DEFLATE, NULL, copy, sizeof(deflated), &n), 0, "and another");
	ok(memcmp(buf, copy, GCM_NONCE_LEN) != 0 && memcmp(buf + 12, copy + 12, n - 12) != 0,
	    "the same block is never stored as the same bytes");
	(void)gcm_key_make("test", NULL, text);
	(void)gcm_open(text, "test", &other);
	is_int(
	    gcm_decrypt(other, 5, GCM_DEFLATE, buf, len, &n), -EBADMSG, "a block of another disk");
	gcm_free(&g);
	gcm_free(&other);
}

static struct codec *
open_codec(const char *compress, const char *key, char **ret_error)
{
	const char *o[] = {"bucket=mybucket", "mountPoint=/mnt", "accessId=a", "accessKey=b",
	    "encrypt=aes-256-gcm", "password=test", compress, key, NULL};
	static struct conf *conf[8];
	static unsigned n;
	struct codec *c = NULL;

	*ret_error = NULL;
	if (conf_load(NULL, o, &conf[n], ret_error) == 0)
		(void)codec_open(conf[n++], &c, ret_error);
	return (c);
}

static void
layers(void)
{
	static uint8_t in[BS], stored[2 * BS], out[BS], noise[BS];
	struct codec_out o = {0};
	const char *why = NULL;
	char *error;
	struct codec *c = open_codec("compress=zstd", "keyObject=" HEAD WRAPPED, &error), *bare;

	if (!ok(c != NULL, "a codec with the key object (%s)", error != NULL ? error : "-"))
		return;
	memset(in, 'A', BS);
	is_int(codec_encode(c, 7, in, BS, &o), 0, "encoded");
	is_str(o.encoding, "zstd, encrypt-AES-256-GCM", "its Content-Encoding");
	is_str(o.hmac, "", "no HMAC");
	ok(o.len < BS, "compressed");
	memcpy(stored, o.data, o.len);
	is_int(codec_decode(c, 7, "zstd,encrypt-aes-256-gcm", "", stored, o.len, out, BS, &why), 0,
	    "and back");
	ok(memcmp(in, out, BS) == 0, "what it was");
	memcpy(stored, o.data, o.len);
	is_int(codec_decode(c, 8, o.encoding, "", stored, o.len, out, BS, &why), -EBADMSG,
	    "as another block: %s", why);
	memcpy(stored, o.data, o.len);
	is_int(codec_decode(c, 7, "encrypt-AES-256-GCM", "", stored, o.len, out, BS, &why),
	    -EBADMSG, "without the name of its compression");
	is_int(
	    codec_decode(c, 7, "", "", in, BS, out, BS, &why), -EBADMSG, "not encrypted: %s", why);
	is_int(codec_decode(c, 7, "encrypt-AES-256-CBC", "", in, BS, out, BS, &why), -EBADMSG,
	    "of the old kind: %s", why);
	free(o.data);
	for (unsigned i = 0, x = 1; i < BS; i++, x = x * 1103515245 + 12345)
		noise[i] = (uint8_t)(x >> 16);
	is_int(codec_encode(c, 7, noise, BS, &o), 0, "noise");
	is_str(o.encoding, "encrypt-AES-256-GCM", "is not compressed");
	is_int(o.len, BS + GCM_GROWS, "and grows by nonce and tag");
	is_int(codec_decode(c, 7, o.encoding, "", o.data, o.len, out, BS, &why), 0, "and back");
	ok(memcmp(noise, out, BS) == 0, "what it was");
	free(o.data);
	ok(!codec_lacks_key(c), "it has its key");
	codec_close(&c);
	bare = open_codec("compress=no", "ssl", &error);
	ok(bare != NULL && codec_lacks_key(bare), "without a key object it lacks it");
	is_int(codec_encode(bare, 7, in, BS, &o), -ENOKEY, "and encodes nothing");
	codec_close(&bare);
	bare = open_codec("compress=no", "keyLength=32", &error);
	ok(bare == NULL && error != NULL, "no keyLength: %s", error);
	free(error);
}

int
main(void)
{
	key_object();
	blocks();
	layers();
	return (tap_done());
}
