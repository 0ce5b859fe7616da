/* SPDX-License-Identifier: ISC */
#include "common/envwipe.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"

#define FIELD_ENV_START 50 /* of /proc/PID/stat, proc(5) */
#define FIELD_STATE	3

/* Where the kernel put the strings. */
static int
find_area(char **ret_start, char **ret_end)
{
	AUTO_FILE FILE *f = fopen("/proc/self/stat", "re");
	char line[2048], *p;
	uintptr_t from = 0, to = 0;

	/* The name in parentheses may hold anything, also blanks. */
	if (f == NULL || fgets(line, sizeof(line), f) == NULL || (p = strrchr(line, ')')) == NULL)
		return (-1);
	for (int field = FIELD_STATE - 1; field < FIELD_ENV_START && p != NULL; field++)
		if ((p = strchr(p, ' ')) != NULL)
			p++;
	if (p == NULL || sscanf(p, "%lu %lu", (unsigned long *)&from, (unsigned long *)&to) != 2 ||
	    from == 0 || to <= from)
		return (-1);
	*ret_start = (char *)from;
	*ret_end = (char *)to;
	return (0);
}

static void
wipe_area(const char *name)
{
	size_t len = strlen(name);
	char *p, *end;

	if (find_area(&p, &end) < 0)
		return;
	for (; p < end; p += strnlen(p, (size_t)(end - p)) + 1)
		if ((size_t)(end - p) > len && strncmp(p, name, len) == 0 && p[len] == '=')
			explicit_bzero(
			    p + len + 1, strnlen(p + len + 1, (size_t)(end - p) - len - 1));
}

void
env_wipe(const char *name)
{
	char *value = getenv(name);

	if (value == NULL)
		return;
	explicit_bzero(value, strlen(value));
	wipe_area(name);
	(void)unsetenv(name);
}
