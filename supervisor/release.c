/* SPDX-License-Identifier: ISC */
#include "supervisor/release.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/conf.h"
#include "common/ctlsock.h"
#include "common/durable.h"

#include "supervisor/pidlock.h"
#include "supervisor/storetool.h"
#include "supervisor/super.h"
#include "supervisor/token.h"
#include "supervisor/vault.h"

#include "supervisor/guard.h"

/* The pid file's lock says whether it runs here; a missing one says that it does not. */
pid_t
release_running_pid(const struct super *s)
{
	pid_t other = 0;
	int fd = -1;

	if (access(s->paths.pid, F_OK) == 0 && pidlock_take(s->paths.pid, &fd, &other) == 0)
		pidlock_drop(s->paths.pid, &fd);
	return (other);
}

int
release_open_tool(struct super *s, struct storetool *t, char **ret_error)
{
	char *conf_text;
	size_t len = 0;
	int r;

	(void)signal(SIGPIPE, SIG_IGN);
	if ((r = conf_read_secrets(s->conf, ret_error)) < 0)
		return (r);
	conf_text = conf_serialize(s->conf, CONF_S3, &len);
	r = conf_text == NULL ? -ENOMEM : vault_open(conf_text, len, &s->vault);
	conf_wipe_text(&conf_text, len);
	return (r < 0 ? r : storetool_open(t, s->vault, false, ret_error));
}

/* One question about the token, asked by a store tool; its answer is printed. */
static int
ask(struct super *s, int (*question)(struct storetool *, char **ret_text, char **ret_error))
{
	struct storetool t = {.sock = -1, .err_fd = -1};
	char *error = NULL, *text = NULL;
	int r = release_open_tool(s, &t, &error);

	if (r == 0)
		r = question(&t, &text, &error);
	storetool_close(&t);
	if (r < 0)
		(void)fprintf(stderr, "s3backerd: %s\n", error != NULL ? error : strerror(-r));
	else
		(void)printf("%s\n", text != NULL ? text : "done");
	free(error);
	free(text);
	return (r < 0 ? EXIT_FAILED : EXIT_DONE);
}

int
release_show_token(struct super *s)
{
	return (ask(s, token_show));
}

int
release_token(struct super *s)
{
	pid_t pid = release_running_pid(s);

	if (pid != 0) {
		(void)fprintf(stderr, "s3backerd: %s is running: pid %d (stop it instead)\n",
		    s->opt.config_real, (int)pid);
		return (EXIT_FAILED);
	}
	return (ask(s, token_reset));
}
