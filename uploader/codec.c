/* SPDX-License-Identifier: ISC */
#include "uploader/codec.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/conf.h"

#include "uploader/guard.h"

struct codec {
	const char *default_encoding; /* borrowed from the configuration */
};

int
codec_open(const struct conf *conf, struct codec **ret_codec, char **ret_error)
{
	struct codec *c;

	if (conf->cipher != NULL || conf->compress_alg != CONF_COMPRESS_NONE) {
		*ret_error = strdup("compress and encrypt are not supported by this version");
		return (-EOPNOTSUPP);
	}
	if ((c = calloc(1, sizeof(*c))) == NULL)
		return (-ENOMEM);
	c->default_encoding = conf->default_content_encoding;
	*ret_codec = c;
	return (0);
}

void
codec_close(struct codec **cp)
{
	free(*cp);
	*cp = NULL;
}

bool
codec_is_plain(const struct codec *c)
{
	(void)c;
	return (true);
}

const char *
codec_encoding(const struct codec *c)
{
	(void)c;
	return (NULL);
}

const char *
codec_accept(const struct codec *c)
{
	(void)c;
	return (NULL);
}

const char *
codec_default_encoding(const struct codec *c)
{
	return (c->default_encoding != NULL ? c->default_encoding : "");
}

size_t
codec_stored_max(const struct codec *c, size_t block_size)
{
	(void)c;
	return (block_size);
}

int
codec_encode(
    const struct codec *c, uint32_t block, const uint8_t *in, size_t len, struct codec_out *ret_out)
{
	(void)c, (void)block, (void)in;
	memset(ret_out, 0, sizeof(*ret_out));
	ret_out->len = len;
	return (0);
}

int
codec_check(const struct codec *c, const char *encoding, bool *ret_as_is, const char **ret_why)
{
	(void)c;
	if (*encoding != '\0') {
		*ret_why =
		    strncasecmp(encoding, "encrypt", 7) == 0 || strstr(encoding, "encrypt-") != NULL
			? "it is encrypted, and encrypt is not configured"
			: "its Content-Encoding is not one that is configured";
		return (-EBADMSG);
	}
	*ret_as_is = true;
	return (0);
}

int
codec_decode(const struct codec *c, uint32_t block, const char *encoding, const char *hmac,
    uint8_t *in, size_t len, uint8_t *out, size_t out_len, const char **ret_why)
{
	bool as_is;
	int error;

	(void)block, (void)hmac;
	if ((error = codec_check(c, encoding, &as_is, ret_why)) < 0)
		return (error);
	if (len != out_len) {
		*ret_why = "its length is not that of a block";
		return (-EBADMSG);
	}
	memcpy(out, in, len);
	return (0);
}
