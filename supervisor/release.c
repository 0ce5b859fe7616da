/* SPDX-License-Identifier: ISC */
#include "supervisor/release.h"

#include <bsd/libutil.h>
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

#include "supervisor/storetool.h"
#include "supervisor/super.h"
#include "supervisor/token.h"
#include "supervisor/vault.h"

#include "supervisor/guard.h"

/* The pid file's lock says whether it runs here; a missing one says that it does not. */
static pid_t
running_pid(const struct super *s)
{
	pid_t other = 0;
	struct pidfh *p;

	if (access(s->paths.pid, F_OK) < 0)
		return (0);
	p = pidfile_open(s->paths.pid, 0644, &other);
	if (p == NULL)
		return (errno == EEXIST ? other : 0);
	(void)pidfile_remove(p);
	return (0);
}

int
release_token(struct super *s)
{
	struct storetool t = {.sock = -1, .err_fd = -1};
	char *error = NULL, *text = NULL, *conf_text;
	pid_t pid = running_pid(s);
	size_t len = 0;
	int r;

	if (pid != 0) {
		(void)fprintf(stderr, "s3backerd: %s is running: pid %d (stop it instead)\n",
		    s->opt.config_real, (int)pid);
		return (EXIT_FAILED);
	}
	(void)signal(SIGPIPE, SIG_IGN);
	r = conf_read_secrets(s->conf, &error);
	if (r == 0) {
		conf_text = conf_serialize(s->conf, CONF_S3, &len);
		r = conf_text == NULL ? -ENOMEM : vault_open(conf_text, len, &s->vault);
		conf_wipe_text(&conf_text, len);
	}
	if (r == 0)
		r = storetool_open(&t, s->vault, false, &error);
	if (r == 0)
		r = token_reset(&t, &text, &error);
	storetool_close(&t);
	if (r < 0)
		(void)fprintf(stderr, "s3backerd: %s\n", error != NULL ? error : strerror(-r));
	else
		(void)printf("%s\n", text != NULL ? text : "released");
	free(error);
	free(text);
	return (r < 0 ? EXIT_FAILED : EXIT_DONE);
}
