/* SPDX-License-Identifier: ISC */
#include "supervisor/options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/guard.h"

static int
add_one(struct options *opt, const char *text)
{
	const char **grown = reallocarray(opt->overrides, opt->noverrides + 2, sizeof(*grown));

	if (grown == NULL)
		return (-ENOMEM);
	opt->overrides = grown;
	grown[opt->noverrides++] = text;
	grown[opt->noverrides] = NULL;
	return (0);
}

int
options_add(struct options *opt, const char *text)
{
	char *copy = strdup(text), *in = copy, *out = copy, *begin = copy;
	int r = 0;

	if (copy == NULL)
		return (-ENOMEM);
	for (;; in++) {
		if (*in == '\\' && in[1] == ',') {
			*out++ = *++in;
			continue;
		}
		if (*in != ',' && *in != '\0') {
			*out++ = *in;
			continue;
		}
		if (out != begin) {
			bool last = *in == '\0';

			*out++ = '\0';
			r = add_one(opt, begin);
			begin = out;
			if (last || r < 0)
				return (r);
		} else if (*in == '\0') {
			return (r);
		}
	}
}
