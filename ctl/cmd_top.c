/* SPDX-License-Identifier: ISC */
/*
 * cmd_top.c -- `top`: the status page, again each second.
 *
 * On a terminal: its second screen, so that what was there before comes back; keys come one by one
 * and without an echo; each line is cut at the width of the moment, so a resize needs no more than
 * the next drawing.  The terminal is put right again at every way out, a signal's as well.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "common/blockmath.h"
#include "common/timeutil.h"

#include "ctl/command.h"
#include "ctl/page.h"

#include "ctl/guard.h"

#define EVERY_US US_PER_S
#define CTRL_C	 3

static const char enter_text[] = "\033[?1049h\033[?25l", leave_text[] = "\033[?25h\033[?1049l";
static struct termios before;
static volatile sig_atomic_t ended, resized;

static void
on_signal(int sig)
{
	if (sig == SIGWINCH)
		resized = 1;
	else
		ended = 1;
}

static void
terminal_enter(void)
{
	struct sigaction sa = {.sa_handler = on_signal}; /* not restarted: they wake poll() */
	struct termios raw;

	(void)sigaction(SIGWINCH, &sa, NULL);
	(void)sigaction(SIGTERM, &sa, NULL);
	(void)sigaction(SIGHUP, &sa, NULL);
	(void)sigaction(SIGINT, &sa, NULL);
	if (tcgetattr(STDIN_FILENO, &before) == 0) {
		raw = before;
		raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ISIG);
		(void)tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	}
	(void)fputs(enter_text, stdout);
}

static void
terminal_leave(void)
{
	(void)fputs(leave_text, stdout);
	(void)fflush(stdout);
	(void)tcsetattr(STDIN_FILENO, TCSANOW, &before);
}

/* What fits on the screen of this moment; the cursor goes home first, and the rest is cleared. */
static void
draw(const char *text)
{
	struct winsize w = {.ws_row = 24, .ws_col = 80};
	unsigned rows, cols;

	(void)ioctl(STDOUT_FILENO, TIOCGWINSZ, &w);
	rows = w.ws_row > 1 ? w.ws_row : 24;
	cols = w.ws_col > 1 ? w.ws_col : 80;
	(void)fputs("\033[H", stdout);
	for (unsigned row = 0; row + 1 < rows && *text != '\0'; row++) {
		const char *end = strchrnul(text, '\n');

		(void)fwrite(text, 1, min_u64((uint64_t)(end - text), cols), stdout);
		(void)fputs("\033[K\n", stdout);
		text = *end == '\n' ? end + 1 : end;
	}
	(void)fputs("\033[J", stdout);
	(void)printf("\033[%u;1H\033[7m q \033[0m quit  \033[7m space \033[0m now", rows);
	(void)fflush(stdout);
}

/* Until the next drawing; true: the end. */
static bool
wait_for_key(uint64_t until_us)
{
	struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
	char c;

	while (!ended && !resized) {
		int n = poll(&p, 1, deadline_left_ms(until_us));

		if (n == 0)
			return (false);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 || read(STDIN_FILENO, &c, 1) != 1)
			return (true);
		if (c == 'q' || c == 'Q' || c == CTRL_C)
			return (true);
		if (c == ' ')
			return (false);
	}
	resized = 0;
	return (ended != 0);
}

static char *
page_text(json_t *st)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (out == NULL)
		return (NULL);
	page_print(st, out);
	(void)fclose(out);
	return (text);
}

/* --timeout is over, or so nearly that a question would not be answered any more. */
static bool
at_end(const struct ask *a)
{
	return (deadline_left_us(a->deadline_us) < EVERY_US / 10);
}

static int
on_terminal(struct ask *a)
{
	json_t *st;
	int code;
	bool over = false;

	terminal_enter();
	while (!over && (code = ask_simple(a, "status", &st)) == EXIT_DONE) {
		char *text = page_text(st);

		json_decref(st);
		draw(text != NULL ? text : "out of memory\n");
		free(text);
		over = wait_for_key(min_u64(deadline_in_us(EVERY_US), a->deadline_us)) || at_end(a);
	}
	terminal_leave();
	if (code != EXIT_DONE)
		(void)fprintf(stderr, "s3backerctl: the disk does not answer any more\n");
	return (code);
}

static int
in_a_pipe(struct ask *a)
{
	json_t *st;
	int code;

	while ((code = ask_simple(a, "status", &st)) == EXIT_DONE) {
		page_print(st, stdout);
		json_decref(st);
		if (fflush(stdout) != 0)
			break;
		(void)usleep((useconds_t)min_u64(EVERY_US, deadline_left_us(a->deadline_us)));
		if (at_end(a))
			break;
	}
	return (code);
}

int
cmd_top(struct ask *a, const struct options *o, char **args)
{
	(void)o;
	(void)args;
	if (isatty(STDOUT_FILENO) && isatty(STDIN_FILENO))
		return (on_terminal(a));
	return (in_a_pipe(a));
}
