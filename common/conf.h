/* SPDX-License-Identifier: ISC */
/*
 * conf.h -- the configuration of one disk.
 *
 * Process:  the supervisor and s3backerctl load it from the file; the other roles get what
 *           concerns them over a socket (conf_serialize, conf_deserialize).
 * Threads:  one at a time; plain data.
 * Owns:     all strings; conf_free() wipes the secrets before it frees them.
 * Units:    bytes; `_us` microseconds; `_bps` bits per second.  0, NULL or false where a key
 *           without a default was not given: conf_is_set() tells the difference.
 * Errors:   -errno and one line ready to be shown, in *ret_error (freed by the caller):
 *           FILE:LINE: KEY: what is wrong (what would be right)    or    -o KEY: ...
 * Table:    conf_keys.def; s3backer.conf(5) explains every key.
 */
#ifndef S3B_COMMON_CONF_H
#define S3B_COMMON_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Who needs a key: conf_forget() and conf_serialize() take a sum of these. */
enum {
	CONF_S3 = 1,	/* uploaders: endpoint, credentials, codec */
	CONF_CACHE = 2,	/* cachemgr */
	CONF_MOUNT = 4,	/* frontend and supervisor */
	CONF_ALL = 7
};

enum conf_id {
#define CONF_KEY(id, ...) CONF_##id,
#include "common/conf_keys.def"
	CONF_NKEYS
};

/* The constants of ENUM keys, in the order of the words in the table. */
enum conf_fence { CONF_FENCE_AUTO, CONF_FENCE_STRONG, CONF_FENCE_OFF };
enum conf_auth { CONF_AUTH_AWS2, CONF_AUTH_AWS4 };
enum conf_flush_to { CONF_FLUSH_TO_BUCKET, CONF_FLUSH_TO_CACHE };
enum conf_sse { CONF_SSE_NONE, CONF_SSE_AES256, CONF_SSE_AWS_KMS };
enum conf_compress { CONF_COMPRESS_NONE, CONF_COMPRESS_DEFLATE, CONF_COMPRESS_ZSTD };

/* A number of blocks, or bytes, as the user wrote it; the other member is 0. */
struct conf_amount {
	uint64_t	blocks;
	uint64_t	bytes;
};

#define CONF_LEVEL_DEFAULT INT32_MIN	/* compress_level: the library's own default */
#define CONF_BLOCK_SIZE_NEW 4096u	/* of a new disk when blockSize is not given */

#define CONF_C_BOOL	bool
#define CONF_C_U32	uint32_t
#define CONF_C_INT	int32_t
#define CONF_C_SIZE	uint64_t
#define CONF_C_TIME_S	uint64_t
#define CONF_C_TIME_MS	uint64_t
#define CONF_C_RATE	uint64_t
#define CONF_C_STRING	char *
#define CONF_C_PATH	char *
#define CONF_C_ENUM	uint32_t
#define CONF_C_OCTAL	uint32_t
#define CONF_C_BLOCKS	struct conf_amount
#define CONF_C_FLAGSTR	char *
#define CONF_C_TOS	uint32_t

struct conf_private;	/* where each key was set, notes */

struct conf {
	/* One member per key, named in conf_keys.def: conf->block_size, conf->timeout_us ... */
#define CONF_KEY(id, name, type, field, ...) CONF_C_##type field;
#include "common/conf_keys.def"

	/* Derived from them by conf_load() and conf_deserialize(). */
	char		*bucket_name;	/* without sub-directory; NULL for a directory store */
	char		*prefix_full;	/* object names begin with this; never NULL */
	bool		 store_is_dir;
	char		*store_dir;	/* absolute; NULL for S3 */
	char		*base_url;	/* ends in '/'; NULL for a directory store */
	bool		 use_vhost;
	bool		 use_tls;
	uint32_t	 compress_alg;	/* enum conf_compress; deflate if only encrypt is given */
	int32_t		 compress_level;
	char		*cipher;	/* name on the wire, AES-128-CBC; NULL: no encryption */
	bool		 gcm;		/* cipher is AES-256-GCM, with a key object */
	uint32_t	 cipher_key_len;	/* natural key length of the cipher */

	struct conf_private *priv;
};

/*
 * Reads `file` (NULL: overrides alone), then the overrides ("key=value", "flag"; NULL or a
 * NULL-terminated array), checks all and derives.  Options that concern mount(8) alone are
 * skipped; "ro" means readOnly.
 */
int	conf_load(const char *file, const char *const *overrides, struct conf **ret_conf,
	    char **ret_error);
/* Contradictions between keys, and the derived members; part of conf_load(). */
int	conf_check(struct conf *, char **ret_error);
void	conf_free(struct conf *);	/* NULL-safe */

bool	conf_is_set(const struct conf *, enum conf_id);	/* given by the user, not by default */

/*
 * Fetches the secrets that files and the environment hold into access_id, access_key and
 * password (accessFile, accessKeyEnv, passwordFile); those of AWS_ACCESS_KEY_ID and its like, when
 * nothing else is configured, leave the environment for ever.  Neither prompts nor asks the network:
 * a password that is still NULL with `cipher` set must be prompted for.
 */
int	conf_read_secrets(struct conf *, char **ret_error);
/* Those of accessFile, which an uploader reads for itself, and again when the file changes. */
void	conf_forget_file_keys(struct conf *);
/* The line of access_id in accessFile, or the first; both to be wiped and freed by the caller. */
int	conf_read_access_file(const struct conf *, char **ret_id, char **ret_key, char **ret_error);

/* Changes one key while running; -EPERM and a line if that key cannot change. */
int	conf_set_live(struct conf *, const char *key, const char *value, char **ret_error);

/* Wipes every key that nobody in `keep` needs, and the secrets with it. */
void	conf_forget(struct conf *, unsigned keep);

/* The configuration in force, as a file; defaults as comments, secrets as ***. */
void	conf_print(const struct conf *, FILE *);

/*
 * The keys that are set and that `mask` needs, as text with secrets: for a socket to a child,
 * never for a disk.  Wipe it with conf_wipe_text().
 */
char	*conf_serialize(const struct conf *, unsigned mask, size_t *ret_len);
int	conf_deserialize(const char *text, size_t len, struct conf **ret_conf, char **ret_error);
void	conf_wipe_text(char **text, size_t len);

/* Lines to log once: keys without effect, risky choices.  NULL-terminated, owned by conf. */
const char *const *conf_notes(const struct conf *);

/* rw, _netdev, nofail, x-systemd.*, allow_other ...: for mount(8) or FUSE, not for us. */
bool	conf_is_mount_option(const char *option);
/*
 * The next option of a comma-separated list, which is cut up for it; "\," is a comma in a value.
 * NULL at the end.
 */
char	*conf_next_option(char **rest);

/* What is left open until the block size is known, or is by machine. */
uint64_t conf_cache_slots(const struct conf *, uint64_t block_size);
uint64_t conf_max_dirty_slots(const struct conf *, uint64_t block_size);	/* <= slots */
uint32_t conf_max_transfers(const struct conf *, uint64_t block_size);
uint32_t conf_uploaders(const struct conf *);

/* The word of an ENUM key's value, "aws4"; and names for iterating. */
const char *conf_enum_word(enum conf_id, uint32_t value);
const char *conf_key_name(enum conf_id);
int	conf_key_find(const char *name);	/* enum conf_id or -ENOENT */

#endif
