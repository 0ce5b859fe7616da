/* SPDX-License-Identifier: ISC */
#include "uploader/credentials.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/conf.h"

#include "uploader/guard.h"

struct credentials {
	struct credential fixed;
	bool anonymous;
};

static void
wipe(char **s)
{
	if (*s != NULL)
		explicit_bzero(*s, strlen(*s));
	free(*s);
	*s = NULL;
}

int
credentials_open(struct conf *conf, struct credentials **ret_credentials, char **ret_error)
{
	struct credentials *c;
	int error;

	/* s3backerd has read the files already, unless this is a program run without it. */
	if (conf->access_key == NULL && (error = conf_read_secrets(conf, ret_error)) < 0)
		return (error);
	if ((c = calloc(1, sizeof(*c))) == NULL)
		return (-ENOMEM);
	c->anonymous = conf->access_id == NULL || *conf->access_id == '\0';
	if (!c->anonymous && conf->access_key == NULL) {
		if (asprintf(ret_error,
			"accessId %s: no secret key for it "
			"(set accessKey, accessKeyEnv or accessFile)",
			conf->access_id) < 0)
			*ret_error = NULL;
		free(c);
		return (-EACCES);
	}
	if (!c->anonymous) {
		c->fixed.id = strdup(conf->access_id);
		c->fixed.secret = strdup(conf->access_key);
		if (c->fixed.id == NULL || c->fixed.secret == NULL) {
			credentials_close(&c);
			return (-ENOMEM);
		}
	}
	*ret_credentials = c;
	return (0);
}

void
credentials_close(struct credentials **cp)
{
	struct credentials *c = *cp;

	if (c == NULL)
		return;
	wipe(&c->fixed.id);
	wipe(&c->fixed.secret);
	wipe(&c->fixed.token);
	free(c);
	*cp = NULL;
}

const struct credential *
credentials_get(struct credentials *c)
{
	return (c->anonymous ? NULL : &c->fixed);
}

int
credentials_expired(struct credentials *c)
{
	(void)c;
	return (-ENOENT); /* fixed keys have no successor */
}
