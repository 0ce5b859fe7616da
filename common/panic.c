/* SPDX-License-Identifier: ISC */
/*
 * panic.c -- the last words of a process whose own invariant is broken.
 *
 * Process:  all.  Threads: any; the first to panic is heard, a second one waits for the end.
 * Order:    shared memory first, because it cannot block; the log second; then abort(3).
 */
#include "common/check.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"

char *panic_text;
size_t panic_text_len;

_Noreturn void
panic_at(const char *file, int line, const char *fmt, ...)
{
	static atomic_flag panicking = ATOMIC_FLAG_INIT;
	char text[512];
	va_list ap;
	int n;

	if (atomic_flag_test_and_set(&panicking)) {
		/* Another thread is at it, or the log itself panicked: do not garble its words. */
		sleep(1);
		abort();
	}
	n = snprintf(text, sizeof(text), "%s:%d: ", file, line);
	if (n < 0 || (size_t)n >= sizeof(text))
		n = 0;
	va_start(ap, fmt);
	vsnprintf(text + n, sizeof(text) - (size_t)n, fmt, ap);
	va_end(ap);

	if (panic_text != NULL && panic_text_len > 0) {
		size_t len = strnlen(text, panic_text_len - 1);

		memcpy(panic_text, text, len);
		panic_text[len] = '\0';
	}
	log_err(0, "panic: %s", text);
	abort();
}
