/* SPDX-License-Identifier: ISC */
/*
 * codec.c -- the body of a block from a store that may send anything, under every kind of encoding.
 * The first byte chooses the codec, the second what the store says of the body; the third turns it
 * round: then the bytes are a block that must come back as it was.
 */
#include "common/conf.h"
#include "tests/fuzz/fuzz.h"
#include "uploader/codec.h"

#define BLOCK 4096u

static struct codec *codec[4];
static struct conf *conf[4]; /* which they borrow from */

static void
open_codecs(void)
{
	static const char *const option[][2] = {{"compress=no", NULL}, {"compress=deflate", NULL},
	    {"compress=zstd", NULL}, {"encrypt=yes", "password=secret"}};

	for (unsigned i = 0; i < 4; i++) {
		const char *o[] = {"bucket=bkt", "mountPoint=/mnt", "accessId=a", "accessKey=k",
		    "size=1m", "blockSize=4k", option[i][0], option[i][1], NULL};
		char *error = NULL;

		must(conf_load(NULL, o, &conf[i], &error) == 0);
		must(codec_open(conf[i], &codec[i], &error) == 0);
	}
}

static void
there_and_back(const struct codec *c, const uint8_t *data, size_t len)
{
	uint8_t block[BLOCK] = {0}, back[BLOCK], *body;
	struct codec_out out = {.data = NULL};
	const char *why = NULL;
	size_t n;

	memcpy(block, data, len < BLOCK ? len : BLOCK);
	must(codec_encode(c, 7, block, BLOCK, &out) == 0);
	n = out.data != NULL ? out.len : BLOCK;
	body = malloc(n);
	must(body != NULL);
	memcpy(body, out.data != NULL ? out.data : block, n);
	must(codec_decode(c, 7, out.data != NULL ? codec_encoding(c) : "", out.hmac, body, n, back,
		 BLOCK, &why) == 0);
	must(memcmp(block, back, BLOCK) == 0);
	free(body);
	free(out.data);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const char *const encoding[] = {"", "deflate", "zstd", "encrypt-AES-128-CBC",
	    "deflate,encrypt-AES-128-CBC", "encrypt-AES-128-CBC,deflate", "identity", "gzip"};
	static const char hmac[] = "\"0123456789abcdef0123456789abcdef01234567\"";
	uint8_t *in, out[BLOCK];
	const char *why = NULL;
	const struct codec *c;

	if (codec[0] == NULL)
		open_codecs();
	if (len < 3)
		return (0);
	c = codec[data[0] % 4];
	if (data[2] & 1) {
		there_and_back(c, data + 3, len - 3);
		return (0);
	}
	in = malloc(len - 3 + 1);
	must(in != NULL);
	memcpy(in, data + 3, len - 3);
	if (codec_decode(c, 7, encoding[data[1] % 8], data[2] & 2 ? hmac : "", in, len - 3, out,
		BLOCK, &why) < 0)
		must(why != NULL);
	free(in);
	return (0);
}
