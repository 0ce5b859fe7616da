/* SPDX-License-Identifier: ISC */
/*
 * ledger.h -- gives back what code under test would keep until its process ends.
 *
 * cachemgr never closes what it opens: its process ends.  A harness opens it a hundred thousand times.  So
 * the linker sends its malloc(3) family, pthread_create(3), exit(3) and role_fail() here (mk/fuzz.mk, --wrap), and
 * what was taken between ledger_begin() and ledger_end() and not given back is given back then.  Each block
 * keeps its own place in the heap, so that ASan sees what it always sees.
 *
 * Threads: those of cachemgr may be at work meanwhile; they are ended by ledger_end().
 */
#ifndef S3B_TESTS_FUZZ_LEDGER_H
#define S3B_TESTS_FUZZ_LEDGER_H

#include <setjmp.h>
#include <stdbool.h>

void ledger_begin(void);
void ledger_end(void);

/* role_fail() and exit(3) come here while `ledger_catches`; what it said is in ledger_why. */
extern jmp_buf ledger_fail;
extern bool ledger_catches;
extern char ledger_why[512];

#endif
