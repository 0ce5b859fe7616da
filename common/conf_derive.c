/* SPDX-License-Identifier: ISC */
/*
 * conf_derive.c -- what follows from the keys: bucket and prefix, URL, codec, defaults that
 * depend on other keys.
 *
 * Process:  all; the supervisor after reading, the others after receiving.
 * Threads:  one at a time.
 * Errors:   -EINVAL and the line.  Nothing here looks at the file system or the network.
 * Follows:  the bucket format for names (bucket/sub/dir is split at the first slash and the
 *           prefix gets a slash of its own) and for the names of compression and ciphers.
 */
#include "common/conf.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <bsd/string.h>

#include "common/cleanup.h"
#include "common/conf_priv.h"

#define GCM "AES-256-GCM" /* ours: s3backer-gcm(5) */

#define CONF_CIPHER(name, aliases, algo, key_len, block_len) {name, aliases, key_len},
static const struct {
	const char *name, *aliases;
	unsigned key_len;
} ciphers[] = {
#include "common/conf_ciphers.def"
};
#undef CONF_CIPHER

/* Longest joined Content-Encoding that the old program can read. */
#define ENCODING_MAX 31

void
conf_derived_clear(struct conf *conf)
{
	conf_wipe(&conf->bucket_name);
	conf_wipe(&conf->prefix_full);
	conf_wipe(&conf->store_dir);
	conf_wipe(&conf->base_url);
	conf_wipe(&conf->cipher);
	conf->gcm = false;
	conf->store_is_dir = conf->use_vhost = conf->use_tls = false;
	conf->compress_alg = CONF_COMPRESS_NONE;
	conf->compress_level = CONF_LEVEL_DEFAULT;
	conf->cipher_key_len = 0;
}

/* ---- bucket --------------------------------------------------------------------------------- */

static bool
is_address(const char *host)
{
	unsigned char addr[sizeof(struct in6_addr)];

	return (inet_pton(AF_INET, host, addr) == 1 || *host == '[');
}

/*
 * The rules of today; in a path, where no host name comes of it, also the names of old
 * buckets and of other servers (capitals, underscores, up to 255).
 */
static bool
bucket_name_ok(const char *name, bool in_host)
{
	size_t len = strlen(name);

	if (len < 3 || len > (in_host ? 63 : 255) || is_address(name) || strstr(name, "..") != NULL)
		return (false);
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)name[i];
		bool edge = i == 0 || i == len - 1;

		if (islower(c) || isdigit(c) || (!edge && (c == '-' || c == '.')))
			continue;
		if (in_host || !(isupper(c) || c == '_'))
			return (false);
	}
	return (true);
}

static int
derive_directory(struct conf *conf, const char *path, char **ret_error)
{
	size_t len = strlen(path);

	if (*path != '/')
		return (conf_fail_key(conf, CONF_bucket, ret_error,
		    "\"%.100s\" is not an absolute path (file:///path)", conf->bucket));
	while (len > 1 && path[len - 1] == '/')
		len--;
	if (len == 1)
		return (conf_fail_key(conf, CONF_bucket, ret_error,
		    "the root directory cannot be the store (file:///path)"));
	conf->store_is_dir = true;
	conf->store_dir = strndup(path, len);
	conf->prefix_full = strdup(conf->prefix == NULL ? "" : conf->prefix);
	if (conf->store_dir == NULL || conf->prefix_full == NULL)
		return (conf_fail(-ENOMEM, ret_error, "no memory"));
	return (0);
}

static int
derive_sub(struct conf *conf, const char *sub, char **ret_error)
{
	size_t len = strlen(sub);

	if (len == 0 || *sub == '/' || sub[len - 1] == '/' || strstr(sub, "//") != NULL)
		return (conf_fail_key(conf, CONF_bucket, ret_error,
		    "empty name between slashes (NAME/sub/dir, without a slash at the end)"));
	if (len > 900)
		return (conf_fail_key(conf, CONF_bucket, ret_error,
		    "sub-directory is too long (at most 900 characters)"));
	if (conf->prefix != NULL && *conf->prefix != '\0')
		return (conf_fail_key(conf, CONF_prefix, ret_error,
		    "contradicts the sub-directory in bucket (one of the two)"));
	if (asprintf(&conf->prefix_full, "%s/", sub) < 0) {
		conf->prefix_full = NULL;
		return (conf_fail(-ENOMEM, ret_error, "no memory"));
	}
	return (0);
}

static int
derive_bucket(struct conf *conf, char **ret_error)
{
	const char *arg = conf->bucket, *slash;
	int r;

	if (strncmp(arg, "file://", 7) == 0)
		return (derive_directory(conf, arg + 7, ret_error));
	if (conf->test)
		return (derive_directory(conf, arg, ret_error));
	if (*arg == '/' || *arg == '.')
		return (conf_fail_key(conf, CONF_bucket, ret_error,
		    "\"%.100s\" is not a bucket name (file:///path for a directory)", arg));
	if (strncmp(arg, "s3://", 5) == 0)
		arg += 5;
	if ((slash = strchr(arg, '/')) != NULL) {
		if ((r = derive_sub(conf, slash + 1, ret_error)) < 0)
			return (r);
		conf->bucket_name = strndup(arg, (size_t)(slash - arg));
	} else {
		conf->bucket_name = strdup(arg);
		conf->prefix_full = strdup(conf->prefix == NULL ? "" : conf->prefix);
	}
	if (conf->bucket_name == NULL || conf->prefix_full == NULL)
		return (conf_fail(-ENOMEM, ret_error, "no memory"));
	return (0);
}

/* ---- URL ------------------------------------------------------------------------------------ */

static int
check_url(const struct conf *conf, const char *url, char *host, size_t size, char **ret_error)
{
	bool tls = strncasecmp(url, "https://", 8) == 0;
	const char *start = url + (tls ? 8 : 7);
	size_t len;

	if (!tls && strncasecmp(url, "http://", 7) != 0)
		return (conf_fail_key(conf, CONF_baseURL, ret_error,
		    "\"%.100s\" is not a URL (https://HOST/ or http://HOST/)", url));
	len = strcspn(start, "/");
	if (memchr(start, '@', len) != NULL) /* not quoted: it has a password in it */
		return (conf_fail_key(conf, CONF_baseURL, ret_error,
		    "contains a user name (accessId and accessKey)"));
	if (url[strcspn(url, "?# \t\"<>\\")] != '\0')
		return (conf_fail_key(conf, CONF_baseURL, ret_error,
		    "\"%.100s\" has a character that does not belong there (https://HOST/)", url));
	/* The port is not part of the name; an IPv6 address has colons within its brackets. */
	strlcpy(host, start, len + 1 < size ? len + 1 : size);
	if (*host == '[')
		host[strcspn(host, "]") + 1 < size ? strcspn(host, "]") + 1 : 0] = '\0';
	else
		host[strcspn(host, ":")] = '\0';
	if (*host == '\0' || strcmp(host, "[]") == 0)
		return (conf_fail_key(
		    conf, CONF_baseURL, ret_error, "\"%.100s\" has no host (https://HOST/)", url));
	return (0);
}

static int
derive_url(struct conf *conf, char **ret_error)
{
	const char *url = conf->base_url_arg;
	char host[256] = "s3.amazonaws.com";
	int n, r;

	if (url != NULL) {
		if ((r = check_url(conf, url, host, sizeof(host), ret_error)) < 0)
			return (r);
		n = asprintf(&conf->base_url, "%s%s", url, url[strlen(url) - 1] == '/' ? "" : "/");
	} else {
		if (strcmp(conf->region, "us-east-1") != 0)
			snprintf(host, sizeof(host), "s3.%s.amazonaws.com%s", conf->region,
			    strncmp(conf->region, "cn-", 3) == 0 ? ".cn" : "");
		n = asprintf(&conf->base_url, "%s://%s/", conf->ssl ? "https" : "http", host);
	}
	if (n < 0) {
		conf->base_url = NULL;
		return (conf_fail(-ENOMEM, ret_error, "no memory"));
	}
	conf->use_tls = strncasecmp(conf->base_url, "https:", 6) == 0;
	if (conf->vhost && is_address(host))
		return (conf_fail_key(conf, CONF_vhost, ret_error,
		    "a bucket cannot stand before the address %s (no-vhost)", host));
	conf->use_vhost =
	    conf->vhost || (conf_is_set(conf, CONF_region) && !conf->no_vhost &&
			       !is_address(host) && strcasecmp(host, "localhost") != 0 &&
			       /* a certificate for *.HOST does not cover a.b.HOST */
			       !(conf->use_tls && strchr(conf->bucket_name, '.') != NULL));
	if (!bucket_name_ok(conf->bucket_name, conf->use_vhost))
		return (conf_fail_key(conf, CONF_bucket, ret_error,
		    "\"%.100s\" is not a bucket name (3 to 63 lower-case letters, digits, - and .)",
		    conf->bucket_name));
	return (0);
}

/* ---- codec ---------------------------------------------------------------------------------- */

static int
check_level(const struct conf *conf, enum conf_id id, int level, char **ret_error)
{
	if (conf->compress_alg == CONF_COMPRESS_DEFLATE && (level < -1 || level > 9))
		return (conf_fail_key(
		    conf, id, ret_error, "%d is not a level of deflate (-1 to 9)", level));
	return (0);
}

static int
derive_compress(struct conf *conf, char **ret_error)
{
	const char *arg = conf->compress_arg;
	bool by_level = arg != NULL && *arg != '\0' && arg[strspn(arg, "-0123456789")] == '\0';

	if (arg == NULL) {
		/* As the old program does; compress = no beside encrypt keeps it off. */
		if (conf->encrypt_arg != NULL && !conf_is_set(conf, CONF_compress))
			conf->compress_alg = CONF_COMPRESS_DEFLATE;
		if (conf_is_set(conf, CONF_compress_level))
			return (conf_fail_key(conf, CONF_compress_level, ret_error,
			    "means nothing without compress (compress = deflate or zstd)"));
		return (0);
	}
	if (*arg == '\0' || by_level || strcasecmp(arg, "deflate") == 0)
		conf->compress_alg = CONF_COMPRESS_DEFLATE;
	else if (strcasecmp(arg, "zstd") == 0)
		conf->compress_alg = CONF_COMPRESS_ZSTD;
	else
		return (conf_fail_key(conf, CONF_compress, ret_error,
		    "\"%.60s\" is not known (deflate, zstd, or a level from 1 to 9)", arg));
	if (by_level && conf_is_set(conf, CONF_compress_level))
		return (conf_fail_key(conf, CONF_compress_level, ret_error,
		    "contradicts the level in compress (compress = deflate)"));
	if (by_level) {
		conf->compress_level = strlen(arg) > 6 ? INT32_MAX : atoi(arg);
		return (check_level(conf, CONF_compress, conf->compress_level, ret_error));
	}
	if (!conf_is_set(conf, CONF_compress_level))
		return (0);
	conf->compress_level = conf->compress_level_arg;
	return (check_level(conf, CONF_compress_level, conf->compress_level, ret_error));
}

static bool
is_word_of(const char *word, const char *words)
{
	size_t n = strlen(word);

	for (const char *p = words; *p != '\0'; p += strcspn(p, " "), p += strspn(p, " "))
		if (strcspn(p, " ") == n && strncasecmp(p, word, n) == 0)
			return (true);
	return (false);
}

static int
derive_gcm(struct conf *conf, char **ret_error)
{
	if (conf->key_length != 0)
		return (conf_fail_key(
		    conf, CONF_keyLength, ret_error, "means nothing with " GCM " (leave it out)"));
	if (!conf_replace(&conf->cipher, GCM))
		return (conf_fail(-ENOMEM, ret_error, "no memory"));
	conf->gcm = true;
	conf->cipher_key_len = 32;
	return (0);
}

static int
derive_encrypt(struct conf *conf, char **ret_error)
{
	static const char *const compress_names[] = {"", "deflate,", "zstd,"};
	const char *arg = conf->encrypt_arg;
	size_t i, n = sizeof(ciphers) / sizeof(ciphers[0]);

	if (arg == NULL)
		return (0);
	if (*arg == '\0')
		arg = ciphers[0].name;
	if (strcasecmp(arg, GCM) == 0)
		return (derive_gcm(conf, ret_error));
	for (i = 0; i < n; i++)
		if (strcasecmp(arg, ciphers[i].name) == 0 || is_word_of(arg, ciphers[i].aliases))
			break;
	if (i == n)
		return (conf_fail_key(conf, CONF_encrypt, ret_error,
		    "cipher \"%.60s\" is not known (AES-128-CBC, AES-256-CBC, AES-256-GCM; "
		    "others: s3backer.conf(5))",
		    arg));
	if (!conf_replace(&conf->cipher, ciphers[i].name))
		return (conf_fail(-ENOMEM, ret_error, "no memory"));
	conf->cipher_key_len = ciphers[i].key_len;
	if (conf->key_length != 0 && conf->key_length < ciphers[i].key_len)
		return (conf_fail_key(conf, CONF_keyLength, ret_error,
		    "%u is shorter than the key of %s (%u to 64)", conf->key_length, conf->cipher,
		    ciphers[i].key_len));
	if (strlen(compress_names[conf->compress_alg]) + strlen("encrypt-") + strlen(conf->cipher) >
	    ENCODING_MAX)
		return (conf_fail_key(conf, CONF_encrypt, ret_error,
		    "%s with deflate gives blocks that the old program cannot read "
		    "(compress = zstd, or compress = no)",
		    conf->cipher));
	return (0);
}

int
conf_derive(struct conf *conf, char **ret_error)
{
	int r;

	conf_derived_clear(conf);
	if ((r = derive_bucket(conf, ret_error)) < 0)
		return (r);
	if (!conf->store_is_dir && (r = derive_url(conf, ret_error)) < 0)
		return (r);
	if ((r = derive_compress(conf, ret_error)) < 0 || (r = derive_encrypt(conf, ret_error)) < 0)
		return (r);
	/* Keys whose default depends on others. */
	if (!conf_is_set(conf, CONF_flushTo))
		conf->flush_to = conf->cache_file != NULL && !conf->cache_sync
				     ? CONF_FLUSH_TO_CACHE
				     : CONF_FLUSH_TO_BUCKET;
	if (!conf_is_set(conf, CONF_fileMode))
		conf->file_mode = conf->read_only ? 0400 : 0600;
	if (!conf_is_set(conf, CONF_logLevel))
		conf->log_level = conf->debug ? 3 : conf->quiet ? 1 : 2; /* words of logLevel */
	return (0);
}
