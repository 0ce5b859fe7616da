/* SPDX-License-Identifier: ISC */
#include "ctl/fs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bsd/string.h>

#include "ctl/run.h"

#include "ctl/guard.h"

#define BLKID_NOTHING 2
#define BLKID_SEVERAL 8

static void
take(struct fs_found *f, const char *key, const char *value)
{
	if (strcmp(key, "TYPE") == 0)
		(void)strlcpy(f->type, value, sizeof(f->type));
	else if (strcmp(key, "USAGE") == 0)
		(void)strlcpy(f->usage, value, sizeof(f->usage));
	else if (strcmp(key, "LABEL") == 0)
		(void)strlcpy(f->label, value, sizeof(f->label));
	else if (strcmp(key, "UUID") == 0)
		(void)strlcpy(f->uuid, value, sizeof(f->uuid));
	else if (strcmp(key, "PTTYPE") == 0)
		(void)strlcpy(f->table, value, sizeof(f->table));
	else if (strcmp(key, "BLOCK_SIZE") == 0)
		f->block = (unsigned)strtoul(value, NULL, 10);
}

int
fs_probe(const char *path, struct fs_found *ret_found)
{
	const char *argv[] = {"blkid", "-p", "-o", "export", path, NULL};
	char text[4096], *rest = text, *line, *value;
	struct fs_found f = {.block = 0};
	int code = run_capture(argv, text, sizeof(text));

	if (code < 0 || (code != 0 && code != BLKID_NOTHING && code != BLKID_SEVERAL)) {
		(void)fprintf(stderr, "s3backerctl: cannot look at what lies on %s: blkid: %s\n",
		    path, code < 0 ? strerror(-code) : "failed");
		return (code < 0 ? code : -EIO);
	}
	while ((line = strsep(&rest, "\n")) != NULL) {
		if ((value = strchr(line, '=')) == NULL)
			continue;
		*value++ = '\0';
		take(&f, line, value);
	}
	f.several = code == BLKID_SEVERAL;
	*ret_found = f;
	return (0);
}

void
fs_describe(const struct fs_found *f, char *buf, unsigned long len)
{
	bool label = f->label[0] != '\0', uuid = f->uuid[0] != '\0';

	if (f->several)
		(void)snprintf(buf, len, "traces of more than one file system (wipefs shows them)");
	else if (f->type[0] != '\0')
		(void)snprintf(buf, len, "%s%s%s%s%s%s%s%s", f->type,
		    strcmp(f->usage, "filesystem") == 0 ? " file system" : "",
		    label || uuid ? " (" : "", label ? "label " : "", f->label,
		    label && uuid ? ", " : "", f->uuid, label || uuid ? ")" : "");
	else
		(void)snprintf(buf, len, "%s%s", f->table[0] != '\0' ? f->table : "nothing",
		    f->table[0] != '\0' ? " partition table" : " that is known");
}

/* ---- making and mounting -------------------------------------------------------------------- */

static const struct maker {
	const char *type, *program, *quiet;
} makers[] = {
    {"ext4", "mkfs.ext4", "-q"},
    {"xfs", "mkfs.xfs", "-q"},
    {"btrfs", "mkfs.btrfs", "-q"},
};

static const struct maker *
find_maker(const char *type)
{
	for (unsigned i = 0; i < sizeof(makers) / sizeof(makers[0]); i++)
		if (strcmp(makers[i].type, type) == 0)
			return (&makers[i]);
	return (NULL);
}

bool
fs_known(const char *type)
{
	return (find_maker(type) != NULL);
}

/* None of these programs is told to overwrite anything: they look once more themselves. */
int
fs_make(const char *type, const char *dev)
{
	const struct maker *m = find_maker(type);
	const char *argv[] = {m->program, m->quiet, dev, NULL};
	int code = run_show(argv);

	if (code == 0)
		return (0);
	if (code == -ENOENT)
		(void)fprintf(stderr, "s3backerctl: %s is not installed (apt install %s)\n",
		    m->program,
		    strcmp(type, "ext4") == 0  ? "e2fsprogs"
		    : strcmp(type, "xfs") == 0 ? "xfsprogs"
					       : "btrfs-progs");
	else
		(void)fprintf(stderr, "s3backerctl: %s failed (%s %d); nothing stays attached\n",
		    m->program, code < 0 ? strerror(-code) : "exit", code < 0 ? 0 : code);
	return (code < 0 ? code : -EIO);
}

int
fs_mount(const char *type, const char *dev, const char *dir, const char *options)
{
	const char *argv[] = {"mount", "-t", type, "-o", options, dev, dir, NULL};
	int code = run_show(argv);

	if (code == 0)
		return (0);
	(void)fprintf(stderr,
	    "s3backerctl: %s cannot be mounted on %s (mount: %s); nothing stays attached\n", type,
	    dir, code < 0 ? strerror(-code) : "see above");
	return (code < 0 ? code : -EIO);
}
