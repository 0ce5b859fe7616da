/* SPDX-License-Identifier: ISC */
/*
 * test_sigv4.c -- the test server's signatures against published and recorded vectors.
 *
 * Standard: the worked examples of the S3 API reference, "Signature Calculations for the
 *           Authorization Header", and of "Signing and Authenticating REST Requests" (version 2);
 *           then requests recorded from the old program, where both sides are not ours.
 */
#include "tests/server/digest.h"
#include "tests/server/sign.h"
#include "tests/server/text.h"
#include "tests/unit/tap.h"

#define EMPTY_SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define COUNT(a)     ((int)(sizeof(a) / sizeof((a)[0])))

/* Check the canonical request's hash (when given) and the signature of one request. */
static void
check4(const char *what, const struct sign_input *in, const char *authorization, const char *secret,
    const char *payload, const char *canonical_sha256)
{
	struct text canonical = TEXT_EMPTY, string = TEXT_EMPTY;
	struct sigv4 a;
	char hex[65];

	if (!ok(sigv4_parse(authorization, &a) == 0, "%s: the header parses", what))
		return;
	ok(sigv4_canonical(in, a.signed_headers, payload, &canonical) == 0, "%s: canonical", what);
	if (canonical_sha256 != NULL) {
		digest_hex(DIGEST_SHA256, canonical.s, canonical.len, hex);
		is_str(hex, canonical_sha256, "%s: canonical request", what);
	}
	sigv4_string(&a, header_get(in->hdr, in->nhdr, "x-amz-date"), canonical.s, &string);
	sigv4_sign(&a, secret, string.s, hex);
	if (!is_str(hex, a.signature, "%s: signature", what))
		printf("# %s\n", canonical.s);
	text_free(&canonical);
	text_free(&string);
	sigv4_free(&a);
}

static const char doc_secret[] = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
#define DOC_SCOPE                                                                                  \
	"AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
#define DOC_HOST                                                                                   \
	{                                                                                          \
		"Host", "examplebucket.s3.amazonaws.com"                                           \
	}
#define DOC_DATE                                                                                   \
	{                                                                                          \
		"x-amz-date", "20130524T000000Z"                                                   \
	}

static void
test_documented(void)
{
	static const char put_hash[] =
	    "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072";
	const struct header get[] = {
	    DOC_HOST, {"Range", "bytes=0-9"}, {"x-amz-content-sha256", EMPTY_SHA256}, DOC_DATE};
	const struct header put[] = {DOC_HOST, {"Date", "Fri, 24 May 2013 00:00:00 GMT"}, DOC_DATE,
	    {"x-amz-storage-class", "REDUCED_REDUNDANCY"}, {"x-amz-content-sha256", put_hash}};
	const struct header plain[] = {DOC_HOST, {"x-amz-content-sha256", EMPTY_SHA256}, DOC_DATE};
	struct sign_input in = {"GET", "/test.txt", NULL, get, COUNT(get)};

	check4("S3 GET object", &in,
	    DOC_SCOPE "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,"
		      "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
	    doc_secret, EMPTY_SHA256,
	    "7344ae5b7ee6c3e7e6b0fe0640412a37625d1fbfff95c48bbb2dc43964946972");

	in = (struct sign_input){"PUT", "/test%24file.text", NULL, put, COUNT(put)};
	check4("S3 PUT object", &in,
	    DOC_SCOPE "SignedHeaders=date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class,"
		      "Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
	    doc_secret, put_hash,
	    "9e0e90d9c76de8fa5b200d8c849cd5b8dc7a3be3951ddb7f6a76b4158342019d");
	in.raw_path = "/test$file.text";
	check4("the same, unescaped on the wire", &in,
	    DOC_SCOPE "SignedHeaders=date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class,"
		      "Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
	    doc_secret, put_hash, NULL);

	in = (struct sign_input){"GET", "/", "lifecycle", plain, COUNT(plain)};
	check4("S3 GET ?lifecycle", &in,
	    DOC_SCOPE "SignedHeaders=host;x-amz-content-sha256;x-amz-date,"
		      "Signature=fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
	    doc_secret, EMPTY_SHA256,
	    "9766c798316ff2757b517bc739a67f6213b4ab36dd5da2f94eaebf79c77395ca");

	in.raw_query = "prefix=J&max-keys=2"; /* sorted here, not on the wire */
	check4("S3 list", &in,
	    DOC_SCOPE "SignedHeaders=host;x-amz-content-sha256;x-amz-date,"
		      "Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
	    doc_secret, EMPTY_SHA256,
	    "df57d21db20da04d7fa30298dd4488ba3a2b47ca3a489c74750e0f1e7df1b9b7");
}

static void
test_recorded(void)
{
	static const char secret[] = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
	static const char payload[] =
	    "4d8efcfb21ef575b625e7f65e008fcce25d2ac62192c76044399e7575184170c";
	const struct header head[] = {{"Host", "127.0.0.1:9123"},
	    {"x-amz-content-sha256", EMPTY_SHA256}, {"x-amz-date", "20261123T092928Z"}};
	const struct header put[] = {{"Host", "127.0.0.1:9123"},
	    {"Content-Encoding", "deflate, encrypt-AES-128-CBC"},
	    {"Content-Type", "application/x-s3backer-block"},
	    {"Content-MD5", "Dx0Pz2i3AnZz8h5ucUsqhA=="}, {"x-amz-acl", "private"},
	    {"x-amz-meta-s3backer-hmac", "\"289c896abb3535ceec2f6c66ee79678214189baa\""},
	    {"x-amz-content-sha256", payload}, {"x-amz-date", "20261123T092928Z"}};
	struct sign_input in = {"HEAD", "/mybucket/00000000", NULL, head, COUNT(head)};
	struct sigv4 a;
	unsigned char key[32];
	char hex[65];

	check4("recorded HEAD", &in,
	    "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261123/us-east-1/s3/aws4_request, "
	    "SignedHeaders=host;x-amz-content-sha256;x-amz-date, "
	    "Signature=3a2a594209039725533ab42d503128a91d4ce0f4f421fc762ae51d6aeeebd61f",
	    secret, EMPTY_SHA256,
	    "34355e6c3b870a4a81875d90c30380bb6baad0251796caf8041ce0a9416fa8d7");
	in = (struct sign_input){"PUT", "/mybucket/00000005", NULL, put, COUNT(put)};
	check4("recorded PUT", &in,
	    "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261123/us-east-1/s3/aws4_request, "
	    "SignedHeaders=content-encoding;content-md5;content-type;host;x-amz-acl;"
	    "x-amz-content-sha256;x-amz-date;x-amz-meta-s3backer-hmac, "
	    "Signature=1789cf1b08476f7f16ed838127c669e3433ae13742f760e788ed27d9c2b0afc4",
	    secret, payload, "a1b627289332c140f8da0ee618066bba9c1031fa3de1ef97db7560b0cb6a0f42");

	ok(sigv4_parse("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261123/us-east-1/s3/aws4_request,"
		       "SignedHeaders=host,Signature=00",
	       &a) == 0,
	    "a header without blanks parses");
	sigv4_key(&a, secret, key);
	hex_encode(key, sizeof(key), hex);
	is_str(hex, "b330078966de3f2d6fb559b838c0d60e0ec66ad4ff18c451f6b81e0b82d1db5a",
	    "the signing key");
	sigv4_free(&a);
}

static void
test_version2(void)
{
	const struct header doc_get[] = {{"Host", "awsexamplebucket1.us-west-1.s3.amazonaws.com"},
	    {"Date", "Tue, 27 Mar 2007 19:36:42 +0000"}};
	const struct header put[] = {{"Content-MD5", "r6lf9ckf8a5jGx+fYU5ogw=="},
	    {"Content-Type", "application/x-s3backer-block"},
	    {"Date", "Mon, 23 Nov 2026 09:31:58 GMT"},
	    {"x-amz-meta-s3backer-hmac", "\"7f0f86af0913b63f0482952149bc40b84e719a5b\""},
	    {"X-Amz-Acl", "private"}};
	const struct header del[] = {
	    {"Date", "d"}, {"x-amz-date", "Tue, 27 Mar 2007 21:20:26 +0000"}};
	struct sign_input in = {"GET", "/photos/puppy.jpg", NULL, doc_get, COUNT(doc_get)};
	struct text t = TEXT_EMPTY;
	char base64[32];

	sigv2_string(&in, "awsexamplebucket1", &t);
	is_str(t.s, "GET\n\n\nTue, 27 Mar 2007 19:36:42 +0000\n/awsexamplebucket1/photos/puppy.jpg",
	    "version 2, documented GET: string to sign");
	sigv2_sign(doc_secret, t.s, base64);
	is_str(base64, "qgk2+6Sv9/oM7G3qLEjTH1a1l1g=", "version 2, documented GET: signature");
	text_free(&t);

	in = (struct sign_input){"PUT", "/mybucket/00000005", NULL, put, COUNT(put)};
	sigv2_string(&in, NULL, &t);
	sigv2_sign("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", t.s, base64);
	is_str(base64, "yjU5rtEe7/A/OPEqSHKtasjn/ow=", "version 2, recorded PUT");
	text_free(&t);

	in = (struct sign_input){"POST", "/b/", "delete&prefix=x", del, COUNT(del)};
	sigv2_string(&in, NULL, &t);
	is_str(t.s, "POST\n\n\n\nx-amz-date:Tue, 27 Mar 2007 21:20:26 +0000\n/b/?delete",
	    "version 2: sub-resources count, other parameters do not; x-amz-date empties Date");
	text_free(&t);
}

static void
test_bad(void)
{
	static const char *const bad[] = {"", "AWS4-HMAC-SHA256", "AWS AKID:x",
	    "AWS4-HMAC-SHA256 Credential=a/20200101/r/s3/aws4_request, SignedHeaders=host",
	    "AWS4-HMAC-SHA256 Credential=a/r/s3/aws4_request, SignedHeaders=host, Signature=0",
	    "AWS4-HMAC-SHA256 Credential=a/20200101/r/s3/aws3, SignedHeaders=host, Signature=0"};
	const struct header h[] = {{"X-Multi", "  a   b "}, {"x-multi", "c"}};
	struct sign_input in = {"GET", "/%zz", NULL, h, COUNT(h)};
	struct text t = TEXT_EMPTY;
	struct sigv4 a;

	for (int i = 0; i < COUNT(bad); i++)
		ok(sigv4_parse(bad[i], &a) < 0, "refused: \"%s\"", bad[i]);
	ok(sigv4_canonical(&in, "host", "x", &t) < 0, "refused: a broken escape in the path");
	in.raw_path = "/a%2Fb+c";
	in.raw_query = "b=2&a-=1&a=%2f&a";
	ok(sigv4_canonical(&in, "x-multi", "x", &t) == 0, "a query out of order");
	is_str(t.s, "GET\n/a/b%2Bc\na=&a=%2F&a-=1&b=2\nx-multi:a b,c\n\nx-multi\nx",
	    "sorted, missing '=' added, blanks squeezed, repeated headers joined");
	text_free(&t);
}

int
main(void)
{
	test_documented();
	test_recorded();
	test_version2();
	test_bad();
	return (tap_done());
}
