/* SPDX-License-Identifier: ISC */
#include "uploader/cred_ini.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "uploader/guard.h"

#define ENTRIES_MAX 4096

struct entry {
	const char *section, *name, *value; /* name NULL: the section as such */
};

struct ini {
	char *text; /* cut up; the entries point into it */
	size_t len;
	struct entry *entry;
	unsigned n;
};

static char *
trim(char *s)
{
	char *end;

	while (isspace((unsigned char)*s))
		s++;
	for (end = s + strlen(s); end > s && isspace((unsigned char)end[-1]); end--)
		;
	*end = '\0';
	return (s);
}

/* A comment within a line needs a blank before it: a secret may hold a '#'. */
static void
cut_comment(char *s)
{
	for (char *p = s; *p != '\0'; p++) {
		if ((*p == '#' || *p == ';') && p > s && isspace((unsigned char)p[-1])) {
			*p = '\0';
			return;
		}
	}
}

/* [name], [profile name], [profile "name"]: the words are kept, with one blank between. */
static char *
section_name(char *line)
{
	char *end = strchr(line, ']'), *name, *rest;
	size_t len;

	if (end == NULL)
		return (NULL);
	*end = '\0';
	name = trim(line + 1);
	if (strncmp(name, "profile", 7) != 0 || !isspace((unsigned char)name[7]))
		return (name);
	rest = trim(name + 7);
	len = strlen(rest);
	if (len >= 2 && (*rest == '"' || *rest == '\'') && rest[len - 1] == *rest) {
		rest[len - 1] = '\0';
		rest++;
	}
	name[7] = ' ';
	memmove(name + 8, rest, strlen(rest) + 1);
	return (name);
}

static void
add(struct ini *ini, const char *section, const char *name, const char *value)
{
	if (ini->n < ENTRIES_MAX)
		ini->entry[ini->n++] = (struct entry){section, name, value};
}

static void
take_line(struct ini *ini, char *line, const char **section)
{
	char *equals;

	if (*line == '#' || *line == ';' || isspace((unsigned char)*line) || *line == '\0')
		return;
	if (*line == '[') {
		if ((*section = section_name(line)) != NULL)
			add(ini, *section, NULL, NULL);
		return;
	}
	if (*section == NULL || (equals = strchr(line, '=')) == NULL)
		return;
	*equals = '\0';
	cut_comment(equals + 1);
	add(ini, *section, trim(line), trim(equals + 1));
}

int
ini_parse(const char *text, struct ini **ret_ini)
{
	struct ini *ini = calloc(1, sizeof(*ini));
	const char *section = NULL;
	char *rest, *line;

	if (ini == NULL)
		return (-ENOMEM);
	ini->len = strlen(text);
	ini->text = rest = strdup(text);
	ini->entry = calloc(ENTRIES_MAX, sizeof(*ini->entry));
	if (ini->text == NULL || ini->entry == NULL) {
		ini_free(&ini);
		return (-ENOMEM);
	}
	while ((line = strsep(&rest, "\n")) != NULL)
		take_line(ini, line, &section);
	*ret_ini = ini;
	return (0);
}

void
ini_free(struct ini **inip)
{
	struct ini *ini = *inip;

	if (ini == NULL)
		return;
	if (ini->text != NULL)
		explicit_bzero(ini->text, ini->len);
	free(ini->text);
	free(ini->entry);
	free(ini);
	*inip = NULL;
}

bool
ini_has(const struct ini *ini, const char *section)
{
	for (unsigned i = 0; i < ini->n; i++)
		if (strcmp(ini->entry[i].section, section) == 0)
			return (true);
	return (false);
}

const char *
ini_get(const struct ini *ini, const char *section, const char *name)
{
	for (unsigned i = ini->n; i > 0; i--) {
		const struct entry *e = &ini->entry[i - 1];

		if (e->name != NULL && strcmp(e->section, section) == 0 &&
		    strcasecmp(e->name, name) == 0)
			return (e->value);
	}
	return (NULL);
}
