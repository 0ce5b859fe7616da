/* SPDX-License-Identifier: ISC */
#include "uploader/s3_priv.h"

#include <errno.h>
#include <gcrypt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bsd/string.h>

#include "common/blockmath.h"
#include "common/conf.h"
#include "uploader/credentials.h"
#include "uploader/fence.h"

#include "uploader/guard.h"

#define LIST_PAGE 1000u

static int
make(struct s3 *s3, struct s3_op *s, const char *method, const char *key, const char *query,
    const char *sub_resource, const char *sha256, struct s3_head *head)
{
	s->generation = s3->generation;
	return (s3_request_make(&s3->endpoint, &s3->signer, credentials_get(s3->credentials),
	    method, key, query, sub_resource, sha256, head, &s->http));
}

/* Headers that every new object gets; sections 2.1 and 6.2 of the format. */
static void
add_object_headers(const struct conf *conf, struct s3_head *head)
{
	s3_head_add(head, "x-amz-acl", "%s", conf_enum_word(CONF_accessType, conf->access_type));
	if (conf_is_set(conf, CONF_sse) && conf->sse != CONF_SSE_NONE) {
		s3_head_add(head, "x-amz-server-side-encryption", "%s",
		    conf_enum_word(CONF_sse, conf->sse));
		if (conf->sse == CONF_SSE_AWS_KMS && conf->sse_key_id != NULL)
			s3_head_add(head, "x-amz-server-side-encryption-aws-kms-key-id", "%s",
			    conf->sse_key_id);
	}
	if (conf_is_set(conf, CONF_storageClass) && conf->storage_class != 0)
		s3_head_add(head, "x-amz-storage-class", "%s",
		    conf_enum_word(CONF_storageClass, conf->storage_class));
}

static void
add_md5(struct s3_head *head, const uint8_t md5[16])
{
	char text[25];

	sign_base64(md5, 16, text);
	s3_head_add(head, "Content-MD5", "%s", text);
}

static int
body_of_string(struct http_request *r, uint64_t off, void *buf, size_t len)
{
	const struct s3_op *s = (struct s3_op *)r;

	memcpy(buf, s->body + off, len);
	return (0);
}

static int
body_of_payload(struct http_request *r, uint64_t off, void *buf, size_t len)
{
	/* At each piece: without its last byte a request has no effect. */
	if (fence_closed(((struct s3_op *)r)->s3->env.state))
		return (FENCE_ERROR);
	return (payload_read(((struct s3_op *)r)->op->payload, off, buf, len));
}

/* ---- blocks ------------------------------------------------------------------------------- */
static int
build_get(struct s3 *s3, struct s3_op *s, const char *key)
{
	struct s3_head head = {.n = 0};
	struct store_op *op = s->op;
	bool part = op->kind == STORE_STAT ||
		    (op->kind == STORE_GET && !s->no_range && codec_is_plain(s3->env.codec) &&
			(op->off != 0 || op->len != s3->env.block_size));

	if (op->kind == STORE_STAT && !op->want_body_codes) {
		s->http.method = HTTP_HEAD;
		return (make(s3, s, "HEAD", key, NULL, NULL, NULL, &head));
	}
	s->http.method = HTTP_GET;
	s->http.background = op->background;
	s->http.expect_len = op->kind == STORE_STAT ? 1 : op->len;
	if (op->kind == STORE_STAT)
		s3_head_add(&head, "Range", "bytes=0-0");
	else if (part)
		s3_head_add(&head, "Range", "bytes=%u-%u", op->off, op->off + op->len - 1);
	if (op->kind == STORE_GET && !part && (s3->env.conf->verify_reads || op->verify) &&
	    s3->checksums != CHECKSUMS_REFUSED) {
		s->sent_checksum = true;
		s3_head_add(&head, "x-amz-checksum-mode", "ENABLED");
	}
	if (codec_accept(s3->env.codec) != NULL)
		s3_head_add(&head, "Accept-Encoding", "%s", codec_accept(s3->env.codec));
	return (make(s3, s, "GET", key, NULL, NULL, NULL, &head));
}

static int
build_put(struct s3 *s3, struct s3_op *s, const char *key)
{
	struct s3_head head = {.n = 0};
	struct payload *p = s->op->payload;
	char sha256[65], crc[9];

	if (p->out.encoding != NULL)
		s3_head_add(&head, "Content-Encoding", "%s", p->out.encoding);
	s3_head_add(&head, "Content-Type", "application/x-s3backer-block");
	if (p->want & PAYLOAD_MD5)
		add_md5(&head, p->md5);
	if (s3->checksums != CHECKSUMS_REFUSED) {
		s->sent_checksum = true;
		s3_checksum_text(p->stored_crc, crc);
		s3_head_add(&head, "x-amz-checksum-crc32", "%s", crc);
	}
	if (s->op->block == 0) {
		s3_head_add(&head, "x-amz-meta-s3backer-blocksize", "%llu",
		    (unsigned long long)s3->env.block_size);
		s3_head_add(&head, "x-amz-meta-s3backer-filesize", "%llu",
		    (unsigned long long)s3->env.file_size);
	}
	if (p->out.hmac[0] != '\0')
		s3_head_add(&head, "x-amz-meta-s3backer-hmac", "%s", p->out.hmac);
	add_object_headers(s3->env.conf, &head);
	sign_hex(p->sha256, 32, sha256);
	s->http.method = HTTP_PUT;
	s->http.body_len = p->len;
	s->http.body_read = body_of_payload;
	return (make(s3, s, "PUT", key, NULL, NULL, sha256, &head));
}

static int
build_delete(struct s3 *s3, struct s3_op *s, const char *key)
{
	struct s3_head head = {.n = 0};

	s->http.method = HTTP_DELETE;
	return (make(s3, s, "DELETE", key, NULL, NULL, NULL, &head));
}

/* ---- many blocks -------------------------------------------------------------------------- */
static void
put_escaped(FILE *f, const char *key)
{
	for (; *key != '\0'; key++) {
		if (*key == '&')
			(void)fputs("&amp;", f);
		else if (*key == '<')
			(void)fputs("&lt;", f);
		else if (*key == '>')
			(void)fputs("&gt;", f);
		else
			(void)fputc(*key, f);
	}
}

static int
bulk_body(struct s3 *s3, struct s3_op *s, size_t *ret_len)
{
	char key[NAME_SIZE];
	FILE *f = open_memstream(&s->body, ret_len);

	if (f == NULL)
		return (-errno);
	(void)fputs("<Delete><Quiet>true</Quiet>", f);
	for (unsigned i = 0; i < s->op->nblocks; i++) {
		(void)name_of_block(&s3->env.names, s->op->blocks[i], key);
		(void)fputs("<Object><Key>", f);
		put_escaped(f, key);
		(void)fputs("</Key></Object>", f);
	}
	(void)fputs("</Delete>", f);
	return (fclose(f) == 0 ? 0 : -ENOMEM);
}

static int
build_bulk(struct s3 *s3, struct s3_op *s)
{
	struct s3_head head = {.n = 0};
	uint8_t md5[16], sha[32];
	char sha256[65];
	size_t len = 0;
	int error;

	if ((error = bulk_body(s3, s, &len)) < 0)
		return (error);
	gcry_md_hash_buffer(GCRY_MD_MD5, md5, s->body, len); /* this request must have it */
	gcry_md_hash_buffer(GCRY_MD_SHA256, sha, s->body, len);
	sign_hex(sha, 32, sha256);
	add_md5(&head, md5);
	s3_head_add(&head, "Content-Type", "application/xml");
	s->http.method = HTTP_POST;
	s->http.body_len = len;
	s->http.body_read = body_of_string;
	return (make(s3, s, "POST", NULL, "delete=", "delete", sha256, &head));
}

/* What all names of the range begin with, so that foreign objects are not even listed. */
static void
list_prefix(const struct names *n, uint32_t first, uint32_t last, char *buf)
{
	char a[NAME_SIZE], b[NAME_SIZE];
	size_t same;

	(void)strlcpy(buf, n->prefix, NAME_SIZE);
	if (n->hashed)
		return;
	(void)name_of_block(n, first, a);
	(void)name_of_block(n, last, b);
	for (same = n->prefix_len; a[same] != '\0' && a[same] == b[same]; same++)
		;
	a[same] = '\0';
	(void)strlcpy(buf, a, NAME_SIZE);
}

static int
build_list(struct s3 *s3, struct s3_op *s)
{
	struct s3_head head = {.n = 0};
	struct store_op *op = s->op;
	const struct names *n = &s3->env.names;
	char raw[NAME_SIZE], prefix[NAME_ENCODED], after[NAME_ENCODED],
	    query[2 * NAME_ENCODED + 64];

	if (op->after[0] == '\0' && op->first > 0 && !n->hashed)
		(void)name_of_block(n, op->first - 1, op->after);
	(void)name_encode(op->after, false, after, sizeof(after));
	list_prefix(n, op->first, op->last, raw);
	if (op->whole_bucket)
		raw[0] = '\0';
	(void)name_encode(raw, false, prefix, sizeof(prefix));
	if (s3->list_v2)
		(void)snprintf(query, sizeof(query), "list-type=2&max-keys=%u&prefix=%s%s%s",
		    LIST_PAGE, prefix, *after != '\0' ? "&start-after=" : "", after);
	else
		(void)snprintf(query, sizeof(query), "%s%s%smax-keys=%u&prefix=%s",
		    *after != '\0' ? "marker=" : "", after, *after != '\0' ? "&" : "", LIST_PAGE,
		    prefix);
	s->http.method = HTTP_GET;
	s->http.expect_len = 512 * 1024;
	return (make(s3, s, "GET", NULL, query, NULL, NULL, &head));
}

/* ---- the mount token ----------------------------------------------------------------------- */
static int
build_token_put(struct s3 *s3, struct s3_op *s, const char *key)
{
	struct s3_head head = {.n = 0};
	struct store_op *op = s->op;
	uint8_t md5[16], sha[32];
	char sha256[65];
	size_t len = strlen(op->body);

	if ((s->body = strdup(op->body)) == NULL)
		return (-ENOMEM);
	gcry_md_hash_buffer(GCRY_MD_MD5, md5, op->body, len);
	gcry_md_hash_buffer(GCRY_MD_SHA256, sha, op->body, len);
	sign_hex(sha, 32, sha256);
	s3_head_add(&head, "Content-Type", "text/plain");
	add_md5(&head, md5);
	if (!op->key_object)
		s3_head_add(&head, "x-amz-meta-s3backer-mount-token", "%08x", op->token);
	add_object_headers(s3->env.conf, &head);
	s->http.limit_us = op->limit_us;
	if (op->condition == STORE_IF_ABSENT)
		s3_head_add(&head, "If-None-Match", "*");
	else if (op->condition == STORE_IF_MATCH)
		s3_head_add(&head, "If-Match", "%s", op->match);
	s->http.method = HTTP_PUT;
	s->http.body_len = len;
	s->http.body_read = body_of_string;
	return (make(s3, s, "PUT", key, NULL, NULL, sha256, &head));
}

static int
build_token_get(struct s3 *s3, struct s3_op *s, const char *key)
{
	struct s3_head head = {.n = 0};

	s->http.method = HTTP_GET;
	s->http.limit_us = s->op->limit_us;
	return (make(s3, s, "GET", key, NULL, NULL, NULL, &head));
}

int
s3_build(struct s3 *s3, struct s3_op *s)
{
	char key[NAME_SIZE];
	int error = 0;

	switch (s->op->kind) {
	case STORE_GET:
	case STORE_PUT:
	case STORE_DELETE:
	case STORE_STAT:
	case STORE_PEEK:
		error = name_of_block(&s3->env.names, s->op->block, key);
		break;
	case STORE_TOKEN_GET:
	case STORE_TOKEN_PUT:
	case STORE_TOKEN_DROP:
		error = s->op->key_object ? name_of_key(&s3->env.names, key)
					  : name_of_token(&s3->env.names, key);
		break;
	default:
		break;
	}
	if (error < 0)
		return (error);
	switch (s->op->kind) {
	case STORE_GET:
	case STORE_STAT:
	case STORE_PEEK:
		return (build_get(s3, s, key));
	case STORE_PUT:
		return (build_put(s3, s, key));
	case STORE_DELETE:
	case STORE_TOKEN_DROP:
		return (build_delete(s3, s, key));
	case STORE_DELETE_MANY:
		return (build_bulk(s3, s));
	case STORE_LIST:
		return (build_list(s3, s));
	case STORE_TOKEN_GET:
		return (build_token_get(s3, s, key));
	case STORE_TOKEN_PUT:
		return (build_token_put(s3, s, key));
	}
	return (-EINVAL);
}
