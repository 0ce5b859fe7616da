/* SPDX-License-Identifier: ISC */
/*
 * conf_text.c -- configuration values as text, and their defaults.
 *
 * Process:  all.  Threads: one at a time per struct conf.
 * Promise:  what conf_value_text() returns, conf_value_parse() reads as the same value; so the
 *           output of check-config is a configuration, and a child gets what its parent had.
 */
#include "common/conf_text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/conf_priv.h"

char *
conf_text_size(uint64_t bytes, char buf[32])
{
	static const char letters[] = "kmgtpe";
	int shift = 0;

	while (shift < 60 && bytes != 0 && bytes % 1024 == 0) {
		bytes /= 1024;
		shift += 10;
	}
	if (shift == 0)
		snprintf(buf, 32, "%llu", (unsigned long long)bytes);
	else
		snprintf(buf, 32, "%llu%c", (unsigned long long)bytes, letters[shift / 10 - 1]);
	return (buf);
}

char *
conf_text_time(uint64_t us, char buf[32])
{
	static const struct {
		const char *unit;
		uint64_t us;
	} units[] = {
	    {"h", 3600 * UINT64_C(1000000)},
	    {"m", 60 * UINT64_C(1000000)},
	    {"s", 1000000},
	    {"ms", 1000},
	    {"us", 1},
	};
	size_t i = 0;

	if (us == 0)
		return (strcpy(buf, "0"));
	while (us % units[i].us != 0)
		i++;
	snprintf(buf, 32, "%llu%s", (unsigned long long)(us / units[i].us), units[i].unit);
	return (buf);
}

static const char *
amount_text(const struct conf_amount *amount, char buf[32])
{
	size_t len;

	if (amount->bytes == 0) {
		snprintf(buf, 32, "%llu", (unsigned long long)amount->blocks);
		return (buf);
	}
	conf_text_size(amount->bytes, buf);
	len = strlen(buf);
	/* Without a suffix it would read as a number of blocks. */
	if (buf[len - 1] >= '0' && buf[len - 1] <= '9')
		strcpy(buf + len, "b");
	return (buf);
}

/* Members that nobody gave a value: nothing to show. */
static bool
is_absent(const struct conf *conf, enum conf_id id)
{
	const struct conf_key *key = &conf_keys[id];
	const void *member = conf_member_const(conf, id);

	if (conf_type_is_text(key->type))
		return (*(char *const *)member == NULL &&
			!(key->type == TYPE_FLAGSTR && conf_is_set(conf, id)));
	/* flushTo without a default is worked out, and then it is in force. */
	return (key->def == NULL && !conf_is_set(conf, id) && id != CONF_flushTo);
}

char *
conf_value_text(const struct conf *conf, enum conf_id id)
{
	const void *member = conf_member_const(conf, id);
	char buf[64];
	const char *text = buf;

	if (is_absent(conf, id))
		return (NULL);
	switch (conf_keys[id].type) {
	case TYPE_BOOL:
		text = *(const bool *)member ? "yes" : "no";
		break;
	case TYPE_U32:
	case TYPE_TOS:
		snprintf(buf, sizeof(buf), "%u", *(const uint32_t *)member);
		break;
	case TYPE_INT:
		snprintf(buf, sizeof(buf), "%d", *(const int32_t *)member);
		break;
	case TYPE_SIZE:
	case TYPE_RATE:
		conf_text_size(*(const uint64_t *)member, buf);
		break;
	case TYPE_TIME_S:
	case TYPE_TIME_MS:
		conf_text_time(*(const uint64_t *)member, buf);
		break;
	case TYPE_OCTAL:
		snprintf(buf, sizeof(buf), "%04o", *(const uint32_t *)member);
		break;
	case TYPE_ENUM:
		text = conf_enum_word(id, *(const uint32_t *)member);
		break;
	case TYPE_BLOCKS:
		amount_text(member, buf);
		break;
	case TYPE_STRING:
	case TYPE_PATH:
		text = *(char *const *)member;
		break;
	case TYPE_FLAGSTR:
		text = *(char *const *)member;
		text = text == NULL ? "no" : *text == '\0' ? "yes" : text;
		break;
	}
	return (strdup(text));
}

size_t
conf_member_size(enum conf_type type)
{
	switch (type) {
	case TYPE_BOOL:
		return (sizeof(bool));
	case TYPE_U32:
	case TYPE_INT:
	case TYPE_ENUM:
	case TYPE_OCTAL:
	case TYPE_TOS:
		return (sizeof(uint32_t));
	case TYPE_BLOCKS:
		return (sizeof(struct conf_amount));
	default:
		return (sizeof(uint64_t));
	}
}

void
conf_value_clear(struct conf *conf, enum conf_id id)
{
	void *member = conf_member(conf, id);

	if (conf_type_is_text(conf_keys[id].type))
		conf_wipe(member);
	else
		memset(member, 0, conf_member_size(conf_keys[id].type));
}

void
conf_value_default(struct conf *conf, enum conf_id id)
{
	char why[CONF_WHY];

	conf_value_clear(conf, id);
	/* A default that does not parse is a bug of the table; lack of memory shows up as NULL. */
	if (conf_keys[id].def != NULL) {
		int r = conf_value_parse(conf, id, conf_keys[id].def, "/", why);

		MUST(r == 0 || r == -ENOMEM);
	}
}
