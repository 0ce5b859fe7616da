/* SPDX-License-Identifier: ISC */
/*
 * conf.c -- the life of a configuration: made, passed on, shown, wiped.
 *
 * Process:  the supervisor makes it and sends each child the keys that concern it.
 * Threads:  one at a time.
 * Format:   of the message to a child: one `name=value\n` per key, value with bytes outside
 *           graphic ASCII, and %, as %XX.  Not a file format: both ends are of one build.
 */
#include "common/conf.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bsd/string.h>

#include "common/check.h"
#include "common/conf_priv.h"

struct conf *
conf_new(void)
{
	struct conf *conf = calloc(1, sizeof(*conf));

	if (conf == NULL || (conf->priv = calloc(1, sizeof(*conf->priv))) == NULL) {
		free(conf);
		return (NULL);
	}
	for (int i = 0; i < CONF_NKEYS; i++)
		conf_value_default(conf, (enum conf_id)i);
	return (conf);
}

void
conf_free(struct conf *conf)
{
	struct conf_private *priv;

	if (conf == NULL)
		return;
	priv = conf->priv;
	for (int i = 0; i < CONF_NKEYS; i++)
		conf_value_clear(conf, (enum conf_id)i);
	conf_derived_clear(conf);
	for (unsigned i = 0; i < priv->nfiles; i++)
		free(priv->files[i]);
	for (size_t i = 0; i < priv->nnotes; i++)
		free(priv->notes[i]);
	free(priv->notes);
	free(priv);
	free(conf);
}

bool
conf_is_set(const struct conf *conf, enum conf_id id)
{
	return (conf->priv->where[id].set != 0);
}

void
conf_wipe(char **member)
{
	/* All text, not secrets alone: a bucket's name costs nothing, a forgotten secret does. */
	if (*member != NULL)
		explicit_bzero(*member, strlen(*member));
	free(*member);
	*member = NULL;
}

bool
conf_replace(char **member, const char *text)
{
	char *copy = strdup(text);

	if (copy == NULL)
		return (false);
	conf_wipe(member);
	*member = copy;
	return (true);
}

void
conf_forget(struct conf *conf, unsigned keep)
{
	for (int i = 0; i < CONF_NKEYS; i++) {
		if ((conf_keys[i].who & keep) != 0)
			continue;
		conf_value_default(conf, (enum conf_id)i);
		conf->priv->where[i].set = 0;
	}
	if ((keep & CONF_S3) == 0)
		conf_wipe(&conf->base_url);
}

void
conf_note(struct conf *conf, const char *fmt, ...)
{
	struct conf_private *priv = conf->priv;
	char **grown;
	va_list ap;
	int n;

	grown = reallocarray(priv->notes, priv->nnotes + 2, sizeof(*grown));
	if (grown == NULL)
		return;
	priv->notes = grown;
	va_start(ap, fmt);
	n = vasprintf(&grown[priv->nnotes], fmt, ap);
	va_end(ap);
	if (n >= 0)
		priv->nnotes++;
	grown[priv->nnotes] = NULL;
}

const char *const *
conf_notes(const struct conf *conf)
{
	static const char *const none[] = {NULL};

	return (conf->priv->notes == NULL ? none : (const char *const *)conf->priv->notes);
}

/* A value as the file wants it: "#" would begin a comment. */
static void
print_value(const char *value, FILE *out)
{
	for (; *value != '\0'; value++) {
		if (*value == '#')
			putc('\\', out);
		putc(*value, out);
	}
}

void
conf_print(const struct conf *conf, FILE *out)
{
	for (int i = 0; i < CONF_NKEYS; i++) {
		const struct conf_key *key = &conf_keys[i];
		char *value = conf_value_text(conf, (enum conf_id)i);

		/* A key without effect is not in force; the notes speak of it. */
		if (value == NULL || (key->flags & KEY_GONE) != 0) {
			free(value);
			continue;
		}
		/*
		 * Defaults as comments: read back as keys they could contradict others (a write
		 * delay beside blockCacheSync) or mean more (region implies vhost).
		 */
		fprintf(out, "%s%s = ", conf_is_set(conf, (enum conf_id)i) ? "" : "# ", key->name);
		print_value((key->flags & KEY_SECRET) != 0 ? "***" : value, out);
		putc('\n', out);
		conf_wipe(&value);
	}
}

/* More than every key at its longest, escaped.  Untouched pages cost nothing. */
#define SERIAL_MAX (512 * 1024)

/* ---- to a child and back -------------------------------------------------------------------- */

static void
put_escaped(const char *value, FILE *out)
{
	for (; *value != '\0'; value++) {
		unsigned char c = (unsigned char)*value;

		if (c > 0x20 && c < 0x7f && c != '%')
			putc(c, out);
		else
			fprintf(out, "%%%02X", c);
	}
}

static bool
worth_sending(const struct conf *conf, enum conf_id id, const char *value)
{
	const struct conf_key *key = &conf_keys[id];

	if (conf_is_set(conf, id))
		return (true);
	/* Worked out rather than given: a password from a file, flushTo by the cache file. */
	return (key->def == NULL || strcmp(value, key->def) != 0) &&
	       (conf_type_is_text(key->type) || id == CONF_flushTo);
}

char *
conf_serialize(const struct conf *conf, unsigned mask, size_t *ret_len)
{
	char *text = malloc(SERIAL_MAX);
	FILE *out;
	bool bad;
	long len;

	/* Of fixed size and unbuffered: growing would leave copies of secrets in freed memory. */
	if (text == NULL || (out = fmemopen(text, SERIAL_MAX, "w")) == NULL) {
		free(text);
		return (NULL);
	}
	setvbuf(out, NULL, _IONBF, 0);
	for (int i = 0; i < CONF_NKEYS; i++) {
		enum conf_id id = (enum conf_id)i;
		char *value = (conf_keys[i].who & mask) != 0 ? conf_value_text(conf, id) : NULL;

		if (value != NULL && worth_sending(conf, id, value)) {
			fprintf(out, "%s=", conf_keys[i].name);
			put_escaped(value, out);
			putc('\n', out);
		}
		conf_wipe(&value);
	}
	len = ftell(out);
	bad = ferror(out) != 0 || len < 0 || len >= SERIAL_MAX - 1;
	if (fclose(out) != 0 || bad) {
		conf_wipe_text(&text, SERIAL_MAX);
		return (NULL);
	}
	*ret_len = (size_t)len;
	return (text);
}

void
conf_wipe_text(char **text, size_t len)
{
	if (*text != NULL)
		explicit_bzero(*text, len);
	free(*text);
	*text = NULL;
}

static int
hex_digit(char c)
{
	return (c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1);
}

/* In place; false for a broken escape. */
static bool
unescape(char *value)
{
	char *out = value;

	for (; *value != '\0'; value++) {
		int hi, lo;

		if (*value != '%') {
			*out++ = *value;
			continue;
		}
		if ((hi = hex_digit(value[1])) < 0 || (lo = hex_digit(value[2])) < 0 ||
		    (hi | lo) == 0)
			return (false);
		*out++ = (char)(hi << 4 | lo);
		value += 2;
	}
	*out = '\0';
	return (true);
}

static int
take_line(struct conf *conf, char *line, char **ret_error)
{
	char *value = strchr(line, '=');
	char why[CONF_WHY];
	int id;

	if (value == NULL)
		return (conf_fail(-EPROTO, ret_error, "configuration message: no \"=\""));
	*value++ = '\0';
	if ((id = conf_key_find(line)) < 0 || !unescape(value))
		return (conf_fail(-EPROTO, ret_error, "configuration message: %.60s", line));
	if (conf_value_parse(conf, (enum conf_id)id, value, "/", why) < 0)
		return (conf_fail(-EPROTO, ret_error, "configuration message: %s: %s", line, why));
	conf->priv->where[id] = (struct conf_where){.file = CONF_FROM_MESSAGE, .set = 1};
	return (0);
}

int
conf_deserialize(const char *text, size_t len, struct conf **ret_conf, char **ret_error)
{
	struct conf *conf = conf_new();
	char *copy = strndup(text, len), *rest = copy, *line;
	int r = 0;

	*ret_error = NULL;
	if (conf == NULL || copy == NULL)
		r = conf_fail(-ENOMEM, ret_error, "configuration message: no memory");
	while (r == 0 && (line = strsep(&rest, "\n")) != NULL)
		if (*line != '\0')
			r = take_line(conf, line, ret_error);
	if (copy != NULL)
		explicit_bzero(copy, len);
	free(copy);
	/* The sender checked; here a message without the bucket is a damaged one. */
	if (r == 0 && conf->bucket == NULL)
		r = conf_fail(-EPROTO, ret_error, "configuration message: no bucket");
	if (r == 0)
		r = conf_derive(conf, ret_error);
	if (r < 0) {
		conf_free(conf);
		return (r);
	}
	*ret_conf = conf;
	return (0);
}
