/* SPDX-License-Identifier: ISC */
/*
 * test_sign.c -- signatures against published ones: the examples of the Amazon S3 API reference
 * (Signature Version 4, "single chunk"; Version 2), and two requests of the old program.
 */
#include <string.h>

#include "tests/unit/tap.h"
#include "uploader/s3_sign.h"

#define AWS_ID	   "AKIAIOSFODNN7EXAMPLE"
#define AWS_SECRET "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
#define AWS_HOST   "examplebucket.s3.amazonaws.com"
#define AWS_DATE   "20130524T000000Z"

static struct sign_cache cache;

static int
v4(const char *method, const char *path, const char *query, const char *sha,
    const struct sign_header *h, unsigned n, const char *want, const char *want_names)
{
	struct sign_key k = {AWS_ID, AWS_SECRET, "us-east-1"};
	struct sign_request r = {.method = method,
	    .path = path,
	    .query = query,
	    .payload_sha256 = sha,
	    .date = AWS_DATE,
	    .header = h,
	    .nheaders = n};
	char auth[SIGN_AUTH_SIZE], expect[SIGN_AUTH_SIZE];

	if (sign_v4(&cache, &k, &r, auth, NULL) != 0)
		return (0);
	(void)snprintf(expect, sizeof(expect),
	    "AWS4-HMAC-SHA256 Credential=%s/20130524/us-east-1/s3/aws4_request, "
	    "SignedHeaders=%s, Signature=%s",
	    AWS_ID, want_names, want);
	if (strcmp(auth, expect) != 0)
		printf("#  got %s\n# want %s\n", auth, expect);
	return (strcmp(auth, expect) == 0);
}

static void
aws_examples(void)
{
	struct sign_header get[] = {{"Host", AWS_HOST}, {"Range", "bytes=0-9"},
	    {"x-amz-content-sha256", SIGN_EMPTY_SHA256}, {"x-amz-date", AWS_DATE}};
	struct sign_header put[] = {{"x-amz-storage-class", "REDUCED_REDUNDANCY"},
	    {"Host", AWS_HOST}, {"Date", "Fri, 24 May 2013 00:00:00 GMT"},
	    {"x-amz-content-sha256",
		"44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"},
	    {"x-amz-date", AWS_DATE}};
	struct sign_header plain[] = {{"Host", AWS_HOST},
	    {"x-amz-content-sha256", SIGN_EMPTY_SHA256}, {"x-amz-date", "  " AWS_DATE "  "}};

	ok(v4("GET", "/test.txt", NULL, SIGN_EMPTY_SHA256, get, 4,
	       "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
	       "host;range;x-amz-content-sha256;x-amz-date"),
	    "AWS example: GET object with a range");
	ok(v4("PUT", "/test%24file.text", NULL,
	       "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072", put, 5,
	       "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
	       "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class"),
	    "AWS example: PUT object with an odd name");
	ok(v4("GET", "/", "lifecycle", SIGN_EMPTY_SHA256, plain, 3,
	       "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
	       "host;x-amz-content-sha256;x-amz-date"),
	    "AWS example: sub-resource without a value");
	ok(v4("GET", "/", "prefix=J&max-keys=2", SIGN_EMPTY_SHA256, plain, 3,
	       "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
	       "host;x-amz-content-sha256;x-amz-date"),
	    "AWS example: list with parameters in any order");
}

/* BUCKET-FORMAT.md section 8.1: what the old program put on the wire. */
static void
format_vectors(void)
{
	struct sign_key k = {
	    "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "us-east-1"};
	struct sign_header head[] = {{"host", "127.0.0.1:9123"},
	    {"x-amz-content-sha256", SIGN_EMPTY_SHA256}, {"x-amz-date", "20261123T092928Z"}};
	const char *sha = "4d8efcfb21ef575b625e7f65e008fcce25d2ac62192c76044399e7575184170c";
	struct sign_header put[] = {{"Content-Encoding", "deflate, encrypt-AES-128-CBC"},
	    {"Content-Type", "application/x-s3backer-block"},
	    {"Content-MD5", "Dx0Pz2i3AnZz8h5ucUsqhA=="}, {"x-amz-acl", "private"},
	    {"x-amz-meta-s3backer-hmac", "\"289c896abb3535ceec2f6c66ee79678214189baa\""},
	    {"host", "127.0.0.1:9123"}, {"x-amz-content-sha256", sha},
	    {"x-amz-date", "20261123T092928Z"}};
	struct sign_request r = {.method = "HEAD",
	    .path = "/mybucket/00000000",
	    .payload_sha256 = SIGN_EMPTY_SHA256,
	    .date = "20261123T092928Z",
	    .header = head,
	    .nheaders = 3};
	char auth[SIGN_AUTH_SIZE], canonical[65];

	is_int(sign_v4(&cache, &k, &r, auth, canonical), 0, "HEAD is signed");
	is_str(canonical, "34355e6c3b870a4a81875d90c30380bb6baad0251796caf8041ce0a9416fa8d7",
	    "canonical request of HEAD");
	ok(strstr(auth, "=3a2a594209039725533ab42d503128a91d4ce0f4f421fc762ae51d6aeeebd61f") !=
		NULL,
	    "signature of HEAD");
	r = (struct sign_request){.method = "PUT",
	    .path = "/mybucket/00000005",
	    .payload_sha256 = sha,
	    .date = "20261123T092928Z",
	    .header = put,
	    .nheaders = 8};
	is_int(sign_v4(&cache, &k, &r, auth, canonical), 0, "PUT is signed");
	is_str(canonical, "a1b627289332c140f8da0ee618066bba9c1031fa3de1ef97db7560b0cb6a0f42",
	    "canonical request of PUT");
	ok(strstr(auth, "=1789cf1b08476f7f16ed838127c669e3433ae13742f760e788ed27d9c2b0afc4") !=
		NULL,
	    "signature of PUT");
	k.secret = "another secret";
	is_int(sign_v4(&cache, &k, &r, auth, NULL), 0, "signed with another secret");
	ok(strstr(auth, "=1789cf1b08476f7f") == NULL, "the derived key follows the secret");
}

static void
version_2(void)
{
	struct sign_key k = {"AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", NULL};
	struct sign_header put[] = {{"Content-MD5", "r6lf9ckf8a5jGx+fYU5ogw=="},
	    {"Content-Type", "application/x-s3backer-block"}, {"x-amz-acl", "private"},
	    {"x-amz-meta-s3backer-hmac", "\"7f0f86af0913b63f0482952149bc40b84e719a5b\""}};
	struct sign_request r = {.method = "PUT",
	    .resource = "/mybucket/00000005",
	    .date = "Mon, 23 Nov 2026 09:31:58 GMT",
	    .header = put,
	    .nheaders = 4};
	struct sign_key aws = {AWS_ID, AWS_SECRET, NULL};
	struct sign_request get = {.method = "GET",
	    .resource = "/awsexamplebucket1/photos/puppy.jpg",
	    .date = "Tue, 27 Mar 2007 19:36:42 +0000"};
	char auth[SIGN_AUTH_SIZE];

	is_int(sign_v2(&k, &r, auth), 0, "PUT is signed");
	is_str(auth,
	    "AWS AKIDEXAMPLE:yjU5rtEe7/A/OPEqSHKtasjn/ow=", "Version 2: the old program's PUT");
	is_int(sign_v2(&aws, &get, auth), 0, "GET is signed");
	is_str(auth, "AWS AKIAIOSFODNN7EXAMPLE:qgk2+6Sv9/oM7G3qLEjTH1a1l1g=",
	    "Version 2: AWS example, object GET");
}

static void
text_forms(void)
{
	uint8_t bytes[16];
	char text[40];

	sign_base64((const uint8_t *)"foobar", 6, text);
	is_str(text, "Zm9vYmFy", "base64 of six bytes (RFC 4648)");
	sign_base64((const uint8_t *)"fooba", 5, text);
	is_str(text, "Zm9vYmE=", "base64 of five");
	sign_base64((const uint8_t *)"foob", 4, text);
	is_str(text, "Zm9vYg==", "base64 of four");
	for (unsigned i = 0; i < 16; i++)
		bytes[i] = (uint8_t)(i * 17);
	sign_hex(bytes, 16, text);
	is_str(text, "00112233445566778899aabbccddeeff", "hex");
}

int
main(void)
{
	aws_examples();
	format_vectors();
	version_2();
	text_forms();
	return (tap_done());
}
