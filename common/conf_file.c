/* SPDX-License-Identifier: ISC */
/*
 * conf_file.c -- the lines of a configuration file.
 *
 * Process:  supervisor, s3backerctl.  Threads: one at a time.
 * Syntax:   s3backer.conf(5).  A comment begins with # at the start of a line or after white
 *           space; \# is a plain #; a backslash at the end of a line joins the next one, whose
 *           leading white space goes.  Nothing else is special, so that passwords stay what
 *           they are.
 * Owns:     its buffers, which are wiped: any line may hold a secret.
 */
#include "common/conf.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bsd/string.h>

#include "common/cleanup.h"
#include "common/conf_priv.h"

/* Cuts the comment off and makes \# a #; true if the line goes on with the next one. */
static bool
strip_comment(char *line)
{
	char *in, *out = line;
	bool blank = true; /* is the last character kept white space, or none? */

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
	char *text;
	size_t len;
	unsigned line; /* its first, 0: nothing pending */
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
pending_take(struct pending *p, struct conf *conf, unsigned from, const char *dir, char **ret_error)
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
			text += 3; /* the mark that some editors begin UTF-8 files with */
		if (has_control(buf, (size_t)len)) {
			r = conf_fail(-EINVAL, ret_error, "%s:%u: control character (plain text)",
			    conf->priv->files[from], line);
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
	if (r == 0) /* the last line ended in a backslash */
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
	conf_fail_at(
	    conf, from, line, "configFile", ret_error, "cannot read %s: %s", name, strerror(-err));
	return (err);
}

int
conf_read_file(struct conf *conf, const char *name, unsigned from, unsigned line, char **ret_error)
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
	setvbuf(in, buf, _IOFBF, sizeof(buf)); /* ours, so that it can be wiped */
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
