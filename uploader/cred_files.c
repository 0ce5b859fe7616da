/* SPDX-License-Identifier: ISC */
/*
 * cred_files.c -- see cred_files.h.
 *
 * A profile is the section [NAME] of the credentials file over the section [profile NAME] ([default]
 * for that one) of the config file.  What leaves this process is listed in `handed_over`: a command
 * line of credential_process may hold secrets of its own, so only that there is one is said.
 */
#include "uploader/cred_files.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bsd/string.h>

#include "common/cleanup.h"
#include "common/conf.h"
#include "uploader/cred_ini.h"
#include "uploader/cred_reader.h"

#include "uploader/guard.h"

#define FILE_MAX_BYTES (1u << 20)

static const char *const handed_over[] = {"aws_access_key_id", "aws_secret_access_key",
    "aws_session_token", "role_arn", "source_profile", "credential_source", "role_session_name",
    "external_id", "duration_seconds", "mfa_serial", "region"};
static const char *const only_said[] = {
    "credential_process", "web_identity_token_file", "sso_session", "sso_start_url"};

static ssize_t refuse(int err, char *buf, size_t size, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

static ssize_t
refuse(int err, char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(buf, size, fmt, ap);
	va_end(ap);
	return (err);
}

/* ---- files and their changes ---------------------------------------------------------------- */
static void
look(struct cred_watched *w)
{
	struct stat st;

	memset(&st, 0, sizeof(st));
	w->there = stat(w->path, &st) == 0;
	w->dev = st.st_dev;
	w->ino = st.st_ino;
	w->size = st.st_size;
	w->mtime = st.st_mtim;
	w->ctime = st.st_ctim;
}

static bool
same_time(const struct timespec *a, const struct timespec *b)
{
	return (a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec);
}

/*
 * Before it is read, so that a change meanwhile is noticed.  By stat(2) now and then and not by
 * inotify: it follows links whose targets are exchanged, as Kubernetes does, and works on NFS.
 */
static void
watch(struct cred_files *f, const char *path)
{
	struct cred_watched *w;

	for (unsigned i = 0; i < f->nwatched; i++)
		if (strcmp(f->watched[i].path, path) == 0)
			return;
	if (f->nwatched == CRED_FILES_MAX)
		return;
	w = &f->watched[f->nwatched++];
	(void)strlcpy(w->path, path, sizeof(w->path));
	look(w);
}

void
cred_files_forget(struct cred_files *f)
{
	f->nwatched = 0;
}

bool
cred_files_changed(const struct cred_files *f)
{
	for (unsigned i = 0; i < f->nwatched; i++) {
		const struct cred_watched *old = &f->watched[i];
		struct cred_watched now = *old;

		look(&now);
		if (now.there != old->there || now.dev != old->dev || now.ino != old->ino ||
		    now.size != old->size || !same_time(&now.mtime, &old->mtime) ||
		    !same_time(&now.ctime, &old->ctime))
			return (true);
	}
	return (false);
}

/* The whole file, freed by wipe().  -ENOENT: not there; otherwise `buf` says what is wrong. */
static ssize_t
slurp(struct cred_files *f, const char *path, uid_t *ret_owner, char **ret_text, char *buf,
    size_t size)
{
	AUTO_FD int fd = -1;
	size_t have = 0;
	struct stat st;
	ssize_t n = 1;
	char *text;

	watch(f, path);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) < 0 || fstat(fd, &st) < 0)
		return (refuse(-errno, buf, size, "cannot read %s: %s", path, strerror(errno)));
	if ((st.st_mode & S_IWOTH) != 0)
		return (refuse(-EPERM, buf, size, "everybody can write %s (chmod o-w)", path));
	if ((text = calloc(1, FILE_MAX_BYTES)) == NULL)
		return (refuse(-ENOMEM, buf, size, "no memory"));
	while (
	    have < FILE_MAX_BYTES - 1 && (n = read(fd, text + have, FILE_MAX_BYTES - 1 - have)) > 0)
		have += (size_t)n;
	if (n != 0 || strlen(text) != have) {
		explicit_bzero(text, have);
		free(text);
		return (refuse(-EINVAL, buf, size, "%s is no text file of less than 1m", path));
	}
	if (ret_owner != NULL)
		*ret_owner = st.st_uid;
	*ret_text = text;
	return ((ssize_t)have);
}

static void
wipe(char **text)
{
	if (*text != NULL)
		explicit_bzero(*text, strlen(*text));
	free(*text);
	*text = NULL;
}

static void
default_path(const char *variable, const char *name, char *buf, size_t size)
{
	const char *value = getenv(variable), *home = getenv("HOME");
	const struct passwd *pw;

	if (value != NULL && *value != '\0') {
		(void)strlcpy(buf, value, size);
		return;
	}
	if (home == NULL || *home == '\0')
		home = (pw = getpwuid(geteuid())) != NULL ? pw->pw_dir : "/";
	(void)snprintf(buf, size, "%s/.aws/%s", home, name);
}

void
cred_files_init(struct cred_files *f, const struct conf *conf)
{
	memset(f, 0, sizeof(*f));
	f->conf = conf;
	default_path(
	    "AWS_SHARED_CREDENTIALS_FILE", "credentials", f->credentials, sizeof(f->credentials));
	default_path("AWS_CONFIG_FILE", "config", f->config, sizeof(f->config));
}

/* ---- accessFile ----------------------------------------------------------------------------- */
ssize_t
cred_files_access(struct cred_files *f, char *buf, size_t size)
{
	char *id = NULL, *key = NULL, *error = NULL;
	int n;

	watch(f, f->conf->access_file);
	n = conf_read_access_file(f->conf, &id, &key, &error);
	if (n == 0)
		n = snprintf(buf, size, "%s:%s", id, key);
	else
		(void)strlcpy(buf, error != NULL ? error : strerror(-n), size);
	wipe(&id);
	wipe(&key);
	free(error);
	return (n);
}

/* ---- the shared files ----------------------------------------------------------------------- */
struct shared {
	struct ini *credentials, *config; /* NULL: no such file */
	uid_t config_owner, credentials_owner;
	char config_section[CRED_NAME_MAX + 16];
};

static ssize_t
load_one(
    struct cred_files *f, const char *path, uid_t *owner, struct ini **ini, char *buf, size_t size)
{
	char *text = NULL;
	ssize_t n = slurp(f, path, owner, &text, buf, size);

	if (n == -ENOENT || n == -ENOTDIR)
		return (0);
	if (n >= 0)
		n = ini_parse(text, ini);
	wipe(&text);
	return (n);
}

static void
unload(struct shared *s)
{
	ini_free(&s->credentials);
	ini_free(&s->config);
}

/* -ENOENT: there is no such profile. */
static ssize_t
load(struct cred_files *f, const char *name, struct shared *s, char *buf, size_t size)
{
	ssize_t n;

	memset(s, 0, sizeof(*s));
	(void)snprintf(s->config_section, sizeof(s->config_section), "%s%s",
	    strcmp(name, "default") == 0 ? "" : "profile ", name);
	n = load_one(f, f->credentials, &s->credentials_owner, &s->credentials, buf, size);
	if (n >= 0)
		n = load_one(f, f->config, &s->config_owner, &s->config, buf, size);
	if (n >= 0 && (s->credentials == NULL || !ini_has(s->credentials, name)) &&
	    (s->config == NULL || !ini_has(s->config, s->config_section)))
		n = refuse(-ENOENT, buf, size, "no profile %s in %s or %s", name, f->credentials,
		    f->config);
	if (n < 0)
		unload(s);
	return (n);
}

/* Keys in the credentials file come before those in the config file. */
static const char *
value_of(const struct shared *s, const char *profile, const char *name, uid_t *ret_owner)
{
	const char *value = s->credentials != NULL ? ini_get(s->credentials, profile, name) : NULL;

	if (ret_owner != NULL)
		*ret_owner = value != NULL ? s->credentials_owner : s->config_owner;
	if (value == NULL && s->config != NULL)
		value = ini_get(s->config, s->config_section, name);
	return (value != NULL && *value != '\0' ? value : NULL);
}

static size_t
put(char *buf, size_t size, size_t used, const char *name, const char *value)
{
	int n = snprintf(buf + used, size - used, "%s=%s\n", name, value);

	return (n < 0 || (size_t)n >= size - used ? size : used + (size_t)n);
}

ssize_t
cred_files_profile(struct cred_files *f, const char *name, char *buf, size_t size)
{
	const char *value;
	struct shared s;
	size_t used = 0;
	ssize_t n = load(f, name, &s, buf, size);

	if (n < 0)
		return (n);
	buf[0] = '\0';
	for (size_t i = 0; i < sizeof(handed_over) / sizeof(handed_over[0]) && used < size; i++)
		if ((value = value_of(&s, name, handed_over[i], NULL)) != NULL)
			used = put(buf, size, used, handed_over[i], value);
	for (size_t i = 0; i < sizeof(only_said) / sizeof(only_said[0]) && used < size; i++)
		if (value_of(&s, name, only_said[i], NULL) != NULL)
			used = put(buf, size, used, only_said[i], "yes");
	unload(&s);
	return (used < size ? (ssize_t)used
			    : refuse(-E2BIG, buf, size, "profile %s is too long", name));
}

static ssize_t
token_file(struct cred_files *f, const char *path, char *buf, size_t size)
{
	char *text = NULL;
	ssize_t n = slurp(f, path, NULL, &text, buf, size);

	if (n < 0)
		return (n == -ENOENT ? -ENODATA : n); /* it was named, so it has to be there */
	while (n > 0 && strchr(" \t\r\n", text[n - 1]) != NULL)
		text[--n] = '\0';
	if (n == 0 || strpbrk(text, "\r\n") != NULL)
		n = refuse(-EINVAL, buf, size, "%s does not hold a token of one line", path);
	else if ((size_t)n >= size)
		n = refuse(-E2BIG, buf, size, "the token in %s is too long", path);
	else
		(void)strlcpy(buf, text, size);
	wipe(&text);
	return (n);
}

ssize_t
cred_files_web_token(struct cred_files *f, const char *profile, char *buf, size_t size)
{
	const char *path = getenv("AWS_WEB_IDENTITY_TOKEN_FILE");
	struct shared s;
	ssize_t n;

	if (*profile == '\0') {
		if (path == NULL || *path == '\0')
			return (refuse(-ENOENT, buf, size, "no AWS_WEB_IDENTITY_TOKEN_FILE"));
		return (token_file(f, path, buf, size));
	}
	if ((n = load(f, profile, &s, buf, size)) < 0)
		return (n);
	path = value_of(&s, profile, "web_identity_token_file", NULL);
	n = path != NULL ? token_file(f, path, buf, size)
			 : refuse(-ENOENT, buf, size, "no web_identity_token_file");
	unload(&s);
	return (n);
}

ssize_t
cred_files_auth_token(struct cred_files *f, char *buf, size_t size)
{
	const char *path = getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");

	if (path == NULL || *path == '\0')
		return (refuse(-ENOENT, buf, size, "no AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"));
	return (token_file(f, path, buf, size));
}

ssize_t
cred_files_process(struct cred_files *f, const char *profile, char *buf, size_t size)
{
	const char *command;
	struct shared s;
	uid_t owner = 0;
	ssize_t n = load(f, profile, &s, buf, size);

	if (n < 0)
		return (n);
	command = value_of(&s, profile, "credential_process", &owner);
	/* By the rights of who wrote it down: a file of another user makes us do nothing as root. */
	n = command != NULL ? cred_run(command, owner, buf, size)
			    : refuse(-ENOENT, buf, size, "no credential_process");
	unload(&s);
	return (n);
}
