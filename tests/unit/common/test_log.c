/* SPDX-License-Identifier: ISC */
/*
 * test_log.c -- log lines as they come out, and the last words of a panic.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/check.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "common/log_limit.h"
#include "common/timeutil.h"
#include "tests/unit/tap.h"

static int out; /* what stands for stderr */

/* What was logged since the last call. */
static const char *
logged(void)
{
	static char text[1 << 20];
	ssize_t n = pread(out, text, sizeof(text) - 1, 0);

	text[n < 0 ? 0 : n] = '\0';
	if (ftruncate(out, 0) != 0)
		abort();
	return (text);
}

static void
test_lines(void)
{
	char too_long[3000];
	const char *text;

	log_open("uploader.3", "stderr", "info", true);
	log_info("started: pid=%d", 12);
	is_str(logged(), "uploader.3: started: pid=12\n", "the form of a line");
	errno = EBADF;
	log_err(-ENOSPC, "put failed: block=%d", 812);
	is_int(errno, EBADF, "errno is kept");
	is_str(logged(), "uploader.3: put failed: block=812: No space left on device\n",
	    "an error carries its text");
	log_err(0, "no errno");
	is_str(logged(), "uploader.3: no errno\n", "or none");
	log_debug("quiet");
	log_trace(TRACE_HTTP, "quiet");
	is_str(logged(), "", "debug and trace are off");
	log_set_trace(1u << TRACE_HTTP);
	log_trace(TRACE_HTTP, "GET %s", "x");
	log_trace(TRACE_IPC, "quiet");
	is_str(logged(), "uploader.3: [http] GET x\n", "trace is switched by area");
	log_set_trace(0);
	ok(log_area_parse("commit") == TRACE_COMMIT && log_area_parse("no") == -EINVAL,
	    "area names");

	is_int(log_set_level("warn"), 0, "the level changes");
	log_info("quiet");
	log_warn("loud");
	is_str(logged(), "uploader.3: loud\n", "at once");
	is_int(log_set_level("shout"), -EINVAL, "a level that is none");
	ok(log_enabled(LEVEL_WARN) && !log_enabled(LEVEL_INFO), "changes nothing");
	log_set_level("info");

	log_info("a\nforged: line\r\x1b[31m\t\x7f%s", "\xc2\x9b");
	is_str(logged(), "uploader.3: a\\x0aforged: line\\x0d\\x1b[31m\\x09\\x7f\\xc2\\x9b\n",
	    "control characters cannot forge lines or colours");
	log_info("na\xc3\xafve \xe2\x82\xac \xf0\x9f\x98\x80 \xff\xc3\n");
	is_str(logged(), "uploader.3: na\xc3\xafve \xe2\x82\xac \xf0\x9f\x98\x80 \\xff\\xc3\n",
	    "UTF-8 stays, what is none does not");
	memset(too_long, 'y', sizeof(too_long));
	too_long[sizeof(too_long) - 1] = '\0';
	log_info("%s", too_long);
	text = logged();
	ok(strlen(text) < 1100 && strcmp(text + strlen(text) - 4, "...\n") == 0,
	    "a long line is cut, visibly");
	memset(too_long, '\1', sizeof(too_long) - 1);
	log_info("%s", too_long);
	text = logged();
	ok(strlen(text) < 2100 && text[strlen(text) - 1] == '\n' &&
		strchr(text, '\n') == text + strlen(text) - 1,
	    "also when every character grows");
	is_str(log_redact("secret"), "***", "secrets are three stars");
}

static void
test_repeats(void)
{
	struct log_held held;
	uint64_t now = now_us();
	unsigned written = 0;
	char text[32];

	for (int i = 0; i < 18; i++)
		log_warn("again");
	is_str(logged(), "uploader.3: again\n", "the same line is written once");
	log_flush();
	is_str(logged(), "uploader.3: 17 more like this were not logged: again\n", "and counted");
	log_flush();
	is_str(logged(), "", "once");

	/* One message, many texts: a burst, then so many a second.  The clock is ours here. */
	for (unsigned i = 0; i < 10000; i++) {
		snprintf(text, sizeof(text), "block=%u", i);
		written += log_limit_admit("block=%u", text, LEVEL_WARN, now + i * 1000, &held);
	}
	ok(written >= LIMIT_BURST && written <= LIMIT_BURST + 11 * LIMIT_PER_S,
	    "a flood of 1000 lines/s for 10 s is held to %u lines", written);
	now += 10 * US_PER_S;
	ok(log_limit_admit("block=%u", "block=x", LEVEL_WARN, now + US_PER_S, &held),
	    "when it is over the next is written");
	ok(held.count > 0 && held.level == LEVEL_WARN, "with the count");
	ok(strcmp(held.text, "block=9999") == 0, "and the last text");
	ok(!log_limit_expired(now + 2 * US_PER_S, false, &held), "nothing else is held back");
	ok(log_limit_admit("same", "same", LEVEL_INFO, now, &held) &&
		!log_limit_admit("same", "same", LEVEL_INFO, now + LIMIT_SAME_US - 1, &held) &&
		log_limit_admit("same", "same", LEVEL_INFO, now + LIMIT_SAME_US, &held),
	    "the same line may come again after 10 s");
	is_int(held.count, 1, "with its count");
	/* More messages than the table has room for: none may get lost for that. */
	written = 0;
	for (unsigned i = 0; i < 1000; i++)
		written += log_limit_admit(text + i % 32, text, LEVEL_INFO, now + i, &held);
	ok(written >= 32, "many different messages");
	log_flush();
	logged();
}

static void *
log_much(void *arg)
{
	for (int i = 0; i < 500; i++)
		log_debug("thread %s line %d of the test, long enough to be torn", (char *)arg, i);
	return (NULL);
}

static void
test_threads(void)
{
	static char names[][6] = {"one", "two", "three", "four"};
	pthread_t threads[4];
	int lines = 0, whole = 0;
	char *line, *rest, *copy;

	log_set_level("debug");
	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, log_much, names[i]);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	copy = rest = strdup(logged());
	while ((line = strsep(&rest, "\n")) != NULL && *line != '\0') {
		lines++;
		whole += strncmp(line, "uploader.3: thread ", 19) == 0 &&
			 strcmp(line + strlen(line) - 4, "torn") == 0;
	}
	free(copy);
	is_int(lines, 2000, "four threads write all their lines");
	is_int(whole, 2000, "none is torn");
	log_set_level("info");
}

static void
test_file(void)
{
	char name[] = "/tmp/s3b-test-log.XXXXXX", text[256] = "";
	AUTO_FD int fd = mkostemp(name, O_CLOEXEC);

	log_open("cachemgr", name, "info", true);
	log_info("to a file");
	ok(pread(fd, text, sizeof(text) - 1, 0) > 0 &&
		strlen(text) == 16 + strlen(" cachemgr: to a file\n") &&
		strcmp(text + 16, " cachemgr: to a file\n") == 0,
	    "a file has the time, too: %.16s", text);
	log_open("cachemgr", "stderr", "info", true);
	log_info("back");
	is_str(logged(), "cachemgr: back\n", "and back to stderr");
	log_open("cachemgr", "/nonexistent/dir/log", "info", false);
	is_str(logged(),
	    "cachemgr: cannot log to /nonexistent/dir/log: No such file or directory\n",
	    "a file that cannot be opened: stderr, and it says so");
	unlink(name);
}

static void
test_panic(void)
{
	char *words = mmap(NULL, 64, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status = 0, fds = 3;
	pid_t pid;

	fflush(stdout);
	if ((pid = fork()) == 0) {
		panic_text = words;
		panic_text_len = 40;
		MUST(fds == 4);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "a broken MUST() aborts");
	ok(strncmp(words, __FILE__ ":", strlen(__FILE__) + 1) == 0, "the last words say where");
	is_int(strlen(words), 39, "and are cut to the room there is");
	ok(strstr(logged(), ": broken: fds == 4\n") != NULL, "the log has all of them");
	munmap(words, 64);
}

static void
test_time(void)
{
	char buf[64], iso[TIME_ISO_LEN], http[TIME_HTTP_LEN];
	struct timespec ts = us_to_timespec(1500001);

	is_str(
	    time_iso_basic(UINT64_C(1795426168) * US_PER_S, iso), "20261123T092928Z", "ISO time");
	is_str(time_http_date(UINT64_C(1795426318) * US_PER_S, http),
	    "Mon, 23 Nov 2026 09:31:58 GMT", "HTTP time");
	is_str(time_iso_basic(UINT64_MAX, iso), "19700101T000000Z", "a time that is none");
	ok(ts.tv_sec == 1 && ts.tv_nsec == 500001000, "microseconds to timespec");
	is_int(timespec_to_us(&ts), 1500001, "and back");
	ok(deadline_in_us(TIME_NEVER) == TIME_NEVER, "a deadline saturates");
	is_int(deadline_left_ms(TIME_NEVER), -1, "poll waits for ever for one that never comes");
	is_int(deadline_left_ms(0), 0, "and not for one that is past");
	ok(deadline_left_ms(now_us() + 1000500) > 900, "milliseconds are left");
	ok(!deadline_passed(TIME_NEVER) && deadline_passed(1), "passed or not");
	is_str(duration_text(250000, buf, sizeof(buf)), "250 ms", "a quarter second");
	is_str(duration_text(12300000, buf, sizeof(buf)), "12.3 s", "seconds");
	is_str(duration_text(250 * US_PER_S, buf, sizeof(buf)), "4 min 10 s", "minutes");
	is_str(duration_text(10920 * US_PER_S, buf, sizeof(buf)), "3 h 2 min", "hours");
	is_str(duration_text(90000 * US_PER_S, buf, sizeof(buf)), "1 d 1 h", "days");
}

int
main(void)
{
	int saved = dup(STDERR_FILENO);

	/* stderr is a file for the time of the test: appended to, like a log. */
	out = open("/tmp", O_TMPFILE | O_RDWR | O_APPEND | O_CLOEXEC, 0600);
	if (out < 0 || dup2(out, STDERR_FILENO) < 0)
		return (EXIT_FAILURE);
	unsetenv("JOURNAL_STREAM");
	test_lines();
	test_repeats();
	test_threads();
	test_file();
	test_panic();
	test_time();
	dup2(saved, STDERR_FILENO);
	return (tap_done());
}
