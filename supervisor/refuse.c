/* SPDX-License-Identifier: ISC */
#include "supervisor/refuse.h"

#include <stdarg.h>
#include <stdio.h>

#include "supervisor/guard.h"

int
refuse(int err, char **ret_error, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(ret_error, fmt, ap) < 0)
		*ret_error = NULL;
	va_end(ap);
	return (err);
}
