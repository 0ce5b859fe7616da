/* SPDX-License-Identifier: ISC */
/*
 * breakout.h -- a role tries to do what it must not be able to: for tests (make INJECT=1).
 *
 * Process:  a role, once, when it is confined and ready; the injection point is "breakout.ROLE"
 *           with the action fail.  tests/e2e/790-breakout.sh compares what it says with what must be.
 * Says:     for each attempt one line in the log: `breakout: NAME result=EPERM`, "done" where the
 *           kernel let it.  What succeeds is undone or does no harm.
 * Targets:  S3B_BREAKOUT="file=PATH file=PATH pid=N pid=N": what belongs to others; file= as often
 *           as there are files.
 */
#ifndef S3B_COMMON_BREAKOUT_H
#define S3B_COMMON_BREAKOUT_H

#ifdef S3B_INJECT
struct role_env;
void breakout_try(const struct role_env *);
#else
#define breakout_try(env) ((void)(env))
#endif

#endif
