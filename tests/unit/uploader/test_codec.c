/* SPDX-License-Identifier: ISC */
/*
 * test_codec.c -- blocks to objects and back: the vectors of BUCKET-FORMAT.md section 5, which the
 * old program stored and read, and objects that must be refused.
 */
#include <errno.h>
#include <string.h>

#include <gcrypt.h>

#include "common/conf.h"
#include "tests/unit/tap.h"
#include "uploader/codec.h"
#include "uploader/codec_crypt.h"
#include "uploader/s3_sign.h"

#define BS 4096

static uint8_t a4096[BS], pat4096[BS];

static struct codec *
open_codec(const char *bucket, const char *o1, const char *o2, const char *o3)
{
	char b[64];
	const char *o[] = {b, "mountPoint=/mnt", "accessId=a", "accessKey=b", o1, o2, o3, NULL};
	static struct conf *conf[32];
	static unsigned n;
	struct codec *c = NULL;
	char *error = NULL;

	(void)snprintf(b, sizeof(b), "bucket=%s", bucket);
	if (conf_load(NULL, o, &conf[n], &error) < 0 ||
	    codec_open(conf[n++], &c, &error) < 0) /* the codec borrows from it */
		printf("# %s\n", error != NULL ? error : "?");
	free(error);
	return (c);
}

static char *
hex(const uint8_t *p, size_t len)
{
	static char text[4][256];
	static unsigned i;

	i = (i + 1) % 4;
	sign_hex(p, len < 120 ? len : 120, text[i]);
	return (text[i]);
}

static char *
peek(const struct crypt *c, char what, uint32_t block)
{
	uint8_t buf[64];

	return (hex(buf, crypt_peek(c, what, block, buf, sizeof(buf))));
}

static int
decodes(const struct codec *c, uint32_t block, const char *encoding, const char *hmac,
    const uint8_t *data, size_t len, const uint8_t *want)
{
	static uint8_t in[2 * BS], out[BS];
	const char *why = NULL;
	int error;

	memcpy(in, data, len);
	error = codec_decode(c, block, encoding, hmac, in, len, out, BS, &why);
	if (error == 0 && memcmp(out, want, BS) != 0)
		return (-EFAULT);
	if (error < 0 && why == NULL)
		return (-EINVAL); /* every refusal says why */
	return (error);
}

struct vector {
	const char *id, *bucket, *cipher, *key_length;
	uint32_t block;
	const uint8_t *input;
	const char *ct, *hmac; /* ct NULL: not compared */
};

static void
vectors(void)
{
	static const struct vector v[] = {
	    {"V1", "mybucket", "encrypt=AES-128-CBC", "keyLength=16", 5, a4096,
		"7153db4a96cccbe35140756cd90804221504c0fde52d4cdc30025f7aee3a2bcf",
		"289c896abb3535ceec2f6c66ee79678214189baa"},
	    {"V3", "mybucket", "encrypt=AES-128-CBC", "keyLength=16", 0, a4096,
		"411b58bb13da0574b5748460cfdbecf5c652e269f2eec28fa295bdb426484180",
		"ae27b56b4fbd6ce67c172faaa06f2f9b011d9ec3"},
	    {"V3b", "mybucket", "encrypt", "keyLength=0", 0xffffffff, a4096,
		"b47cf96b43dc8282a15d46b252568b5f1625c95ff51da6050ddf8739f2852ad2",
		"8f161e7a52cccca5133de861a9e8f350f9b59f9e"},
	    {"V3c", "mybucket", "encrypt", "keyLength=0", 0, pat4096, NULL,
		"a5bf5b80aec06b0503ca6b1f9b878c006d6bf04f"},
	    {"V4", "mybucket/foo", "encrypt=AES-256-CBC", "keyLength=32", 5, a4096,
		"0e0cd8ca01da56eda7648771d76e1cbf3b197e4b9193bb10127ad3ec679a135a",
		"2b8f5548726d35f4d18d1ca711129135863a48bb"},
	    {"V5", "mybucket", "encrypt=AES-256-CBC", "keyLength=64", 5, a4096,
		"d5e57b556493e0d083a2e45f69834732e642ca90ed44a17a058ea167272d1463",
		"cfd6605aea6f9b8adea52699f945c1c8d9d7df19"},
	};

	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		struct codec *c =
		    open_codec(v[i].bucket, v[i].cipher, v[i].key_length, "password=test");
		struct codec_out o = {0};
		char quoted[64];

		if (!ok(c != NULL, "%s: opened", v[i].id))
			continue;
		is_int(codec_encode(c, v[i].block, v[i].input, BS, &o), 0, "%s: encoded", v[i].id);
		if (v[i].ct != NULL)
			is_str(hex(o.data, o.len), v[i].ct, "%s: the bytes", v[i].id);
		(void)snprintf(quoted, sizeof(quoted), "\"%s\"", v[i].hmac);
		is_str(o.hmac, quoted, "%s: the signature", v[i].id);
		is_int(decodes(c, v[i].block, codec_encoding(c), o.hmac, o.data, o.len, v[i].input),
		    0, "%s: and back", v[i].id);
		is_int(decodes(
			   c, v[i].block + 1, codec_encoding(c), o.hmac, o.data, o.len, v[i].input),
		    -EBADMSG, "%s: not as another block", v[i].id);
		free(o.data);
		codec_close(&c);
	}
}

static void
keys(void)
{
	struct crypt *c;

	(void)crypt_new("AES-128-CBC", "test", "mybucket/", 0, &c);
	is_str(peek(c, 'k', 0), "12be54d095eeebc327dc94ef777d575e", "V1: KEY");
	is_str(peek(c, 'i', 0), "f6ce0fb216e8758586bd1339e9442889", "V1: IVKEY");
	is_str(peek(c, 'v', 5), "7bdcd6f0ce9d955facbb56248a22ab90", "V1: IV");
	is_str(peek(c, 'v', 0), "088f0292c50b06d08513996b893c724b", "V3: IV");
	is_str(peek(c, 'v', 0xffffffff), "5a1582b59b02f993f91e86b86a7b94dd", "V3b: IV");
	crypt_free(&c);
	(void)crypt_new("AES-256-CBC", "test", "mybucket/foo/", 32, &c);
	is_str(peek(c, 'k', 0), "b05610f1e4631f8265b6f9d79e8f0a78625a6149a306e1c4b4d7b3238b14e0b9",
	    "V4: KEY");
	is_str(peek(c, 'i', 0), "4d12c6de643fc4575b156bd386f276bda4955b981938bab8a40cfc1ee2db1d2c",
	    "V4: IVKEY");
	is_str(peek(c, 'v', 5), "8383ed01d40bed15be9c14b1258d4b9d", "V4: IV");
	crypt_free(&c);
	(void)crypt_new("AES-256-CBC", "test", "mybucket/", 64, &c);
	is_str(peek(c, 'k', 0),
	    "12be54d095eeebc327dc94ef777d575eca23a377d35194f61159a6df904947e4"
	    "eea96c829320568a5f3c099a41fc03bc28bc7044da7e7c9e4438a31a735e2a3b",
	    "V5: KEY");
	is_str(peek(c, 'i', 0),
	    "6cf37f91a265c53841a73a5d6b15f0d8f25e592d76a4de1fdfec3342ae7b8d7a"
	    "fe50de04ab7433220439d0c45209e06f0061b28f8d74384b4568fcffd59f437c",
	    "V5: IVKEY");
	is_str(peek(c, 'v', 5), "08cb46f70c05a0f279d0430b802a0730", "V5: IV");
	crypt_free(&c);
	is_int(crypt_new("AES-256-CBC", "test", "mybucket/", 16, &c), -EINVAL, "a key too short");
	is_int(crypt_new("AES-256-CTR", "test", "mybucket/", 0, &c), -EINVAL, "CTR");
	ok(crypt_new("aes128", "test", "mybucket/", 0, &c) == 0 &&
		strcmp(crypt_name(c), "AES-128-CBC") == 0,
	    "an alias has its proper name");
	crypt_free(&c);
}

/* V2: encrypted, not compressed.  Built with the layer itself, as we never write that. */
static void
uncompressed(void)
{
	struct codec *c = open_codec("mybucket", "encrypt", "password=test", NULL);
	struct crypt *crypt;
	uint8_t buf[BS + 16], mac[20], md5[16];
	char hmac[48];
	size_t len;

	(void)crypt_new("AES-128-CBC", "test", "mybucket/", 0, &crypt);
	memcpy(buf, a4096, BS);
	is_int(crypt_encrypt(crypt, 5, buf, BS, &len, mac), 0, "V2: encrypted");
	is_int(len, 4112, "V2: length");
	gcry_md_hash_buffer(GCRY_MD_MD5, md5, buf, len);
	is_str(hex(md5, 16), "ae5ffc3f13ec90e51057899dfa2b9a21", "V2: MD5 of the bytes");
	is_str(hex(mac, 20), "23381864c1196786ef31b51b1c20f99ec0f3862c", "V2: signature");
	(void)snprintf(hmac, sizeof(hmac), "\"%s\"", hex(mac, 20));
	is_int(decodes(c, 5, "encrypt-AES-128-CBC", hmac, buf, len, a4096), 0, "V2: and back");
	is_int(
	    decodes(c, 5, "ENCRYPT-aes-128-cbc", hmac, buf, len, a4096), 0, "case does not matter");
	is_int(decodes(c, 5, "encrypt-AES-256-CBC", hmac, buf, len, a4096), -EBADMSG,
	    "another cipher");
	is_int(decodes(c, 5, "deflate, encrypt-AES-128-CBC", hmac, buf, len, a4096), -EBADMSG,
	    "not compressed as it claims");
	is_int(decodes(c, 5, "", "", a4096, BS, a4096), -EBADMSG, "not encrypted at all");
	is_int(decodes(c, 5, "encrypt-AES-128-CBC", "", buf, len, a4096), -EBADMSG, "no signature");
	is_int(decodes(c, 5, "encrypt-AES-128-CBC", hex(mac, 20), buf, len, a4096), -EBADMSG,
	    "an unquoted signature");
	is_int(decodes(c, 5, "encrypt-AES-128-CBC", "\"0000000000000000000000000000000000000000\"",
		   buf, len, a4096),
	    -EBADMSG, "a signature of zeros");
	buf[100] ^= 1;
	is_int(
	    decodes(c, 5, "encrypt-AES-128-CBC", hmac, buf, len, a4096), -EBADMSG, "a changed bit");
	buf[100] ^= 1;
	is_int(
	    decodes(c, 5, "encrypt-AES-128-CBC", hmac, buf, len - 16, a4096), -EBADMSG, "cut off");
	crypt_free(&crypt);
	codec_close(&c);
	c = open_codec("mybucket", "encrypt", "password=other", NULL);
	is_int(decodes(c, 5, "encrypt-AES-128-CBC", hmac, buf, len, a4096), -EBADMSG,
	    "other password");
	codec_close(&c);
	c = open_codec("mybucket", "ssl", NULL, NULL);
	is_int(
	    decodes(c, 5, "encrypt-AES-128-CBC", hmac, buf, len, a4096), -EBADMSG, "no password");
	codec_close(&c);
}

static void
compression(void)
{
	struct codec *d = open_codec("mybucket", "compress", NULL, NULL),
		     *z = open_codec("mybucket", "compress=zstd", "compress-level=19", NULL),
		     *p = open_codec("mybucket", "ssl", NULL, NULL);
	struct codec_out od = {0}, oz = {0};
	uint8_t noise[BS], more[BS];
	bool as_is = false;
	const char *why = NULL;

	is_int(codec_encode(d, 5, a4096, BS, &od), 0, "deflate");
	is_str(hex(od.data, od.len), "789cedc1010d000000c2a06cef5fca1e0e28000000e0dd00ffad103d",
	    "the bytes of zlib");
	is_str(codec_encoding(d), "deflate", "its name");
	is_int(codec_encode(z, 5, a4096, BS, &oz), 0, "zstd");
	ok(codec_is_plain(p) && !codec_is_plain(d) && codec_encoding(p) == NULL, "plain or not");
	is_int(decodes(p, 5, "deflate", "", od.data, od.len, a4096), 0,
	    "read without being configured");
	is_int(decodes(d, 5, "zstd", "", oz.data, oz.len, a4096), 0, "zstd among deflate");
	is_int(decodes(z, 5, " Deflate ", "", od.data, od.len, a4096), 0, "deflate among zstd");
	is_int(decodes(z, 5, "", "", pat4096, BS, pat4096), 0, "plain among zstd");
	is_int(decodes(p, 5, "gzip", "", od.data, od.len, a4096), -EBADMSG, "gzip");
	is_int(decodes(p, 5, "deflate,deflate", "", od.data, od.len, a4096), -EBADMSG, "twice");
	is_int(decodes(p, 5, "deflate", "", od.data, od.len - 1, a4096), -EBADMSG, "cut off");
	memcpy(more, od.data, od.len);
	more[od.len] = 0;
	is_int(decodes(p, 5, "deflate", "", more, od.len + 1, a4096), -EBADMSG, "one byte more");
	is_int(decodes(p, 5, "zstd", "", od.data, od.len, a4096), -EBADMSG, "under another name");
	is_int(decodes(p, 5, "", "", a4096, BS - 1, a4096), -EBADMSG, "a plain one too short");
	ok(codec_check(p, "", &as_is, &why) == 0 && as_is, "plain is taken as it is");
	ok(codec_check(p, "deflate", &as_is, &why) == 0 && !as_is, "deflate is not");
	ok(codec_check(p, "aws-chunked", &as_is, &why) == -EBADMSG && why != NULL,
	    "aws-chunked never");
	free(od.data);
	free(oz.data);
	for (unsigned i = 0, x = 1; i < BS; i++, x = x * 1103515245 + 12345)
		noise[i] = (uint8_t)(x >> 16);
	is_int(codec_encode(d, 5, noise, BS, &od), 0, "noise by deflate");
	ok(od.len > BS && od.len <= 4126, "is larger, but not beyond what the old program reads");
	is_int(codec_encode(z, 5, noise, BS, &oz), 0, "noise by zstd");
	ok(oz.len > BS && oz.len <= 4126, "likewise");
	is_int(decodes(p, 5, "zstd", "", oz.data, oz.len, noise), 0, "and back");
	free(od.data);
	free(oz.data);
	codec_close(&d);
	codec_close(&z);
	codec_close(&p);
}

int
main(void)
{
	memset(a4096, 0x41, sizeof(a4096));
	for (unsigned i = 0; i < BS; i++)
		pat4096[i] = (uint8_t)i;
	keys();
	vectors();
	uncompressed();
	compression();
	return (tap_done());
}
