/* SPDX-License-Identifier: ISC */
/*
 * xml.h -- the three documents a store sends: a list of keys, an error, the outcome of a bulk delete.
 *
 * Process:  uploader.  Threads: any; state is the caller's.
 * Trust:    none.  Depth, lengths and sizes are bounded, entities of the document's own are refused
 *           (expat expands the five predefined ones and character references), namespaces ignored.
 * Errors:   -EILSEQ: no such document, not well-formed, or beyond a bound.
 */
#ifndef S3B_UPLOADER_XML_H
#define S3B_UPLOADER_XML_H

#include <stdbool.h>
#include <stddef.h>

#define XML_KEY_MAX 1100	/* S3 keys have at most 1024 bytes */

/* Fed piece by piece while a listing arrives. */
struct xml_list;
/* `etag` as it stands in the list, "" if it does not. */
typedef int xml_key_fn(void *arg, const char *key, size_t len, const char *etag);

int	xml_list_new(xml_key_fn *, void *arg, struct xml_list **ret_list);
void	xml_list_free(struct xml_list *);	/* NULL-safe */
int	xml_list_feed(struct xml_list *, const char *data, size_t len);
/* After the last piece: was it a complete ListBucketResult, and is there more behind it? */
int	xml_list_end(struct xml_list *, bool *ret_truncated);
const char *xml_list_next(const struct xml_list *);	/* NextContinuationToken, "" if none */

struct xml_error {
	char code[64], message[256], region[64], endpoint[256], server_time[32];
};
/* <Error> as the root.  0, or -EILSEQ and an empty struct. */
int	xml_error_parse(const char *text, size_t len, struct xml_error *ret_error);

struct xml_deleted {
	unsigned nerrors;		/* <Error> elements other than NoSuchKey */
	char	 code[64], message[256]; /* of the first */
};
int	xml_deleted_parse(const char *text, size_t len, struct xml_deleted *ret_deleted);

#endif
