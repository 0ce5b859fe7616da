/* SPDX-License-Identifier: ISC */
/*
 * test_inject.c -- injection points do what they are told, when they are told, and nothing
 * else; in a normal build they are not there.
 */
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/inject.h"
#include "common/timeutil.h"
#include "tests/unit/tap.h"

#ifdef S3B_INJECT
/* How a child ends that passes the point three times: signal, or 1000 + exit code. */
static int
end_of(const char *spec, int passes)
{
	int status = 0;
	pid_t pid;

	fflush(stdout);
	if ((pid = fork()) == 0) {
		if (freopen("/dev/null", "w", stderr) == NULL)
			_exit(9);
		setenv("S3B_INJECT", spec, 1);
		inject_set(NULL);
		for (int i = 0; i < passes; i++)
			INJECT("test.here");
		_exit(7);
	}
	while (waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status)) {
		kill(pid, SIGCONT);
		if (WSTOPSIG(status) == SIGSTOP)
			passes = -1;
	}
	if (passes == -1)
		return (SIGSTOP);
	return (WIFSIGNALED(status) ? WTERMSIG(status) : 1000 + WEXITSTATUS(status));
}

int
main(void)
{
	uint64_t start;
	int failed = 0;

	is_int(end_of("test.here:kill", 1), SIGKILL, "kill");
	is_int(end_of("test.here:abort", 1), SIGABRT, "abort");
	is_int(end_of("test.here:stop", 1), SIGSTOP, "stop");
	is_int(end_of("test.here:exit=5", 1), 1005, "exit");
	is_int(end_of("test.here:log", 1), 1007, "log");
	is_int(end_of("test.here:kill:3", 2), 1007, "the third passage does not come");
	is_int(end_of("test.here:kill:3", 3), SIGKILL, "the third passage");
	is_int(end_of("elsewhere:kill", 3), 1007, "another point");
	is_int(end_of("elsewhere:kill,test.here:exit=4", 3), 1004, "the second of two");
	is_int(end_of("", 3), 1007, "nothing");
	is_int(end_of("test.here:explode", 1), 1002, "an action that is none");
	is_int(end_of("test.here", 1), 1002, "no action");
	is_int(end_of("test.here:exit", 1), 1002, "an action without its number");
	is_int(end_of("test.here:kill:x", 1), 1002, "a count that is none");

	inject_set("test.fail:fail:2");
	for (int i = 0; i < 4; i++)
		failed = failed * 2 + INJECT_FAIL("test.fail");
	is_int(failed, 4, "fail, at the second passage alone");
	inject_set("test.fail:fail:0");
	errno = EBADF;
	ok(INJECT_FAIL("test.fail") && INJECT_FAIL("test.fail"), "fail, at every passage");
	is_int(errno, EBADF, "errno is kept");
	inject_set("test.sleep:sleep=30");
	start = now_us();
	INJECT("test.sleep");
	ok(now_us() - start >= 30 * US_PER_MS, "sleep");
	return (tap_done());
}
#else
int
main(void)
{
	setenv("S3B_INJECT", "test.here:kill", 1);
	INJECT("test.here");
	ok(!INJECT_FAIL("test.here"), "a normal build has no injection points");
	return (tap_done());
}
#endif
