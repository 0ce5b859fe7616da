/* SPDX-License-Identifier: ISC */
/*
 * store_dir.c -- objects as files (see store_dir.h).
 *
 * A sidecar is text, one "field value" a line, values percent-encoded so that they hold no line
 * breaks; the last line is "end", without which it is not believed.
 */
#include "tests/server/store_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/stat.h>

#include "tests/server/digest.h"
#include "tests/server/store.h"
#include "tests/server/text.h"
#include "tests/server/uri.h"

/* Makes body files unique; the process id keeps two lives of the server apart. */
static _Atomic unsigned long generation;

static char *
path_of(const char *dir, const char *bucket, const char *key, const char *suffix)
{
	struct text name = TEXT_EMPTY, path = TEXT_EMPTY;
	char hex[65];

	text_uri(&name, key, false);
	if (name.len > 200) {
		digest_hex(DIGEST_SHA256, key, strlen(key), hex);
		name.len = 0;
		text_printf(&name, "=%s", hex);
	}
	/* A dot in front would hide the file, or make it "..". */
	text_printf(&path, "%s/%s/%s%s%s", dir, bucket, name.s[0] == '.' ? "%2E" : "",
	    name.s + (name.s[0] == '.'), suffix);
	text_free(&name);
	return (text_take(&path));
}

static int
write_file(const char *path, const char *data, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644), r = 0;

	if (fd < 0)
		return (-errno);
	while (len > 0 && r == 0) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno != EINTR)
			r = -errno;
		if (n > 0) {
			data += n;
			len -= (size_t)n;
		}
	}
	if (close(fd) < 0 && r == 0)
		r = -errno;
	if (r < 0)
		unlink(path);
	return (r);
}

int
store_dir_bucket(const char *dir, const char *bucket)
{
	struct text path = TEXT_EMPTY;
	int r;

	text_printf(&path, "%s/%s", dir, bucket);
	r = mkdir(path.s, 0755) < 0 && errno != EEXIST ? -errno : 0;
	text_free(&path);
	return (r);
}

int
store_dir_write(const char *dir, const char *bucket, const char *key, struct object *o)
{
	char suffix[48];
	char *path;
	int r;

	snprintf(suffix, sizeof(suffix), ".%lx-%lx", (unsigned long)getpid(), ++generation);
	path = path_of(dir, bucket, key, suffix);
	r = write_file(path, o->body->data, o->body->len);
	if (r < 0) {
		free(path);
		return (r);
	}
	o->path = path;
	body_unref(o->body);
	o->body = NULL;
	return (0);
}

static void
field(struct text *t, const char *name, const char *value)
{
	text_printf(t, "%s ", name);
	text_uri(t, value, true);
	text_puts(t, "\n");
}

int
store_dir_commit(const char *dir, const char *bucket, const char *key, const struct object *o)
{
	char *path = path_of(dir, bucket, key, ".meta"), *tmp = path_of(dir, bucket, key, ".tmp");
	struct text t = TEXT_EMPTY;
	int r;

	field(&t, "key", key);
	field(&t, "body", strrchr(o->path, '/') + 1);
	field(&t, "etag", o->etag);
	text_printf(&t, "mtime %lld\n", (long long)o->mtime);
	for (int i = 0; i < o->nmeta; i++) {
		text_printf(&t, "header %s ", o->meta[i].name);
		text_uri(&t, o->meta[i].value, true);
		text_puts(&t, "\n");
	}
	text_puts(&t, "end\n");
	r = write_file(tmp, t.s, t.len);
	if (r == 0 && rename(tmp, path) < 0)
		r = -errno;
	text_free(&t);
	free(path);
	free(tmp);
	return (r);
}

int
store_dir_remove(const char *dir, const char *bucket, const char *key)
{
	char *path = path_of(dir, bucket, key, ".meta");
	int r = unlink(path) < 0 && errno != ENOENT ? -errno : 0;

	free(path);
	return (r);
}

/* One line of a sidecar. */
static void
load_line(char *line, const char *folder, struct object *o, char **key, bool *end)
{
	char *value, *second, *text;

	line[strcspn(line, "\n")] = '\0';
	*end = strcmp(line, "end") == 0;
	if ((value = strchr(line, ' ')) == NULL)
		return;
	*value++ = '\0';
	if (strcmp(line, "header") == 0 && (second = strchr(value, ' ')) != NULL) {
		*second++ = '\0';
		if (uri_decode(second, strlen(second), false, &text) == 0) {
			object_meta(o, value, text);
			free(text);
		}
	} else if (strcmp(line, "key") == 0) {
		free(*key);
		if (uri_decode(value, strlen(value), false, key) < 0)
			*key = NULL;
	} else if (strcmp(line, "body") == 0 &&
		   uri_decode(value, strlen(value), false, &text) == 0) {
		struct text path = TEXT_EMPTY;

		text_printf(&path, "%s/%s", folder, text);
		free(o->path);
		o->path = text_take(&path);
		free(text);
	} else if (strcmp(line, "etag") == 0) {
		snprintf(o->etag, sizeof(o->etag), "%s", value);
	} else if (strcmp(line, "mtime") == 0) {
		o->mtime = (time_t)atoll(value);
	}
}

/* NULL: not an object (any more); its sidecar is left for people to look at. */
static struct object *
load_meta(const char *folder, const char *name, char **ret_key)
{
	struct object *o = object_new(NULL, "");
	struct text path = TEXT_EMPTY;
	char *line = NULL;
	size_t cap = 0;
	bool end = false;
	struct stat st;
	FILE *f;

	*ret_key = NULL;
	text_printf(&path, "%s/%s", folder, name);
	f = fopen(path.s, "re");
	while (f != NULL && getline(&line, &cap, f) > 0)
		load_line(line, folder, o, ret_key, &end);
	if (f != NULL)
		fclose(f);
	free(line);
	if (!end || *ret_key == NULL || o->path == NULL || stat(o->path, &st) < 0) {
		fprintf(stderr, "s3testd: ignored: %s\n", path.s);
		free(*ret_key);
		object_unref(o);
		o = NULL;
	} else {
		o->size = (size_t)st.st_size;
	}
	text_free(&path);
	return (o);
}

/* Bodies no sidecar names are what a killed server left behind. */
static void
sweep(const char *folder, char *const *kept, size_t nkept)
{
	DIR *d = opendir(folder);
	struct dirent *de;

	while (d != NULL && (de = readdir(d)) != NULL) {
		size_t len = strlen(de->d_name), lo = 0, hi = nkept;

		if (de->d_name[0] == '.' || (len > 5 && strcmp(de->d_name + len - 5, ".meta") == 0))
			continue;
		while (lo < hi) {
			size_t mid = (lo + hi) / 2;
			int c = strcmp(de->d_name, kept[mid]);

			if (c == 0)
				break;
			if (c < 0)
				hi = mid;
			else
				lo = mid + 1;
		}
		if (lo >= hi)
			unlinkat(dirfd(d), de->d_name, 0);
	}
	if (d != NULL)
		closedir(d);
}

static int
by_name(const void *a, const void *b)
{
	return (strcmp(*(char *const *)a, *(char *const *)b));
}

static int
load_bucket(
    const char *dir, const char *bucket, int (*fn)(const char *, const char *, struct object *))
{
	struct text folder = TEXT_EMPTY;
	char **kept = NULL;
	size_t n = 0;
	struct dirent *de;
	DIR *d;
	int r;

	text_printf(&folder, "%s/%s", dir, bucket);
	if ((r = fn(bucket, NULL, NULL)) < 0) {
		text_free(&folder);
		return (r);
	}
	d = opendir(folder.s);
	while (d != NULL && (de = readdir(d)) != NULL) {
		size_t len = strlen(de->d_name);
		struct object *o;
		char *key;

		if (len <= 5 || strcmp(de->d_name + len - 5, ".meta") != 0 ||
		    (o = load_meta(folder.s, de->d_name, &key)) == NULL)
			continue;
		kept = xrealloc(kept, (n + 1) * sizeof(*kept));
		kept[n++] = xstrdup(strrchr(o->path, '/') + 1);
		fn(bucket, key, o);
		free(key);
	}
	if (d != NULL)
		closedir(d);
	if (n > 0)
		qsort(kept, n, sizeof(*kept), by_name);
	sweep(folder.s, kept, n);
	for (size_t i = 0; i < n; i++)
		free(kept[i]);
	free(kept);
	text_free(&folder);
	return (0);
}

int
store_dir_load(const char *dir, int (*fn)(const char *, const char *, struct object *))
{
	struct dirent *de;
	struct stat st;
	DIR *d;
	int r = 0;

	if (mkdir(dir, 0755) < 0 && errno != EEXIST)
		return (-errno);
	d = opendir(dir);
	if (d == NULL)
		return (-errno);
	while (r >= 0 && (de = readdir(d)) != NULL) {
		if (de->d_name[0] == '.' || fstatat(dirfd(d), de->d_name, &st, 0) < 0 ||
		    !S_ISDIR(st.st_mode))
			continue;
		r = load_bucket(dir, de->d_name, fn);
		if (r == -EINVAL)
			r = 0; /* a directory that is not a bucket */
	}
	closedir(d);
	return (r);
}
