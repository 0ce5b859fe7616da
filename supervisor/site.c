/* SPDX-License-Identifier: ISC */
#include "supervisor/site.h"

#include <bsd/string.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/conf.h"
#include "common/durable.h"
#include "common/log.h"
#include "common/timeutil.h"

#include "supervisor/disk.h"
#include "supervisor/pidlock.h"
#include "supervisor/start.h"
#include "supervisor/super.h"
#include "supervisor/token.h"

#include "supervisor/guard.h"

#define ASK_LIMIT_US (60 * US_PER_S)

int
site_complain(int err, const char *fmt, ...)
{
	va_list ap;

	(void)fprintf(stderr, "s3backerd: ");
	va_start(ap, fmt);
	(void)vfprintf(stderr, fmt, ap);
	va_end(ap);
	(void)fprintf(stderr, "\n");
	return (err);
}

const char *
site_label(const struct super *s, char *buf, size_t len)
{
	const struct conf *c = s->conf;
	size_t n;

	(void)snprintf(
	    buf, len, "%s/%s", c->store_is_dir ? c->store_dir : c->bucket_name, c->prefix_full);
	n = strlen(buf);
	while (n > 1 && n < len && buf[n - 1] == '/')
		buf[--n] = '\0';
	return (buf);
}

static int
say(int err, char **error)
{
	if (err < 0)
		(void)site_complain(err, "%s", *error != NULL ? *error : strerror(-err));
	free(*error);
	*error = NULL;
	return (err);
}

static int
lock(struct site *w)
{
	struct super *s = w->s;
	pid_t other = 0;
	int r;

	if (mkdir(s->conf->run_dir, 0700) < 0 && errno != EEXIST)
		return (site_complain(-errno, "runDir %s: %s", s->conf->run_dir, strerror(errno)));
	r = pidlock_take(s->paths.pid, &s->pid_fd, &other);
	if (r == -EEXIST && other > 0)
		return (site_complain(-EBUSY,
		    "%s is running: pid %d (stop it first: s3backerd -c "
		    "%s stop)",
		    s->opt.config_real, (int)other, s->opt.config_real));
	if (r == -EEXIST)
		return (site_complain(
		    -EBUSY, "another command works on %s just now", s->opt.config_real));
	if (r < 0)
		return (site_complain(r, "%s: %s", s->paths.pid, strerror(-r)));
	w->locked = true;
	return (0);
}

static int
open_signals(struct site *w)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	(void)signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return (-errno);
	w->sig_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return (w->sig_fd < 0 ? -errno : 0);
}

int
site_open(struct super *s, bool want_lock, struct site *ret_site)
{
	struct site *w = ret_site;
	char *error = NULL;
	int r;

	*w = (struct site){.s = s, .sig_fd = -1, .tool = {.sock = -1, .err_fd = -1}};
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	log_open(
	    "s3backerd", s->conf->log_to, conf_enum_word(CONF_logLevel, s->conf->log_level), false);
	(void)strlcat(s->paths.state, ".work", sizeof(s->paths.state));
	if (want_lock && (r = lock(w)) < 0)
		return (r);
	if ((r = start_read_secrets(s)) < 0)
		return (site_complain(r, "%s", s->fail != NULL ? s->fail : strerror(-r)));
	if ((r = open_signals(w)) < 0 || (r = disk_lock_up_secrets(s)) < 0)
		return (site_complain(r, "%s", strerror(-r)));
	r = storetool_open(&w->tool, s->vault, false, &error);
	w->tool.cancel_fd = w->sig_fd;
	return (say(r, &error));
}

int
site_sizes(struct site *w)
{
	char *error = NULL;
	struct held held;

	return (say(disk_settle_sizes(w->s, &w->tool, &held, &error), &error));
}

int
site_check_idle(struct site *w, bool force)
{
	char *text = NULL, *error = NULL;
	bool present;
	int r;

	r = storetool_ask(&w->tool, ASK_LIMIT_US, &error, "token-get");
	if (r < 0)
		return (say(r, &error));
	present = storetool_number(w->tool.answer, "present", 10) != 0;
	if (present && force)
		w->s->conf->fence = CONF_FENCE_OFF; /* it is only read: nobody asks any more */
	if (!present || force)
		return (0);
	if ((r = token_show(&w->tool, &text, &error)) < 0)
		return (say(r, &error));
	(void)site_complain(-EBUSY,
	    "the disk is %s: what would be read could change meanwhile (stop it there; if that "
	    "machine is dead for good: s3backerctl -c %s reset-mounted-flag)",
	    text != NULL ? text : "mounted", w->s->opt.config_real);
	free(text);
	return (-EBUSY);
}

int
site_take(struct site *w)
{
	char *error = NULL;
	int r;

	if (w->s->conf->read_only)
		return (site_complain(-EROFS, "readOnly = yes: the bucket is to stay as it is"));
	if ((r = token_acquire(w->s, &w->tool, NULL, &error)) == 0)
		r = disk_make_key(w->s, &w->tool, &error);
	return (say(r, &error));
}

bool
site_stopped(struct site *w)
{
	struct signalfd_siginfo si;

	while (read(w->sig_fd, &si, sizeof(si)) == sizeof(si))
		w->stopped = true;
	return (w->stopped);
}

void
site_close(struct site *w, bool keep_token)
{
	char *error = NULL;
	int r = 0;

	if (w->s->token.value != 0 && !keep_token && !w->s->fenced) {
		/* One that was asked before may have been told to end by the ^C that ended us. */
		storetool_close(&w->tool);
		if ((r = storetool_open(&w->tool, w->s->vault, false, &error)) == 0)
			r = token_drop(w->s, &w->tool, &error);
		if (r == 0)
			(void)durable_unlink(AT_FDCWD, w->s->paths.state);
		if (r < 0)
			(void)site_complain(r, "the mount token could not be removed: %s",
			    error != NULL ? error : strerror(-r));
		free(error);
	}
	storetool_close(&w->tool);
	if (w->locked)
		pidlock_drop(w->s->paths.pid, &w->s->pid_fd);
	w->locked = false;
	if (w->sig_fd >= 0)
		close(w->sig_fd);
	w->sig_fd = -1;
}
