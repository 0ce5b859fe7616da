/* SPDX-License-Identifier: ISC */
/*
 * conf_secret.c -- keys and passwords that files and the environment hold.
 *
 * Process:  the supervisor, before it starts an uploader.  Threads: one at a time.
 * Owns:     what it reads, in the members of struct conf; its buffers are wiped.
 * Errors:   -errno and the line; no content of a secret file is ever part of it.
 * Format:   accessFile: ID:KEY per line, split at the first colon, lines that begin with # or
 *           white space are skipped.  passwordFile: the first line without its newline.
 */
#include "common/conf.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bsd/string.h>

#include "common/cleanup.h"
#include "common/conf_priv.h"
#include "common/durable.h"
#include "common/envwipe.h"

#define SECRET_FILE_MAX 65536

static bool
others_can_use(unsigned mode)
{
	return (S_ISREG(mode) && (mode & (S_IRWXO | S_IWGRP)) != 0);
}

/* A file with a secret in it: there, and nobody else's to read.  May run before we are root. */
int
conf_secret_file_check(const char *path, char *why)
{
	struct stat st;

	if (stat(path, &st) != 0) {
		if (errno == EACCES) /* s3backerctl of a user; reading it will tell */
			return (0);
		snprintf(why, CONF_WHY, "cannot read %s: %s", path, strerror(errno));
		return (-errno);
	}
	if (others_can_use(st.st_mode)) {
		snprintf(why, CONF_WHY, "others can read or write it (chmod 600 %s)", path);
		return (-EPERM);
	}
	return (0);
}

int
conf_check_permissions(struct conf *conf, char **ret_error)
{
	char why[CONF_WHY];

	for (int i = 0; i < CONF_NKEYS; i++) {
		const struct conf_where *where = &conf->priv->where[i];

		if ((conf_keys[i].flags & KEY_SECRET) == 0 || !where->set ||
		    where->file >= conf->priv->nfiles)
			continue;
		if (others_can_use(conf->priv->mode[where->file]))
			return (conf_fail_key(conf, (enum conf_id)i, ret_error,
			    "others can read or write this file (chmod 600 %s)",
			    conf->priv->files[where->file]));
	}
	if (conf->password_file != NULL && conf_secret_file_check(conf->password_file, why) < 0)
		return (conf_fail_key(conf, CONF_passwordFile, ret_error, "%s", why));
	if (conf->access_file != NULL && conf_secret_file_check(conf->access_file, why) < 0)
		return (conf_fail_key(conf, CONF_accessFile, ret_error, "%s", why));
	return (0);
}

/* The whole file in one buffer of known size, so that all of it can be wiped. */
static int
read_secret_file(const char *path, char **ret_text, char *why)
{
	AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t have = 0;
	struct stat st;
	ssize_t n = 1;
	char *text;

	if (fd < 0 || fstat(fd, &st) != 0) {
		snprintf(why, CONF_WHY, "cannot read %s: %s", path, strerror(errno));
		return (-EACCES);
	}
	/* Of the open file: the name may have changed since conf_load(). */
	if (others_can_use(st.st_mode)) {
		snprintf(why, CONF_WHY, "others can read or write it (chmod 600 %s)", path);
		return (-EPERM);
	}
	if ((text = malloc(SECRET_FILE_MAX)) == NULL) {
		strlcpy(why, "no memory", CONF_WHY);
		return (-ENOMEM);
	}
	/* A pipe is fine, too; end at the end of the file. */
	while (have < SECRET_FILE_MAX - 1 &&
	       (n = read(fd, text + have, SECRET_FILE_MAX - 1 - have)) > 0)
		have += (size_t)n;
	text[have] = '\0';
	if (n != 0 || strlen(text) != have) {
		snprintf(why, CONF_WHY, "%s is not a text file of less than 64k", path);
		conf_wipe_text(&text, SECRET_FILE_MAX);
		return (-EINVAL);
	}
	*ret_text = text;
	return (0);
}

static int
read_password(struct conf *conf, char **ret_error)
{
	char *text = NULL, why[CONF_WHY];
	size_t len;
	int r;

	if ((r = read_secret_file(conf->password_file, &text, why)) < 0) {
		conf_fail_key(conf, CONF_passwordFile, ret_error, "%s", why);
		return (r);
	}
	/* Only the newline goes; a carriage return has always been part of the password. */
	len = strcspn(text, "\n");
	text[len] = '\0';
	if (len == 0 || len > 1023)
		r = conf_fail_key(conf, CONF_passwordFile, ret_error,
		    len == 0 ? "the first line of %s is empty (the password)"
			     : "the first line of %s is too long (at most 1023 characters)",
		    conf->password_file);
	else if (!conf_replace(&conf->password, text))
		r = conf_fail(-ENOMEM, ret_error, "no memory");
	conf_wipe_text(&text, SECRET_FILE_MAX);
	return (r);
}

/* Finds the line of access_id, or the first if that is not given. */
int
conf_read_access_file(const struct conf *conf, char **ret_id, char **ret_key, char **ret_error)
{
	char *text = NULL, *rest, *line, *key, why[CONF_WHY];
	const char *path = conf->access_file;
	bool found = false;
	int r;

	if ((r = read_secret_file(path, &text, why)) < 0) {
		conf_fail_key(conf, CONF_accessFile, ret_error, "%s", why);
		return (r);
	}
	for (rest = text; !found && (line = strsep(&rest, "\n")) != NULL;) {
		if (*line == '\0' || *line == '#' || isspace((unsigned char)*line))
			continue;
		line[strcspn(line, "\r")] = '\0';
		if ((key = strchr(line, ':')) == NULL || key == line || key[1] == '\0')
			continue;
		*key++ = '\0';
		if (conf->access_id != NULL && strcmp(conf->access_id, line) != 0)
			continue;
		found = true;
		if (!conf_replace(ret_id, line) || !conf_replace(ret_key, key))
			r = conf_fail(-ENOMEM, ret_error, "no memory");
	}
	conf_wipe_text(&text, SECRET_FILE_MAX);
	if (r == 0 && !found)
		r = conf_fail_key(conf, CONF_accessFile, ret_error,
		    conf->access_id == NULL ? "%s has no line ID:KEY"
					    : "%s has no line %s:KEY for accessId",
		    path, conf->access_id);
	return (r);
}

static int
read_access_file(struct conf *conf, char **ret_error)
{
	char *id = NULL, *key = NULL;
	int r = conf_read_access_file(conf, &id, &key, ret_error);

	if (r == 0 &&
	    (!conf_replace(&conf->access_id, id) || !conf_replace(&conf->access_key, key)))
		r = conf_fail(-ENOMEM, ret_error, "no memory");
	conf_wipe(&id);
	conf_wipe(&key);
	return (r);
}

void
conf_forget_file_keys(struct conf *conf)
{
	if (conf->access_file == NULL || conf_is_set(conf, CONF_accessKey) ||
	    conf->access_key_env != NULL)
		return;
	conf_wipe(&conf->access_key);
	if (!conf_is_set(conf, CONF_accessId)) /* another file may begin with another one */
		conf_wipe(&conf->access_id);
}

static int
read_key_env(struct conf *conf, char **ret_error)
{
	const char *key = getenv(conf->access_key_env);

	if (key == NULL || *key == '\0')
		return (conf_fail_key(conf, CONF_accessKeyEnv, ret_error,
		    "%s is not in the environment (%s=KEY s3backerd ...)", conf->access_key_env,
		    conf->access_key_env));
	if (!conf_replace(&conf->access_key, key))
		return (conf_fail(-ENOMEM, ret_error, "no memory"));
	/* So that no child inherits it, and /proc/PID/environ does not show it either. */
	env_wipe(conf->access_key_env);
	return (0);
}

/* AWS_ACCESS_KEY_ID and its like: an uploader gets them as it gets those of the configuration. */
static int
read_aws_env(struct conf *conf, char **ret_error)
{
	const char *id = getenv("AWS_ACCESS_KEY_ID"), *key = getenv("AWS_SECRET_ACCESS_KEY"),
		   *token = getenv("AWS_SESSION_TOKEN");

	if (id == NULL || *id == '\0' || key == NULL || *key == '\0')
		return (0);
	if (!conf_replace(&conf->access_id, id) || !conf_replace(&conf->access_key, key) ||
	    !conf_replace(&conf->access_key_env, "AWS_SECRET_ACCESS_KEY") ||
	    (token != NULL && *token != '\0' && !conf_replace(&conf->access_token, token)))
		return (conf_fail(-ENOMEM, ret_error, "no memory"));
	env_wipe("AWS_SECRET_ACCESS_KEY");
	env_wipe("AWS_SESSION_TOKEN");
	return (0);
}

int
conf_read_secrets(struct conf *conf, char **ret_error)
{
	AUTO_FREE char *path = NULL;
	const char *home = getenv("HOME");
	int r = 0;

	*ret_error = NULL;
	if (conf->password_file != NULL && (r = read_password(conf, ret_error)) < 0)
		return (r);
	if (conf->store_is_dir || conf->access_key != NULL)
		return (0);
	if (conf->access_key_env != NULL)
		return (read_key_env(conf, ret_error));
	if (conf->access_id != NULL && *conf->access_id == '\0')
		return (0); /* anonymous */
	if (conf->access_file != NULL)
		return (read_access_file(conf, ret_error));
	if (conf->access_ec2_iam != NULL || conf->profile != NULL)
		return (0);
	if (asprintf(&path, "%s/.s3backer_passwd", home != NULL ? home : "") < 0) {
		path = NULL;
		return (conf_fail(-ENOMEM, ret_error, "no memory"));
	}
	if (home != NULL && access(path, F_OK) == 0) {
		conf->access_file = ptr_take(&path);
		r = read_access_file(conf, ret_error);
	} else if (conf->access_id != NULL)
		return (conf_fail_key(conf, CONF_accessId, ret_error,
		    "has no key (accessKey, accessKeyEnv or accessFile)"));
	else
		r = read_aws_env(conf, ret_error);
	return (r);
}
