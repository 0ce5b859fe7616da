/* SPDX-License-Identifier: ISC */
/*
 * codec.h -- from a block to what is stored, and back: BUCKET-FORMAT.md sections 2.3, 3 and 4.
 *
 * Process:  uploader.  Threads: encode and decode in any, at once; the codec does not change.
 * Owns:     keys, wiped by codec_close(); output buffers of encode are the caller's to free.
 * Errors:   -EBADMSG: the object is not what it should be, and *ret_why says in what way, as one
 *           line for the log: never data then.  -ENOMEM.
 */
#ifndef S3B_UPLOADER_CODEC_H
#define S3B_UPLOADER_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct codec;
struct conf;

#define CODEC_ENCODING_MAX 32	/* longer lists make the old program abort: section 2.3 */

struct codec_out {
	uint8_t *data;			/* malloc'd; NULL: stored as it is, without an encoding */
	size_t	 len;
	char	 hmac[44];		/* with its quotes, "" if none */
	const char *encoding;		/* Content-Encoding, of the codec's; NULL: none */
};

int	codec_open(const struct conf *, struct codec **ret_codec, char **ret_error);
void	codec_close(struct codec **);

/* AES-256-GCM without its key object, as the store tool begins: nothing can be encoded or decoded. */
bool	codec_lacks_key(const struct codec *);
/* Does this codec store blocks as they are?  Then bodies need not pass through memory. */
bool	codec_is_plain(const struct codec *);
const char *codec_encoding(const struct codec *);	/* of what we write, if it shrinks; NULL: plain */
const char *codec_accept(const struct codec *);		/* value of Accept-Encoding */
const char *codec_default_encoding(const struct codec *); /* of replies without; "" mostly */
size_t	codec_stored_max(const struct codec *, size_t block_size);

int	codec_encode(const struct codec *, uint32_t block, const uint8_t *in, size_t len,
	    struct codec_out *ret_out);
/* `in` may be overwritten.  `out` has room for `out_len`, which the result must be exactly. */
int	codec_decode(const struct codec *, uint32_t block, const char *encoding, const char *hmac,
	    uint8_t *in, size_t len, uint8_t *out, size_t out_len, const char **ret_why);
/* Can an object with this encoding be taken as it is, without decoding?  -EBADMSG: not at all. */
int	codec_check(const struct codec *, const char *encoding, bool *ret_as_is,
	    const char **ret_why);

/*
 * Of an object as it is stored: is it one of ours, by its encoding and password?  0: yes, if with
 * keyLength = *ret_key_len (0: as it is).  -EBADMSG: no, see *ret_why; -EKEYREJECTED: the password.
 */
int	codec_prove(const struct codec *, uint32_t block, const char *encoding, const char *hmac,
	    const uint8_t *data, size_t len, unsigned *ret_key_len, const char **ret_why);

#endif
