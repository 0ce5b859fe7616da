/* SPDX-License-Identifier: ISC */
/*
 * conf_parse.c -- one assignment at a time, -o options, and the way to a whole configuration.
 *
 * Process:  supervisor, s3backerctl.  Threads: one at a time.
 * Syntax:   KEY = VALUE, or KEY alone for yes.  Leading dashes are those of the old program's
 *           command line, and so is -o KEY=VALUE,KEY,...  Words that the
 *           old program had and that are no keys are answered with what to do instead.
 * Errors:   the first one ends it, with the line FILE:LINE: KEY: ... or -o KEY: ...
 */
#include "common/conf.h"

#include <errno.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bsd/string.h>

#include "common/cleanup.h"
#include "common/conf_priv.h"

#define KEY_SHOWN 40 /* characters of an unknown key in an error: it might be a secret */

/* clang-format off */
/* Words that the old program had and that are no keys here, and what to do instead. */
static const struct {
	const char	*name;
	const char	*instead;
} elsewhere[] = {
    {"erase", "is a command, not a key (s3backerctl erase)"},
    {"reset-mounted-flag", "is a command, not a key (s3backerctl reset-mounted-flag)"},
    {"nbd", "is not offered (the disk is a file; losetup makes a block device of it)"},
    {"nbd-flag", "is not offered (the disk is a file; losetup makes a block device of it)"},
    {"nbd-param", "is not offered (the disk is a file; losetup makes a block device of it)"},
    {"f", "belongs on the command line (s3backerd -f)"},
    {"d", "belongs to the old program's command line (debug = yes)"},
    {"s", "belongs to the old program's command line (leave it out)"},
    {"help", "belongs on the command line (s3backerd --help)"},
    {"h", "belongs on the command line (s3backerd --help)"},
    {"version", "belongs on the command line (s3backerd --version)"},
    {"v", "belongs on the command line (s3backerd --version)"},
};

static const char *const mount_options[] = {
    "rw", "ro", "defaults", "auto", "noauto", "nofail", "fail", "user", "nouser", "users", "owner",
    "group", "exec", "noexec", "suid", "nosuid", "dev", "nodev", "sync", "async", "dirsync",
    "atime", "noatime", "diratime", "nodiratime", "relatime", "norelatime", "strictatime",
    "nostrictatime", "lazytime", "nolazytime", "iversion", "noiversion", "mand", "nomand",
    "silent", "loud", "_netdev", "_rnetdev", "allow_other", "allow_root", "auto_unmount",
    "default_permissions", "kernel_cache", "auto_cache", "noauto_cache", "nonempty", "big_writes",
    "hard_remove", "use_ino", "readdir_ino", "direct_io", "intr", "async_read", "sync_read",
    "splice_read", "splice_write", "splice_move", "no_splice_read", "no_splice_write",
    "no_splice_move", "blkdev", "x-*", "X-*", "comment=*", "umask=*", "max_read=*", "max_write=*",
    "max_readahead=*", "max_background=*", "congestion_threshold=*", "attr_timeout=*",
    "ac_attr_timeout=*", "entry_timeout=*", "negative_timeout=*", "fsname=*", "subtype=*",
    "blksize=*", "context=*", "fscontext=*", "defcontext=*", "rootcontext=*", "max_threads=*",
    "max_idle_threads=*", "clone_fd", "noclone_fd", "uhelper=*", "helper=*",
};
/* clang-format on */

bool
conf_is_mount_option(const char *option)
{
	for (size_t i = 0; i < sizeof(mount_options) / sizeof(mount_options[0]); i++)
		if (fnmatch(mount_options[i], option, 0) == 0)
			return (true);
	return (false);
}

/* ---- errors --------------------------------------------------------------------------------- */

int
conf_fail(int err, char **ret_error, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(ret_error, fmt, ap) < 0)
		*ret_error = NULL;
	va_end(ap);
	return (err);
}

/* "FILE:LINE: KEY: " and the like; the place comes first so that editors can jump there. */
static char *
place_text(const struct conf *conf, unsigned from, unsigned line, const char *key)
{
	char *text;
	int n;

	if (from == CONF_FROM_OPTION)
		n = asprintf(&text, "-o %s: ", key);
	else if (from >= conf->priv->nfiles)
		n = asprintf(&text, "%s: ", key);
	else if (line == 0)
		n = asprintf(&text, "%s: %s: ", conf->priv->files[from], key);
	else
		n = asprintf(&text, "%s:%u: %s: ", conf->priv->files[from], line, key);
	return (n < 0 ? NULL : text);
}

int
conf_fail_at(const struct conf *conf, unsigned from, unsigned line, const char *key,
    char **ret_error, const char *fmt, ...)
{
	AUTO_FREE char *place = place_text(conf, from, line, key), *what = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&what, fmt, ap);
	va_end(ap);
	if (n < 0)
		what = NULL;
	return (conf_fail(-EINVAL, ret_error, "%s%s", place == NULL ? "" : place,
	    what == NULL ? "no memory" : what));
}

int
conf_fail_key(const struct conf *conf, enum conf_id id, char **ret_error, const char *fmt, ...)
{
	const struct conf_where *where = &conf->priv->where[id];
	AUTO_FREE char *what = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&what, fmt, ap);
	va_end(ap);
	if (n < 0)
		what = NULL;
	/* A key that is missing is missing from the first file. */
	return (conf_fail_at(conf, where->set ? where->file : 0, where->set ? where->line : 0,
	    conf_keys[id].name, ret_error, "%s", what == NULL ? "no memory" : what));
}

/* ---- one assignment ------------------------------------------------------------------------- */

static int
fail_unknown(const struct conf *conf, const char *name, unsigned from, unsigned line,
    bool old_style, char **ret_error)
{
	const char *near = conf_key_suggest(name);
	char shown[KEY_SHOWN + 1];

	strlcpy(shown, name, sizeof(shown));
	for (size_t i = 0; i < sizeof(elsewhere) / sizeof(elsewhere[0]); i++)
		if (strcmp(name, elsewhere[i].name) == 0 && (strlen(name) > 1 || old_style))
			return (conf_fail_at(
			    conf, from, line, shown, ret_error, "%s", elsewhere[i].instead));
	if (near != NULL)
		return (conf_fail_at(
		    conf, from, line, shown, ret_error, "unknown key (did you mean %s?)", near));
	return (conf_fail_at(
	    conf, from, line, shown, ret_error, "unknown key (s3backer.conf(5) lists them)"));
}

static int
include(struct conf *conf, const char *value, const char *dir, unsigned from, unsigned line,
    char **ret_error)
{
	AUTO_FREE char *path = NULL;

	if (value == NULL || *value == '\0')
		return (conf_fail_at(conf, from, line, "configFile", ret_error,
		    "needs a value (configFile = /path)"));
	if (asprintf(&path, "%s%s%s", *value == '/' ? "" : dir,
		*value == '/' || strcmp(dir, "/") == 0 ? "" : "/", value) < 0) {
		path = NULL;
		return (conf_fail(-ENOMEM, ret_error, "no memory"));
	}
	/* Every file that is read counts, so a file that includes itself ends here as well. */
	if (conf->priv->nfiles == CONF_MAX_FILES)
		return (conf_fail_at(conf, from, line, "configFile", ret_error,
		    "more than %d files (does one include itself?)", CONF_MAX_FILES));
	return (conf_read_file(conf, path, from, line, ret_error));
}

static char *
trim(char *text)
{
	size_t len;

	text += strspn(text, " \t\r\n");
	for (len = strlen(text); len > 0 && strchr(" \t\r\n", text[len - 1]) != NULL; len--)
		text[len - 1] = '\0';
	return (text);
}

static int
assign_one(struct conf *conf, const char *text, unsigned from, unsigned line, const char *dir,
    char **ret_error)
{
	char *copy = strdup(text), *name = copy, *value, why[CONF_WHY];
	bool old_style;
	int id, r;

	if (copy == NULL)
		return (conf_fail(-ENOMEM, ret_error, "no memory"));
	name = trim(name);
	old_style = *name == '-';
	name += strspn(name, "-");
	if ((value = strchr(name, '=')) != NULL) {
		*value++ = '\0';
		value = trim(value);
		name = trim(name);
	} else if (name[strcspn(name, " \t")] != '\0') {
		/* Two words without "=": the second may be a secret, so only the first is shown. */
		name[strcspn(name, " \t")] = '\0';
		r = conf_key_find(name) < 0
			? fail_unknown(conf, name, from, line, old_style, ret_error)
			: conf_fail_at(
			      conf, from, line, name, ret_error, "no \"=\" (%s = VALUE)", name);
		goto out;
	}
	if (strcmp(name, "configFile") == 0 || (old_style && strcmp(name, "F") == 0)) {
		r = include(conf, value, dir, from, line, ret_error);
		goto out;
	}
	if (strcmp(name, "rrs") == 0 && value == NULL) { /* before there was storageClass */
		r = assign_one(conf, "storageClass=REDUCED_REDUNDANCY", from, line, dir, ret_error);
		goto out;
	}
	if (*name == '\0') {
		r = conf_fail_at(conf, from, line, "=", ret_error, "no key (KEY = VALUE)");
		goto out;
	}
	if ((id = conf_key_find(name)) < 0) {
		r = fail_unknown(conf, name, from, line, old_style, ret_error);
		goto out;
	}
	if ((r = conf_value_parse(conf, (enum conf_id)id, value, dir, why)) < 0) {
		r = conf_fail_at(conf, from, line, name, ret_error, "%s", why);
		goto out;
	}
	conf->priv->where[id] = (struct conf_where){
	    .file = (uint16_t)from,
	    .set = 1,
	    .line = line,
	};
out:
	explicit_bzero(copy, strlen(text));
	free(copy);
	return (r);
}

char *
conf_next_option(char **rest)
{
	char *begin = *rest + strspn(*rest, ","), *in = begin, *out = begin;

	if (*begin == '\0')
		return (NULL);
	while (*in != '\0' && *in != ',') {
		if (in[0] == '\\' && in[1] == ',')
			in++;
		*out++ = *in++;
	}
	*rest = in + (*in != '\0');
	*out = '\0';
	return (begin);
}

static int
assign_option(struct conf *conf, const char *text, unsigned from, unsigned line, const char *dir,
    char **ret_error)
{
	/* rw is what mount(8) always says: it does not speak against readOnly. */
	if (strcmp(text, "ro") == 0)
		text = "readOnly=yes";
	else if (conf_is_mount_option(text) || *text == '\0')
		return (0);
	return (assign_one(conf, text, from, line, dir, ret_error));
}

/* -o of an old command line takes several, as an entry of fstab does. */
static int
assign_options(struct conf *conf, const char *text, unsigned from, unsigned line, const char *dir,
    char **ret_error)
{
	char *copy = strdup(text), *rest = copy, *option;
	int r = 0;

	if (copy == NULL)
		return (conf_fail(-ENOMEM, ret_error, "no memory"));
	while (r == 0 && (option = conf_next_option(&rest)) != NULL)
		r = assign_option(conf, trim(option), from, line, dir, ret_error);
	explicit_bzero(copy, strlen(text));
	free(copy);
	return (r);
}

int
conf_assign(struct conf *conf, const char *text, unsigned from, unsigned line, const char *dir,
    char **ret_error)
{
	const char *name = text + strspn(text, " \t");

	if (strncmp(name, "-o", 2) == 0)
		return (assign_options(conf, name + 2, from, line, dir, ret_error));
	return (assign_one(conf, text, from, line, dir, ret_error));
}

/* ---- all of it ------------------------------------------------------------------------------ */

static int
read_overrides(struct conf *conf, const char *const *overrides, char **ret_error)
{
	char cwd[PATH_MAX];
	int r;

	if (getcwd(cwd, sizeof(cwd)) == NULL)
		strlcpy(cwd, "/", sizeof(cwd));
	for (; *overrides != NULL; overrides++)
		if ((r = assign_option(conf, *overrides, CONF_FROM_OPTION, 0, cwd, ret_error)) < 0)
			return (r);
	return (0);
}

int
conf_load(const char *file, const char *const *overrides, struct conf **ret_conf, char **ret_error)
{
	struct conf *conf = conf_new();
	int r = 0;

	*ret_error = NULL;
	if (conf == NULL)
		return (conf_fail(-ENOMEM, ret_error, "no memory"));
	if (file != NULL)
		r = conf_read_file(conf, file, CONF_NO_FILE, 0, ret_error);
	if (r == 0 && overrides != NULL)
		r = read_overrides(conf, overrides, ret_error);
	if (r == 0)
		r = conf_check(conf, ret_error);
	if (r < 0) {
		conf_free(conf);
		return (r);
	}
	*ret_conf = conf;
	return (0);
}
