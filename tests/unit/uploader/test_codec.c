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
}

/*
 * Every cipher: password "test", bucket "mybucket", block 5, A4096 deflated; computed with openssl enc
 * and another implementation of PBKDF2 and HMAC.
 */
static void
ciphers(void)
{
	static const struct {
		const char *name;
		unsigned key_len;
		const char *ct, *hmac;
	} v[] = {
	    {"AES-192-CBC", 24, "ef03a9762d557817fc276b1859dd0684fa72ed61064c8a2f5cab28609c3102d2",
		"848a192da56e8c21c22fc62a2cebfe21bb3864dc"},
	    {"CAMELLIA-128-CBC", 16,
		"1359c3859e84d201f3497b2c1bfe85e2cba19f5fe98d01042fff2eb0db0cb3af",
		"2038c3c063c1e145724669cf1d87d3cec6712648"},
	    {"CAMELLIA-192-CBC", 24,
		"ab36177fca15166733998066a21906177f15120309d43c6abdb4a6e1c3ee7333",
		"d691613499dfeac1331f6f17322cd8352f299e63"},
	    {"CAMELLIA-256-CBC", 32,
		"b60d1898433be886b3b494af6ce9215d8d1a63267fc1c77451dee81d819f0104",
		"01eb9dee4b473372ab07b77647f93d8e062f56ca"},
	    {"ARIA-128-CBC", 16, "b7bbe1395c9e953bdb184d8d5cb9d2bdb8a6c3f63fb0d2bba3edb4f15edba20a",
		"edabc322388c52aa16d14e4eb8bc20a452620ce6"},
	    {"ARIA-192-CBC", 24, "356c4eb81edfdc63d8046dbf57b113534fd37cfd076d9a5d5a0b50866f027112",
		"da31873e082caa3cdf152e9bc1d31ba4f1b86555"},
	    {"ARIA-256-CBC", 32, "0fb73ad3fa6c91523945c5001fc1791fec82b1936686a9763adb5c3bb1d139ca",
		"03d45d315a19240db7730fabf1d74fb226eb3fa3"},
	    {"SM4-CBC", 16, "8ef637f599246171edd445d16b9c2b8a56abca957fa54730bb4678fbd6458400",
		"9fbd669c8d3bbd7478282a0528c8c9e8b3371f0b"},
	    {"DES-EDE3-CBC", 24, "3d24d31e54f5d6a8661aebdf653c079fa42c647aaa439c4f8207c7fe3336280a",
		"6787f806bff65e0cf6e587018432411d38fc31cc"},
	    {"DES-EDE-CBC", 16, "e78e2c221f2423964275e8ef22a9a4111ee220f218ae22fd29651a19e73f12af",
		"4b5f9c72f9e114a091ca5c30c0f45f899cfc644e"},
	    {"SEED-CBC", 16, "d1c86d144ca40cb957fa9ac12014b10cc70d92a6911faea9c26cd5dd75a4925d",
		"3032c5dacb9492bfc5fd8cf50eff3906fc39eaac"},
	    {"BF-CBC", 16, "ea514e54213b9b946d1009735a75821187756ee57d694f7083e21541627d697c",
		"aa7d14fbe713a6878250e6d0dece96e237d7dad6"},
	    {"BF-CBC", 64, "14b2a9beb378f2139fd22751862c804d37f592b1500dee6e9c4e7358804b628b",
		"88cfca5f21d66c6f214724323e39e8ded2bca43a"},
	    {"CAST5-CBC", 16, "bf0ff93a22a931631aa0df25481092db67fad06c0c958cd4bc3f49c03a1d1062",
		"f678220b48554967ec1d1d21de08f37ab18401c1"},
	    {"DES-CBC", 8, "c21157930c41228c3cacfae917c3e4d942907ff958946b050ed894b3f86e88dd",
		"e5c580f3c6dddc312877460715367f83eefd520d"},
	    {"RC2-CBC", 16, "a3b271eb87a2f11d4d08e4f49f68ccafc72c02daa08e61d38f60c44d3c181147",
		"ab172f8e76dd3b45c5ce53568123d3579603b639"},
	    {"RC2-64-CBC", 8, "1a6f505e6bbe6fda011ba8aba9c28f450bcde23013055db270a6f1e64813b7a2",
		"c8658a0f848c21c8a6c7a66a174a885e86333012"},
	    {"RC2-40-CBC", 5, "3c8fa62904eab7185a38485f68118b69a950322007362785f0d587f8d8d9076b",
		"9d1e65fe0f8d8ce6a889cc6e301b47b88ff7e106"},
	};
	static const uint8_t z[] = {0x78, 0x9c, 0xed, 0xc1, 0x01, 0x0d, 0x00, 0x00, 0x00, 0xc2,
	    0xa0, 0x6c, 0xef, 0x5f, 0xca, 0x1e, 0x0e, 0x28, 0x00, 0x00, 0x00, 0xe0, 0xdd, 0x00,
	    0xff, 0xad, 0x10, 0x3d};

	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		uint8_t buf[64], mac[20];
		struct crypt *c = NULL;
		const char *why = NULL;
		size_t len;
		int r = crypt_new(v[i].name, "test", "mybucket/", v[i].key_len, &c);

		if (r == -ENOTSUP && strncmp(v[i].name, "ARIA", 4) == 0) {
			ok(true, "%s # SKIP this libgcrypt does not have it", v[i].name);
			continue;
		}
		is_int(r, 0, "%s, %u bytes of key", v[i].name, v[i].key_len);
		memcpy(buf, z, sizeof(z));
		is_int(crypt_encrypt(c, 5, buf, sizeof(z), &len, mac), 0, "encrypted");
		is_str(hex(buf, len), v[i].ct, "the bytes");
		is_str(hex(mac, 20), v[i].hmac, "the signature");
		ok(crypt_decrypt(c, 5, mac, buf, len, &len, &why) == 0 && len == sizeof(z) &&
			memcmp(buf, z, len) == 0,
		    "and back");
		crypt_free(&c);
	}
}

static void
aliases(void)
{
	static const struct {
		const char *conf, *encoding;
	} v[] = {
	    {"encrypt=aes128", "deflate, encrypt-AES-128-CBC"},
	    {"encrypt=AES256", "deflate, encrypt-AES-256-CBC"},
	    {"encrypt=des3", "deflate, encrypt-DES-EDE3-CBC"},
	    {"encrypt=des-ede-cbc", "deflate, encrypt-DES-EDE-CBC"},
	    {"encrypt=Seed", "deflate, encrypt-SEED-CBC"},
	    {"encrypt=blowfish", "deflate, encrypt-BF-CBC"},
	    {"encrypt=bf", "deflate, encrypt-BF-CBC"},
	    {"encrypt=cast", "deflate, encrypt-CAST5-CBC"},
	    {"encrypt=des", "deflate, encrypt-DES-CBC"},
	    {"encrypt=rc2", "deflate, encrypt-RC2-CBC"},
	    {"encrypt=rc2-40", "deflate, encrypt-RC2-40-CBC"},
	    {"encrypt=sm4", "deflate, encrypt-SM4-CBC"},
	    {"encrypt=idea", "deflate, encrypt-IDEA-CBC"},
	};

	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		struct codec *c = open_codec("mybucket", v[i].conf, "password=test", NULL);
		struct codec_out o = {0};

		if (!ok(c != NULL, "%s", v[i].conf))
			continue;
		is_str(codec_encoding(c), v[i].encoding, "is OpenSSL's short name on the wire");
		is_int(codec_encode(c, 7, pat4096, BS, &o), 0, "encoded");
		is_int(decodes(c, 7, v[i].encoding, o.hmac, o.data, o.len, pat4096), 0, "and back");
		free(o.data);
		codec_close(&c);
	}
}

static char *
md5_of(const void *data, size_t len, bool base64)
{
	static char text[2][40];
	uint8_t md5[16];

	gcry_md_hash_buffer(GCRY_MD_MD5, md5, data, len);
	if (base64)
		sign_base64(md5, 16, text[1]);
	else
		sign_hex(md5, 16, text[0]);
	return (text[base64]);
}

/* Digests of section 5 and section 10: of the blocks, of V1's object, of a bulk delete. */
static void
digests(void)
{
	static const char bulk[] = "<Delete><Object><Key>d/00000000</Key></Object>"
				   "<Object><Key>d/00000001</Key></Object>"
				   "<Object><Key>d/00000002</Key></Object></Delete>";
	struct codec *c = open_codec("mybucket", "encrypt", "password=test", NULL),
		     *d = open_codec("mybucket", "compress", NULL, NULL);
	struct codec_out o = {0};

	is_str(md5_of(a4096, BS, false), "82a7348c2e03731109d0cf45a7325b88", "MD5 of A4096");
	is_str(md5_of(a4096, BS, true), "gqc0jC4DcxEJ0M9FpzJbiA==", "its Content-MD5");
	is_str(md5_of(pat4096, BS, false), "2bcd3c4de20c918e19fab5c36249c70d", "MD5 of PAT4096");
	is_int(codec_encode(d, 5, pat4096, BS, &o), 0, "PAT4096 is deflated");
	is_int(o.len, 315, "to 315 bytes");
	free(o.data);
	is_int(codec_encode(c, 0, pat4096, BS, &o), 0, "V3c: encrypted");
	is_int(o.len, 320, "V3c: to 320 bytes");
	free(o.data);
	is_int(codec_encode(c, 5, a4096, BS, &o), 0, "V1: encrypted");
	is_str(md5_of(o.data, o.len, false), "0f1d0fcf68b7027673f21e6e714b2a84", "V1: MD5");
	is_str(md5_of(o.data, o.len, true), "Dx0Pz2i3AnZz8h5ucUsqhA==", "V1: Content-MD5");
	free(o.data);
	is_int(sizeof(bulk) - 1, 131, "the body of a bulk delete");
	is_str(md5_of(bulk, sizeof(bulk) - 1, true), "zIE4HoJmbzsQHPR0n3dZGw==", "its Content-MD5");
	codec_close(&c);
	codec_close(&d);
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
	is_str(hex(buf, 32), "e720bcf556a87f84c3b30c5076af8d4c03e391933068a3bf650aac2204dc2bba",
	    "V2: the first bytes");
	is_str(hex(buf + 4096, 16), "371d3026abf70fded64bd20e894223c2", "V2: the last ones");
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
	unsigned key_len;
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
	ok(od.data == NULL && od.len == BS, "is stored as it is");
	is_int(codec_encode(z, 5, noise, BS, &oz), 0, "noise by zstd");
	ok(oz.data == NULL && oz.len == BS, "likewise");
	codec_close(&d);
	d = open_codec("mybucket", "encrypt", "password=test", NULL);
	is_int(codec_encode(d, 5, noise, BS, &od), 0, "noise, encrypted");
	ok(od.len > BS && od.len <= 4126, "is larger, but not beyond what the old program reads");
	is_int(codec_prove(
		   d, 5, "deflate, encrypt-AES-128-CBC", od.hmac, od.data, od.len, &key_len, &why),
	    0, "one of ours, as it is stored");
	is_int(codec_prove(
		   d, 5, "deflate, encrypt-AES-128-CBC", "\"\"", od.data, od.len, &key_len, &why),
	    -EBADMSG, "not without a signature");
	is_str(why, "it has no valid signature", "and why");
	is_int(codec_prove(d, 5, "gzip", od.hmac, od.data, od.len, &key_len, &why), -EBADMSG,
	    "nor in another encoding");
	is_int(decodes(d, 5, "deflate, encrypt-AES-128-CBC", od.hmac, od.data, od.len, noise), 0,
	    "and back");
	free(od.data);
	codec_close(&d);
	d = open_codec("mybucket", "defaultContentEncoding=deflate", NULL, NULL);
	is_str(codec_encoding(d), "deflate", "without compress, the default encoding is written");
	is_int(codec_encode(d, 5, noise, BS, &od), 0, "noise where headers get lost");
	ok(od.data != NULL, "is what it will be taken for");
	is_int(decodes(d, 5, "deflate", "", od.data, od.len, noise), 0, "and back");
	free(od.data);
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
	ciphers();
	aliases();
	vectors();
	digests();
	uncompressed();
	compression();
	return (tap_done());
}
