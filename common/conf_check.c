/* SPDX-License-Identifier: ISC */
/*
 * conf_check.c -- contradictions between keys, and choices worth a line in the log.
 *
 * Process:  supervisor and s3backerctl, after reading.  Threads: one at a time.
 * Order:    by group of conf_keys.def, the first contradiction ends it; the error names the
 *           key that has to go, at the place where it was given.
 */
#include "common/conf.h"

#include <ctype.h>
#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "common/blockmath.h"
#include "common/conf_priv.h"
#include "common/conf_text.h"

#define BLOCKS_MAX UINT64_C(0xffffffff) /* of the format: indexes up to fffffffe */

#define FAIL(id, ...) return (conf_fail_key(conf, CONF_##id, ret_error, __VA_ARGS__))
#define IS_SET(id)    conf_is_set(conf, CONF_##id)

static int
check_geometry(const struct conf *conf, char **ret_error)
{
	uint64_t block_size = conf->block_size != 0 ? conf->block_size : CONF_BLOCK_SIZE_NEW;
	char size[32], block[32], larger[32];

	if (IS_SET(size) && conf->block_size != 0 && conf->size % conf->block_size != 0)
		FAIL(size, "%s is not a multiple of blockSize (%s)",
		    conf_text_size(conf->size, size), conf_text_size(conf->block_size, block));
	if (IS_SET(size) && conf->size % 512 != 0)
		FAIL(size, "%llu is not a multiple of 512", (unsigned long long)conf->size);
	/* Without blockSize the bucket may know a larger one: then only what can never be. */
	if (IS_SET(size) && conf->block_size != 0 && conf->size / block_size > BLOCKS_MAX)
		FAIL(size,
		    "%s in blocks of %s is more than 2^32 - 1 blocks (blockSize = %s or larger)",
		    conf_text_size(conf->size, size), conf_text_size(block_size, block),
		    conf_text_size(least_block(conf->size), larger));
	if (conf->no_auto_detect && !IS_SET(size))
		FAIL(noAutoDetect, "needs size (size = 100g)");
	if (conf->block_hash_prefix && conf->prefix != NULL && strlen(conf->prefix) > 891)
		FAIL(prefix, "is too long with blockHashPrefix (at most 891 characters)");
	return (0);
}

static int
check_mode(const struct conf *conf, char **ret_error)
{
	if (conf->test && strncmp(conf->bucket, "file://", 7) != 0 && *conf->bucket != '/')
		FAIL(test, "bucket is not the path of a directory (bucket = file:///path)");
	if ((conf->test_delays || conf->test_errors || conf->test_discard) && !conf->store_is_dir) {
		enum conf_id id = conf->test_delays   ? CONF_test_delays
				  : conf->test_errors ? CONF_test_errors
						      : CONF_test_discard;

		return (conf_fail_key(
		    conf, id, ret_error, "is for a directory store only (bucket = file:///path)"));
	}
	if (!conf->shared_disk_mode)
		return (0);
	if (conf->cache_file != NULL)
		FAIL(blockCacheFile, "contradicts sharedDiskMode (which caches nothing)");
	if (IS_SET(blockCacheSize) && (conf->cache_size.blocks | conf->cache_size.bytes) != 0)
		FAIL(blockCacheSize, "contradicts sharedDiskMode (which caches nothing)");
	if (IS_SET(fence) && conf->fence == CONF_FENCE_STRONG)
		FAIL(fence, "strong contradicts sharedDiskMode (fence = auto)");
	return (0);
}

static bool
is_loopback(const char *url)
{
	const char *host = strstr(url, "://");

	if (host == NULL)
		return (false);
	host += 3;
	return (strncmp(host, "127.", 4) == 0 || strncmp(host, "[::1]", 5) == 0 ||
		(strncasecmp(host, "localhost", 9) == 0 && strchr(":/", host[9]) != NULL));
}

/*
 * http:// in baseURL is what users of the old program have, and means what it says: with keys that were
 * given for this disk.  Keys that lie about for other purposes do not go there unless asked for.
 */
static int
check_plain(const struct conf *conf, char **ret_error)
{
	const char *home = getenv("HOME");
	char path[4096];

	if (conf->store_is_dir || conf->use_tls || is_loopback(conf->base_url) ||
	    (IS_SET(ssl) && !conf->ssl) || conf->access_id != NULL || conf->access_file != NULL ||
	    conf->access_ec2_iam != NULL)
		return (0);
	if (conf->profile != NULL)
		FAIL(profile, "its keys are not used over http:// (https://HOST/; ssl = no beside "
			      "baseURL allows it)");
	(void)snprintf(path, sizeof(path), "%s/.s3backer_passwd", home != NULL ? home : "");
	if (access(path, F_OK) == 0) /* as the old program does */
		return (0);
	FAIL(baseURL,
	    "keys of the environment, of AWS files or of this machine's role are not used "
	    "over http:// (https://HOST/; accessId and accessKey; ssl = no allows it; "
	    "accessId without a value: none are needed)");
}

static int
check_store(const struct conf *conf, char **ret_error)
{
	if (conf->vhost && conf->no_vhost)
		FAIL(no_vhost, "contradicts vhost (one of the two)");
	if (IS_SET(ssl) && conf->base_url_arg != NULL && !conf->store_is_dir &&
	    conf->ssl != conf->use_tls)
		FAIL(ssl, "contradicts baseURL (%s)",
		    conf->ssl ? "baseURL = https://HOST/" : "baseURL = http://HOST/");
	if (conf->insecure && conf->cacert != NULL)
		FAIL(insecure, "contradicts cacert (one of the two)");
	if (conf->region != NULL &&
	    conf->region[strspn(conf->region, "abcdefghijklmnopqrstuvwxyz0123456789-_.")] != '\0')
		FAIL(region, "\"%.60s\" is not a region (such as eu-central-1)", conf->region);
	if (conf->max_retry_pause_us != 0 &&
	    conf->max_retry_pause_us < conf->initial_retry_pause_us) {
		if (IS_SET(maxRetryPause))
			FAIL(maxRetryPause,
			    "is shorter than initialRetryPause (longer, or 0: never give up)");
		FAIL(initialRetryPause, "is longer than maxRetryPause (less than 30s)");
	}
	if (conf->sse_key_id != NULL && conf->sse != CONF_SSE_AWS_KMS)
		FAIL(sse_key_id, "means nothing without sse (sse = aws:kms)");
	return (0);
}

static int
check_credentials(const struct conf *conf, char **ret_error)
{
	bool id = conf->access_id != NULL && *conf->access_id != '\0';
	bool iam = conf->access_ec2_iam != NULL;

	if (conf->access_key != NULL && conf->access_key_env != NULL)
		FAIL(accessKeyEnv, "contradicts accessKey (one of the two)");
	if (conf->access_key != NULL && !id)
		FAIL(accessKey, "needs its id (accessId = ID)");
	if (conf->access_token != NULL && conf->access_key == NULL && conf->access_key_env == NULL)
		FAIL(accessToken, "needs its key (accessKey = KEY)");
	if (conf->access_key_env != NULL && !id)
		FAIL(accessKeyEnv, "needs the id of the key (accessId = ID)");
	if (id && strpbrk(conf->access_id, ":/, \t") != NULL)
		FAIL(accessId, "has a character that no key id has (letters and digits)");
	if (iam && (conf->access_id != NULL || conf->access_file != NULL))
		FAIL(accessEC2IAM, "contradicts %s (one of the two)",
		    conf->access_id != NULL ? "accessId" : "accessFile");
	if (conf->access_ec2_iam_imdsv2 && !iam && IS_SET(accessEC2IAM))
		FAIL(accessEC2IAM_IMDSv2, "contradicts accessEC2IAM = no (one of the two)");
	if (conf->profile != NULL && (conf->access_id != NULL || conf->access_file != NULL || iam))
		FAIL(profile, "contradicts %s (one of the two)",
		    conf->access_id != NULL	? "accessId"
		    : conf->access_file != NULL ? "accessFile"
						: "accessEC2IAM");
	return (0);
}

/* Is a larger than b, as far as that shows before the block size is known? */
static bool
amount_larger(const struct conf *conf, const struct conf_amount *a, const struct conf_amount *b)
{
	uint64_t left, right, bs = conf->block_size;

	if (a->bytes == 0 && b->bytes == 0)
		return (a->blocks > b->blocks);
	if (bs == 0 && (a->blocks != 0 || b->blocks != 0))
		return (false);
	if (a->bytes == 0 && mul_overflows(a->blocks, bs, &left))
		return (true);
	if (b->bytes == 0 && mul_overflows(b->blocks, bs, &right))
		return (false);
	left = a->bytes != 0 ? a->bytes : a->blocks * bs;
	right = b->bytes != 0 ? b->bytes : b->blocks * bs;
	return (left > right);
}

static int
check_cache(const struct conf *conf, char **ret_error)
{
	bool no_cache =
	    IS_SET(blockCacheSize) && (conf->cache_size.blocks | conf->cache_size.bytes) == 0;

	if (IS_SET(flushTo) && conf->flush_to == CONF_FLUSH_TO_CACHE && conf->cache_file == NULL)
		FAIL(flushTo, "cache needs a cache file (blockCacheFile = /path)");
	if (IS_SET(flushTo) && conf->flush_to == CONF_FLUSH_TO_CACHE && conf->cache_sync)
		FAIL(blockCacheSync, "contradicts flushTo = cache (one of the two)");
	if (conf->cache_sync && IS_SET(blockCacheWriteDelay) && conf->write_delay_us != 0)
		FAIL(blockCacheWriteDelay, "contradicts blockCacheSync (blockCacheWriteDelay = 0)");
	if (no_cache && conf->cache_file != NULL)
		FAIL(blockCacheSize, "0 contradicts blockCacheFile (such as 10g)");
	if (IS_SET(blockCacheSize) && !no_cache && IS_SET(blockCacheMaxDirty) &&
	    amount_larger(conf, &conf->max_dirty, &conf->cache_size))
		FAIL(blockCacheMaxDirty, "is more than the cache holds (at most blockCacheSize)");
	if (conf->cache_size.bytes != 0 && conf->block_size != 0 &&
	    conf->cache_size.bytes < 8 * conf->block_size)
		FAIL(blockCacheSize,
		    "is less than 8 blocks (a larger cache, or a smaller blockSize)");
	if (conf->max_dirty_age_us < conf->write_delay_us) {
		if (IS_SET(maxDirtyAge))
			FAIL(maxDirtyAge, "is shorter than blockCacheWriteDelay (longer)");
		FAIL(blockCacheWriteDelay, "is longer than maxDirtyAge (less than 5m)");
	}
	return (0);
}

static int
check_crypto(const struct conf *conf, char **ret_error)
{
	if (conf->password != NULL && conf->password_file != NULL)
		FAIL(passwordFile, "contradicts password (one of the two)");
	if (conf->key_object != NULL && !conf->gcm)
		FAIL(keyObject, "means nothing without AES-256-GCM (encrypt = AES-256-GCM)");
	if (conf->gcm && conf->store_is_dir)
		FAIL(encrypt, "a directory cannot hold AES-256-GCM (a bucket)");
	if (conf->cipher != NULL)
		return (0);
	/* Who gives a password believes that the data are encrypted. */
	if (conf->password != NULL)
		FAIL(password, "means nothing without encrypt (encrypt = yes)");
	if (conf->password_file != NULL)
		FAIL(passwordFile, "means nothing without encrypt (encrypt = yes)");
	if (conf->key_length != 0)
		FAIL(keyLength, "means nothing without encrypt (encrypt = yes)");
	return (0);
}

static bool
is_file_name(const char *name)
{
	return (strchr(name, '/') == NULL && strcmp(name, ".") != 0 && strcmp(name, "..") != 0);
}

static int
check_mount(const struct conf *conf, char **ret_error)
{
	if (!is_file_name(conf->filename))
		FAIL(filename, "\"%.60s\" is not a file name (without a slash)", conf->filename);
	if (!is_file_name(conf->stats_filename))
		FAIL(statsFilename, "\"%.60s\" is not a file name (without a slash)",
		    conf->stats_filename);
	if (strcmp(conf->filename, conf->stats_filename) == 0) {
		if (IS_SET(statsFilename))
			FAIL(statsFilename, "is the name of the disk's file, too (another one)");
		FAIL(filename, "is the name of the file with figures, too (another one)");
	}
	if (conf->mount_point != NULL && strcmp(conf->mount_point, "/") == 0)
		FAIL(
		    mountPoint, "the root directory cannot be the mount point (such as /mnt/disk)");
	return (0);
}

/* HOST:PORT of this machine, or the path of a socket. */
static bool
is_listen_address(const char *text)
{
	const char *colon = strrchr(text, ':');

	if (*text == '/')
		return (true);
	if (colon == NULL || colon == text || strlen(colon + 1) > 5 || colon[1] == '\0' ||
	    colon[1 + strspn(colon + 1, "0123456789")] != '\0')
		return (false);
	return (atoi(colon + 1) >= 1 && atoi(colon + 1) <= 65535);
}

static bool
is_price(const char *text)
{
	return (text != NULL && *text != '\0' && text[strspn(text, "0123456789.")] == '\0' &&
		strchr(text, '.') == strrchr(text, '.') && strcmp(text, ".") != 0);
}

static int
check_prices(const struct conf *conf, char **ret_error)
{
#define PRICE(id, field)                                                                           \
	if (!is_price(conf->field))                                                                \
	FAIL(id, "\"%s\" is no price (dollars: 0.005)", conf->field)

	PRICE(pricePut, price_put);
	PRICE(priceGet, price_get);
	PRICE(priceOut, price_out);
	PRICE(priceStored, price_stored);
#undef PRICE
	return (0);
}

static int
check_processes(const struct conf *conf, char **ret_error)
{
	if (IS_SET(user) && getpwnam(conf->user) == NULL)
		FAIL(user, "no such user: \"%.60s\" (useradd --system %.60s)", conf->user,
		    conf->user);
	if (conf->metrics_listen != NULL && !is_listen_address(conf->metrics_listen))
		FAIL(metricsListen, "\"%.60s\" is not an address (127.0.0.1:PORT or /path)",
		    conf->metrics_listen);
	if (strcmp(conf->log_to, "auto") != 0 && strcmp(conf->log_to, "stderr") != 0 &&
	    strcmp(conf->log_to, "syslog") != 0 && strcmp(conf->log_to, "journal") != 0 &&
	    *conf->log_to != '/')
		FAIL(logTo, "\"%.60s\" is not known (auto, stderr, syslog, journal or /path)",
		    conf->log_to);
	if (check_prices(conf, ret_error) < 0)
		return (-EINVAL);
	if (conf->debug && conf->quiet)
		FAIL(quiet, "contradicts debug (one of the two)");
	if (conf->uploaders != 0 && conf->max_transfers != 0 &&
	    conf->uploaders > conf->max_transfers)
		FAIL(uploaders, "more processes than transfers (at most maxTransfers, %u)",
		    conf->max_transfers);
	return (0);
}

static void
note_all(struct conf *conf)
{
	for (int i = 0; i < CONF_NKEYS; i++) {
		const struct conf_key *key = &conf_keys[i];
		const struct conf_where *where = &conf->priv->where[i];

		if (where->set && (key->flags & KEY_GONE) != 0)
			conf_note(conf, "%s has no effect: %s", key->name, key->arg);
		if (where->set && (key->flags & KEY_SECRET) != 0 && where->file == CONF_FROM_OPTION)
			conf_note(
			    conf, "%s on the command line can be seen by every user", key->name);
	}
	if (conf->insecure && !conf->store_is_dir)
		conf_note(conf, "insecure: the server's certificate is not verified, whoever is in "
				"between can read and change everything");
	if (!conf->store_is_dir && !conf->use_tls && !is_loopback(conf->base_url))
		conf_note(conf, "%s is not encrypted on the way (baseURL = https://HOST/)",
		    conf->base_url);
	if (conf->block_size != 0 && conf->block_size < 4096)
		conf_note(conf, "blockSize below 4k costs a request per sector");
	if (conf->read_only && IS_SET(fileMode) && (conf->file_mode & 0222) != 0)
		conf_note(conf, "fileMode allows writing, which readOnly will refuse");
	if (conf->fence == CONF_FENCE_OFF && !conf->read_only)
		conf_note(conf, "fence = off: a second writer would destroy the disk unnoticed");
	if (conf->force)
		conf_note(
		    conf, "force: another machine's mount token and recorded sizes are ignored");
	if (conf->use_vhost && conf->use_tls && strchr(conf->bucket_name, '.') != NULL)
		conf_note(conf, "a bucket with dots in its name does not match the certificate of "
				"its host name (no-vhost)");
	if (conf->prefix_full[strspn(conf->prefix_full,
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.~/-+=&:@")] !=
	    '\0')
		conf_note(conf, "the old program cannot use a prefix with such characters: %s",
		    conf->prefix_full);
}

int
conf_check(struct conf *conf, char **ret_error)
{
	int r;

	if (conf->bucket == NULL)
		FAIL(bucket, "missing (bucket = NAME, NAME/sub/dir or file:///path)");
	if ((r = conf_derive(conf, ret_error)) < 0 || (r = check_geometry(conf, ret_error)) < 0 ||
	    (r = check_mode(conf, ret_error)) < 0 || (r = check_store(conf, ret_error)) < 0 ||
	    (r = check_credentials(conf, ret_error)) < 0 ||
	    (r = check_plain(conf, ret_error)) < 0 || (r = check_cache(conf, ret_error)) < 0 ||
	    (r = check_crypto(conf, ret_error)) < 0 || (r = check_mount(conf, ret_error)) < 0 ||
	    (r = check_processes(conf, ret_error)) < 0 ||
	    (r = conf_check_permissions(conf, ret_error)) < 0)
		return (r);
	if (conf->priv->nnotes == 0) /* once, however often it is checked */
		note_all(conf);
	return (0);
}

int
conf_set_live(struct conf *conf, const char *name, const char *value, char **ret_error)
{
	struct conf_where old_where;
	char *old, why[CONF_WHY], *ignored;
	int id = conf_key_find(name), r;
	const char *near;

	*ret_error = NULL;
	if (id < 0) {
		near = conf_key_suggest(name);
		return (conf_fail(-ENOENT, ret_error, "%.40s: unknown key (%s%s)", name,
		    near != NULL ? "did you mean " : "s3backer.conf(5) lists them",
		    near != NULL ? near : ""));
	}
	if ((conf_keys[id].flags & KEY_LIVE) == 0)
		return (conf_fail(-EPERM, ret_error,
		    "%s: cannot change while running (s3backerd restart)", name));
	old = conf_value_text(conf, (enum conf_id)id);
	old_where = conf->priv->where[id];
	if ((r = conf_value_parse(conf, (enum conf_id)id, value, "/", why)) < 0) {
		free(old);
		return (conf_fail(r, ret_error, "%s: %s", name, why));
	}
	conf->priv->where[id] = (struct conf_where){.file = CONF_FROM_MESSAGE, .set = 1};
	if ((r = conf_check(conf, ret_error)) < 0) {
		/* Back to what was; it passed the checks when it came. */
		if (old == NULL)
			conf_value_default(conf, (enum conf_id)id);
		else
			conf_value_parse(conf, (enum conf_id)id, old, "/", why);
		conf->priv->where[id] = old_where;
		ignored = NULL;
		conf_derive(conf, &ignored);
		free(ignored);
	}
	free(old);
	return (r);
}
