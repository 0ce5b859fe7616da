/* SPDX-License-Identifier: ISC */
#include "common/confine.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/conf.h"
#include "common/log.h"

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

int
confine_role_why(const char *role, const struct conf *conf, char **ret_error)
{
	bool keeps_user = strcmp(role, "cachemgr") == 0;
	int death_signal = 0, r;
	uid_t uid;
	gid_t gid;

	if ((r = confine_user(conf, &uid, &gid, ret_error)) < 0)
		return (r);
	(void)prctl(PR_GET_PDEATHSIG, &death_signal);
	if (geteuid() == 0) {
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
	return (0);
}

int
confine_role(const char *role, const struct conf *conf)
{
	char *error = NULL;
	int r = confine_role_why(role, conf, &error);

	if (r < 0)
		log_err(
		    error == NULL ? r : 0, "%s", error != NULL ? error : "cannot drop privileges");
	free(error);
	return (r);
}
