/* SPDX-License-Identifier: ISC */
/*
 * check.h -- assertions on our own invariants, on in release builds too.
 *
 * Process:  all.  Threads: any.
 * Use:      MUST() is for what only a bug of ours can break.  Bytes of a peer, a file or a
 *           server are bad input: check, count and reject them, never assert on them.
 * Death:    the text goes to panic_text (shared memory, so that the obituary can quote it) and
 *           to the log; then abort(3).
 */
#ifndef S3B_COMMON_CHECK_H
#define S3B_COMMON_CHECK_H

#include <stddef.h>

/*
 * Where the last words go.  A role points this at its own proc_slot once it has mapped the
 * segment; before that they go to the log alone.  Always NUL-terminated after a panic.
 */
extern char	*panic_text;
extern size_t	 panic_text_len;

_Noreturn void	panic_at(const char *file, int line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4), cold));

#define MUST(expr)                                                                                 \
	do {                                                                                       \
		if (__builtin_expect(!(expr), 0))                                                  \
			panic_at(__FILE__, __LINE__, "broken: %s", #expr);                         \
	} while (0)

/* Too slow for every build: whole-table walks and the like.  The expression always compiles. */
#ifdef S3B_PARANOID
#define MUST_SLOW(expr) MUST(expr)
#else
#define MUST_SLOW(expr)                                                                            \
	do {                                                                                       \
		if (0)                                                                             \
			(void)(expr);                                                              \
	} while (0)
#endif

#define NOTREACHED(why) panic_at(__FILE__, __LINE__, "not reached: %s", (why))

#define BUILD_ASSERT(expr) _Static_assert(expr, #expr)

#endif
