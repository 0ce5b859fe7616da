/* SPDX-License-Identifier: ISC */
#include "uploader/xml.h"

#include <errno.h>
#include <expat.h>
#include <stdlib.h>
#include <string.h>

#include <bsd/string.h>

#include "uploader/guard.h"

#define DEPTH_MAX 8
#define NAME_LEN  48

/* One parser for all: collects the text of leaves and hands it over with its two parents. */
struct walk {
	XML_Parser parser;
	unsigned depth;
	char name[DEPTH_MAX][NAME_LEN];
	char text[XML_KEY_MAX];
	size_t text_len;
	bool root_closed;
	int error;
	void (*leaf)(struct walk *, const char *parent, const char *name);
	void (*closed)(struct walk *, const char *name); /* an element below the root ends */
	void *arg;
};

static void
walk_stop(struct walk *w, int error)
{
	if (w->error == 0)
		w->error = error;
	(void)XML_StopParser(w->parser, XML_FALSE);
}

static void XMLCALL
on_start(void *arg, const XML_Char *name, const XML_Char **attr)
{
	struct walk *w = arg;
	const char *colon = strrchr(name, ':');

	(void)attr;
	if (w->depth >= DEPTH_MAX) {
		walk_stop(w, -EILSEQ);
		return;
	}
	(void)strlcpy(w->name[w->depth++], colon != NULL ? colon + 1 : name, NAME_LEN);
	w->text_len = 0;
}

static void XMLCALL
on_text(void *arg, const XML_Char *s, int len)
{
	struct walk *w = arg;

	if ((size_t)len >= sizeof(w->text) - w->text_len) {
		walk_stop(w, -EILSEQ);
		return;
	}
	memcpy(w->text + w->text_len, s, (size_t)len);
	w->text_len += (size_t)len;
}

static void XMLCALL
on_end(void *arg, const XML_Char *name)
{
	struct walk *w = arg;

	(void)name;
	w->depth--;
	w->text[w->text_len] = '\0';
	if (w->depth >= 1)
		w->leaf(w, w->name[w->depth - 1], w->name[w->depth]);
	else
		w->root_closed = true;
	if (w->depth == 1 && w->closed != NULL)
		w->closed(w, w->name[1]);
	w->text_len = 0;
}

/* A document type of the sender's own is where billion-laughs begin; S3 has none. */
static void XMLCALL
on_doctype(void *arg, const XML_Char *name, const XML_Char *sysid, const XML_Char *pubid, int sub)
{
	(void)name, (void)sysid, (void)pubid, (void)sub;
	walk_stop(arg, -EILSEQ);
}

static int
walk_open(struct walk *w)
{
	if ((w->parser = XML_ParserCreate("UTF-8")) == NULL)
		return (-ENOMEM);
	XML_SetUserData(w->parser, w);
	XML_SetElementHandler(w->parser, on_start, on_end);
	XML_SetCharacterDataHandler(w->parser, on_text);
	XML_SetStartDoctypeDeclHandler(w->parser, on_doctype);
	return (0);
}

static int
walk_feed(struct walk *w, const char *data, size_t len, bool last)
{
	if (XML_Parse(w->parser, data, (int)len, last) != XML_STATUS_OK && w->error == 0)
		w->error = -EILSEQ;
	return (w->error);
}

static int
walk_whole(struct walk *w, const char *text, size_t len, const char *root)
{
	int error;

	if ((error = walk_open(w)) < 0)
		return (error);
	error = walk_feed(w, text, len, true);
	XML_ParserFree(w->parser);
	if (error == 0 && (!w->root_closed || strcmp(w->name[0], root) != 0))
		error = -EILSEQ;
	return (error);
}

/* ---- list of keys ------------------------------------------------------------------------ */
struct xml_list {
	struct walk w;
	xml_key_fn *key;
	void *arg;
	bool truncated;
	char next[XML_KEY_MAX];
	/* of the <Contents> being read */
	char name[XML_KEY_MAX], etag[80];
	size_t name_len;
	bool named;
};

static void
list_leaf(struct walk *w, const char *parent, const char *name)
{
	struct xml_list *l = w->arg;

	if (strcmp(parent, "Contents") == 0 && strcmp(name, "Key") == 0) {
		memcpy(l->name, w->text, w->text_len + 1);
		l->name_len = w->text_len;
		l->named = true;
	} else if (strcmp(parent, "Contents") == 0 && strcmp(name, "ETag") == 0) {
		(void)strlcpy(l->etag, w->text, sizeof(l->etag));
	} else if (strcmp(parent, "ListBucketResult") == 0 && strcmp(name, "IsTruncated") == 0) {
		l->truncated = strcmp(w->text, "true") == 0;
	} else if (strcmp(parent, "ListBucketResult") == 0 &&
		   strcmp(name, "NextContinuationToken") == 0) {
		(void)strlcpy(l->next, w->text, sizeof(l->next));
	}
}

static void
list_closed(struct walk *w, const char *name)
{
	struct xml_list *l = w->arg;
	int error = 0;

	if (strcmp(name, "Contents") != 0)
		return;
	if (l->named && w->error == 0)
		error = l->key(l->arg, l->name, l->name_len, l->etag);
	l->named = false;
	l->etag[0] = '\0';
	if (error < 0)
		walk_stop(w, error);
}

int
xml_list_new(xml_key_fn *key, void *arg, struct xml_list **ret_list)
{
	struct xml_list *l = calloc(1, sizeof(*l));
	int error;

	if (l == NULL)
		return (-ENOMEM);
	l->key = key;
	l->arg = arg;
	l->w.leaf = list_leaf;
	l->w.closed = list_closed;
	l->w.arg = l;
	if ((error = walk_open(&l->w)) < 0) {
		free(l);
		return (error);
	}
	*ret_list = l;
	return (0);
}

void
xml_list_free(struct xml_list *l)
{
	if (l == NULL)
		return;
	XML_ParserFree(l->w.parser);
	free(l);
}

int
xml_list_feed(struct xml_list *l, const char *data, size_t len)
{
	return (l->w.error < 0 ? l->w.error : walk_feed(&l->w, data, len, false));
}

int
xml_list_end(struct xml_list *l, bool *ret_truncated)
{
	if (l->w.error == 0)
		(void)walk_feed(&l->w, "", 0, true);
	if (l->w.error == 0 && (!l->w.root_closed || strcmp(l->w.name[0], "ListBucketResult") != 0))
		l->w.error = -EILSEQ;
	if (l->w.error == 0)
		*ret_truncated = l->truncated;
	return (l->w.error);
}

const char *
xml_list_next(const struct xml_list *l)
{
	return (l->next);
}

/* ---- error ------------------------------------------------------------------------------- */
static void
error_member(struct xml_error *e, const char *text, const char *parent, const char *name)
{
	if (strcmp(parent, "Error") != 0)
		return;
	if (strcmp(name, "Code") == 0)
		(void)strlcpy(e->code, text, sizeof(e->code));
	else if (strcmp(name, "Message") == 0)
		(void)strlcpy(e->message, text, sizeof(e->message));
	else if (strcmp(name, "Region") == 0)
		(void)strlcpy(e->region, text, sizeof(e->region));
	else if (strcmp(name, "Endpoint") == 0)
		(void)strlcpy(e->endpoint, text, sizeof(e->endpoint));
	else if (strcmp(name, "ServerTime") == 0)
		(void)strlcpy(e->server_time, text, sizeof(e->server_time));
}

static void
error_leaf(struct walk *w, const char *parent, const char *name)
{
	error_member(w->arg, w->text, parent, name);
}

int
xml_error_parse(const char *text, size_t len, struct xml_error *ret_error)
{
	struct xml_error e;
	struct walk w = {.leaf = error_leaf, .arg = &e};
	int error;

	memset(&e, 0, sizeof(e));
	error = len == 0 ? -EILSEQ : walk_whole(&w, text, len, "Error");
	if (error < 0)
		memset(&e, 0, sizeof(e));
	*ret_error = e;
	return (error);
}

/* ---- outcome of a bulk delete ------------------------------------------------------------ */
struct deleted_walk {
	struct xml_deleted d;
	struct xml_error one; /* the <Error> being read */
};

static void
deleted_leaf(struct walk *w, const char *parent, const char *name)
{
	struct deleted_walk *dw = w->arg;

	error_member(&dw->one, w->text, parent, name);
}

static void
deleted_closed(struct walk *w, const char *name)
{
	struct deleted_walk *dw = w->arg;

	if (strcmp(name, "Error") == 0 && strcmp(dw->one.code, "NoSuchKey") != 0) {
		if (dw->d.nerrors++ == 0) {
			(void)strlcpy(dw->d.code, dw->one.code, sizeof(dw->d.code));
			(void)strlcpy(dw->d.message, dw->one.message, sizeof(dw->d.message));
		}
	}
	memset(&dw->one, 0, sizeof(dw->one));
}

int
xml_deleted_parse(const char *text, size_t len, struct xml_deleted *ret_deleted)
{
	struct deleted_walk dw;
	struct walk w = {.leaf = deleted_leaf, .closed = deleted_closed, .arg = &dw};
	int error;

	memset(&dw, 0, sizeof(dw));
	error = len == 0 ? -EILSEQ : walk_whole(&w, text, len, "DeleteResult");
	*ret_deleted = dw.d;
	return (error);
}
