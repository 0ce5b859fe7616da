/* SPDX-License-Identifier: ISC */
#include "common/confine.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "common/conf.h"
#include "common/landlock.h"
#include "common/log.h"
#include "common/seccomp.h"

#define DEFAULT_USER "s3backer"

/* Remembers the line for the user; always returns `err`. */
static int
refuse(int err, char **ret_error, const char *what, const char *name)
{
	if (ret_error != NULL && asprintf(ret_error, "%s%s%s: %s", what, name != NULL ? " " : "",
				     name != NULL ? name : "", strerror(-err)) < 0)
		*ret_error = NULL;
	return (err);
}

int
confine_user(const struct conf *conf, uid_t *ret_uid, gid_t *ret_gid, char **ret_error)
{
	const char *name = conf->user != NULL ? conf->user : DEFAULT_USER;
	const struct passwd *pw;

	*ret_uid = geteuid();
	*ret_gid = getegid();
	if (geteuid() != 0)
		return (0);
	errno = 0;
	pw = getpwnam(name);
	if (pw == NULL) {
		if (conf->user == NULL)
			return (0);
		if (ret_error != NULL &&
		    asprintf(ret_error, "user: there is no user %s (create it, or name another)",
			name) < 0)
			*ret_error = NULL;
		return (-ENOENT);
	}
	*ret_uid = pw->pw_uid;
	*ret_gid = pw->pw_gid;
	return (0);
}

/* The bounding set first, while we may; what is not in it no exec can bring back. */
static void
drop_bounding_set(void)
{
	for (int cap = 0; cap <= 63; cap++)
		if (prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1)
			(void)prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
}

static int
drop_capabilities(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0, 0, 0}};

	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	return (syscall(SYS_capset, &head, none) < 0 ? -errno : 0);
}

static int
become(uid_t uid, gid_t gid)
{
	if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
		return (-errno);
	/* A way back would make all this a decoration. */
	return (setuid(0) == 0 && uid != 0 ? -EPERM : 0);
}

/*
 * Instrumented programs write their reports to files, and start others to look at themselves.
 */
#ifdef S3B_INSTRUMENTED
#define LIMIT_CALLS_AND_FILES false
#else
#define LIMIT_CALLS_AND_FILES true
#endif

/* ---- files ---------------------------------------------------------------------------------- */
/* What TLS and the resolver read, and nothing that anybody would mind. */
static const char *const libraries[] = {"/usr/lib", "/usr/lib64", "/usr/local/lib", "/lib",
    "/lib64", "/usr/share/ca-certificates", "/usr/local/share/ca-certificates",
    "/usr/share/zoneinfo", "/usr/share/crypto-policies", "/usr/share/pki", "/run/systemd/resolve",
    "/run/resolvconf", "/run/NetworkManager", "/run/connman", "/dev/null", "/dev/urandom",
    "/sys/devices/system/cpu"};
/* Of /etc, for one that is root and so could read all of it. */
static const char *const of_etc[] = {"/etc/ssl", "/etc/ca-certificates", "/etc/pki",
    "/etc/crypto-policies", "/etc/resolvconf", "/etc/resolv.conf", "/etc/hosts",
    "/etc/nsswitch.conf", "/etc/gai.conf", "/etc/host.conf", "/etc/services", "/etc/protocols",
    "/etc/localtime", "/etc/ld.so.cache"};

#define NPATHS 40
struct paths {
	struct landlock_path path[NPATHS];
	unsigned n;
};

static void
add_path(struct paths *p, const char *path, enum landlock_use use)
{
	if (path != NULL && p->n < NPATHS)
		p->path[p->n++] = (struct landlock_path){path, use};
}

static void
uploader_paths(const struct conf *conf, struct paths *p)
{
	for (unsigned i = 0; i < sizeof(libraries) / sizeof(libraries[0]); i++)
		add_path(p, libraries[i], LANDLOCK_READ);
	/* Others read there what they may.  A file that is replaced does not matter then. */
	if (geteuid() != 0)
		add_path(p, "/etc", LANDLOCK_READ);
	for (unsigned i = 0; geteuid() == 0 && i < sizeof(of_etc) / sizeof(of_etc[0]); i++)
		add_path(p, of_etc[i], LANDLOCK_READ);
	/* The configuration goes when its role has read it; the rules live on. */
	if (conf->cacert != NULL)
		add_path(p, strdup(conf->cacert), LANDLOCK_READ);
	if (conf->store_is_dir)
		add_path(p, conf->store_dir, LANDLOCK_CHANGE);
}

static int
limit_files(const struct conf *conf, bool uploader)
{
	struct paths p = {.n = 0};

	if (uploader)
		uploader_paths(conf, &p);
	return (landlock_confine(p.path, p.n, uploader));
}

const char *
confine_stale(void)
{
	return (LIMIT_CALLS_AND_FILES ? landlock_stale() : NULL);
}

/* ---- all of it ------------------------------------------------------------------------------ */
static int
limit_calls(bool uploader, const struct confine_slots *slots)
{
	struct seccomp_need need = {.network = uploader,
	    .files = uploader,
	    .syslog = log_to_syslog(),
	    .slots_fd = slots != NULL ? slots->fd : -1,
	    .slots_from = slots != NULL ? slots->from : 0,
	    .slots_to = slots != NULL ? slots->to : 0};

	return (seccomp_confine(&need));
}

/* Less than was wanted, and not for want of trying: the first of each kind is worth a line. */
static int
unless_missing(int r, const char *what)
{
	if (r != -ENOSYS)
		return (r);
	log_info("this kernel has no %s: the role is confined without", what);
	return (0);
}

int
confine_role_why(
    const char *role, const struct conf *conf, const struct confine_slots *slots, char **ret_error)
{
	bool keeps_user = strcmp(role, "cachemgr") == 0, uploader = strcmp(role, "uploader") == 0;
	static const struct rlimit no_core;
	int death_signal = 0, r;
	uid_t uid;
	gid_t gid;

	if ((r = confine_user(conf, &uid, &gid, ret_error)) < 0)
		return (r);
	tzset(); /* it reads a file */
	(void)prctl(PR_GET_PDEATHSIG, &death_signal);
	(void)setrlimit(RLIMIT_CORE, &no_core);
	if (geteuid() == 0) {
		if (!uploader && unshare(CLONE_NEWNET) < 0)
			log_info("cannot leave the network's name space: %s", strerror(errno));
		drop_bounding_set();
		if (!keeps_user && uid != 0 && (r = become(uid, gid)) < 0)
			return (refuse(r, ret_error, "cannot become user", conf->user));
	}
	if ((r = drop_capabilities()) < 0)
		return (refuse(r, ret_error, "cannot drop capabilities", NULL));
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return (refuse(-errno, ret_error, "cannot set no_new_privs", NULL));
	/* The kernel forgets both when credentials change. */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ||
	    (death_signal != 0 && prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0) < 0))
		return (refuse(-errno, ret_error, "cannot confine", role));
	if (!LIMIT_CALLS_AND_FILES)
		return (0);
	if ((r = unless_missing(limit_files(conf, uploader), "Landlock")) < 0)
		return (refuse(r, ret_error, "cannot limit the files of", role));
	if ((r = unless_missing(limit_calls(uploader, slots), "system call filter")) < 0)
		return (refuse(r, ret_error, "cannot limit the system calls of", role));
	return (0);
}

int
confine_role(const char *role, const struct conf *conf)
{
	char *error = NULL;
	int r = confine_role_why(role, conf, NULL, &error);

	if (r < 0)
		log_err(
		    error == NULL ? r : 0, "%s", error != NULL ? error : "cannot drop privileges");
	free(error);
	return (r);
}
