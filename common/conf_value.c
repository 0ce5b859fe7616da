/* SPDX-License-Identifier: ISC */
/*
 * conf_value.c -- configuration values: from text, by type.
 *
 * Process:  supervisor and s3backerctl with a user's text, other roles with the supervisor's.
 * Threads:  one at a time.
 * Errors:   -EINVAL, and `why` says what is wrong and what would be right; the old value stays.
 *           A secret is never quoted there.
 */
#include "common/conf_priv.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <bsd/string.h>

#include "common/blockmath.h"
#include "common/check.h"
#include "common/conf_text.h"

#define NELEM(a) (sizeof(a) / sizeof((a)[0]))

static int wrong(char *why, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static int
wrong(char *why, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, CONF_WHY, fmt, ap);
	va_end(ap);
	return (-EINVAL);
}

/* Digits only: strtoull would also take signs, blanks and 0x. */
static bool
read_digits(const char **text, uint64_t *ret_n)
{
	uint64_t n = 0;

	if (!isdigit((unsigned char)**text))
		return (false);
	for (; isdigit((unsigned char)**text); (*text)++)
		if (mul_overflows(n, 10, &n) || add_overflows(n, (uint64_t)(**text - '0'), &n))
			return (false);
	*ret_n = n;
	return (true);
}

/* k m g t p e, each also with b or ib, or b alone: powers of two all of them. */
static bool
read_size_suffix(const char *text, uint64_t *ret_factor)
{
	static const char letters[] = "kmgtpe";
	const char *at;

	if (strcasecmp(text, "b") == 0) {
		*ret_factor = 1;
		return (true);
	}
	if (*text == '\0' || (at = strchr(letters, tolower((unsigned char)*text))) == NULL)
		return (false);
	text++;
	if (*text != '\0' && strcasecmp(text, "b") != 0 && strcasecmp(text, "ib") != 0)
		return (false);
	*ret_factor = UINT64_C(1) << (10 * (at - letters + 1));
	return (true);
}

static int
parse_scaled(const char *text, const char *what, const char *example, uint64_t *ret_n,
    bool *ret_suffix, char *why)
{
	const char *p = text;
	uint64_t n, factor = 1;

	*ret_suffix = false;
	if (!read_digits(&p, &n) || (*p != '\0' && !read_size_suffix(p, &factor)))
		return (wrong(why,
		    "\"%.60s\" is not a %s (a number with k, m, g, t, p or e, such as %s)", text,
		    what, example));
	*ret_suffix = *p != '\0';
	if (mul_overflows(n, factor, &n) || n > INT64_MAX)
		return (wrong(why, "\"%.60s\" is too large (less than 8e)", text));
	*ret_n = n;
	return (0);
}

static int
parse_time(const char *text, uint64_t bare_us, uint64_t *ret_us, char *why)
{
	static const struct {
		const char *unit;
		uint64_t us;
	} units[] = {
	    {"us", 1},
	    {"ms", 1000},
	    {"s", 1000000},
	    {"m", 60 * UINT64_C(1000000)},
	    {"h", 3600 * UINT64_C(1000000)},
	    {"d", 86400 * UINT64_C(1000000)},
	};
	const char *p = text;
	uint64_t n, factor = 0;

	if (read_digits(&p, &n)) {
		if (*p == '\0')
			factor = bare_us;
		for (size_t i = 0; i < NELEM(units); i++)
			if (strcasecmp(p, units[i].unit) == 0)
				factor = units[i].us;
	}
	if (factor == 0)
		return (wrong(why,
		    "\"%.60s\" is not a time (a number with ms, s, m, h or d, such as 30s)", text));
	if (mul_overflows(n, factor, &n) || n > INT64_MAX)
		return (wrong(why, "\"%.60s\" is too long (less than 100000d)", text));
	*ret_us = n;
	return (0);
}

static int
parse_bool(const char *text, bool *ret_yes)
{
	static const char *const yes[] = {"yes", "true", "on", "1"};
	static const char *const no[] = {"no", "false", "off", "0"};

	for (size_t i = 0; i < NELEM(yes); i++) {
		if (strcasecmp(text, yes[i]) == 0 || strcasecmp(text, no[i]) == 0) {
			*ret_yes = strcasecmp(text, yes[i]) == 0;
			return (0);
		}
	}
	return (-EINVAL);
}

/* "a|b|c" as "a, b or c", without the word that only stands for "none". */
static void
list_words(const char *words, char *list, size_t size)
{
	const char *end;

	*list = '\0';
	for (; *words != '\0'; words = *end == '\0' ? end : end + 1) {
		size_t have = strlen(list);

		end = strchrnul(words, '|');
		if (*words == '(')
			continue;
		snprintf(list + have, size - have, "%s%.*s",
		    have == 0	   ? ""
		    : *end == '\0' ? " or "
				   : ", ",
		    (int)(end - words), words);
	}
}

static int
parse_enum(enum conf_id id, const char *text, uint32_t *ret_value, char *why)
{
	const char *words = conf_keys[id].arg, *end;
	char list[300];
	uint32_t n = 0;

	for (; *words != '\0'; words = *end == '\0' ? end : end + 1, n++) {
		end = strchrnul(words, '|');
		if (*words != '(' && strlen(text) == (size_t)(end - words) &&
		    strncasecmp(text, words, (size_t)(end - words)) == 0) {
			*ret_value = n;
			return (0);
		}
	}
	list_words(conf_keys[id].arg, list, sizeof(list));
	return (wrong(why, "\"%.60s\" is not known (%s)", text, list));
}

static int
parse_int(const struct conf_key *key, const char *text, int64_t *ret_n, char *why)
{
	const char *p = text;
	bool negative = key->min < 0 && *p == '-';
	uint64_t n;

	if (negative)
		p++;
	if (!read_digits(&p, &n) || *p != '\0' || n > INT64_MAX)
		return (wrong(why, "\"%.60s\" is not a number (%lld to %lld)", text,
		    (long long)key->min, (long long)key->max));
	*ret_n = negative ? -(int64_t)n : (int64_t)n;
	if (*ret_n < key->min || *ret_n > key->max)
		return (wrong(why, "\"%.60s\" is out of range (%lld to %lld)", text,
		    (long long)key->min, (long long)key->max));
	return (0);
}

static int
parse_octal(const struct conf_key *key, const char *text, uint32_t *ret_mode, char *why)
{
	unsigned long mode;
	char *end;

	if (*text == '\0' || strspn(text, "01234567") != strlen(text) || strlen(text) > 6 ||
	    (mode = strtoul(text, &end, 8)) > (unsigned long)key->max)
		return (wrong(
		    why, "\"%.60s\" is not a mode (octal, such as 0600; at most 0777)", text));
	*ret_mode = (uint32_t)mode;
	return (0);
}

/* RFC 2474, 2597, 3246, 8622 and the names of RFC 1349 as the old program has them. */
static int
parse_tos(const char *text, uint32_t *ret_tos, char *why)
{
	/* clang-format off */
	static const struct {
		const char	*name;
		uint8_t		 tos;
	} names[] = {
	    {"lowdelay", 0x10}, {"throughput", 0x08}, {"reliability", 0x04}, {"lowcost", 0x02},
	    {"mincost", 0x02}, {"ef", 0xb8}, {"va", 0xb0}, {"le", 0x04}, {"default", 0},
	    {"be", 0}, {"cs0", 0x00}, {"cs1", 0x20}, {"cs2", 0x40}, {"cs3", 0x60},
	    {"cs4", 0x80}, {"cs5", 0xa0}, {"cs6", 0xc0}, {"cs7", 0xe0}, {"af11", 0x28},
	    {"af12", 0x30}, {"af13", 0x38}, {"af21", 0x48}, {"af22", 0x50}, {"af23", 0x58},
	    {"af31", 0x68}, {"af32", 0x70}, {"af33", 0x78}, {"af41", 0x88}, {"af42", 0x90},
	    {"af43", 0x98},
	};
	/* clang-format on */
	unsigned long n;
	char *end;

	for (size_t i = 0; i < NELEM(names); i++) {
		if (strcasecmp(text, names[i].name) == 0) {
			*ret_tos = names[i].tos;
			return (0);
		}
	}
	errno = 0;
	n = strtoul(text, &end, 0);
	if (!isdigit((unsigned char)*text) || *end != '\0' || errno != 0 || n > 255)
		return (wrong(why,
		    "\"%.60s\" is not a type of service (0 to 255, cs1, af11, ef, "
		    "lowdelay, throughput, reliability)",
		    text));
	*ret_tos = (uint32_t)n;
	return (0);
}

static int
parse_text(
    const struct conf_key *key, const char *text, const char *dir, char **ret_text, char *why)
{
	size_t max = key->max > 0 ? (size_t)key->max : 1023;
	const char *home = getenv("HOME");
	char *made;
	int n;

	if (*text == '\0' && (key->flags & KEY_EMPTY) == 0)
		return (wrong(why, "needs a value (%s = %s)", key->name,
		    key->type == TYPE_PATH ? "/path" : "VALUE"));
	if (key->type != TYPE_PATH || *text == '/')
		n = (made = strdup(text)) == NULL ? -1 : (int)strlen(made);
	else if (strncmp(text, "~/", 2) == 0 && home != NULL && *home == '/')
		n = asprintf(&made, "%s%s", home, text + 1);
	else if (strcmp(dir, "/") == 0)
		n = asprintf(&made, "/%s", text);
	else
		n = asprintf(&made, "%s/%s", dir, text);
	if (n < 0) {
		strlcpy(why, "no memory", CONF_WHY);
		return (-ENOMEM);
	}
	if ((size_t)n > max) {
		explicit_bzero(made, (size_t)n);
		free(made);
		return (wrong(why, "is too long (at most %zu characters)", max));
	}
	*ret_text = made;
	return (0);
}

/* Sizes, times and rates: one number within the bounds of the table. */
static int
check_range(const struct conf_key *key, const char *text, uint64_t n, char *why)
{
	char lo[32], hi[32], low_pow[32], high_pow[32];

	if (key->type == TYPE_RATE && n == 0) /* no limit */
		return (0);
	if (n < (uint64_t)key->min || n > (uint64_t)key->max) {
		if (key->type == TYPE_TIME_S || key->type == TYPE_TIME_MS) {
			conf_text_time((uint64_t)key->min, lo);
			conf_text_time((uint64_t)key->max, hi);
		} else {
			conf_text_size((uint64_t)key->min, lo);
			conf_text_size((uint64_t)key->max, hi);
		}
		if (key->max == INT64_MAX)
			return (wrong(why, "\"%.60s\" is too small (at least %s)", text, lo));
		return (wrong(why, "\"%.60s\" is out of range (%s to %s)", text, lo, hi));
	}
	if ((key->flags & KEY_POW2) != 0 && !is_pow2(n))
		return (wrong(why, "\"%.60s\" is not a power of two (%s or %s)", text,
		    conf_text_size(pow2_floor(n), low_pow),
		    conf_text_size(pow2_ceil(n), high_pow)));
	return (0);
}

static int
parse_number(struct conf *conf, enum conf_id id, const char *text, char *why)
{
	const struct conf_key *key = &conf_keys[id];
	void *member = conf_member(conf, id);
	bool suffix = false;
	uint64_t n = 0;
	int r;

	if (key->type == TYPE_TIME_S || key->type == TYPE_TIME_MS)
		r = parse_time(text, key->type == TYPE_TIME_S ? 1000000 : 1000, &n, why);
	else if (key->type == TYPE_RATE)
		r = parse_scaled(text, "rate", "10m, in bits per second", &n, &suffix, why);
	else if (key->type == TYPE_BLOCKS)
		r = parse_scaled(
		    text, "number of blocks or a size", "1000 or 10g", &n, &suffix, why);
	else
		r = parse_scaled(text, "size", "128k", &n, &suffix, why);
	if (r < 0 || (r = check_range(key, text, n, why)) < 0)
		return (r);
	if (key->type == TYPE_BLOCKS) {
		*(struct conf_amount *)member = (struct conf_amount){
		    .blocks = suffix ? 0 : n,
		    .bytes = suffix ? n : 0,
		};
	} else {
		*(uint64_t *)member = n;
	}
	return (0);
}

/* yes: the word is left out; no: as if the key were not there; anything else is the word. */
static int
parse_flagstr(const struct conf_key *key, const char *text, char **ret_text, char *why)
{
	bool yes, is_switch;

	/* 1 and 0 are levels of compression, not switches. */
	is_switch = !isdigit((unsigned char)*text) && parse_bool(text, &yes) == 0;
	if (*text == '\0')
		return (wrong(why, "needs a value after = (or no =)"));
	if (is_switch && !yes) {
		*ret_text = NULL;
		return (0);
	}
	if ((*ret_text = strdup(is_switch ? "" : text)) == NULL) {
		strlcpy(why, "no memory", CONF_WHY);
		return (-ENOMEM);
	}
	if (strlen(*ret_text) > 255) {
		free(*ret_text);
		return (wrong(why, "is too long (%s = WORD)", key->name));
	}
	return (0);
}

int
conf_value_parse(struct conf *conf, enum conf_id id, const char *value, const char *dir, char *why)
{
	const struct conf_key *key = &conf_keys[id];
	void *member = conf_member(conf, id);
	char *text = NULL;
	int64_t n = 0;
	bool yes;
	int r = 0;

	if (value == NULL && key->type == TYPE_BOOL)
		value = "yes";
	else if (value == NULL && key->type == TYPE_FLAGSTR)
		value = "yes";
	else if (value == NULL)
		return (wrong(why, "needs a value (%s = %s)", key->name,
		    key->type == TYPE_PATH ? "/path" : "VALUE"));

	switch (key->type) {
	case TYPE_BOOL:
		if (parse_bool(value, &yes) < 0)
			return (wrong(why, "\"%.60s\" is not a switch (yes or no)", value));
		*(bool *)member = yes;
		return (0);
	case TYPE_U32:
		if ((r = parse_int(key, value, &n, why)) == 0)
			*(uint32_t *)member = (uint32_t)n;
		return (r);
	case TYPE_INT:
		if ((r = parse_int(key, value, &n, why)) == 0)
			*(int32_t *)member = (int32_t)n;
		return (r);
	case TYPE_SIZE:
	case TYPE_TIME_S:
	case TYPE_TIME_MS:
	case TYPE_RATE:
	case TYPE_BLOCKS:
		return (parse_number(conf, id, value, why));
	case TYPE_ENUM:
		return (parse_enum(id, value, member, why));
	case TYPE_OCTAL:
		return (parse_octal(key, value, member, why));
	case TYPE_TOS:
		return (parse_tos(value, member, why));
	case TYPE_STRING:
	case TYPE_PATH:
		r = parse_text(key, value, dir, &text, why);
		break;
	case TYPE_FLAGSTR:
		r = parse_flagstr(key, value, &text, why);
		break;
	}
	if (r == 0) {
		conf_wipe(member);
		*(char **)member = text;
	}
	return (r);
}
