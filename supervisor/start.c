/* SPDX-License-Identifier: ISC */
#include "supervisor/start.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/conf.h"
#include "common/confine.h"
#include "common/ctlsock.h"
#include "common/durable.h"
#include "common/journal.h"
#include "common/log.h"

#include "supervisor/askpass.h"
#include "supervisor/control.h"
#include "supervisor/disk.h"
#include "supervisor/handover.h"
#include "supervisor/inherit.h"
#include "supervisor/letter.h"
#include "supervisor/mount.h"
#include "supervisor/pidlock.h"
#include "supervisor/spawn.h"
#include "supervisor/scrape.h"
#include "supervisor/super.h"

#include "supervisor/guard.h"

/* ---- checks --------------------------------------------------------------------------------- */

static int
check_privilege(struct super *s)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{0, 0, 0}};

	if (syscall(SYS_capget, &head, data) == 0 && (data[0].effective & 1u << CAP_SYS_ADMIN) != 0)
		return (0);
	super_fail(s, "mounting needs root (or CAP_SYS_ADMIN)");
	return (-EPERM);
}

static int
check_programs(struct super *s)
{
	char path[PATH_MAX];
	int r = spawn_find_all(path, sizeof(path));

	if (r < 0)
		super_fail(s, "%s: %s", path, strerror(-r));
	return (r);
}

static int
check_user(struct super *s)
{
	char *error = NULL;
	uid_t uid;
	gid_t gid;
	int r = confine_user(s->conf, &uid, &gid, &error);

	if (r < 0)
		super_fail(s, "%s", error != NULL ? error : strerror(-r));
	free(error);
	return (r);
}

/* A mount point as /proc/self/mountinfo will show it, without touching what may hang on it. */
static int
settle_mount_point(struct super *s)
{
	struct mount_entry e;
	char *real, *error = NULL;
	int r;

	if (s->conf->mount_point == NULL) {
		super_fail(s,
		    "%s: mountPoint: is missing (a directory; or start it by an entry in "
		    "/etc/fstab)",
		    s->opt.config_real);
		return (-EINVAL);
	}
	/* Something is mounted there under this very name: no need to look further, it may be dead. */
	if (mount_find(s->conf->mount_point, &e) < 0 &&
	    (real = realpath(s->conf->mount_point, NULL)) != NULL) {
		free(s->conf->mount_point);
		s->conf->mount_point = real;
	}
	r = mount_check_dir(s->conf->mount_point, s->opt.config_real, &error);
	if (r < 0)
		super_fail(s, "%s", error != NULL ? error : strerror(-r));
	free(error);
	if (r == 0 && asprintf(&s->file, "%s/%s", s->conf->mount_point, s->conf->filename) < 0)
		r = -ENOMEM;
	return (r);
}

static int
lock_pid_file(struct super *s)
{
	pid_t other = 0;
	int r;

	if (mkdir(s->conf->run_dir, 0700) < 0 && errno != EEXIST) {
		super_fail(s, "runDir %s: %s", s->conf->run_dir, strerror(errno));
		return (-errno);
	}
	r = pidlock_take(s->paths.pid, &s->pid_fd, &other);
	if (r == -EEXIST && other > 0)
		super_fail(s, "%s is already running: pid %d", s->opt.config_real, (int)other);
	else if (r == -EEXIST)
		super_fail(s, "%s is just being started or stopped by another command",
		    s->opt.config_real);
	else if (r < 0)
		super_fail(s, "%s: %s", s->paths.pid, strerror(-r));
	return (r);
}

static int
ask_password(struct super *s)
{
	char *error = NULL;
	int r;

	if (s->conf->cipher == NULL || s->conf->password != NULL || s->conf->store_is_dir)
		return (0);
	if ((r = askpass(s->conf->bucket, &s->conf->password, &error)) < 0)
		super_fail(s, "%s", error != NULL ? error : strerror(-r));
	free(error);
	return (r);
}

int
start_read_secrets(struct super *s)
{
	char *error = NULL;
	int r = conf_read_secrets(s->conf, &error);

	if (r < 0)
		super_fail(s, "%s", error != NULL ? error : strerror(-r));
	free(error);
	if (r == 0 && s->conf->access_key_env != NULL)
		(void)unsetenv(s->conf->access_key_env);
	return (r < 0 ? r : ask_password(s));
}

static int
open_fuse(struct super *s)
{
	char *error = NULL;
	int r = mount_open_fuse(&s->handed.fuse, &error);

	if (r < 0)
		super_fail(s, "%s", error != NULL ? error : strerror(-r));
	free(error);
	return (r);
}

static int
open_control(struct super *s)
{
	int r = control_open(s->paths.sock, &s->control);

	if (r < 0)
		super_fail(s, "control socket %s: %s", s->paths.sock, strerror(-r));
	return (r);
}

static int
open_scrape(struct super *s)
{
	char *error = NULL;
	int r = scrape_open(s, &error);

	if (r < 0)
		super_fail(s, "%s", error != NULL ? error : strerror(-r));
	free(error);
	return (r);
}

/* The same for a disk that is mounted already. */
static int
preflight_inherited(struct super *s)
{
	int r;

	if ((r = lock_pid_file(s)) < 0 || (r = check_programs(s)) < 0 || (r = check_user(s)) < 0 ||
	    (r = check_privilege(s)) < 0 || (r = start_read_secrets(s)) < 0 ||
	    (r = open_control(s)) < 0)
		return (r);
	return (0);
}

/* What can be found out without the store and without leaving anything behind. */
static int
preflight(struct super *s)
{
	int r;

	if ((r = lock_pid_file(s)) < 0 || (r = check_programs(s)) < 0 || (r = check_user(s)) < 0 ||
	    (r = check_privilege(s)) < 0 || (r = open_fuse(s)) < 0 ||
	    (r = settle_mount_point(s)) < 0 || (r = start_read_secrets(s)) < 0 ||
	    (r = open_control(s)) < 0 || (r = open_scrape(s)) < 0)
		return (r);
	return (0);
}

/* ---- the word to the parent ----------------------------------------------------------------- */

static void
tell_parent(struct super *s, const char *word, const char *text)
{
	char line[2048];
	int n;

	if (s->parent_fd < 0)
		return;
	n = snprintf(line, sizeof(line), "%s %s\n", word, text);
	if (n > 0)
		(void)write_full(
		    s->parent_fd, line, (size_t)n < sizeof(line) ? (size_t)n : sizeof(line) - 1);
}

/* Nobody reads our stderr any more; what roles say there is in the log. */
static void
leave_terminal(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	(void)dup2(null, STDIN_FILENO);
	(void)dup2(null, STDOUT_FILENO);
	(void)dup2(null, STDERR_FILENO);
	if (null > STDERR_FILENO)
		close(null);
}

void
start_report_success(struct super *s)
{
	tell_parent(s, "ready", s->file);
	if (s->parent_fd >= 0) {
		close(s->parent_fd);
		leave_terminal();
	}
	s->parent_fd = -1;
}

void
start_report_note(struct super *s, const char *text)
{
	log_info("%s", text);
	tell_parent(s, "note", text);
}

static void
report_failure(struct super *s)
{
	if (s->parent_fd >= 0)
		tell_parent(s, "failed", s->fail);
	else
		(void)fprintf(stderr, "s3backerd: %s\n", s->fail);
}

/* The parent: prints what arrives.  The end without a last word is a death. */
static int
wait_for_child(int fd, const struct super *s)
{
	AUTO_FILE FILE *f = fdopen(fd, "r");
	char line[2048];

	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "ready ", 6) == 0)
			return (EXIT_DONE);
		if (strncmp(line, "failed ", 7) == 0) {
			(void)fprintf(stderr, "s3backerd: %s\n", line + 7);
			return (EXIT_FAILED);
		}
		if (strncmp(line, "note ", 5) == 0 && !s->conf->quiet)
			(void)fprintf(stderr, "s3backerd: %s\n", line + 5);
	}
	(void)fprintf(stderr, "s3backerd: the process in the background died (see the log)\n");
	return (EXIT_FAILED);
}

/* ---- into the background -------------------------------------------------------------------- */

/*
 * Twice, so that it leads no session and can never get a terminal.  0 in the daemon; in the parent
 * 1, with the exit code.
 */
static int
daemonise(struct super *s, int *ret_code)
{
	int p[2];
	pid_t pid;

	if (pipe2(p, O_CLOEXEC) < 0 || (pid = fork()) < 0) {
		super_fail(s, "cannot go into the background: %s", strerror(errno));
		return (-errno);
	}
	if (pid > 0) {
		close(p[1]);
		(void)waitpid(pid, NULL, 0); /* the one in between, which is gone at once */
		*ret_code = wait_for_child(p[0], s);
		return (1);
	}
	close(p[0]);
	(void)setsid();
	if ((pid = fork()) != 0)
		_exit(pid < 0 ? EXIT_FAILED : EXIT_DONE);
	(void)umask(022);
	s->parent_fd = p[1];
	if (chdir("/") < 0)
		super_fail(s, "cannot go to /: %s", strerror(errno));
	return (0);
}

static void
log_notes(struct super *s)
{
	for (const char *const *n = conf_notes(s->conf); *n != NULL; n++)
		log_info("%s", *n);
}

/* What "auto" means is settled here, because the roles do not have our stderr. */
static void
open_log(struct super *s)
{
	char *journal;

	if (s->opt.foreground && strcmp(s->conf->log_to, "auto") == 0 && log_stderr_is_journal() &&
	    journal_open() == 0 && (journal = strdup("journal")) != NULL) {
		free(s->conf->log_to);
		s->conf->log_to = journal;
	}
	(void)setenv(LOG_DISK_ENV, s->paths.name, 1);
	log_set_disk(s->paths.name);
	log_open("s3backerd", s->conf->log_to, conf_enum_word(CONF_logLevel, s->conf->log_level),
	    s->opt.foreground);
}

/* We are the same process as the one before, and the disk runs. */
static int
go_on(struct super *s)
{
	char *error = NULL;
	int r;

	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	open_log(s);
	r = handover_adopt(s, &error);
	if (r < 0)
		super_fail(s, "cannot go on: %s", error != NULL ? error : strerror(-r));
	free(error);
	if (r == 0 && letter_is_cold(s->letter))
		(void)disk_go_on_cold(s);
	else if (r == 0)
		(void)disk_go_on(s, true);
	letter_free(s->letter);
	disk_end(s);
	log_flush();
	return (s->fail != NULL ? EXIT_FAILED : EXIT_DONE);
}

/* From the one that died, with what systemd has kept of it. */
static int
take_over(struct super *s)
{
	int r = inherit_adopt(s);

	if (r < 0) {
		super_fail(s, "cannot take the disk over: %s", strerror(-r));
		return (r);
	}
	start_report_success(s);
	return (disk_go_on(s, false));
}

int
start_disk(struct super *s)
{
	int code = EXIT_FAILED, r;
	bool inherited;

	if (s->letter != NULL)
		return (go_on(s));
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	/* What the shell or cron left open would be held as long as the disk lives. */
	if (!s->opt.foreground)
		(void)syscall(SYS_close_range, STDERR_FILENO + 1, ~0U, 0);
	inherited = inherit_take(s);
	r = inherited ? preflight_inherited(s) : preflight(s);
	if (r == 0 && !s->opt.foreground && (r = daemonise(s, &code)) > 0)
		return (code);
	control_is_ours(s->control);
	/* Until the user has been told, what matters is told by the pipe, not by the log. */
	open_log(s);
	if (r == 0) {
		(void)pidlock_write(s->pid_fd);
		log_notes(s);
		r = inherited ? take_over(s) : disk_run(s);
	}
	disk_end(s);
	if (s->fail != NULL && !s->was_running)
		report_failure(s);
	log_flush();
	return (s->fail != NULL ? EXIT_FAILED : EXIT_DONE);
}
