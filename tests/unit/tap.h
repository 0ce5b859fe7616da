/* SPDX-License-Identifier: ISC */
/*
 * tap.h -- the Test Anything Protocol, version 12, for C tests.
 *
 * A test is a program: main() calls ok() and friends, and ends with `return (tap_done());`.
 * The plan is printed last, so a test that dies half-way has no plan and prove(1) reports it.
 */
#ifndef S3B_TESTS_TAP_H
#define S3B_TESTS_TAP_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int tap_count, tap_failed;

#define ok(cond, ...) tap_ok(!!(cond), #cond, __FILE__, __LINE__, __VA_ARGS__)
#define is_int(got, want, ...)                                                                     \
	tap_int((long long)(got), (long long)(want), #got, __FILE__, __LINE__, __VA_ARGS__)
#define is_str(got, want, ...) tap_str((got), (want), #got, __FILE__, __LINE__, __VA_ARGS__)
#define skip(n, ...)           tap_skip((n), __VA_ARGS__)

__attribute__((format(printf, 5, 6), unused)) static int
tap_ok(int pass, const char *expr, const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	printf("%sok %d - ", pass ? "" : "not ", ++tap_count);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	if (!pass) {
		tap_failed++;
		printf("#   failed: %s\n#   at %s:%d\n", expr, file, line);
	}
	fflush(stdout);
	return (pass);
}

__attribute__((format(printf, 6, 7), unused)) static int
tap_int(long long got, long long want, const char *expr, const char *file, int line,
    const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (tap_ok(got == want, expr, file, line, "%s", text))
		return (1);
	printf("#   got %lld, want %lld\n", got, want);
	return (0);
}

__attribute__((format(printf, 6, 7), unused)) static int
tap_str(const char *got, const char *want, const char *expr, const char *file, int line,
    const char *fmt, ...)
{
	char text[256];
	va_list ap;
	int same = got == want || (got != NULL && want != NULL && strcmp(got, want) == 0);

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (tap_ok(same, expr, file, line, "%s", text))
		return (1);
	printf("#   got  \"%s\"\n#   want \"%s\"\n", got ? got : "(null)", want ? want : "(null)");
	return (0);
}

__attribute__((format(printf, 2, 3), unused)) static void
tap_skip(int n, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	while (n-- > 0)
		printf("ok %d # SKIP %s\n", ++tap_count, text);
}

__attribute__((unused)) static int
tap_done(void)
{
	printf("1..%d\n", tap_count);
	fflush(stdout);
	return (tap_failed ? EXIT_FAILURE : EXIT_SUCCESS);
}

#endif
