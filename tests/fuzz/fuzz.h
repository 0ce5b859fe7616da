/* SPDX-License-Identifier: ISC */
/*
 * fuzz.h -- what a fuzz target is: one function, given any bytes.  It must return, whatever they are,
 * keep within its memory (ASan, UBSan), and abort by must() where a rule is broken.
 *
 * The interface is libFuzzer's (LLVM documentation, "libFuzzer -- a library for coverage-guided fuzz
 * testing").  The input is borrowed; one thread.
 */
#ifndef S3B_TESTS_FUZZ_H
#define S3B_TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* How many mutations of each input make check tries; a target whose inputs take long says so. */
extern const unsigned fuzz_mutations;

#define must(cond)                                                                                 \
	((cond) ? (void)0 : (fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond), abort()))

/* A string of its own size, so that a read behind it is seen. */
static inline char *
fuzz_string(const uint8_t *data, size_t len)
{
	char *s = malloc(len + 1);

	must(s != NULL);
	if (len > 0)
		memcpy(s, data, len);
	s[len] = '\0';
	return (s);
}

#endif
