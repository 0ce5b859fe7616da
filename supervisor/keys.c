/* SPDX-License-Identifier: ISC */
#include "supervisor/keys.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/conf.h"
#include "common/timeutil.h"

#include "supervisor/storetool.h"
#include "supervisor/super.h"
#include "supervisor/vault.h"

#include "supervisor/guard.h"

#define KEYS_LIMIT_US (120 * US_PER_S) /* credential_process takes up to a minute */

static int
ask(struct storetool *t, char *source, size_t size, char **ret_text, char **ret_error)
{
	char id[256], expires[32];
	int r = storetool_ask(t, KEYS_LIMIT_US, ret_error, "keys");

	*ret_text = NULL;
	if (r < 0 || !storetool_value(t->answer, "source", source, size))
		return (r < 0 ? r : 0);
	(void)storetool_value(t->answer, "id", id, sizeof(id));
	(void)storetool_value(t->answer, "expires", expires, sizeof(expires));
	if (strcmp(source, "none") != 0 && asprintf(ret_text, "%s, key %s%s%s", source, id,
					       strcmp(expires, "never") != 0 ? ", until " : "",
					       strcmp(expires, "never") != 0 ? expires : "") < 0)
		*ret_text = NULL;
	return (0);
}

int
keys_ask(struct storetool *t, char **ret_text, char **ret_error)
{
	static const char *const obvious[] = {"configuration", "accessKeyEnv ", "accessFile "};
	char source[512] = "";
	int r = ask(t, source, sizeof(source), ret_text, ret_error);

	for (unsigned i = 0; i < sizeof(obvious) / sizeof(obvious[0]) && r == 0; i++) {
		if (strncmp(source, obvious[i], strlen(obvious[i])) == 0) {
			free(*ret_text);
			*ret_text = NULL;
		}
	}
	return (r);
}

static int
find(struct super *s, struct storetool *t, char **ret_text, char **ret_error)
{
	char *text, source[512] = "";
	size_t len = 0;
	int r = conf_read_secrets(s->conf, ret_error);

	if (r < 0)
		return (r);
	conf_forget_file_keys(s->conf);
	text = conf_serialize(s->conf, CONF_S3, &len);
	r = text == NULL ? -ENOMEM : vault_open(text, len, &s->vault);
	conf_wipe_text(&text, len);
	if (r == 0)
		r = storetool_open(t, s->vault, true, ret_error);
	return (r < 0 ? r : ask(t, source, sizeof(source), ret_text, ret_error));
}

void
keys_print(struct super *s)
{
	struct storetool t = {.sock = -1, .err_fd = -1};
	AUTO_FREE char *text = NULL;
	AUTO_FREE char *error = NULL;
	int r;

	if (s->conf->store_is_dir)
		return;
	if (s->conf->access_id != NULL && *s->conf->access_id == '\0') {
		(void)printf("# credentials: none, requests are not signed\n");
		return;
	}
	(void)fflush(stdout);
	(void)signal(SIGPIPE, SIG_IGN);
	r = find(s, &t, &text, &error);
	storetool_close(&t);
	if (r < 0)
		(void)fprintf(
		    stderr, "s3backerd: credentials: %s\n", error != NULL ? error : strerror(-r));
	else if (text != NULL)
		(void)printf("# credentials: %s\n", text);
}
