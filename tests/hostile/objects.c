/* SPDX-License-Identifier: ISC */
/*
 * objects.c -- single changes of objects in a bucket, and what the path of a GET makes of them.
 *
 *	objects.t [-n MUTATIONS] [-s SEED] [-i NUMBER]	-i: that one alone, and what it did
 *
 * The header lines and the body go through the uploader's own code (http_reply.c, s3_body.c, s3_verify.c,
 * codec.c); only libcurl and the threads are left out (mk/hostile.mk, --wrap).  Each kind of object is looked
 * at with the checksum that s3backer stores with it, with an MD5 as its ETag, and with nothing.
 * The headers of block 0 and of the token, and the key object, are read by their own readers.
 */
#include <bsd/string.h>
#include <errno.h>
#include <gcrypt.h>

#include "common/conf.h"
#include "common/log.h"
#include "tests/hostile/mutate.h"
#include "tests/unit/tap.h"
#include "uploader/codec_gcm.h"
#include "uploader/http_reply.h"
#include "uploader/s3_priv.h"
#include "uploader/s3_sign.h"

#define BLOCK	 4096u
#define BODY_MAX (BLOCK * 2)

enum guard {
	CHECKSUM,
	ETAG,
	NOTHING,
	GUARDS
};

struct object {
	char etag[40], encoding[64], hmac[48], crc32[12];
	uint8_t body[BODY_MAX];
	size_t len;
};

struct coding {
	const char *name[GUARDS];
	const char *option[3];
	bool encrypted;
	struct conf *conf;
	struct codec *codec;
	struct object now, before, other;
};

#define CODING(n, e, ...)                                                                          \
	{                                                                                          \
		{n ", checksum", n ", MD5", n ", verifyReads=no"}, {__VA_ARGS__}, e, NULL, NULL,   \
		    {{0}, {0}, {0}, {0}, {0}, 0}, {{0}, {0}, {0}, {0}, {0}, 0},                    \
		{                                                                                  \
			{0}, {0}, {0}, {0}, {0}, 0                                                 \
		}                                                                                  \
	}
static struct coding coding[] = {
    CODING("plain", false, "compress=no", NULL, NULL),
    CODING("deflate", false, "compress=deflate", NULL, NULL),
    CODING("zstd", false, "compress=zstd", NULL, NULL),
    CODING("AES-128-CBC", true, "encrypt=yes", "password=secret", NULL),
    CODING("deflate, CBC", true, "compress=deflate", "encrypt=yes", "password=secret"),
    CODING("AES-256-GCM", true, "encrypt=AES-256-GCM", "password=secret", NULL),
    CODING("zstd, GCM", true, "compress=zstd", "encrypt=AES-256-GCM", "password=secret"),
};
#define CODINGS (sizeof(coding) / sizeof(coding[0]))

static char key_text[GCM_KEY_TEXT];
static uint8_t content[3][BLOCK]; /* now, before, of another block */

/* ---- left out ------------------------------------------------------------------------------- */

void __wrap_jobs_submit(struct jobs *, struct job *);
void __wrap_s3_judge(struct s3 *, struct s3_op *);
void __wrap_s3_finish(struct s3_op *);

void
__wrap_jobs_submit(struct jobs *p, struct job *j)
{
	static char scratch[JOBS_SCRATCH];

	(void)p;
	j->run(j, scratch);
	j->done(j);
}

void
__wrap_s3_judge(struct s3 *s3, struct s3_op *s)
{
	(void)s3;
	(void)s;
}

void
__wrap_s3_finish(struct s3_op *s)
{
	(void)s;
}

/* ---- objects -------------------------------------------------------------------------------- */

/* Half of it repeats, or nothing would be compressed. */
static void
make_content(void)
{
	dice_for(UINT64_MAX / 2);
	for (unsigned k = 0; k < 3; k++)
		for (unsigned i = 0; i < BLOCK; i++)
			content[k][i] = i % 512 < 256 ? (uint8_t)roll(256) : (uint8_t)(k + i / 512);
}

static void
make_object(const struct coding *c, uint32_t block, const uint8_t *bytes, struct object *o)
{
	struct codec_out out = {.data = NULL};
	uint8_t md5[16], crc[4];
	char hex[33];

	if (codec_encode(c->codec, block, bytes, BLOCK, &out) < 0)
		abort();
	o->len = out.data != NULL ? out.len : BLOCK;
	memcpy(o->body, out.data != NULL ? out.data : bytes, o->len);
	(void)strlcpy(o->encoding, out.encoding != NULL ? out.encoding : "", sizeof(o->encoding));
	(void)strlcpy(o->hmac, out.hmac, sizeof(o->hmac));
	gcry_md_hash_buffer(GCRY_MD_MD5, md5, o->body, o->len);
	sign_hex(md5, 16, hex);
	(void)snprintf(o->etag, sizeof(o->etag), "\"%s\"", hex);
	gcry_md_hash_buffer(GCRY_MD_CRC32, crc, o->body, o->len);
	s3_checksum_text(
	    (uint32_t)crc[0] << 24 | (uint32_t)crc[1] << 16 | (uint32_t)crc[2] << 8 | crc[3],
	    o->crc32);
	free(out.data);
}

static void
open_codings(void)
{
	if (gcm_key_make("secret", NULL, key_text) < 0)
		abort();
	for (unsigned i = 0; i < CODINGS; i++) {
		struct coding *c = &coding[i];
		const char *o[] = {"bucket=bkt", "mountPoint=/mnt", "accessId=a", "accessKey=k",
		    "size=1m", "blockSize=4k", c->option[0], c->option[1], c->option[2], NULL};
		char *error = NULL;

		if (conf_load(NULL, o, &c->conf, &error) < 0)
			abort();
		if (c->conf->gcm)
			c->conf->key_object = strdup(key_text);
		if (codec_open(c->conf, &c->codec, &error) < 0)
			abort();
		make_object(c, 7, content[0], &c->now);
		make_object(c, 7, content[1], &c->before);
		make_object(c, 8, content[2], &c->other);
	}
}

static void
line(struct http_reply *r, const char *name, const char *value)
{
	char text[160];
	int n = snprintf(text, sizeof(text), "%s: %s\r\n", name, value);

	if (*value != '\0')
		http_reply_line(r, text, (size_t)n);
}

/* As a GET of block 7.  0: `out` is the block. */
static int
get(const struct coding *c, enum guard g, const struct object *o, uint8_t out[BLOCK])
{
	struct s3 s3 = {.env = {.conf = c->conf, .codec = c->codec, .block_size = BLOCK},
	    .etags = g == ETAG ? ETAGS_MD5 : ETAGS_NO_MD5};
	struct store_op op = {.kind = STORE_GET,
	    .block = 7,
	    .len = BLOCK,
	    .io = {.fd = 0, .mem = out, .size = BLOCK}};
	struct s3_op s = {.s3 = &s3, .op = &op};
	struct http_reply *r = &s.http.reply;
	bool later = false;
	char length[24];
	int error = 0;

	c->conf->verify_reads = g != NOTHING;
	r->length = -1;
	http_reply_line(r, "HTTP/1.1 200 OK\r\n", 17);
	(void)snprintf(length, sizeof(length), "%zu", o->len);
	line(r, "Content-Length", length);
	line(r, "ETag", o->etag);
	line(r, "Content-Encoding", o->encoding);
	line(r, "x-amz-meta-s3backer-hmac", o->hmac);
	if (g == CHECKSUM)
		line(r, "x-amz-checksum-crc32", o->crc32);
	s3_body_sink(&s);
	for (size_t at = 0, n; at < o->len && error == 0; at += n) {
		n = o->len - at < 1000 ? o->len - at : 1000;
		r->received += n;
		error = s.http.body_write(&s.http, o->body + at, n);
	}
	if (error == 0)
		error = s3_body_end(&s, &later);
	if (error == 0 && later)
		error = r->error;
	if (aloud)
		printf("# %s\n", error < 0 && s.bad != NULL ? s.bad : strerror(-error));
	(void)crc32_sum_end(&s.crc);
	free(s.buffer);
	return (error);
}

/* ---- changes of an object ------------------------------------------------------------------- */

static bool
flip(struct object *o)
{
	char *header[] = {o->etag, o->encoding, o->hmac, o->crc32}, *h;

	if (roll(8) != 0) {
		o->body[roll((uint32_t)o->len)] ^= (uint8_t)(1u << roll(8));
		return (true);
	}
	h = header[roll(4)];
	if (*h == '\0')
		return (false);
	h[roll((uint32_t)strlen(h))] ^= (char)(1u << roll(7));
	return (true);
}

static bool
change(const struct coding *c, struct object *o, enum kind k, bool *ret_whole)
{
	uint8_t a[64];
	uint32_t at, to, n;

	*ret_whole = false;
	switch (k) {
	case FLIP:
		return (flip(o));
	case ZERO:
		at = roll((uint32_t)o->len);
		n = 1 + roll(512);
		if (n > o->len - at)
			n = (uint32_t)o->len - at;
		memset(o->body + at, 0, n);
		break;
	case SWAP:
		if (roll(4) == 0) {
			*ret_whole = true;
			*o = c->other;
			return (true);
		}
		n = o->len < 128 ? 8 : 64;
		at = roll((uint32_t)(o->len / n)) * n;
		to = roll((uint32_t)(o->len / n)) * n;
		memcpy(a, o->body + at, n);
		memcpy(o->body + at, o->body + to, n);
		memcpy(o->body + to, a, n);
		break;
	case CUT:
		o->len = roll((uint32_t)o->len);
		return (true);
	default:
		*o = c->before;
		return (true);
	}
	return (memcmp(o->body, c->now.body, o->len) != 0);
}

/* README.md, "What cannot be told". */
static bool
is_limit(const struct coding *c, enum guard g, enum kind k, bool whole)
{
	if (k == REPLAY)
		return (true);
	if (whole)
		return (!c->encrypted);
	return (!c->encrypted && g == NOTHING);
}

static void
one_object(void)
{
	const struct coding *c = &coding[roll(CODINGS)];
	enum guard g = (enum guard)roll(GUARDS);
	static struct object o;
	uint8_t out[BLOCK];
	enum outcome r;
	enum kind k;
	bool whole;

	do {
		o = c->now;
		k = (enum kind)roll(KINDS);
	} while (!change(c, &o, k, &whole));
	memset(out, 0xee, sizeof(out));
	if (get(c, g, &o, out) < 0)
		r = FAILED;
	else if (memcmp(out, content[0], BLOCK) == 0)
		r = GOOD;
	else
		r = is_limit(c, g, k, whole) ? LIMIT : WRONG;
	if (r == WRONG || aloud)
		printf("# %s: %s%s of %s\n", outcome_name[r], kind_name[k], whole ? " (whole)" : "",
		    c->name[g]);
	tally(c->name[g], k, r);
}

/* ---- the others ----------------------------------------------------------------------------- */

static enum kind
change_text(char *text, size_t size)
{
	size_t len = strlen(text), at = roll((uint32_t)len), n;

	switch (roll(4)) {
	case 0:
		text[at] = '\0';
		return (CUT);
	case 1:
		n = 1 + roll(16);
		memset(text + at, '0', n < len - at ? n : len - at);
		return (ZERO);
	case 2:
		n = roll((uint32_t)len);
		text[size - 1] = text[at];
		text[at] = text[n];
		text[n] = text[size - 1];
		text[size - 1] = '\0';
		return (SWAP);
	default:
		text[at] ^= (char)(1u << roll(7));
		return (FLIP);
	}
}

/* Another size or token is compared with ours, and does not fit; none is as if there were none. */
static void
one_header(void)
{
	static const struct {
		const char *name, *value, *place;
	} h[] = {{"x-amz-meta-s3backer-blocksize", "4096", "block 0: blockSize"},
	    {"x-amz-meta-s3backer-filesize", "1048576", "block 0: size"},
	    {"x-amz-meta-s3backer-mount-token", "1234abcd", "token"}};
	struct http_reply r = {0};
	unsigned i = roll(3);
	char value[32] = "";
	enum kind k;
	bool same;

	do {
		(void)strlcpy(value, h[i].value, sizeof(value));
		k = change_text(value, sizeof(value));
	} while (strcmp(value, h[i].value) == 0);
	http_reply_line(&r, "HTTP/1.1 200 OK\r\n", 17);
	line(&r, h[i].name, value);
	same = r.block_size == 4096 || r.file_size == 1048576 ||
	       (r.has_token && r.token == 0x1234abcd);
	tally(h[i].place, k, same ? GOOD : REFUSED);
}

/* Its readers need a tenth of a second for each that is well-formed, by design. */
static void
one_key(void)
{
	char text[GCM_KEY_TEXT];
	struct gcm *g = NULL;
	uint8_t buf[BODY_MAX];
	size_t len = coding[5].now.len;
	enum outcome r = REFUSED;
	enum kind k;

	do {
		(void)strlcpy(text, key_text, sizeof(text));
		k = change_text(text, sizeof(text));
	} while (strcmp(text, key_text) == 0);
	if (gcm_open(text, "secret", &g) == 0) {
		memcpy(buf, coding[5].now.body, len);
		r = gcm_decrypt(g, 7, GCM_PLAIN, buf, len, &len) < 0 ? FAILED
		    : memcmp(buf, content[0], BLOCK) == 0	     ? GOOD
								     : WRONG;
		gcm_free(&g);
	}
	tally("key object", k, r);
}

static void
one(uint64_t i)
{
	dice_for(i);
	(void)snprintf(trying, sizeof(trying), "not ok - crashed: objects.t -s %llu -i %llu\n",
	    (unsigned long long)seed, (unsigned long long)i);
	if (i % 1000 == 999)
		one_key();
	else if (i % 16 == 15)
		one_header();
	else
		one_object();
	if (tally_of(WRONG) == 1 && !aloud)
		printf("#\tobjects.t -s %llu -i %llu\n", (unsigned long long)seed,
		    (unsigned long long)i);
}

static bool
all_are_good(void)
{
	uint8_t out[BLOCK];
	bool good = true;

	for (unsigned i = 0; i < CODINGS; i++)
		for (unsigned g = 0; g < GUARDS; g++)
			good = good && get(&coding[i], (enum guard)g, &coding[i].now, out) == 0 &&
			       memcmp(out, content[0], BLOCK) == 0;
	return (good);
}

int
main(int argc, char **argv)
{
	options(argc, argv, 5000);
	catch_crashes();
	log_open("objects", "/dev/null", "err", false);
	make_content();
	open_codings();
	ok(all_are_good(), "objects as they are, of each kind, are read");
	run_and_judge(one, "objects");
	return (tap_done());
}
