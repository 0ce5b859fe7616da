/* SPDX-License-Identifier: ISC */
/*
 * cred_document.c -- keys as other programs write them: JSON of EC2, ECS and credential_process, XML
 * of STS.
 *
 * Trust:    none: lengths are bounded, what is missing is named, what is surplus is skipped.  No part
 *           of a document but an error's code and message gets into a line.
 */
#include <errno.h>
#include <expat.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <bsd/string.h>

#include "uploader/cred_priv.h"

#include "uploader/guard.h"

#define DEPTH_MAX 16

int64_t
cred_time(const char *iso)
{
	struct tm tm;
	const char *p;
	int64_t t;
	int h = 0, m = 0;

	memset(&tm, 0, sizeof(tm));
	if ((p = strptime(iso, "%Y-%m-%dT%H:%M:%S", &tm)) == NULL)
		return (0);
	t = (int64_t)timegm(&tm);
	if (*p == '.')
		p += 1 + strspn(p + 1, "0123456789");
	if ((*p == '+' || *p == '-') && sscanf(p + 1, "%2d:%2d", &h, &m) == 2)
		t += (*p == '+' ? -1 : 1) * (h * 3600 + m * 60);
	return (t);
}

/* ---- JSON ----------------------------------------------------------------------------------- */
static bool
take(const json_t *o, const char *name, char *buf, size_t size)
{
	const char *value = json_string_value(json_object_get(o, name));

	return (value != NULL && *value != '\0' && strlcpy(buf, value, size) < size);
}

/* jansson's copies of the strings are freed without being wiped otherwise. */
static void *
wiping_malloc(size_t n)
{
	size_t *p = malloc(n + sizeof(max_align_t));

	if (p == NULL)
		return (NULL);
	*p = n;
	return ((char *)p + sizeof(max_align_t));
}

static void
wiping_free(void *p)
{
	size_t *start;

	if (p == NULL)
		return;
	start = (size_t *)(void *)((char *)p - sizeof(max_align_t));
	explicit_bzero(start, *start + sizeof(max_align_t));
	free(start);
}

/* The uploader has no other use for jansson, so the functions stay. */
__attribute__((constructor)) static void
wipe_what_jansson_frees(void)
{
	json_set_alloc_funcs(wiping_malloc, wiping_free);
}

static int
from_object(const json_t *o, struct cred_keys *k, char *why)
{
	const char *code = json_string_value(json_object_get(o, "Code"));
	const char *message = json_string_value(json_object_get(o, "Message"));
	char expires[64];

	if (code != NULL && strcmp(code, "Success") != 0) {
		(void)snprintf(why, CRED_WHY_MAX, "the answer was %.64s%s%.256s", code,
		    message != NULL ? ": " : "", message != NULL ? message : "");
		return (-EREMOTEIO);
	}
	memset(k, 0, sizeof(*k));
	if (!take(o, "AccessKeyId", k->id, sizeof(k->id)) ||
	    !take(o, "SecretAccessKey", k->secret, sizeof(k->secret))) {
		(void)strlcpy(
		    why, "the answer has no AccessKeyId or no SecretAccessKey", CRED_WHY_MAX);
		return (-EILSEQ);
	}
	if (!take(o, "Token", k->token, sizeof(k->token)))
		(void)take(o, "SessionToken", k->token, sizeof(k->token));
	if (take(o, "Expiration", expires, sizeof(expires)) &&
	    (k->expires_s = cred_time(expires)) == 0) {
		(void)strlcpy(why, "the answer has an Expiration that is no time", CRED_WHY_MAX);
		return (-EILSEQ);
	}
	return (0);
}

int
cred_json(const char *text, struct cred_keys *ret_keys, char *why)
{
	json_t *o = json_loads(text, 0, NULL);
	int r = -EILSEQ;

	if (json_is_object(o))
		r = from_object(o, ret_keys, why);
	else
		(void)strlcpy(why, "the answer is not the JSON that was expected", CRED_WHY_MAX);
	json_decref(o);
	return (r);
}

/* ---- XML ------------------------------------------------------------------------------------ */
struct xml {
	XML_Parser parser;
	unsigned depth;
	char *into; /* the element that is being read */
	size_t room, used;
	char id[CRED_ID_MAX], secret[1024], token[CRED_TOKEN_MAX], expires[64];
	char code[64], message[256];
	bool bad;
};

static const char *
local(const char *name)
{
	const char *colon = strrchr(name, ':');

	return (colon != NULL ? colon + 1 : name);
}

static void
on_start(void *arg, const char *name, const char **attributes)
{
	struct xml *x = arg;
	struct {
		const char *name;
		char *into;
		size_t room;
	} want[] = {{"AccessKeyId", x->id, sizeof(x->id)},
	    {"SecretAccessKey", x->secret, sizeof(x->secret)},
	    {"SessionToken", x->token, sizeof(x->token)},
	    {"Expiration", x->expires, sizeof(x->expires)}, {"Code", x->code, sizeof(x->code)},
	    {"Message", x->message, sizeof(x->message)}};

	(void)attributes;
	x->into = NULL;
	if (++x->depth > DEPTH_MAX) {
		x->bad = true;
		(void)XML_StopParser(x->parser, XML_FALSE);
		return;
	}
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		if (strcmp(want[i].name, local(name)) == 0) {
			x->into = want[i].into;
			x->room = want[i].room;
			x->used = 0;
		}
	}
}

static void
on_end(void *arg, const char *name)
{
	struct xml *x = arg;

	(void)name;
	x->depth--;
	x->into = NULL;
}

static void
on_text(void *arg, const char *data, int len)
{
	struct xml *x = arg;
	size_t n = (size_t)len;

	if (x->into == NULL)
		return;
	if (n >= x->room - x->used) {
		x->bad = x->into != x->message;
		n = x->room - x->used - 1;
	}
	memcpy(x->into + x->used, data, n);
	x->used += n;
	x->into[x->used] = '\0';
}

/* A document type could define entities; STS sends none. */
static void
on_doctype(void *arg, const char *name, const char *sysid, const char *pubid, int internal)
{
	struct xml *x = arg;

	(void)name, (void)sysid, (void)pubid, (void)internal;
	x->bad = true;
	(void)XML_StopParser(x->parser, XML_FALSE);
}

static int
judge(const struct xml *x, struct cred_keys *k, char *why)
{
	if (x->code[0] != '\0') {
		(void)snprintf(why, CRED_WHY_MAX, "%s%s%s", x->code,
		    x->message[0] != '\0' ? ": " : "", x->message);
		return (-EREMOTEIO);
	}
	if (x->id[0] == '\0' || x->secret[0] == '\0' || x->token[0] == '\0') {
		(void)strlcpy(why, "the answer has no keys in it", CRED_WHY_MAX);
		return (-EILSEQ);
	}
	memset(k, 0, sizeof(*k));
	(void)strlcpy(k->id, x->id, sizeof(k->id));
	(void)strlcpy(k->secret, x->secret, sizeof(k->secret));
	(void)strlcpy(k->token, x->token, sizeof(k->token));
	k->expires_s = cred_time(x->expires);
	return (0);
}

int
cred_sts_xml(const char *text, size_t len, struct cred_keys *ret_keys, char *why)
{
	struct xml *x = calloc(1, sizeof(*x));
	int r = -EILSEQ;

	if (x == NULL || (x->parser = XML_ParserCreate(NULL)) == NULL) {
		free(x);
		return (-ENOMEM);
	}
	XML_SetUserData(x->parser, x);
	XML_SetElementHandler(x->parser, on_start, on_end);
	XML_SetCharacterDataHandler(x->parser, on_text);
	XML_SetStartDoctypeDeclHandler(x->parser, on_doctype);
	if (XML_Parse(x->parser, text, (int)len, XML_TRUE) == XML_STATUS_OK && !x->bad)
		r = judge(x, ret_keys, why);
	else
		(void)strlcpy(why, "the answer is not the XML that was expected", CRED_WHY_MAX);
	XML_ParserFree(x->parser);
	explicit_bzero(x, sizeof(*x));
	free(x);
	return (r);
}
