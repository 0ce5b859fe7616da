/* SPDX-License-Identifier: ISC */
#include "supervisor/rekey.h"

#include <bsd/readpassphrase.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/conf.h"
#include "common/ctlsock.h"
#include "common/timeutil.h"

#include "supervisor/release.h"
#include "supervisor/storetool.h"
#include "supervisor/super.h"

#include "supervisor/guard.h"

#define ASK_US	     (60 * US_PER_S)
#define PASSWORD_MAX 1024

static int
say(const char *text)
{
	(void)fprintf(stderr, "s3backerd: %s\n", text);
	return (-EINVAL);
}

/* As passwordFile is read: the first line, without its newline. */
static int
from_file(const char *path, char *buf, size_t len)
{
	AUTO_FILE FILE *f = fopen(path, "re");

	if (f == NULL || setvbuf(f, NULL, _IONBF, 0) != 0 || fgets(buf, (int)len, f) == NULL) {
		(void)fprintf(
		    stderr, "s3backerd: %s: %s\n", path, f == NULL ? strerror(errno) : "is empty");
		return (-EINVAL);
	}
	buf[strcspn(buf, "\n")] = '\0';
	return (*buf == '\0' ? say("the new password is empty") : 0);
}

static int
prompt(const char *text, char *buf, size_t len)
{
	if (readpassphrase(text, buf, len, RPP_REQUIRE_TTY) == NULL || *buf == '\0')
		return (say("no password was typed (a terminal, passwordFile, and "
			    "rekey FILE for the new one)"));
	return (0);
}

static int
new_password(const char *path, char *buf, size_t len)
{
	char again[PASSWORD_MAX];
	int r;

	if (path != NULL)
		return (from_file(path, buf, len));
	if ((r = prompt("New password: ", buf, len)) < 0)
		return (r);
	r = prompt("The same again: ", again, sizeof(again));
	if (r == 0 && strcmp(buf, again) != 0)
		r = say("they differ; nothing was changed");
	explicit_bzero(again, sizeof(again));
	return (r);
}

static int
old_password(struct conf *conf)
{
	char buf[PASSWORD_MAX];
	int r;

	if (conf->password != NULL || conf->password_file != NULL)
		return (0);
	if ((r = prompt("Password of the disk: ", buf, sizeof(buf))) == 0 &&
	    (conf->password = strdup(buf)) == NULL)
		r = -ENOMEM;
	explicit_bzero(buf, sizeof(buf));
	return (r);
}

int
rekey_disk(struct super *s)
{
	struct storetool t = {.sock = -1, .err_fd = -1};
	char fresh[PASSWORD_MAX], encoded[3 * PASSWORD_MAX];
	char *error = NULL;
	int r;

	if (!s->conf->gcm) {
		(void)say("rekey needs a disk with encrypt = AES-256-GCM: the keys of the other "
			  "ciphers are made from the password itself");
		return (EXIT_FAILED);
	}
	if (old_password(s->conf) < 0 || new_password(s->opt.file, fresh, sizeof(fresh)) < 0)
		return (EXIT_FAILED);
	storetool_encode(fresh, encoded, sizeof(encoded));
	explicit_bzero(fresh, sizeof(fresh));
	if ((r = release_open_tool(s, &t, &error)) == 0)
		r = storetool_ask(&t, ASK_US, &error, "rekey password=%s", encoded);
	explicit_bzero(encoded, sizeof(encoded));
	storetool_close(&t);
	if (r < 0)
		(void)fprintf(stderr, "s3backerd: %s\n", error != NULL ? error : strerror(-r));
	else if (s->conf->password_file != NULL)
		(void)printf("the password was changed; the next start needs the new one in %s\n",
		    s->conf->password_file);
	else
		(void)printf("the password was changed\n");
	free(error);
	return (r < 0 ? EXIT_FAILED : EXIT_DONE);
}
