/* SPDX-License-Identifier: ISC */
#include "supervisor/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ipc/proc_table.h"
#include "ipc/shm.h"

#include "common/cleanup.h"
#include "common/conf.h"
#include "common/log.h"
#include "common/role.h"
#include "common/timeutil.h"

#include "supervisor/notify.h"
#include "supervisor/super.h"
#include "supervisor/vault.h"

#include "supervisor/guard.h"

#define READY_LIMIT_US (600 * US_PER_S) /* a big cache file is allocated before READY */

#ifndef PR_SET_IO_FLUSHER
#define PR_SET_IO_FLUSHER 57
#endif

extern char **environ;

const char *
spawn_role_program(uint32_t proc)
{
	return (proc == PROC_FRONTEND	? "frontend"
		: proc == PROC_CACHEMGR ? "cachemgr"
					: "uploader");
}

/* As it was at the start: the link in /proc follows a file that is moved aside. */
static char own_path[PATH_MAX];

int
spawn_remember_path(void)
{
	static const char gone[] = " (deleted)";
	ssize_t n = readlink("/proc/self/exe", own_path, sizeof(own_path) - 1);

	if (n < 0)
		return (-errno);
	own_path[n] = '\0';
	/* An update may have put another file in its place already. */
	if ((size_t)n >= sizeof(gone) && strcmp(own_path + n - (sizeof(gone) - 1), gone) == 0)
		own_path[(size_t)n - (sizeof(gone) - 1)] = '\0';
	return (0);
}

const char *
spawn_own_path(void)
{
	return (own_path);
}

int
spawn_find_program(const char *role, char *buf, size_t len)
{
	char self[PATH_MAX], *slash;
	int n;

	(void)snprintf(self, sizeof(self), "%s", own_path);
	if ((slash = strrchr(self, '/')) != NULL) {
		*slash = '\0';
		n = snprintf(buf, len, "%s/s3backer-%s", self, role);
		if (n > 0 && (size_t)n < len && access(buf, X_OK) == 0)
			return (0);
	}
	n = snprintf(buf, len, "%s/s3backer-%s", S3B_LIBEXEC, role);
	return (n < 0 || (size_t)n >= len ? -ENAMETOOLONG : access(buf, X_OK) < 0 ? -errno : 0);
}

int
spawn_find_all(char *buf, size_t len)
{
	static const char *const roles[] = {"cachemgr", "uploader", "frontend"};
	int r = 0;

	for (unsigned i = 0; i < 3 && r == 0; i++)
		r = spawn_find_program(roles[i], buf, len);
	return (r);
}

/* Keys reach the uploader over its socket; no variable of ours may show them in /proc. */
static bool
env_may_pass(const char *var, const char *role)
{
	static const char *const ours[] = {
	    "S3BACKERD_", "NOTIFY_SOCKET=", "LISTEN_", "WATCHDOG_", "FDSTORE="};

	for (unsigned i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		if (strncmp(var, ours[i], strlen(ours[i])) == 0)
			return (false);
	return (strncmp(var, "AWS_", 4) != 0 || strcmp(role, "uploader") == 0);
}

static char **
role_environment(const char *role)
{
	size_t n = 0;
	char **env;

	while (environ[n] != NULL)
		n++;
	if ((env = calloc(n + 1, sizeof(*env))) == NULL)
		return (NULL);
	n = 0;
	for (char **e = environ; *e != NULL; e++)
		if (env_may_pass(*e, role))
			env[n++] = *e;
	return (env);
}

static void
default_signals(void)
{
	struct sigaction sa = {.sa_handler = SIG_DFL};
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		(void)sigaction(sig, &sa, NULL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Between fork and exec, in the child.  There are no threads, so anything may be called. */
_Noreturn static void
become_program(const char *path, char *const env[], int ctl, int err, pid_t parent, int death_sig)
{
	char name[NAME_MAX];
	char *argv[] = {name, NULL};
	int null = open("/dev/null", O_RDWR);

	(void)snprintf(name, sizeof(name), "%s", strrchr(path, '/') + 1);
	default_signals();
	(void)prctl(PR_SET_PDEATHSIG, death_sig, 0, 0, 0);
	(void)prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0); /* needs CAP_SYS_RESOURCE; inherited */
	if (getppid() != parent)		    /* it died before the line above */
		_exit(ROLE_EXIT_NEVER);
	/* Above the numbers to be filled, so that no dup2() closes what is still needed. */
	ctl = fcntl(ctl, F_DUPFD_CLOEXEC, ROLE_CTL_FD + 1);
	if (err >= 0)
		err = fcntl(err, F_DUPFD_CLOEXEC, ROLE_CTL_FD + 1);
	(void)dup2(null, STDIN_FILENO);
	(void)dup2(err >= 0 ? err : STDERR_FILENO, STDOUT_FILENO);
	if (err >= 0)
		(void)dup2(err, STDERR_FILENO);
	if (dup2(ctl, ROLE_CTL_FD) < 0)
		_exit(ROLE_EXIT_NEVER);
	(void)execve(path, argv, env);
	_exit(ROLE_EXIT_NEVER);
}

static int
err_pipe(int *ret_read, int *ret_write)
{
	int p[2];

	if (pipe2(p, O_CLOEXEC) < 0)
		return (-errno);
	(void)fcntl(p[0], F_SETFL, O_NONBLOCK);
	*ret_read = p[0];
	*ret_write = p[1];
	return (0);
}

int
spawn_program(const char *role, int *ret_sock, int *ret_err_fd, pid_t *ret_pid)
{
	AUTO_FD int ours = -1;
	AUTO_FD int theirs = -1;
	AUTO_FD int err_read = -1;
	AUTO_FD int err_write = -1;
	AUTO_FREE char **env = role_environment(role);
	pid_t self = getpid(), pid;
	char path[PATH_MAX];
	int pair[2], r;

	if (env == NULL)
		return (-ENOMEM);
	if ((r = spawn_find_program(role, path, sizeof(path))) < 0)
		return (r);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return (-errno);
	ours = pair[0];
	theirs = pair[1];
	if (ret_err_fd != NULL && (r = err_pipe(&err_read, &err_write)) < 0)
		return (r);
	if ((pid = fork()) < 0)
		return (-errno);
	if (pid == 0)
		become_program(path, env, theirs, err_write, self,
		    strcmp(role, "cachemgr") == 0 || notify_wanted() ? 0 : SIGTERM);
	*ret_pid = pid;
	*ret_sock = fd_take(&ours);
	if (ret_err_fd != NULL)
		*ret_err_fd = fd_take(&err_read);
	return (0);
}

int
spawn_self(const char *const argv[], pid_t *ret_pid)
{
	pid_t self = getpid(), pid = fork();

	if (pid < 0)
		return (-errno);
	if (pid == 0) {
		default_signals();
		(void)signal(SIGINT, SIG_IGN); /* ^C in a terminal is for us to decide */
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
		if (getppid() == self)
			(void)execv("/proc/self/exe", (char *const *)(uintptr_t)argv);
		_exit(EXIT_FAILURE);
	}
	*ret_pid = pid;
	return (0);
}

int
spawn_trial(const char *path, const char *const argv[], int keep, int out, pid_t *ret_pid)
{
	pid_t self = getpid(), pid = fork();

	if (pid < 0)
		return (-errno);
	if (pid == 0) {
		default_signals();
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
		(void)fcntl(keep, F_SETFD, 0);
		(void)dup2(out, STDOUT_FILENO);
		(void)dup2(out, STDERR_FILENO);
		if (getppid() == self)
			(void)execv(path, (char *const *)(uintptr_t)argv);
		(void)dprintf(STDERR_FILENO, "s3backerd: %s: %s\n", path, strerror(errno));
		_exit(EXIT_FAILURE);
	}
	*ret_pid = pid;
	return (0);
}

/* ---- HELLO ---------------------------------------------------------------------------------- */

struct hello {
	struct role_hello h;
	int fd[ROLE_MAX_FDS];
};

static void
give(struct hello *m, unsigned kind, int fd)
{
	if (fd < 0 || m->h.nfds == ROLE_MAX_FDS)
		return;
	m->h.fd_kind[m->h.nfds] = (uint8_t)kind;
	m->fd[m->h.nfds++] = fd;
}

/* No role gets a descriptor that it has no use for. */
static void
give_all(const struct super *s, struct hello *m, uint32_t proc)
{
	const struct handed *o = &s->handed;

	give(m, ROLE_FD_SHM, o->shm);
	give(m, ROLE_FD_CACHE, o->cache);
	if (proc == PROC_FRONTEND) {
		give(m, ROLE_FD_FUSE, o->fuse);
	} else if (proc == PROC_CACHEMGR) {
		give(m, ROLE_FD_SUPBELL, o->supbell);
		for (uint32_t u = 0; u < s->shm.geo.nuploaders; u++)
			give(m, ROLE_FD_UPBELL0 + u, o->upbell[u]);
	} else {
		give(
		    m, ROLE_FD_UPBELL0 + (proc - PROC_UPLOADER0), o->upbell[proc - PROC_UPLOADER0]);
	}
}

static int
send_hello(struct super *s, const struct role *r, const char *text, size_t len)
{
	struct hello m = {.h = {.magic = IPC_MAGIC, .version = IPC_VERSION, .proc = r->proc}};
	char *packet = malloc(sizeof(m.h) + len);
	int e;

	if (packet == NULL)
		return (-ENOMEM);
	m.h.epoch = atomic_load(&shm_proc(&s->shm, r->proc)->epoch);
	m.h.foreground = s->opt.foreground;
	give_all(s, &m, r->proc);
	memcpy(packet, &m.h, sizeof(m.h));
	memcpy(packet + sizeof(m.h), text, len);
	e = role_send(r->sock, ROLE_HELLO, packet, sizeof(m.h) + len, m.fd, m.h.nfds);
	explicit_bzero(packet, sizeof(m.h) + len);
	free(packet);
	return (e);
}

/* The configuration for a role without keys: its share, and the sizes that were found. */
static int
send_hello_without_keys(struct super *s, const struct role *r)
{
	size_t len, more;
	char *text =
		 conf_serialize(s->conf, r->proc == PROC_FRONTEND ? CONF_MOUNT : CONF_CACHE, &len),
	     *all = NULL;
	int e;

	if (text == NULL)
		return (-ENOMEM);
	e = asprintf(&all, "%.*ssize=%llu\nblockSize=%u\n", (int)len, text,
	    (unsigned long long)s->size, s->shm.geo.block_size);
	conf_wipe_text(&text, len);
	if (e < 0)
		return (-ENOMEM);
	more = (size_t)e;
	e = send_hello(s, r, all, more);
	conf_wipe_text(&all, more);
	return (e);
}

static int
hello(struct super *s, const struct role *r)
{
	const char *text;
	size_t len;

	if (r->proc < PROC_UPLOADER0)
		return (send_hello_without_keys(s, r));
	text = vault_text(s->vault, &len);
	return (send_hello(s, r, text, len));
}

int
spawn_role(struct super *s, struct role *r)
{
	struct proc_slot *p = shm_proc(&s->shm, r->proc);
	const char *program = spawn_role_program(r->proc);
	int e;

	e = spawn_program(program, &r->sock, s->opt.foreground ? NULL : &r->err_fd, &r->pid);
	if (e < 0)
		return (e);
	r->fail[0] = '\0';
	r->words = (struct words){.used = 0};
	r->buried = r->hung = r->given_up = r->restarting = false;
	r->beat_us = r->still_us = 0;
	r->started_us = now_us();
	r->ready_by_us = r->started_us + READY_LIMIT_US;
	r->state = ROLE_STARTING;
	memset(p->words, 0, sizeof(p->words));
	atomic_store(&p->beat_us, 0);
	atomic_store(&p->pid, (uint32_t)r->pid);
	atomic_store(&p->started_us, r->started_us);
	atomic_store(&p->run, PROC_STARTING);
	r->epoch = atomic_fetch_add(&p->epoch, 1) + 1;
	/* One that died at once shows up as a dead child: that is where it is dealt with. */
	if ((e = hello(s, r)) < 0)
		log_debug("hello to %s: %s", program, strerror(-e));
	return (0);
}
