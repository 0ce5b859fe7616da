/* SPDX-License-Identifier: ISC */
/*
 * test_envwipe.c -- a secret in the environment: after it has been wiped, neither getenv(3) nor
 * /proc/self/environ has it, and its neighbours are untouched.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/envwipe.h"
#include "tests/unit/tap.h"

static int
in_proc(const char *text)
{
	static char buf[65536];
	FILE *f = fopen("/proc/self/environ", "re");
	size_t n = f != NULL ? fread(buf, 1, sizeof(buf) - 1, f) : 0;

	if (f != NULL)
		(void)fclose(f);
	return (n > 0 && memmem(buf, n, text, strlen(text)) != NULL);
}

int
main(int argc, char **argv)
{
	static char *const env[] = {(char *)(uintptr_t) "A_SECRET=wipe-this-away",
	    (char *)(uintptr_t) "SECRET=wipe-this-too", (char *)(uintptr_t) "SECRET_NOT=kept",
	    (char *)(uintptr_t) "LAST=kept-as-well", NULL};

	/* The kernel's copy is made at exec. */
	if (argc == 1) {
		char *again[] = {argv[0], (char *)(uintptr_t) "again", NULL};

		(void)execve("/proc/self/exe", again, env);
		return (1);
	}
	ok(in_proc("wipe-this-too") && getenv("SECRET") != NULL, "there it is");
	env_wipe("SECRET");
	ok(getenv("SECRET") == NULL, "getenv() does not have it any more");
	ok(!in_proc("wipe-this-too"), "nor has /proc/self/environ");
	ok(in_proc("wipe-this-away") && in_proc("SECRET_NOT=kept") && in_proc("LAST=kept-as-well"),
	    "its neighbours are still there");
	env_wipe("LAST");
	env_wipe("A_SECRET");
	ok(!in_proc("kept-as-well") && !in_proc("wipe-this-away"), "the first and the last one");
	env_wipe("NOT_THERE");
	ok(strcmp(getenv("SECRET_NOT"), "kept") == 0, "one that is not there: nothing happens");
	return (tap_done());
}
