/* SPDX-License-Identifier: ISC */
/*
 * conf_parse.c -- configuration files and -o options.
 *
 * Process:  supervisor, s3backerctl.  Threads: one at a time.
 * Syntax:   s3backer.conf(5).  A comment begins with # at the start of a line or after white
 *           space; \# is a plain #; a backslash at the end of a line joins the next one, whose
 *           leading white space goes.  Nothing else is special, so that passwords stay what
 *           they are.  Lines with leading dashes are those of the old program.
 * Errors:   the first one ends it, with the line FILE:LINE: KEY: ...
 */
#include "common/conf.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bsd/string.h>

#include "common/cleanup.h"
#include "common/conf_priv.h"

#define KEY_SHOWN 40	/* characters of an unknown key in an error: it might be a secret */

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

static int __attribute__((format(printf, 6, 7)))
fail_at(const struct conf *conf, unsigned from, unsigned line, const char *key, char **ret_error,
    const char *fmt, ...)
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
	return (fail_at(conf, where->set ? where->file : 0, where->set ? where->line : 0,
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
			return (fail_at(conf, from, line, shown, ret_error, "%s",
			    elsewhere[i].instead));
	if (near != NULL)
		return (fail_at(conf, from, line, shown, ret_error,
		    "unknown key (did you mean %s?)", near));
	return (fail_at(conf, from, line, shown, ret_error,
	    "unknown key (s3backer.conf(5) lists them)"));
}

static int read_file(struct conf *, const char *name, unsigned from, unsigned line,
    char **ret_error);

static int
include(struct conf *conf, const char *value, const char *dir, unsigned from, unsigned line,
    char **ret_error)
{
	AUTO_FREE char *path = NULL;

	if (value == NULL || *value == '\0')
		return (fail_at(conf, from, line, "configFile", ret_error,
		    "needs a value (configFile = /path)"));
	if (asprintf(&path, "%s%s%s", *value == '/' ? "" : dir,
		*value == '/' || strcmp(dir, "/") == 0 ? "" : "/", value) < 0) {
		path = NULL;
		return (conf_fail(-ENOMEM, ret_error, "no memory"));
	}
	/* Every file that is read counts, so a file that includes itself ends here as well. */
	if (conf->priv->nfiles == CONF_MAX_FILES)
		return (fail_at(conf, from, line, "configFile", ret_error,
		    "more than %d files (does one include itself?)", CONF_MAX_FILES));
	return (read_file(conf, path, from, line, ret_error));
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

int
conf_assign(struct conf *conf, const char *text, unsigned from, unsigned line, const char *dir,
    char **ret_error)
{
	char *copy = strdup(text), *name = copy, *value, why[CONF_WHY];
	bool old_style;
	int id, r;

	if (copy == NULL)
		return (conf_fail(-ENOMEM, ret_error, "no memory"));
	name = trim(name);
	if (strncmp(name, "-o", 2) == 0 && (name[2] == ' ' || name[2] == '\t'))
		name = trim(name + 2);
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
		    : fail_at(conf, from, line, name, ret_error, "no \"=\" (%s = VALUE)", name);
		goto out;
	}
	if (strcmp(name, "configFile") == 0 || (old_style && strcmp(name, "F") == 0)) {
		r = include(conf, value, dir, from, line, ret_error);
		goto out;
	}
	if (*name == '\0') {
		r = fail_at(conf, from, line, "=", ret_error, "no key (KEY = VALUE)");
		goto out;
	}
	if ((id = conf_key_find(name)) < 0) {
		r = fail_unknown(conf, name, from, line, old_style, ret_error);
		goto out;
	}
	if ((r = conf_value_parse(conf, (enum conf_id)id, value, dir, why)) < 0) {
		r = fail_at(conf, from, line, name, ret_error, "%s", why);
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

/* ---- files ---------------------------------------------------------------------------------- */

/* Cuts the comment off and makes \# a #; true if the line goes on with the next one. */
static bool
strip_comment(char *line)
{
	char *in, *out = line;
	bool blank = true;	/* is the last character kept white space, or none? */

	for (in = line; *in != '\0'; in++) {
		if (*in == '#' && blank)
			break;
		blank = *in == ' ' || *in == '\t';
		if (in[0] == '\\' && in[1] == '#')
			in++;
		*out++ = *in;
	}
	/* A comment's own backslash joins nothing. */
	if (*in == '#') {
		*out = '\0';
		return (false);
	}
	while (out > line && (out[-1] == '\n' || out[-1] == '\r'))
		out--;
	*out = '\0';
	if (out > line && out[-1] == '\\') {
		out[-1] = '\0';
		return (true);
	}
	return (false);
}

static bool
has_control(const char *line, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)line[i];

		if ((c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7f)
			return (true);
	}
	return (false);
}

/* A line being put together from its continuations; wiped, since it may hold a secret. */
struct pending {
	char		*text;
	size_t		 len;
	unsigned	 line;	/* its first, 0: nothing pending */
};

static bool
pending_add(struct pending *p, const char *text, unsigned line)
{
	size_t len = strlen(text);
	char *grown;

	if (p->line != 0) {
		text += strspn(text, " \t");
		len = strlen(text);
	}
	if ((grown = malloc(p->len + len + 1)) == NULL)
		return (false);
	memcpy(grown, p->text != NULL ? p->text : "", p->len);
	memcpy(grown + p->len, text, len + 1);
	conf_wipe(&p->text);
	p->text = grown;
	p->len += len;
	if (p->line == 0)
		p->line = line;
	return (true);
}

static int
pending_take(struct pending *p, struct conf *conf, unsigned from, const char *dir,
    char **ret_error)
{
	int r = 0;

	if (p->line != 0 && p->text[strspn(p->text, " \t")] != '\0')
		r = conf_assign(conf, p->text, from, p->line, dir, ret_error);
	conf_wipe(&p->text);
	*p = (struct pending){0};
	return (r);
}

static int
read_lines(struct conf *conf, FILE *in, unsigned from, const char *dir, char **ret_error)
{
	struct pending pending = {0};
	unsigned line = 0;
	char *buf = NULL;
	size_t size = 0;
	ssize_t len;
	int r = 0;

	while (r == 0 && (len = getline(&buf, &size, in)) >= 0) {
		char *text = buf;
		bool more;

		if (++line == 1 && strncmp(text, "\xef\xbb\xbf", 3) == 0)
			text += 3;	/* the mark that some editors begin UTF-8 files with */
		if (has_control(buf, (size_t)len)) {
			r = conf_fail(-EINVAL, ret_error,
			    "%s:%u: control character (plain text)", conf->priv->files[from], line);
			break;
		}
		more = strip_comment(text);
		if (!pending_add(&pending, text, line))
			r = conf_fail(-ENOMEM, ret_error, "no memory");
		else if (!more)
			r = pending_take(&pending, conf, from, dir, ret_error);
	}
	if (r == 0 && ferror(in))
		r = conf_fail(-EIO, ret_error, "%s: cannot read: %s", conf->priv->files[from],
		    strerror(errno));
	if (r == 0)	/* the last line ended in a backslash */
		r = pending_take(&pending, conf, from, dir, ret_error);
	conf_wipe(&pending.text);
	if (buf != NULL)
		explicit_bzero(buf, size);
	free(buf);
	return (r);
}

/* The directory of a file, absolute: what relative paths in it are relative to. */
static char *
directory_of(const char *name)
{
	AUTO_FREE char *copy = strdup(name);
	char *slash, cwd[PATH_MAX];

	if (copy == NULL)
		return (NULL);
	if ((slash = strrchr(copy, '/')) != NULL)
		slash[slash == copy ? 1 : 0] = '\0';
	if (slash != NULL && *copy == '/')
		return (ptr_take(&copy));
	if (slash != NULL)
		return (realpath(copy, NULL));
	return (getcwd(cwd, sizeof(cwd)) == NULL ? NULL : strdup(cwd));
}

/* from and line: of the configFile key that asked for it; CONF_NO_FILE for the first file. */
static int
fail_file(const struct conf *conf, const char *name, unsigned from, unsigned line, int err,
    char **ret_error)
{
	if (from == CONF_NO_FILE)
		return (conf_fail(err, ret_error, "%s: cannot read: %s", name, strerror(-err)));
	fail_at(conf, from, line, "configFile", ret_error, "cannot read %s: %s", name,
	    strerror(-err));
	return (err);
}

static int
read_file(struct conf *conf, const char *name, unsigned from, unsigned line, char **ret_error)
{
	unsigned self = conf->priv->nfiles;
	AUTO_FREE char *dir = NULL;
	char buf[BUFSIZ];
	struct stat st;
	FILE *in;
	int r;

	/* Not O_NONBLOCK: a fifo or <(...) is a fine configuration. */
	if ((in = fopen(name, "re")) == NULL)
		return (fail_file(conf, name, from, line, -errno, ret_error));
	setvbuf(in, buf, _IOFBF, sizeof(buf));	/* ours, so that it can be wiped */
	if (fstat(fileno(in), &st) != 0) {
		r = fail_file(conf, name, from, line, -errno, ret_error);
	} else if (S_ISDIR(st.st_mode)) {
		r = fail_file(conf, name, from, line, -EISDIR, ret_error);
	} else if ((dir = directory_of(name)) == NULL ||
	    (conf->priv->files[self] = strdup(name)) == NULL) {
		r = fail_file(conf, name, from, line, -ENOMEM, ret_error);
	} else {
		conf->priv->mode[self] = st.st_mode;
		conf->priv->nfiles++;
		r = read_lines(conf, in, self, dir, ret_error);
	}
	fclose(in);
	explicit_bzero(buf, sizeof(buf));
	return (r);
}

static int
read_overrides(struct conf *conf, const char *const *overrides, char **ret_error)
{
	char cwd[PATH_MAX];
	int r;

	if (getcwd(cwd, sizeof(cwd)) == NULL)
		strlcpy(cwd, "/", sizeof(cwd));
	for (; *overrides != NULL; overrides++) {
		const char *text = *overrides;

		/* rw is what mount(8) always says: it does not speak against readOnly. */
		if (strcmp(text, "ro") == 0)
			text = "readOnly=yes";
		else if (conf_is_mount_option(text) || *text == '\0')
			continue;
		if ((r = conf_assign(conf, text, CONF_FROM_OPTION, 0, cwd, ret_error)) < 0)
			return (r);
	}
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
		r = read_file(conf, file, CONF_NO_FILE, 0, ret_error);
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
