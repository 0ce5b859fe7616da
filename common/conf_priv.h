/* SPDX-License-Identifier: ISC */
/*
 * conf_priv.h -- what the parts of the configuration share; nobody else includes it.
 *
 *	conf.c        life of a struct conf, forgetting, printing, sending to a child
 *	conf_table.c  the table made of conf_keys.def, names, suggestions
 *	conf_value.c  text to value, by type
 *	conf_text.c   value to text, defaults
 *	conf_parse.c  one assignment, -o options, the whole
 *	conf_file.c   lines, comments, included files
 *	conf_check.c  contradictions between keys
 *	conf_derive.c members that follow from the keys: bucket, URL, codec
 *	conf_secret.c password and key files, and who may read them
 *	conf_sizes.c  what depends on the block size or on the machine
 */
#ifndef S3B_COMMON_CONF_PRIV_H
#define S3B_COMMON_CONF_PRIV_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "common/conf.h"

enum conf_type {
	TYPE_BOOL,
	TYPE_U32,
	TYPE_INT,
	TYPE_SIZE,
	TYPE_TIME_S,
	TYPE_TIME_MS,
	TYPE_RATE,
	TYPE_STRING,
	TYPE_PATH,
	TYPE_ENUM,
	TYPE_OCTAL,
	TYPE_BLOCKS,
	TYPE_FLAGSTR,
	TYPE_TOS
};

enum {
	KEY_OLD = 1,	/* the old program has it */
	KEY_SECRET = 2,	/* never shown */
	KEY_GONE = 4,	/* accepted without effect; arg says why */
	KEY_POW2 = 8,
	KEY_EMPTY = 16,	/* may be empty */
	KEY_LIVE = 32	/* may change while running */
};

struct conf_key {
	const char	*name;
	enum conf_type	 type;
	size_t		 offset;	/* of the member in struct conf */
	const char	*def;		/* NULL: none */
	int64_t		 min, max;
	unsigned	 flags;		/* KEY_* */
	unsigned	 who;		/* CONF_S3 | ... */
	const char	*arg;
	const char	*help;
};

/* Where a key was given. */
struct conf_where {
	uint16_t	file;		/* index into files[]; CONF_FROM_* otherwise */
	uint16_t	set;		/* 0: not given */
	uint32_t	line;
};
#define CONF_FROM_OPTION  0xffff	/* -o */
#define CONF_FROM_MESSAGE 0xfffe	/* of the supervisor, or s3backerctl set */
#define CONF_NO_FILE	  0xfffd
#define CONF_MAX_FILES	  100

struct conf_private {
	struct conf_where where[CONF_NKEYS];
	char		*files[CONF_MAX_FILES];
	unsigned	 mode[CONF_MAX_FILES];	/* st_mode of each */
	unsigned	 nfiles;
	char		**notes;	/* NULL-terminated */
	size_t		 nnotes;
};

extern const struct conf_key conf_keys[CONF_NKEYS];

/* conf_table.c */
const char *conf_key_suggest(const char *name);	/* NULL: nothing is near */
void	*conf_member(struct conf *, enum conf_id);
const void *conf_member_const(const struct conf *, enum conf_id);
size_t	conf_member_size(enum conf_type); /* bytes of a member that is no string */
bool	conf_type_is_text(enum conf_type);

/*
 * conf_value.c and conf_text.c: -EINVAL, and in `why` (CONF_WHY bytes) what is wrong and what
 * would be right.  `dir`: what a relative path is relative to.  value NULL: the key stood alone.
 */
#define CONF_WHY 512
int	conf_value_parse(struct conf *, enum conf_id, const char *value, const char *dir,
	    char *why);
char	*conf_value_text(const struct conf *, enum conf_id);	/* malloc'ed; NULL if unset */
void	conf_value_clear(struct conf *, enum conf_id);
void	conf_value_default(struct conf *, enum conf_id);

/* conf_parse.c */
int	conf_assign(struct conf *, const char *text, unsigned from, unsigned line, const char *dir,
	    char **ret_error);

/*
 * The line FILE:LINE: KEY: ... in *ret_error.  conf_fail() returns `err`, the others -EINVAL.
 * from and line are those of struct conf_where.
 */
int	conf_fail_at(const struct conf *, unsigned from, unsigned line, const char *key,
    char **ret_error, const char *fmt, ...) __attribute__((format(printf, 6, 7)));
int	conf_fail(int err, char **ret_error, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
int	conf_fail_key(const struct conf *, enum conf_id, char **ret_error, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* conf_file.c; from, line: of the configFile key that asks, CONF_NO_FILE for the first file. */
int	conf_read_file(struct conf *, const char *name, unsigned from, unsigned line,
    char **ret_error);

/* conf.c */
struct conf *conf_new(void);			/* defaults; NULL without memory */
void	conf_note(struct conf *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool	conf_replace(char **member, const char *text);	/* strdup over; false without memory */
void	conf_wipe(char **member);			/* explicit_bzero, free, NULL */

/* conf_derive.c */
int	conf_derive(struct conf *, char **ret_error);
void	conf_derived_clear(struct conf *);

/* conf_secret.c */
int	conf_secret_file_check(const char *path, char *why);
int	conf_check_permissions(struct conf *, char **ret_error);

#endif
