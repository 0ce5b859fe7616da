/* SPDX-License-Identifier: ISC */
/*
 * s3_priv.h -- what the files of the S3 backend share; for nobody else.
 *
 *	store_s3.c	open, submit, close; the end of a request
 *	s3_build.c	the request of each kind of operation
 *	s3_body.c	where the bodies of replies go
 *	s3_verify.c	checksums and MD5s of what was downloaded
 *	s3_judge.c	what a reply means; healing of the clock
 *	s3_place.c	region and addressing style
 */
#ifndef S3B_UPLOADER_S3_PRIV_H
#define S3B_UPLOADER_S3_PRIV_H

#include "uploader/codec.h"
#include "uploader/jobs.h"
#include "uploader/payload.h"
#include "uploader/s3_http.h"
#include "uploader/s3_request.h"
#include "uploader/store.h"
#include "uploader/xml.h"

struct s3 {
	struct store	    store;	/* first */
	struct store_env    env;
	struct http	   *http;
	struct credentials *credentials;
	struct s3_endpoint  endpoint;
	struct s3_signer    signer;
	unsigned	    generation;	/* grows when clock, region or keys were put right */
	bool		    on_aws;	/* endpoints follow from regions */
	bool		    list_v2;
	bool		    place_found;	/* s3_place.c: another than configured */
	bool		    place_proven, style_tried;
	unsigned	    style_generation; /* the first with the other style */
	enum { CHECKSUMS_UNKNOWN, CHECKSUMS_TAKEN, CHECKSUMS_REFUSED } checksums;
	enum { ETAGS_UNKNOWN, ETAGS_MD5, ETAGS_NO_MD5 } etags; /* s3_verify.c */
};

struct s3_op {
	struct http_request  http;	/* first */
	struct job	     job;	/* decoding, MD5 */
	bool		     in_job;
	struct s3	    *s3;
	struct store_op	    *op;
	unsigned	     generation; /* under which it was signed */
	unsigned	     keys;	/* of the credentials that signed it */
	/* GET */
	bool		     as_is;	/* the body is the block, no decoding */
	bool		     no_range;	/* ask for the whole object: it is encoded */
	uint64_t	     body_at;	/* offset in the block of the first byte of the body */
	struct crc32_sum    *crc;
	char		     encoding[64];
	const char	    *bad;	/* why the object is not to be used */
	int		     job_error;
	/* s3_verify.c */
	bool		     sent_checksum;
	bool		     md5_wanted, summed, verified;
	uint8_t		     md5[16];
	/* GET of encoded objects, TOKEN_GET, DELETE_MANY: the body; its capacity */
	uint8_t		    *buffer;
	size_t		     buffered, room;
	/* LIST */
	struct xml_list	    *list;
	char		     last_key[NAME_SIZE];
	/* POST, TOKEN_PUT */
	char		    *body;
};

int	s3_build(struct s3 *, struct s3_op *);
void	s3_body_sink(struct s3_op *);	/* sets http.body_write for its kind */
int	s3_body_end(struct s3_op *, bool *ret_later); /* checks the whole; later: a job was started */

void	s3_checksum_text(uint32_t crc, char ret_text[9]);
void	s3_learn_from_put(struct s3_op *);
int	s3_verify_slot(struct s3_op *, bool *ret_later); /* a block that is in its slot, whole */
void	s3_verify_prepare(struct s3_op *);	/* an encoded one: before, in, and after the job */
int	s3_verify_buffer(struct s3_op *);
int	s3_verify_decoded(struct s3_op *, int error);

/* Was the request wrong about the bucket's place?  True: put right, send it again. */
bool	s3_place_region(struct s3 *, const struct http_reply *, const struct xml_error *);
bool	s3_place_style(struct s3 *, const struct http_reply *, const struct xml_error *);

void	s3_judge(struct s3 *, struct s3_op *);
void	s3_finish(struct s3_op *);	/* frees it and calls op->done */

#endif
