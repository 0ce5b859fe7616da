/* SPDX-License-Identifier: ISC */
#include "supervisor/options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/conf.h"

#include "supervisor/guard.h"

int
options_add_one(struct options *opt, const char *text)
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
	char *rest = strdup(text), *one;
	int r = 0;

	if (rest == NULL)
		return (-ENOMEM);
	while (r == 0 && (one = conf_next_option(&rest)) != NULL)
		r = options_add_one(opt, one);
	return (r);
}
